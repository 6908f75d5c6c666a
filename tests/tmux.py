"""A terminal that a program sees as a person's, and that a test reads."""

import re
import subprocess
import sys
from pathlib import Path

from tests.lan.host import until

KINGCTL = Path(sys.executable).parent / "kingctl"


class Tmux:
    """One window, of a server of its own."""

    def __init__(self, socket: Path, width: int, height: int, *command: str) -> None:
        self._socket = socket
        self._run("-f", "/dev/null", "new-session", "-d", "-x", f"{width}", "-y", f"{height}", *command)

    def keys(self, *keys: str) -> None:
        self._run("send-keys", *keys)

    def screen(self) -> str:
        return self._run("capture-pane", "-p")

    def shows(self, *patterns: str) -> None:
        def is_shown() -> bool:
            screen = self.screen()
            return all(re.search(each, screen) for each in patterns)

        until(is_shown, what=lambda: f"{patterns} on\n{self.screen()}")

    def has_ended(self) -> bool:
        return self._tmux("has-session").returncode != 0

    def close(self) -> None:
        self._tmux("kill-server")

    def _run(self, *arguments: str) -> str:
        done = self._tmux(*arguments)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def _tmux(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        command = ["tmux", "-S", str(self._socket), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=False)
