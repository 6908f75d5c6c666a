"""`kingctl top` in tmux, as a person has it open over ssh, while the leader dies and comes back."""

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import require
from tests.lan.host import Host, until
from tests.lan.network import Lan

pytestmark = [pytest.mark.lan, pytest.mark.timeout(120)]

_KINGCTL = Path(sys.executable).parent / "kingctl"


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


@pytest.fixture(params=[(80, 24), (200, 50)], ids=lambda size: "x".join(map(str, size)))
def tmux(request: pytest.FixtureRequest, trio: tuple[Host, Host, Host], tmp_path: Path) -> Iterator[Tmux]:
    """On b."""
    require(shutil.which("tmux"), "a terminal to look at needs tmux (Debian: tmux)")
    width, height = request.param
    found = Tmux(tmp_path / "tmux", width, height, str(_KINGCTL), f"--socket={trio[1].socket}", "top")
    yield found
    found.close()


def test_failover_and_return_are_on_the_screen(lan: Lan, trio: tuple[Host, Host, Host], tmux: Tmux) -> None:
    a, _, _ = trio
    tmux.shows(r"3 alive", r"leader +a\b")
    a.kill()
    tmux.shows(r"2 alive.* 1 dead", r"leader +b\b")
    a.start()
    tmux.shows(r"3 alive", r"leader +a\b")
    tmux.keys("p")
    tmux.shows("PAUSED")
    tmux.keys("q")
    until(tmux.has_ended, what="its end")
