"""`python -m benchmarks.vip`: how long a floating address answers nobody, kingd-vip beside keepalived, in the same networks.

A client on a fourth host, with the address in its neighbour table, connects each 10 ms. The gap is the time from the
beginning of the first attempt that came to nothing, or was answered late, to the first one after it that was accepted; 0 if
there is none. The same of a connection that is open, on which it says something each 10 ms, and which it opens again when it
has ended. On the host that has the address the daemon is killed, or stopped as systemd does, or its cable is pulled. As
root; exits 1 if a bar is missed. A busy machine makes every number worse: `chrt -r 10` before the command keeps it out.
"""

import argparse
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from itertools import product
from pathlib import Path
from typing import Protocol

from benchmarks.measured import Measured, merge, table
from benchmarks.systems.process import Process
from tests.lan.host import Host, until
from tests.lan.network import Lan
from tests.lan.vip import V4, V6, Vip, has, mac, neighbour

_PORT = 7000
_LATE_NS = 50_000_000  # an attempt that took as long was not answered by who had the address when it began
_SETTLED_S = 1.5
_LIMIT_S = 60.0
_FORGOTTEN_S = 61.0  # the jitter that a failure detector has measured as the hosts began (core/state/detector.py)
_BARS = {"SIGKILL": 20, "planned stop": 10}
ROWS = ("SIGKILL", "planned stop", "cable pulled")
KINDS = {"connect": "new connections", "hold": "an open connection"}
RESULTS = Path(__file__).parents[1] / "docs" / "results" / "vip.json"
_KEEPALIVED = """
global_defs {{
    router_id {name}
    vrrp_version 3
}}
vrrp_instance four {{
    state BACKUP
    interface eth0
    virtual_router_id 51
    priority {priority}
    advert_int {interval}
    virtual_ipaddress {{
        {four}/32 dev eth0
    }}
}}
vrrp_instance six {{
    state BACKUP
    interface eth0
    native_ipv6
    virtual_router_id 52
    priority {priority}
    advert_int {interval}
    virtual_ipaddress {{
        {six}/128 dev eth0
    }}
}}
"""


class System(Protocol):
    def start(self, host: Host) -> None: ...
    def stop(self, host: Host) -> None: ...
    def kill(self, host: Host) -> None: ...
    def close(self) -> None: ...


class Kingd:
    def __init__(self, hosts: Sequence[Host], config: str = "") -> None:
        self._vips = {host.name: Vip(host) for host in hosts}
        for host in hosts:
            host.config.write_text(config)
            self._vips[host.name].start(is_ready=False)

    def start(self, host: Host) -> None:
        host.start()

    def stop(self, host: Host) -> None:
        host.stop()

    def kill(self, host: Host) -> None:
        host.kill()

    def close(self) -> None:
        for vip in self._vips.values():
            vip.kill()


class Keepalived:
    def __init__(self, hosts: Sequence[Host], interval: str) -> None:
        self._running: dict[str, Process] = {}
        self._interval = interval

    def start(self, host: Host) -> None:
        config = host.folder / "keepalived.conf"
        priority = 100 + (host.priority or 0)
        text = _KEEPALIVED.format(name=host.name, priority=priority, interval=self._interval, four=V4, six=V6)
        config.write_text(text, encoding="ascii")
        files = [host.folder / "pid", host.folder / "vrrp_pid"]
        for file in files:
            file.unlink(missing_ok=True)
        command = [
            "keepalived",
            "--dont-fork",
            "--vrrp",
            f"--use-file={config}",
            *(f"--{file.name}={file}" for file in files),
        ]
        with (host.folder / "keepalived.log").open("ab") as log:
            self._running[host.name] = Process(host, command, output=log.fileno())

    def stop(self, host: Host) -> None:
        self._running.pop(host.name).stop()

    def kill(self, host: Host) -> None:
        self._running.pop(host.name).kill()

    def close(self) -> None:
        for process in self._running.values():
            process.kill()


SYSTEMS: dict[str, Callable[[Sequence[Host]], System]] = {
    "kingd": Kingd,
    "kingd-fast": lambda hosts: Kingd(hosts, '[timing]\nprofile = "fast"\n'),
    "kingd-100ms-x3": lambda hosts: Kingd(hosts, '[timing]\nleader_timeout = "300ms"\n'),  # as keepalived-0.1 does
    "keepalived": lambda hosts: Keepalived(hosts, "1"),
    "keepalived-0.1": lambda hosts: Keepalived(hosts, "0.1"),
    "keepalived-0.01": lambda hosts: Keepalived(hosts, "0.01"),
}


class Stage:
    """Three hosts and a client; a has the addresses."""

    def __init__(self, lan: Lan, every_ms: float) -> None:
        self.lan, self._every_ms = lan, every_ms
        self.hosts = lan.ranked(3)
        self.client = lan.host("client")
        for number, host in enumerate([*self.hosts, self.client], 1):
            host.namespace.ip(f"address add fd77::{number}/64 dev eth0")
        self._servers = [self._traffic(host, "serve", str(_PORT)) for host in self.hosts]

    def _traffic(self, host: Host, *words: str) -> "subprocess.Popen[bytes]":
        return subprocess.Popen(host.namespace.command(sys.executable, "-m", "benchmarks.vip_traffic", *words))

    def close(self) -> None:
        for server in self._servers:
            server.kill()
            server.wait()

    def gap_ms(self, kind: str, address: str, fault: Callable[[], None]) -> float:
        """Of what the fault does, to who connects or holds a connection."""
        file, last = self.lan.folder / "attempts", self.lan.folder / "attempts.last"
        file.unlink(missing_ok=True)
        last.unlink(missing_ok=True)
        client = self._traffic(self.client, kind, address, str(_PORT), str(self._every_ms), str(file))
        first = self.hosts[0]
        until(lambda: neighbour(self.client, address) == mac(first), limit_s=_LIMIT_S, what="the client knows it")
        time.sleep(_SETTLED_S + random.random())
        struck_ns, struck_s = time.monotonic_ns(), time.time()
        fault()
        until(lambda: has(self.hosts[1], address), limit_s=_LIMIT_S, what="the next host has it")
        time.sleep(_SETTLED_S)
        if kind == "hold":
            until(lambda: last.stat().st_mtime > struck_s + _SETTLED_S, limit_s=_LIMIT_S, what="it is heard again")
        client.send_signal(signal.SIGTERM)
        code = client.wait(_LIMIT_S)
        assert code == 0, f"the client ended with {code}"
        return _gap_ms(file, struck_ns)


def _gap_ms(file: Path, struck_ns: int) -> float:
    rows = [(int(began), int(accepted)) for began, accepted in map(str.split, file.read_text().splitlines())]
    after = [(began, accepted) for began, accepted in rows if began >= struck_ns - _LATE_NS]
    missed = [began for began, accepted in after if not accepted or accepted - began > _LATE_NS]
    if not missed:
        return 0.0
    good = [accepted for began, accepted in after if began > missed[-1] and accepted]
    assert good, f"nothing was answered after the {len(missed)} attempts that were not"
    return (min(good) - missed[0]) / 1e6


def measure(name: str, row: str, kind: str, address: str, trials: int, every_ms: float) -> Measured:
    values = []
    with Lan() as lan:
        stage = Stage(lan, every_ms)
        system = SYSTEMS[name](stage.hosts)
        try:
            first = stage.hosts[0]
            for host in stage.hosts:
                system.start(host)
            if row == "cable pulled":
                time.sleep(_FORGOTTEN_S)
            for _ in range(trials):
                _until_with(stage, first)
                end = {"SIGKILL": system.kill, "planned stop": system.stop, "cable pulled": lan.pull}[row]
                values.append(stage.gap_ms(kind, address, lambda end=end: end(first)))  # type: ignore[misc]
                if row == "cable pulled":
                    lan.put_back(first)
                else:
                    system.start(first)
        finally:
            system.close()
            stage.close()
    family = "IPv6" if ":" in address else "IPv4"
    bar = _BARS.get(row) if name.startswith("kingd") and kind == "connect" else None
    return Measured(system=name, row=f"{row}, {KINDS[kind]}, {family}", unit="ms", values=values, bar=bar)


def _until_with(stage: Stage, first: Host) -> None:
    def alone() -> bool:
        return [host for host in stage.hosts if has(host, V4) or has(host, V6)] == [first] and has(first, V4, V6)

    until(alone, limit_s=_LIMIT_S, what="the first host alone has the addresses")
    time.sleep(_SETTLED_S)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.vip", description="Measure kingd-vip and keepalived.")
    parser.add_argument("--on", default=",".join(SYSTEMS), help="default: %(default)s")
    parser.add_argument("--rows", default=",".join(ROWS), help="default: %(default)s")
    parser.add_argument("--kinds", default=",".join(KINDS), help="default: %(default)s")
    parser.add_argument("--families", default="4,6")
    parser.add_argument("--trials", type=int, default=10, metavar="N")
    parser.add_argument("--every", type=float, default=10, metavar="MS", help="how often the client connects")
    parser.add_argument("--into", type=Path, default=RESULTS, metavar="FILE", help="default: %(default)s")
    options = parser.parse_args()
    results = []
    wanted = [each.split(",") for each in (options.rows, options.kinds, options.families, options.on)]
    for row, kind, family, name in product(*wanted):
        address = {"4": V4, "6": V6}[family]
        print(f"{name}: {row}, {kind} to {address} ...", file=sys.stderr, flush=True)
        results.append(measure(name, row, kind, address, options.trials, options.every))
        merge(options.into, results)
    print(table(results))
    return 0 if all(result.is_met for result in results) else 1


if __name__ == "__main__":
    sys.exit(main())
