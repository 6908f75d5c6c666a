"""An answer of leadership is used until it is over, and not a moment longer: `valid_ms` from before the question was sent."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kingd.cli.main import run
from kingd.client import Client, JsonObject
from tests.cli.fake_kingd import BOX1, BOX2, FakeKingd, event, running, status

SHORT_MS = 50
LONG_MS = 60_000


def me(valid_ms: int | None = LONG_MS) -> JsonObject:
    return status(role="leader", leader=BOX2, valid_ms=valid_ms)


def other(valid_ms: int = LONG_MS) -> JsonObject:
    return status(role="follower", leader=BOX1, valid_ms=valid_ms)


@pytest.fixture
def kingd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeKingd]:
    monkeypatch.setenv("KINGCTL_SOCKET", str(tmp_path / "control.sock"))
    with running(tmp_path / "control.sock") as server:
        yield server


def kingctl(*argv: str, stdout: int, stderr: int) -> "subprocess.Popen[bytes]":
    return subprocess.Popen([sys.executable, "-m", "kingd.cli", *argv], stdout=stdout, stderr=stderr)


def outlive(ms: int) -> None:
    """Wait until so much has passed by the clock that counts."""
    end_ns = time.clock_gettime_ns(time.CLOCK_BOOTTIME) + ms * 1_000_000
    while time.clock_gettime_ns(time.CLOCK_BOOTTIME) < end_ns:
        time.sleep(0.01)


@pytest.mark.parametrize(("who", "verb", "code"), [(me, "is-leader", 0), (other, "is-leader", 1), (other, "leader", 0)])
def test_kingctl_that_is_stopped_with_the_answer_does_not_say_it_any_more(
    kingd: FakeKingd, who: Callable[[int], JsonObject], verb: str, code: int
) -> None:
    """SIGSTOP each time that the daemon has the question, SIGCONT when its answer is over: until --timeout."""
    for valid_ms, expected in ((LONG_MS, code), (SHORT_MS, 4)):
        kingd.service.status_is = who(valid_ms)
        asked: list[int] = []

        def stop(asked: list[int] = asked) -> None:
            while not asked:
                time.sleep(0.001)
            with contextlib.suppress(ProcessLookupError):
                os.kill(asked[0], signal.SIGSTOP)

        kingd.service.on_status = stop
        with kingctl("--timeout", "2s", verb, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as child:
            asked.append(child.pid)
            stops = 0
            while os.WIFSTOPPED(status := os.waitpid(child.pid, os.WUNTRACED)[1]):
                stops += 1
                outlive(SHORT_MS)
                os.kill(child.pid, signal.SIGCONT)
            assert child.stdout is not None
            assert child.stderr is not None
            said, why = child.stdout.read(), child.stderr.read()
        assert os.waitstatus_to_exitcode(status) == expected, why
        if expected == 4:
            assert stops > 2
            assert said == b""
            assert b"not known: the answer was good for 50 ms" in why


@pytest.mark.parametrize("verb", [["leader"], ["leader", "--json"], ["status"], ["status", "--json"], ["wait"]])
def test_answer_that_could_not_be_written_in_time_is_over(kingd: FakeKingd, verb: list[str]) -> None:
    kingd.service.status_is = other(SHORT_MS)
    ours, theirs = os.pipe()
    os.set_blocking(theirs, False)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(theirs, bytes(4096))
    os.set_blocking(theirs, True)
    with kingctl(*verb, stdout=theirs, stderr=subprocess.PIPE) as child:
        os.close(theirs)
        with os.fdopen(ours, "rb") as reader:
            end_s = time.monotonic() + 10
            while not kingd.service.answered and time.monotonic() < end_s:
                time.sleep(0.01)
            outlive(SHORT_MS)
            assert b"box1" in reader.read()
        _, err = child.communicate(timeout=10)
    assert child.returncode == 4
    assert b"not known: the answer was good for 50 ms" in err


def test_time_counts_from_before_the_question(kingd: FakeKingd, capfd: pytest.CaptureFixture[str]) -> None:
    """The daemon always takes longer to answer than what it says is good for."""
    kingd.service.status_is = me(SHORT_MS)
    kingd.service.on_status = lambda: outlive(SHORT_MS)
    assert run(["--timeout", "500ms", "is-leader", "-v"]) == 4
    assert "not known: the answer was good for 50 ms" in capfd.readouterr().err
    for verb in (["leader"], ["leader", "--json"], ["status"], ["status", "--json"]):
        assert run(["--timeout", "500ms", *verb]) == 4
        assert capfd.readouterr().out == ""
    with kingctl("--timeout", "500ms", "run", "--", "true", stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as child:
        _, err = child.communicate(timeout=30)
        assert (child.returncode, b"not known: the answer was good for 50 ms" in err) == (4, True)
    client = Client(timeout_s=0.5)
    assert (client.is_leader(), client.leader()) == (False, None)
    kingd.service.status_is = me()
    assert (run(["is-leader"]), client.is_leader()) == (0, True)


def test_answer_that_came_too_late_is_asked_for_again(kingd: FakeKingd) -> None:
    """It waited at the socket behind those of somebody else. That host still leads, and says so when it is asked again."""
    asked: list[None] = []

    def is_slow_at_first() -> None:
        asked.append(None)
        kingd.service.status_is = me() if len(asked) > 3 else me(SHORT_MS)
        if len(asked) <= 3:
            outlive(SHORT_MS)

    kingd.service.on_status = is_slow_at_first
    assert run(["--timeout", "60s", "is-leader"]) == 0
    assert len(asked) == 4


def test_answer_that_never_came_leaves_the_time_of_the_former_one(kingd: FakeKingd) -> None:
    """The second question gets no answer in time: the first answer is as old as it was, and not as new as that question."""
    hold = threading.Event()
    asked: list[None] = []

    def is_late_and_then_silent() -> None:
        asked.append(None)
        if len(asked) > 1:
            hold.wait(60)
        outlive(1500)

    kingd.service.status_is = me(1500)
    kingd.service.on_status = is_late_and_then_silent
    try:
        assert run(["--timeout", "2s", "is-leader"]) == 4
    finally:
        hold.set()


def test_event_only_says_when_to_ask(kingd: FakeKingd) -> None:
    """It waited for its reader, and says what was: somebody else leads by now."""
    kingd.service.present = event("elected", role="leader", leader=BOX2, initial=True)
    asked: list[None] = []

    def is_me_from_the_third_time_on() -> None:
        asked.append(None)
        kingd.service.status_is = other() if len(asked) < 3 else me()

    kingd.service.on_status = is_me_from_the_third_time_on
    assert Client().wait(me=True, timeout_s=60).name == "box2"
    assert len(asked) == 3


def test_answer_without_its_validity_is_not_understood(kingd: FakeKingd, capfd: pytest.CaptureFixture[str]) -> None:
    kingd.service.status_is = me(None)
    assert run(["is-leader"]) == 4
    assert "valid_ms is None" in capfd.readouterr().err
