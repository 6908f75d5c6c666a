"""kingctl run on a terminal: an interactive shell with job control, typed to, as a person does."""

import contextlib
import os
import pty
import select
import shutil
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.fake_kingd import BOX1, BOX2, FakeKingd, running, status
from tests.cli.runs import LIMIT_S
from tests.conftest import require

pytestmark = pytest.mark.timeout(300)


class Terminal:
    """A shell on a terminal of its own."""

    def __init__(self, folder: Path) -> None:
        self.shown = ""
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.chdir(folder)
            environment = {**os.environ, "PS1": "ready> ", "TERM": "dumb"}
            os.execvpe("bash", ["bash", "--norc", "--noprofile", "--noediting", "-i"], environment)

    def types(self, text: str) -> None:
        os.write(self.fd, text.encode())

    def until(self, text: str, *, typing: str = "") -> None:
        """It is shown, after what was waited for before; `typing`: again and again."""
        end_s = time.monotonic() + LIMIT_S
        while text not in self.shown:
            assert time.monotonic() < end_s, f"{text!r} is not shown, but {self.shown!r}"
            if typing:
                self.types(typing)
            if select.select([self.fd], [], [], 0.1)[0]:
                self.shown += os.read(self.fd, 4096).decode(errors="replace")
        self.shown = self.shown.partition(text)[2]

    def close(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
        os.close(self.fd)
        os.waitpid(self.pid, 0)


@pytest.fixture
def kingd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeKingd]:
    monkeypatch.setenv("KINGCTL_SOCKET", str(tmp_path / "control.sock"))
    with running(tmp_path / "control.sock") as server:
        server.service.status_is = status(role="leader", leader=BOX2, valid_ms=3000)
        yield server


@pytest.fixture
def terminal(kingd: FakeKingd, tmp_path: Path) -> Iterator[Terminal]:
    require(shutil.which("bash"), "a shell with job control is needed: bash")
    found = Terminal(tmp_path)
    found.until("ready> ")
    yield found
    found.close()


RUN = f"{sys.executable} -m kingd.cli run -- sh -c '"


def test_r02_control_c_is_for_the_command(terminal: Terminal) -> None:
    terminal.types(f'{RUN}trap "echo in"terrupted INT; echo be""gun; cat; read x; echo re""ad $x; exit 5\'\n')
    terminal.until("begun")
    terminal.types("a line\n")
    terminal.until("a line\r\na line")  # the terminal shows it, and then cat
    terminal.types("\x03")
    terminal.until("interrupted")
    terminal.types("more\n")
    terminal.until("read more")
    terminal.types("echo code $?\n")
    terminal.until("code 5")


def test_r02_control_z_stops_it_and_fg_goes_on(terminal: Terminal, kingd: FakeKingd) -> None:
    """It is stopped for longer than an answer is good for: somebody asks on meanwhile."""
    terminal.types(f'{RUN}echo be""gun; while read x; do echo re""ad $x; done; exit 5\'\n')
    terminal.until("begun")
    terminal.types("\x1a")
    terminal.until("Stopped")
    terminal.until("ready> ")
    answered = kingd.service.answered
    end_s = time.monotonic() + LIMIT_S
    while kingd.service.answered < answered + 5:
        assert time.monotonic() < end_s
        time.sleep(0.1)
    terminal.types("fg\n")
    terminal.until("kingd.cli run")
    terminal.types("one\n")
    terminal.until("read one")
    terminal.types("\x04")
    terminal.until("ready> ")
    terminal.types("echo code $?\n")
    terminal.until("code 5")


def test_r02_leadership_that_is_lost_while_it_is_stopped(terminal: Terminal, kingd: FakeKingd) -> None:
    terminal.types(f'{RUN}echo be""gun $$; while read x; do echo re""ad $x; done\'\n')
    terminal.until("begun ")
    terminal.until("\r\n")
    terminal.types("\x1a")
    terminal.until("Stopped")
    kingd.service.status_is = status(role="follower", leader=BOX1)
    terminal.until("the command is told to end")
    terminal.types("fg\n")
    terminal.until("ready> ")
    terminal.types("echo code $?\n")
    terminal.until("code 76")


def test_hand_over_ends_a_run_that_is_stopped_and_waits_for_nobody(terminal: Terminal, kingd: FakeKingd) -> None:
    """The front is stopped too: the keeper says it."""
    terminal.types(f'{RUN}echo be""gun; while read x; do echo re""ad $x; done\'\n')
    terminal.until("begun")
    terminal.types("\x1a")
    terminal.until("Stopped")
    kingd.do(lambda: kingd.service.tell_to_drain(True))
    end_s = time.monotonic() + LIMIT_S
    while "drained" not in [name for name, _ in kingd.service.calls]:
        assert time.monotonic() < end_s
        time.sleep(0.1)


def test_r02_run_in_the_background_reads_when_it_comes_to_the_front(terminal: Terminal) -> None:
    terminal.types(f'{RUN}echo be""gun; read x; echo re""ad $x\' &\n')
    terminal.until("begun")
    terminal.until("Stopped", typing="\n")  # the shell says it before its next prompt
    terminal.types("fg\n")
    terminal.until("kingd.cli run")
    terminal.types("one\n")
    terminal.until("read one")
