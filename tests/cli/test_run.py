"""kingctl run against a daemon whose answers a test chooses. The numbers are those of the table in docs/run.md.

No time is judged by the test's own clock: the command itself notes that it lives, and the daemon notes when it was asked, so a
busy machine makes these tests slow and not wrong."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.fake_kingd import BOX1, BOX2, FakeKingd, event, status
from tests.cli.runs import FOLLOWS, LIMIT_S, Start, Witness, leads, shown, until

pytestmark = pytest.mark.timeout(300)
SHOW = """
import json, os, signal, sys
lines = dict(line.split(":\\t") for line in os.environ["SIGNALS"].splitlines())
print(json.dumps({
    "argv": sys.argv[1:], "input": sys.stdin.read(), "own_group": os.getpgid(0) == os.getpid(),
    "kingd": {key: value for key, value in os.environ.items() if key in ("KINGD_TERM", "KINGD_NODE_ID", "KINGD_RUN")},
    "blocked": int(lines["SigBlk"], 16) & ~OF_LIBC, "ignored": int(lines["SigIgn"], 16) & ~OF_LIBC,
}))
""".replace(
    "OF_LIBC", str(0b11 << 31)
)  # 32 and 33, which it lets no program change: a host's first process may ignore them
# The shell looks first: Python changes its own signals.
LOOK = 'export SIGNALS="$(grep -E "SigBlk|SigIgn" /proc/$$/status)"; exec "$0" "$@"'
SHOWN = ["/bin/sh", "-c", LOOK, sys.executable, "-SEc", SHOW]


# -- R1: not leader, and waiting


@pytest.mark.parametrize(
    ("option", "code"), [([], 75), (["--skip-ok"], 0), (["--conflict-exit-code", "9"], 9), (["--wait=300ms"], 75)]
)
def test_r01_nothing_runs_where_another_host_leads(
    kingd: FakeKingd, start: Start, tmp_path: Path, option: list[str], code: int
) -> None:
    kingd.service.status_is = FOLLOWS
    run = start(*option, "--", "touch", str(tmp_path / "ran"))
    out, said = run.process.communicate(timeout=LIMIT_S)
    assert (run.process.returncode, out) == (code, "")
    assert "nothing was run" in said
    assert not (tmp_path / "ran").exists()


def test_r01_nothing_runs_where_it_is_not_known_or_kingd_does_not_run(
    kingd: FakeKingd, start: Start, tmp_path: Path
) -> None:
    kingd.service.status_is = status(role="joining", leader=None)
    assert start("--skip-ok", "--", "touch", str(tmp_path / "ran")).end()[0] == 4
    kingd.close()
    assert start("--wait", "--", "touch", str(tmp_path / "ran")).end()[0] == 3
    assert start("--", "touch", str(tmp_path / "ran")).end()[0] == 3
    assert start().end()[0] == 2
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("limit", ["0", "1us"])
def test_r01_wait_without_time_is_a_look(kingd: FakeKingd, start: Start, limit: str) -> None:
    kingd.service.present = event("elected", role="leader", leader=BOX2, initial=True)
    assert start(f"--wait={limit}", "--", "true").end()[0] == 0
    kingd.service.status_is = FOLLOWS
    kingd.service.present = event("leader-changed", role="follower", leader=BOX1, initial=True)
    code, said = start(f"--wait={limit}", "--", "false").end()
    assert code == 75
    assert "time ran out: after 0 ms this host does not lead" in said


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT])
def test_r01_signal_ends_the_wait(kingd: FakeKingd, start: Start, number: signal.Signals) -> None:
    kingd.service.status_is = FOLLOWS
    run = start("--wait", "--", "true")
    until(lambda: kingd.service.watchers)
    run.signal(number)
    assert run.end()[0] == 128 + number


def test_r01_waits_until_this_host_leads(kingd: FakeKingd, start: Start) -> None:
    kingd.service.status_is = FOLLOWS
    run = start("--wait", "--", "echo", "ran")
    until(lambda: kingd.service.watchers)

    def elect() -> None:
        kingd.service.status_is = leads()
        kingd.service.present = event("elected", role="leader", leader=BOX2)
        kingd.service.emit(kingd.service.present)

    kingd.do(elect)
    assert run.process.communicate(timeout=LIMIT_S)[0] == "ran\n"
    assert run.process.returncode == 0


# -- R2, R3, R4, R10: what the command gets, and what it gives


def test_r02_r10_command_gets_what_it_is_given(kingd: FakeKingd, start: Start) -> None:
    words = ["--", "a b", "$HOME;", "", "*", "-x", "--wait"]
    run = start("--", *SHOWN, *words)
    assert run.process.stdin is not None
    run.process.stdin.write("input")
    assert shown(run) == {
        "argv": words,
        "input": "input",
        "own_group": True,
        "kingd": {"KINGD_TERM": "12", "KINGD_NODE_ID": BOX2["id"], "KINGD_RUN": "1"},
        "blocked": 0,
        "ignored": 0,
    }


def test_r02_command_keeps_the_priority_that_it_was_given(kingd: FakeKingd) -> None:
    """Those who watch over it may take another one."""
    show = "import os; print(os.nice(0), os.sched_getscheduler(0) == os.SCHED_BATCH)"
    argv = ["chrt", "--batch", "0", "nice", "-n", "7", sys.executable, "-m", "kingd.cli", "run", "--"]
    done = subprocess.run(
        [*argv, sys.executable, "-c", show], capture_output=True, text=True, timeout=LIMIT_S, check=True
    )
    assert done.stdout == f"{min(os.nice(0) + 7, 19)} True\n"


def test_r03_signals_are_passed_on(kingd: FakeKingd, start: Start, witness: Witness) -> None:
    run = start("--", *witness.argv())
    witness.until_alive()
    passed = ["INT", "HUP", "QUIT", "USR1", "USR2", "CONT", "WINCH", "TERM", "TERM"]
    for count, name in enumerate(passed, start=2):
        run.signal(signal.Signals[f"SIG{name}"])
        until(lambda count=count: len(witness.words) == count, lambda: witness.words)  # type: ignore[misc]
    assert witness.words == ["exec", *(f"SIG{name}" for name in passed)]
    witness.goes_on()
    assert run.process.poll() is None


@pytest.mark.parametrize(
    ("command", "code"),
    [("exit 0", 0), ("exit 7", 7), ("kill -9 $$", 137), ("kill -TERM $$", 143), ("exit 75", 75), ("exit 76", 76)],
)
def test_r04_exit_code_is_that_of_the_command(kingd: FakeKingd, start: Start, command: str, code: int) -> None:
    found, said = start("--conflict-exit-code", "9", "--", "sh", "-c", command).end()
    assert found == code
    assert ("is the exit code of the command itself" in said) == (code in (75, 76))


@pytest.mark.parametrize(("argv", "code"), [(["/nowhere/x"], 127), (["/etc/passwd"], 126)])
def test_r04_command_that_cannot_be_executed(kingd: FakeKingd, start: Start, argv: list[str], code: int) -> None:
    found, said = start("--", *argv).end()
    assert (found, argv[0] in said) == (code, True)


@pytest.mark.parametrize(("option", "code"), [([], 76), (["--conflict-exit-code=9"], 9)])
def test_r04_command_that_was_ended_is_76_whatever_it_says(
    kingd: FakeKingd, start: Start, witness: Witness, option: list[str], code: int
) -> None:
    run = start(*option, "--", *witness.argv(on_term="0"))
    witness.until_alive()
    kingd.service.status_is = FOLLOWS
    found, said = run.end()
    assert found == code, said
    assert witness.words == ["exec", "SIGTERM"]
