"""`kingctl top` in tmux, as a person has it open over ssh, while the leader dies and comes back."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import require
from tests.lan.host import Host, until
from tests.lan.network import Lan
from tests.tmux import KINGCTL, Tmux

pytestmark = [pytest.mark.lan, pytest.mark.timeout(120)]


@pytest.fixture(params=[(80, 24), (200, 50)], ids=lambda size: "x".join(map(str, size)))
def tmux(request: pytest.FixtureRequest, trio: tuple[Host, Host, Host], tmp_path: Path) -> Iterator[Tmux]:
    """On b."""
    require(shutil.which("tmux"), "a terminal to look at needs tmux (Debian: tmux)")
    width, height = request.param
    found = Tmux(tmp_path / "tmux", width, height, str(KINGCTL), f"--socket={trio[1].socket}", "top")
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
