"""Real daemons on this machine's loopback, for the tests of the process: nothing here waits for a clock.

A daemon says that it is ready as it would say it to systemd; a change is waited for at `Watch`.
"""

import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from kingd.control.client import JsonObject, call, stream

TOP = Path(__file__).parents[2]
PATIENCE_S = 20


def free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("", 0))
        port: int = sock.getsockname()[1]
        return port


@dataclass
class Daemon:
    """The command line of one daemon, and the process while it runs. `folder` is all that it has on disk."""

    folder: Path
    cluster: str
    port: int
    name: str = "box1"
    options: tuple[str, ...] = ()
    process: subprocess.Popen[str] | None = None
    notify: socket.socket = field(init=False)

    def __post_init__(self) -> None:
        self.folder.mkdir(exist_ok=True)
        self.socket = str(self.folder / "c.sock")
        self.config = self.folder / "kingd.toml"
        self.config.touch()
        self.notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.notify.settimeout(PATIENCE_S)
        self.notify.bind(str(self.folder / "notify"))

    def argv(self, *program: str) -> list[str]:
        return [
            *(sys.executable, *(program or ("-m", "kingd"))),
            *("--config", str(self.config), "--cluster", self.cluster, "--name", self.name),
            *("--interface", "lo", "--port", str(self.port)),
            *("--state-dir", str(self.folder / "state"), "--socket", self.socket),
            *self.options,
        ]

    def environment(self) -> dict[str, str]:
        return {**os.environ, "NOTIFY_SOCKET": str(self.folder / "notify")}

    def spawn(self, *program: str) -> subprocess.Popen[str]:
        self.process = subprocess.Popen(
            self.argv(*program),
            cwd=TOP,
            env=self.environment(),
            stderr=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        return self.process

    def start(self) -> "Daemon":
        self.spawn()
        self.until_ready()
        return self

    def until_ready(self) -> None:
        while b"READY=1" not in self.notify.recv(4096):
            pass

    def until_told(self, condition: Callable[[str], bool]) -> None:
        """Systemd's STATUS= line is so."""
        while not any(
            condition(line.removeprefix("STATUS="))
            for line in self.notify.recv(4096).decode().splitlines()
            if line.startswith("STATUS=")
        ):
            pass

    def run(self) -> subprocess.CompletedProcess[str]:
        """For one that ends by itself."""
        return subprocess.run(
            self.argv(),
            cwd=TOP,
            env=self.environment(),
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )

    def signal(self, number: signal.Signals) -> None:
        assert self.process is not None
        self.process.send_signal(number)

    def ends(self) -> tuple[int, str]:
        """Exit code and what it said on stderr."""
        assert self.process is not None
        _, said = self.process.communicate(timeout=PATIENCE_S)
        return self.process.returncode, said

    def stop(self) -> tuple[int, str]:
        self.signal(signal.SIGTERM)
        return self.ends()

    def close(self) -> None:
        self.notify.close()
        if self.process is not None:
            self.process.kill()
            self.process.communicate()

    # -- what it answers

    def ask(self, method: str, **parameters: object) -> JsonObject:
        return call(self.socket, method, parameters, timeout_s=PATIENCE_S)

    def until_leader(self, name: str) -> JsonObject:
        """The first event that names this leader."""
        for event in stream(self.socket, "Watch", total_s=PATIENCE_S):
            leader = event["leader"]
            if isinstance(leader, dict) and leader["name"] == name:
                return event
        raise AssertionError(f"{name} never led")


def until_gone(pid: int) -> None:
    """That process is not our child: it is waited for by a pidfd."""
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        assert select.select([handle], [], [], PATIENCE_S)[0], f"process {pid} does not end"
    finally:
        os.close(handle)
