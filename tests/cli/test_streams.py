"""kingctl watch and wait, and what happens to stdout: the streams that end, break, or fill up."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from kingd.cli.main import run
from tests.cli.fake_kingd import BOX1, BOX2, FakeKingd, event, running, status


@pytest.fixture
def kingd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeKingd]:
    monkeypatch.setenv("KINGCTL_SOCKET", str(tmp_path / "control.sock"))
    with running(tmp_path / "control.sock") as server:
        yield server
        assert server.failures == []


def start_kingctl(*argv: str) -> "subprocess.Popen[str]":
    pipe = subprocess.PIPE
    return subprocess.Popen([sys.executable, "-m", "kingd.cli", *argv], stdout=pipe, stderr=pipe, text=True)


def test_watch_prints_every_event_until_the_daemon_stops(kingd: FakeKingd) -> None:
    with start_kingctl("watch", "--json") as child:
        assert child.stdout is not None
        assert json.loads(child.stdout.readline())["initial"] is True
        for n in range(3):
            kingd.do(lambda n=n: kingd.service.emit(event("elected", role="leader", leader=BOX2, seq=n)))  # type: ignore[misc]
            assert json.loads(child.stdout.readline())["seq"] == n
        kingd.close()
        _, err = child.communicate(timeout=10)
    assert child.returncode == 3
    assert "closed the connection" in err


def test_watch_in_words(kingd: FakeKingd) -> None:
    with start_kingctl("watch") as child:
        assert child.stdout is not None
        first = "2026-11-23 12:00:00.000Z  term 12  now               box1 leads (leader-timeout: "
        first += "last heard 512 ms ago, 5 heartbeats missed)\n"
        assert child.stdout.readline() == first
        for each in (
            event("elected", role="leader", leader=BOX2, previous_leader=BOX1, reason="leader-crashed", evidence=None),
            event("member-dead", role="leader", leader=BOX2, member=BOX1, evidence=None),
            event("leader-lost", role="candidate", leader=None, previous_leader=BOX1, evidence=None),
        ):
            kingd.do(lambda each=each: kingd.service.emit(each))  # type: ignore[misc]
        said = [child.stdout.readline().rstrip().split("term 12  ")[1] for _ in range(3)]
        child.send_signal(signal.SIGINT)
        _, err = child.communicate(timeout=10)
    assert said == [
        "elected           box2 leads, this node (before: box1) (leader-crashed)",
        "member-dead       box1 fell silent (leader-timeout)",
        "leader-lost       no leader (before: box1) (leader-timeout)",
    ]
    assert child.returncode == 130
    assert "Traceback" not in err


def test_reader_that_goes_away_ends_watch_quietly(kingd: FakeKingd) -> None:
    with start_kingctl("watch") as child:
        assert child.stdout is not None
        assert child.stderr is not None
        child.stdout.readline()
        child.stdout.close()
        while child.poll() is None:
            kingd.do(lambda: kingd.service.emit(event("elected", role="leader", leader=BOX2)))
        assert child.stderr.read() == ""
    assert child.returncode == -signal.SIGPIPE


@pytest.mark.parametrize("verb", ["watch", "watch --json", "wait --me --timeout none"])
def test_reader_that_goes_away_ends_a_stream_without_another_event(kingd: FakeKingd, verb: str) -> None:
    with start_kingctl(*verb.split()) as child:
        assert child.stdout is not None
        assert child.stderr is not None
        while not kingd.service.watchers:
            assert child.poll() is None
        if verb.startswith("watch"):
            child.stdout.readline()  # `| head -1`
        child.stdout.close()
        assert child.wait(timeout=30) == -signal.SIGPIPE
        assert child.stderr.read() == ""


WRITING = [
    "leader",
    "leader --json",
    "status",
    "status --json",
    "members",
    "survey",
    "history --json",
    "watch",
    "wait",
    "priority 7",
    "reload",
    "version",
    "--version",
    "keygen",
    "--help",
    "leader --help",
    "help",
]


def run_in_shell(line: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        ["/bin/sh", "-c", f'"$0" -m kingd.cli {line}', sys.executable], capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize(("stdout", "why"), [(">/dev/full", "No space left on device"), (">&-", "it is closed")])
@pytest.mark.parametrize("verb", WRITING)
def test_answer_that_cannot_be_written_is_74_and_a_sentence(kingd: FakeKingd, verb: str, stdout: str, why: str) -> None:
    done = run_in_shell(f"{verb} {stdout}")
    assert (done.returncode, done.stdout) == (74, "")
    assert done.stderr.splitlines()[-1] == f"kingctl: the answer could not be written to standard output: {why}"
    assert "Traceback" not in done.stderr


def test_silent_answer_needs_no_stdout(kingd: FakeKingd) -> None:
    assert run_in_shell("is-leader >&-").returncode == 1


@pytest.mark.parametrize("stderr", ["2>/dev/full", "2>&-", ">&- 2>&-", "<&- >&- 2>&-"])
@pytest.mark.parametrize("verb", ["is-leader -v", "leader --tag nonsense", "nonsense", "leader --socket /nowhere"])
def test_explanation_that_cannot_be_written_is_74_and_does_not_turn_up_as_the_answer(
    kingd: FakeKingd, verb: str, stderr: str
) -> None:
    done = run_in_shell(f"{verb} {stderr}")
    assert (done.returncode, done.stdout, done.stderr) == (74, "", "")


def test_answer_that_the_locale_cannot_write_is_74(kingd: FakeKingd, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONIOENCODING", "ascii")
    kingd.service.status_is = status(role="follower", leader={**BOX1, "tags": {"where": "Köln"}})
    done = run_in_shell("leader --tag where")
    assert (done.returncode, done.stdout) == (74, "")
    assert done.stderr == "kingctl: the answer cannot be written in ascii: use a UTF-8 locale, such as LC_ALL=C.UTF-8\n"


def test_wait_ends_at_once_if_there_is_a_leader(kingd: FakeKingd, capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["wait"]) == 0
    assert capfd.readouterr() == ("box1\n", "")


def test_wait_ends_when_there_is_a_leader(kingd: FakeKingd) -> None:
    kingd.service.status_is = status(role="leader", leader=BOX2)
    kingd.service.present = event("leader-lost", role="candidate", leader=None, initial=True)
    with start_kingctl("wait", "--me", "--timeout", "none") as child:
        while not kingd.service.watchers:
            assert child.poll() is None
        kingd.do(lambda: kingd.service.emit(event("leader-changed", role="follower", leader=BOX1)))
        kingd.do(lambda: kingd.service.emit(event("elected", role="leader", leader=BOX2)))
        out, err = child.communicate(timeout=10)
    assert (child.returncode, out, err) == (0, "box2\n", "")


@pytest.mark.parametrize("verb", [["wait"], ["wait", "--me"], ["leader"], ["is-leader"], ["status"]])
def test_no_time_is_a_look(kingd: FakeKingd, capfd: pytest.CaptureFixture[str], verb: list[str]) -> None:
    """It was to say that the daemon did not answer, without having been asked."""
    kingd.service.status_is = status(role="leader", leader=BOX2)
    kingd.service.present = event("elected", role="leader", leader=BOX2, initial=True)
    assert run([*verb, "--timeout", "0"]) == 0
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(("goal", "words"), [([], "there is no leader"), (["--me"], "there is no leader")])
def test_wait_is_1_when_time_runs_out(
    kingd: FakeKingd, capfd: pytest.CaptureFixture[str], goal: list[str], words: str
) -> None:
    kingd.service.present = event("leader-lost", role="candidate", leader=None, initial=True)
    kingd.service.status_is = status(role="candidate", leader=None)
    assert run(["wait", *goal, "--timeout", "50ms"]) == 1
    said = capfd.readouterr()
    assert (said.out, said.err) == ("", f"kingctl: time ran out: after 50 ms {words}\n")
