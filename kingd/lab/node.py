"""One daemon of a lab: its folder, its options, whether it runs, what it says."""

import signal
from pathlib import Path

from kingd.control.client import JsonObject, KingdError, call
from kingd.lab.process import Process, load


class Node:
    def __init__(self, folder: Path, *, name: str, priority: int, cluster: str, port: int) -> None:
        self.name = name
        self.priority = priority
        self.folder = folder
        self.socket = str(folder / "control.sock")
        self.log = folder / "log"
        self._cluster = cluster
        self._port = port
        self._pid_file = folder / "lab.pid"

    @property
    def process(self) -> Process | None:
        """The running daemon."""
        process = load(self._pid_file)
        return process if process is not None and process.is_running else None

    def prepare(self, profile: str) -> None:
        """The folder and the file that is given to the daemon, so that it reads nothing of the host's own, its key included."""
        self.folder.mkdir(mode=0o700)
        (self.folder / "kingd.toml").write_text(f'[timing]\nprofile = "{profile}"\n[security]\nmode = "off"\n')

    def kill(self, number: signal.Signals) -> None:
        process = self.process  # looked at once: it may end at any moment
        if process is not None:
            process.signal(number)

    def wait_until_ended(self, timeout_s: float) -> bool:
        process = load(self._pid_file)
        return process is None or process.wait(timeout_s)

    def status(self, timeout_s: float = 1.0) -> JsonObject | None:
        """What it says of itself; None if it does not answer."""
        try:
            return call(self.socket, "Status", timeout_s=timeout_s)
        except KingdError:
            return None

    def last_words(self) -> str:
        """The end of its log, for an error message."""
        try:
            return "\n".join(self.log.read_text(errors="replace").splitlines()[-5:])
        except OSError:
            return ""

    @property
    def argv(self) -> list[str]:
        """The daemon's options."""
        return [
            *("--config", str(self.folder / "kingd.toml")),
            *("--cluster", self._cluster),
            *("--name", self.name),
            *("--priority", str(self.priority)),
            *("--interface", "lo"),
            *("--port", str(self._port)),
            *("--state-dir", str(self.folder)),
            *("--socket", self.socket),
        ]
