"""kingd-vip beside a host's daemon: a process of its own in the host's namespace, and what the kernel says of its addresses."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.lan.host import LIMIT_S, Host, until

V4, V6 = "10.77.0.200", "fd77::200"
PACKED4, PACKED6 = socket.inet_aton(V4), socket.inet_pton(socket.AF_INET6, V6)
BOTH = f"""
[[address]]
address = "{V4}"
interface = "eth0"
label = "eth0:king"

[[address]]
address = "{V6}"
interface = "eth0"
"""


class Vip:
    def __init__(self, host: Host, config: str = BOTH) -> None:
        self.host = host
        self.config = host.folder / "vip.toml"
        self.config.write_text(config)
        self._process: subprocess.Popen[bytes] | None = None
        self._log = host.folder / "vip.log"

    def start(self, *, is_ready: bool = True) -> None:
        assert self._process is None
        options = [f"--config={self.config}", f"--socket={self.host.socket}", f"--run-dir={self.host.folder}"]
        self._status_file.unlink(missing_ok=True)
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                self.host.namespace.command(sys.executable, "-m", "kingd.vip", *options),
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        if is_ready:
            until(self._status_file.exists, what=lambda: self.log)

    @property
    def _status_file(self) -> Path:
        return self.host.folder / "status.json"

    @property
    def log(self) -> str:
        return self._log.read_text()

    @property
    def is_running(self) -> bool:
        return self._process is not None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def signal(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)

    def stop(self) -> int:
        self.signal(signal.SIGTERM)
        return self.exit_code()

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self.exit_code()

    def exit_code(self) -> int:
        assert self._process is not None
        code = self._process.wait(LIMIT_S)
        self._process = None
        return code

    def rows(self) -> dict[str, dict[str, Any]]:
        """What it says of each address; nothing before it has begun."""
        if not self._status_file.exists():
            return {}
        return {row["address"]: row for row in json.loads(self._status_file.read_text())["addresses"]}

    def states(self) -> list[str]:
        return [row["state"] for row in self.rows().values()]

    def until_states(self, *states: str) -> None:
        until(
            lambda: self.states() == list(states),
            what=lambda: f"{states} on {self.host.summary()}: {self.rows()}\n{self.log}",
        )

    def complaints(self) -> list[str]:
        return [word for word in ("Traceback", "CRITICAL") if self._log.exists() and word in self.log]


def addresses(host: Host, interface: str = "eth0") -> dict[str, dict[str, Any]]:
    """As the kernel has them."""
    shown = json.loads(host.namespace.run("ip", "-json", "address", "show", "dev", interface))
    return {row["local"]: row for row in shown[0]["addr_info"]}


def has(host: Host, *wanted: str) -> bool:
    return set(wanted) <= addresses(host).keys()


def until_held(vip: Vip, *wanted: str) -> None:
    until(
        lambda: has(vip.host, *(wanted or (V4, V6))),
        what=lambda: f"{wanted or (V4, V6)} on {vip.host.summary()}: {vip.rows()}\n{vip.log}",
    )


def until_gone(host: Host, *wanted: str) -> None:
    until(lambda: not addresses(host).keys() & set(wanted or (V4, V6)), what=f"no floating address on {host.name}")


def mac(host: Host) -> str:
    found: str = json.loads(host.namespace.run("ip", "-json", "link", "show", "dev", "eth0"))[0]["address"]
    return found


def neighbour(host: Host, address: str) -> str | None:
    """The MAC that a host has learned."""
    rows = json.loads(host.namespace.run("ip", "-json", "neigh", "show", "to", address))
    return rows[0].get("lladdr") if rows else None


class Monitor:
    """When floating addresses came and went on these hosts, by the kernel's own word: (seconds since the epoch, host,
    "added" or "deleted", address); a refresh counts as added."""

    def __init__(self, hosts: Sequence[Host]) -> None:
        self._files = {host.name: host.folder / "monitor" for host in hosts}
        self._processes = []
        for host in hosts:
            with self._files[host.name].open("wb") as file:
                command = host.namespace.command("ip", "-tshort", "-oneline", "monitor", "address")
                self._processes.append(subprocess.Popen(command, stdout=file))
        for host in hosts:  # it listens
            until(lambda host=host: self._is_awake(host))  # type: ignore[misc]

    def _is_awake(self, host: Host) -> bool:
        host.namespace.ip("address replace 127.0.0.77/32 dev lo valid_lft 60 preferred_lft 60")
        return "127.0.0.77" in self._files[host.name].read_text()

    def rows(self, what: str, *wanted: str) -> list[tuple[float, str, str]]:
        found = []
        for name, file in self._files.items():
            for line in file.read_text().splitlines():
                stamp, _, rest = line.partition("] ")
                words = rest.split()
                kind = "deleted" if "Deleted" in words else "added"
                hit = [each for each in wanted or (V4, V6) if any(word.partition("/")[0] == each for word in words)]
                if kind == what and hit:
                    found.append((_seconds(stamp.strip("[")), name, hit[0]))
        return sorted(found)

    def close(self) -> None:
        for process in self._processes:
            process.kill()
            process.wait()


def _seconds(stamp: str) -> float:
    """2026-11-29T15:00:00.123456, local time."""
    whole, _, rest = stamp.partition(".")
    return time.mktime(time.strptime(whole, "%Y-%m-%dT%H:%M:%S")) + float(f"0.{rest}")


@contextmanager
def vips_on(hosts: Sequence[Host], config: str = BOTH) -> Iterator[list[Vip]]:
    """One for each, not started."""
    vips = [Vip(host, config) for host in hosts]
    try:
        yield vips
        assert not [f"{vip.host.name}: {vip.complaints()}\n{vip.log}" for vip in vips if vip.complaints()]
    finally:
        for vip in vips:
            vip.kill()
