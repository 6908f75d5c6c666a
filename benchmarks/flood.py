"""`python -m benchmarks.flood`: what floods at the leader cost a cluster that requires a key, beside the same without one.

As root. Three hosts, all of them voters, and an attacker are network namespaces on one bridge; a fifth hears the leader's
heartbeats, with the kernel's time stamps. The attacker would have a machine of his own; here he shares the processors. So
he runs on one of them only, and he and, before him, the daemons at real-time priority: whatever else the machine does
counts for nothing.
"""

import argparse
import os
import random
import socket
import struct
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from benchmarks.attacks import ATTACKS, Heard
from benchmarks.measured import Measured, machine
from tests.lan.capture import PORT, Capture
from tests.lan.host import Host
from tests.lan.network import GROUP, Lan

_KEY = "11" * 32
_HEARTBEAT = 2
_SO_TIMESTAMPNS = 35
_PRIORITY = 10  # real-time, above the attacker's
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, kw_only=True)
class Run:
    sent: dict[str, int]
    seconds: float
    changes: int
    gaps: Measured
    leader_percent: float
    follower_percent: float
    refused: int

    def column(self) -> list[str]:
        statistics = self.gaps.statistics
        return [
            f"{sum(self.sent.values()) / self.seconds:,.0f}",
            str(self.changes),
            str(len(self.gaps.values)),
            *(f"{statistics[name]:.1f}" for name in ("median", "p95", "max")),
            f"{self.leader_percent:.1f}",
            f"{self.follower_percent:.1f}",
            f"{self.refused:,}",
        ]


ROWS = (
    "datagrams/s",
    "changes of leader told by any host",
    "heartbeats heard",
    "gap between heartbeats, median, ms",
    "p95, ms",
    "max, ms",
    "leader's daemon, % of a core",
    "a follower's daemon, % of a core",
    "refused datagrams that the leader counted",
)


class Ear:
    """When the leader's heartbeats came to a host of their own."""

    def __init__(self, lan: Lan, leader: Host) -> None:
        self.at_ns: list[int] = []
        host = lan.host("ear")
        self._leader = leader.address
        self._socket = host.namespace.inside(lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        self._socket.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        self._socket.bind((GROUP, PORT))
        self._socket.setsockopt(
            socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, socket.inet_aton(GROUP) + socket.inet_aton(host.address)
        )
        self._socket.settimeout(0.1)
        self._ended = False
        self._thread = threading.Thread(target=self._listen)
        self._thread.start()

    def _listen(self) -> None:
        while not self._ended:
            try:
                data, stamps, _, (source, _) = self._socket.recvmsg(2048, 64)
            except TimeoutError:
                continue
            if source == self._leader and data[3] == _HEARTBEAT:
                seconds, nanoseconds = struct.unpack("qq", stamps[0][2])
                self.at_ns.append(seconds * 1_000_000_000 + nanoseconds)

    def close(self) -> None:
        self._ended = True
        self._thread.join()
        self._socket.close()


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.flood", description="What a flood costs.")
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--rate", type=int, default=50_000, metavar="N", help="a second [%(default)s]")
    parser.add_argument(
        "attacks", nargs="*", metavar="ATTACK", help=f"of {', '.join(ATTACKS)} [all of them, one by one]"
    )
    options = parser.parse_args()
    names = options.attacks or list(ATTACKS)
    columns = [_run(options.seconds, options.rate, name).column() for name in ("", *names)]
    print(f"{machine()}; {options.seconds:g} s each; three voters, mode enforce; the flood goes to the leader\n")
    print(f"| | no flood | {' | '.join(names)} |\n|---|{'---:|' * len(columns)}")
    for row, *cells in zip(ROWS, *columns, strict=True):
        print(f"| {row} | {' | '.join(cells)} |")
    return 0


def _run(seconds: float, rate: int, attack: str) -> Run:
    with Lan() as lan:
        leader, follower, _ = _hosts(lan)
        lan.until_led_by(leader.name)
        heard = _listen(lan, leader, follower)
        ear, attacker = Ear(lan, leader), lan.host("attacker")
        try:
            lan.until_led_by(leader.name)
            time.sleep(2)  # the start is over
            before_ns, ticks, refused = time.monotonic_ns(), [_ticks(leader), _ticks(follower)], _refused(leader)
            ear.at_ns.clear()
            sent = _flood(attacker, leader, seconds, rate, attack, heard)
            passed_s = (time.monotonic_ns() - before_ns) / 1e9
            beats = list(ear.at_ns)
            busy = [
                100 * (_ticks(host) - then) / _TICKS / passed_s
                for host, then in zip((leader, follower), ticks, strict=True)
            ]
            gaps = [(after - before) / 1e6 for before, after in pairwise(beats)]
            return Run(
                sent=sent,
                seconds=seconds,
                changes=len(lan.changes(before_ns)),
                gaps=Measured(system="kingd", row="gap", unit="ms", values=gaps),
                leader_percent=busy[0],
                follower_percent=busy[1],
                refused=_refused(leader) - refused,
            )
        finally:
            ear.close()


def _listen(lan: Lan, leader: Host, voter: Host) -> Heard:
    """What the attacker has heard of a voter, before and after it was restarted."""
    said = []
    for _ in range(2):
        with Capture(lan.switch) as capture:
            lan.until_led_by(leader.name)
            lan.until_complete()
            time.sleep(2)
        said.append(capture.payloads(source=voter))
        if len(said) == 1:
            voter.restart()
            _prefer(voter)
    return Heard(int(leader.status()["node"]["id"], 16), *said)


def _hosts(lan: Lan) -> list[Host]:
    config = _with_key(lan.folder / "cluster.key") + '\n[quorum]\nvoters = ["a", "b", "c"]'
    hosts = [lan.host(name, priority=priority, config=config) for name, priority in (("a", 30), ("b", 20), ("c", 10))]
    lan.start()
    for host in hosts:
        _prefer(host)
    return hosts


def _prefer(host: Host) -> None:
    os.sched_setscheduler(host.pid, os.SCHED_RR, os.sched_param(_PRIORITY))


def _with_key(file: Path) -> str:
    file.touch(mode=0o600)
    file.write_text(_KEY, encoding="ascii")
    return f'[security]\nmode = "enforce"\nkey_file = "{file}"'


def _flood(attacker: Host, leader: Host, seconds: float, rate: int, attack: str, heard: Heard) -> dict[str, int]:
    if not attack:
        time.sleep(seconds)
        return {}
    file = attacker.folder / "datagrams"
    file.write_text("\n".join(data.hex() for data in ATTACKS[attack](random.Random(1), heard)), encoding="ascii")
    flooder = [sys.executable, "-m", "benchmarks.flooder", leader.address, str(seconds), str(file), str(rate)]
    alone = ["taskset", "--cpu-list", str(max(os.sched_getaffinity(0))), "chrt", "--rr", "1"]
    done = subprocess.run(attacker.namespace.command(*alone, *flooder), check=True, capture_output=True, text=True)
    return {attack: int(done.stdout)}


def _refused(host: Host) -> int:
    return sum(host.status()["rejected"].values())


def _ticks(host: Host) -> int:
    """Of the processor, in user and in kernel mode."""
    fields = Path(f"/proc/{host.pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


if __name__ == "__main__":
    sys.exit(main())
