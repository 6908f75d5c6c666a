"""kingctl run before its command has begun, against a daemon whose answers a test chooses. The numbers are those of the table
in docs/run.md."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kingd.control.service import Push
from tests.cli.fake_kingd import FakeKingd
from tests.cli.freezer import Freezer
from tests.cli.runs import FOLLOWS, LIMIT_S, VALID_MS, Run, Start, children, now_ns, until

pytestmark = pytest.mark.timeout(300)


@pytest.mark.parametrize("late", [True, False])
def test_r06_nothing_is_executed_when_the_answer_is_nearly_over(tmp_path: Path, late: bool) -> None:
    """The keeper may not have run between the daemon's yes and its order."""
    program = """
import os, sys
from kingd.acting.hold import Leadership
from kingd.acting.run.command import Command
from kingd.acting.run.job import Job
from kingd.acting.run.ledger import Entry, Ledger
from kingd.acting.tree import Tree
from kingd.daemon.clock import now_us
job = Job(argv=("touch", sys.argv[1]), socket="", timeout_s=1, name="", terminal=None, group=0, ignored=frozenset())
ledger = Ledger()
command = Command(job, Tree(None), ledger)
ledger[Entry.DOUBT_US] = now_us() + int(sys.argv[2])
command.start(Leadership(1, "a"))
print(command.failure(), os.waitpid(command.pid, 0)[1])
"""
    ran, left_us = tmp_path / "ran", "0" if late else "60000000"
    done = subprocess.run(
        [sys.executable, "-c", program, ran, left_us], capture_output=True, text=True, timeout=LIMIT_S, check=False
    )
    assert (ran.exists(), done.stdout.split()[-1]) == (not late, str(126 << 8) if late else "0"), done.stderr


@pytest.fixture
def silent(kingd: FakeKingd, monkeypatch: pytest.MonkeyPatch) -> list[str | None]:
    """The daemon answers who leads, and says nothing by itself; who has asked for that."""
    names: list[str | None] = []

    def hold(name: str | None, _push: Push) -> Callable[[], None]:
        names.append(name)
        return lambda: None

    monkeypatch.setattr(kingd.service, "hold", hold)
    return names


def test_r06_nothing_is_executed_on_an_answer_alone(silent: list[str | None], start: Start, tmp_path: Path) -> None:
    code, said = start("--timeout", "500ms", "--", "touch", str(tmp_path / "ran")).end()
    assert (code, "did not say in time whether this host leads" in said) == (4, True)
    assert not (tmp_path / "ran").exists()


def test_r07_keeper_that_is_killed_before_anything_ran(
    kingd: FakeKingd, silent: list[str | None], start: Start, tmp_path: Path
) -> None:
    """That is no leadership that was lost. The daemon may have told it to end already, and is told that it has."""
    run = start("--timeout", "60s", "--", "touch", str(tmp_path / "ran"))
    until(lambda: silent)
    os.kill(run.keeper, signal.SIGKILL)
    code, said = run.end()
    assert (code, "nothing was run" in said) == (128 + signal.SIGKILL, True)
    assert not (tmp_path / "ran").exists()
    assert kingd.service.calls == [("drained", silent[0])]


@pytest.fixture
def held_back(
    kingd: FakeKingd, start: Start, tmp_path: Path, freezer: Freezer, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Run]:
    """It is told that this host leads, and its command, which has still to begin, does not run: a busy host, a slow disk."""
    held: list[tuple[str | None, Push]] = []
    hold = kingd.service.hold

    def hold_later(name: str | None, push: Push) -> Callable[[], None]:
        held.append((name, push))
        return lambda: None

    with monkeypatch.context() as patch:
        patch.setattr(kingd.service, "hold", hold_later)
        run = start("--timeout", "60s", "--", "touch", str(tmp_path / "ran"))
        until(lambda: held)
        [command] = children(run.keeper)
        freezer.freeze(command)
    kingd.do(lambda: hold(*held[0]))
    yield run
    freezer.thaw()


def test_r06_command_that_takes_long_to_begin_loses_nothing(held_back: Run, freezer: Freezer, tmp_path: Path) -> None:
    """The daemon goes on saying that this host leads, and is heard."""
    begun_ns = now_ns()
    until(lambda: now_ns() > begun_ns + 2 * VALID_MS * 1_000_000)
    freezer.thaw()
    assert held_back.end() == (0, "")
    assert (tmp_path / "ran").exists()


@pytest.mark.parametrize("ends", ["lost", "handed over"])
def test_r06_nothing_is_executed_when_leadership_ends_before_it_has_begun(
    kingd: FakeKingd, held_back: Run, freezer: Freezer, tmp_path: Path, ends: str
) -> None:
    begun_ns = now_ns()
    if ends == "handed over":
        kingd.do(lambda: kingd.service.tell_to_drain(True))
    else:
        kingd.service.status_is = FOLLOWS
    until(lambda: now_ns() > begun_ns + VALID_MS * 800_000)
    freezer.thaw()
    code, said = held_back.end()
    assert (code, "nothing was run" in said) == (75, True), said
    assert not (tmp_path / "ran").exists()
