"""leader and is-leader are answered without click; with click the answer would have been the same."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from kingd.cli.app import run_click
from kingd.cli.main import run_plain
from tests.cli.fake_kingd import BOX1, BOX2, FakeKingd, running, status


@pytest.fixture
def kingd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeKingd]:
    monkeypatch.setenv("KINGCTL_SOCKET", str(tmp_path / "control.sock"))
    with running(tmp_path / "control.sock") as server:
        yield server


PLAIN = [
    "leader",
    "is-leader",
    "leader --json",
    "leader --json --json",
    "leader --address",
    "leader --term",
    "leader --tag url",
    "leader --tag=url",
    "leader --tag none",
    "is-leader -v",
    "is-leader --verbose",
    "leader --timeout 1",
    "--timeout 200ms is-leader",
    "--timeout=2s leader --timeout=300ms --json",
    "--timeout none leader",
    "--socket /nowhere leader",
    "is-leader --socket=/nowhere",
    "--socket /nowhere is-leader --socket {socket}",
    "--socket {socket} leader --instance other",
    "--instance other leader",
]
NOT_PLAIN = [
    "",
    "status",
    "leader --help",
    "leader -h",
    "leader extra",
    "leader --json --term",
    "leader --tag",
    "leader --tag -x",
    "leader --timeout soon",
    "leader --timeout",
    "is-leader --json",
    "is-leader -vv",
    "leader -v",
    "--json leader",
    "--instance ../x leader",
    "--instance= leader",
    "-- leader",
    "leader --",
    "--version",
]


@pytest.mark.parametrize("leads", ["box1", "box2", None])
@pytest.mark.parametrize("line", PLAIN)
def test_both_ways_answer_alike(
    kingd: FakeKingd, capfd: pytest.CaptureFixture[str], line: str, leads: str | None
) -> None:
    kingd.service.status_is = {
        "box1": status(role="follower", leader=BOX1),
        "box2": status(role="leader", leader=BOX2),
        None: status(role="joining", leader=None),
    }[leads]
    argv = line.replace("{socket}", str(kingd.path)).split()
    plain = run_plain(argv), capfd.readouterr()
    assert plain[0] is not None
    assert plain == (run_click(argv), capfd.readouterr())


@pytest.mark.parametrize("line", NOT_PLAIN)
def test_what_is_not_plain_is_left_to_click_and_nothing_is_said(
    kingd: FakeKingd, capfd: pytest.CaptureFixture[str], line: str
) -> None:
    assert run_plain(line.split()) is None
    assert capfd.readouterr() == ("", "")


HEAVY = ("asyncio", "click", "dataclasses", "inspect", "pathlib", "typing", "logging", "subprocess", "kingd.config")


def test_plain_form_imports_nothing_heavy(kingd: FakeKingd) -> None:
    program = "import sys; from kingd.cli.main import run; run(['leader']); print(*sys.modules, file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "box1\n"
    assert [name for name in HEAVY if name in done.stderr.split()] == []
