"""kingctl run when leadership ends, and what is left behind, against a daemon whose answers a test chooses. The numbers are
those of the table in docs/run.md.

No time is judged by the test's own clock: see test_run.py."""

import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from kingd.control.service import JsonObject
from tests.cli.fake_kingd import BOX1, BOX2, FakeKingd, event, running, status
from tests.cli.freezer import Freezer
from tests.cli.runs import (
    FOLLOWS,
    LIMIT_S,
    VALID_MS,
    Start,
    Witness,
    leads,
    lives,
    now_ns,
    open_to_all,
    until,
)
from tests.conftest import require

pytestmark = pytest.mark.timeout(300)


class Asked:
    """When the daemon last said something; that is good for VALID_MS from before then."""

    def __init__(self, kingd: FakeKingd) -> None:
        self.last_ns = 0
        kingd.service.on_status = self._note
        self.is_hung = threading.Event()
        self.goes_on = threading.Event()

    def _note(self) -> None:
        if self.is_hung.is_set():
            self.goes_on.wait(LIMIT_S)
        else:
            self.last_ns = now_ns()

    @property
    def over_ns(self) -> int:
        return self.last_ns + VALID_MS * 1_000_000


# -- R5, R6: leadership that ends


@pytest.mark.parametrize(
    "then", [leads(term=13), {**leads(), "node": {**BOX1, "role": "leader"}, "leader": BOX1}, FOLLOWS]
)
def test_r05_another_leadership_is_none(kingd: FakeKingd, start: Start, witness: Witness, then: JsonObject) -> None:
    run = start("--", *witness.argv(heirs=1))
    witness.until_alive(2)
    asked = Asked(kingd)
    until(lambda: asked.last_ns)
    kingd.service.status_is = then
    code, said = run.end()
    assert code == 76, said
    assert not witness.living
    assert "SIGTERM" in witness.words
    assert witness.last_ns < asked.over_ns


def test_r05_change_is_acted_on_before_the_next_round(kingd: FakeKingd, start: Start, witness: Witness) -> None:
    kingd.service.status_is = leads() | {"valid_ms": 3_000_000}
    run = start("--", *witness.argv(on_term="0"))
    witness.until_alive()
    kingd.service.status_is = FOLLOWS
    kingd.do(lambda: kingd.service.emit(event("deposed", role="follower", leader=BOX1)))
    code, said = run.end()
    assert code == 76, said


def hang(kingd: FakeKingd, asked: Asked) -> None:
    """It says nothing any more, and its connections stay: as with SIGSTOP."""
    asked.is_hung.set()


def end(kingd: FakeKingd, asked: Asked) -> None:
    kingd.close()


def say_nothing_clear(kingd: FakeKingd, asked: Asked) -> None:
    kingd.service.status_is = status(role="candidate", leader=None, reason="stalled")
    kingd.service.on_status = None


def be_replaced(kingd: FakeKingd, asked: Asked) -> None:
    """Its socket's file is another daemon's, and its connections end."""
    kingd.close()
    other = running(kingd.path)
    server = other.__enter__()
    server.service.status_is = leads(term=13)
    asked.goes_on.wait(LIMIT_S)
    other.__exit__(None, None, None)


@pytest.mark.parametrize("fault", [hang, end, say_nothing_clear, be_replaced])
def test_r06_daemon_that_gives_no_answer(
    kingd: FakeKingd, start: Start, witness: Witness, fault: Callable[[FakeKingd, Asked], None]
) -> None:
    """TERM, and KILL before the last answer is over: by the run's own clock."""
    run = start("--", *witness.argv(heirs=2))
    witness.until_alive(3)
    asked = Asked(kingd)
    until(lambda: asked.last_ns)
    thread = threading.Thread(target=fault, args=(kingd, asked))
    thread.start()
    code, said = run.end()
    asked.goes_on.set()
    thread.join(LIMIT_S)
    assert (code, witness.living) == (76, [])
    assert "SIGTERM" in witness.words, said
    assert witness.last_ns < asked.over_ns


# -- R7: the run itself


def test_r07_front_that_is_killed(kingd: FakeKingd, start: Start, witness: Witness) -> None:
    run = start("--", *witness.argv(heirs=2))
    witness.until_alive(3)
    keeper = run.keeper
    run.signal(signal.SIGKILL)
    until(lambda: not witness.living, lambda: witness.living)
    until(lambda: not lives(keeper))
    assert {call for call, _ in kingd.service.calls} == {"drained"}  # by the keeper, and by the front behind it


def test_r07_front_that_is_stopped(kingd: FakeKingd, start: Start, witness: Witness) -> None:
    run = start("--", *witness.argv(heirs=2))
    witness.until_alive(3)
    run.signal(signal.SIGSTOP)
    until(lambda: not witness.living, lambda: witness.living)
    assert "SIGTERM" in witness.words
    run.signal(signal.SIGCONT)
    code, said = run.end()
    assert (code, "kingctl run itself was stopped" in said) == (76, True)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
def test_r07_keeper_that_does_not_run(kingd: FakeKingd, start: Start, witness: Witness, number: signal.Signals) -> None:
    run = start("--", *witness.argv(heirs=2))
    witness.until_alive(3)
    asked = Asked(kingd)
    until(lambda: asked.last_ns)
    os.kill(run.keeper, number)
    code, said = run.end()
    assert (code, "was not confirmed in time" in said or number == signal.SIGKILL) == (76, True), said
    assert not witness.living
    assert witness.last_ns < asked.over_ns


# -- R8, R9: what is left behind


def test_r08_nothing_is_left_behind(kingd: FakeKingd, start: Start, tmp_path: Path) -> None:
    left = tmp_path / "left"
    command = f"(setsid nohup sh -c 'echo $$ >>{left}; trap \"\" TERM; while :; do sleep 1; done' &) & wait; sleep 0.2"
    run = start("--", "sh", "-c", f"{command}; while ! test -s {left}; do sleep 0.1; done; exit 3")
    assert run.end()[0] == 3
    assert [pid for pid in map(int, left.read_text().split()) if lives(pid)] == []


def test_r08_nothing_is_left_behind_by_a_user_without_rights(
    kingd: FakeKingd, start: Start, witness: Witness, tmp_path: Path
) -> None:
    """No control group, nobody who waits for it: that is said once."""
    require(os.geteuid() == 0, "to be another user takes root")
    open_to_all(tmp_path)
    run = start("--", *witness.argv(heirs=2), user="65534")
    witness.until_alive(3)
    kingd.service.status_is = FOLLOWS
    code, said = run.end()
    assert (code, witness.living) == (76, [])
    assert said.count("a hand-over on purpose will not wait for this command") == 1


def test_r09_what_cannot_be_killed_is_named_and_waited_for(
    kingd: FakeKingd, start: Start, witness: Witness, freezer: Freezer
) -> None:
    run = start("--", *witness.argv())
    witness.until_alive()
    (pid,) = witness.pids
    freezer.freeze(pid)
    kingd.service.status_is = FOLLOWS
    assert run.process.stderr is not None
    while "killed, and still there" not in (line := run.process.stderr.readline()):
        assert line
    assert f"{pid} (state D)" in line
    assert (run.process.poll(), kingd.service.calls) == (None, [])
    freezer.thaw()
    code, said = run.end()
    assert code == 76, said
    assert {call for call, _ in kingd.service.calls} == {"drained"}  # by the keeper, and by the front behind it


# -- a hand-over on purpose


def test_hand_over_waits_until_all_has_ended(kingd: FakeKingd, start: Start, witness: Witness) -> None:
    run = start("--", *witness.argv(on_term="0", heirs=2))
    witness.until_alive(3)
    (name,) = kingd.service.names_held
    kingd.do(lambda: kingd.service.tell_to_drain(True))
    until(lambda: kingd.service.calls)
    assert set(kingd.service.calls) == {("drained", name)}  # by the keeper, and perhaps by the front behind it already
    assert not witness.living
    code, said = run.end()
    assert code == 76, said


def test_hand_over_kills_what_does_not_end_and_leads_on_meanwhile(
    kingd: FakeKingd, start: Start, witness: Witness
) -> None:
    run = start("--", *witness.argv())
    witness.until_alive()
    kingd.do(lambda: kingd.service.tell_to_drain(True))
    code, said = run.end()
    assert code == 76, said
    (told_ns,) = [at_ns for word, _, at_ns in witness.notes if word == "SIGTERM"]
    assert witness.last_ns - told_ns > 20_000_000_000  # of 25 s, and not of the 2.7 s that an answer is good for


def test_nothing_begins_in_a_hand_over(kingd: FakeKingd, start: Start, tmp_path: Path) -> None:
    kingd.do(lambda: kingd.service.tell_to_drain(True))
    code, said = start("--", "touch", str(tmp_path / "ran")).end()
    assert (code, "about to hand over: nothing was run" in said) == (75, True)
    assert not (tmp_path / "ran").exists()
    kingd.service.present = event("elected", role="leader", leader=BOX2)
    run = start("--wait", "--", "touch", str(tmp_path / "ran"))
    until(lambda: kingd.service.names_held)
    assert not (tmp_path / "ran").exists()
    kingd.do(lambda: kingd.service.tell_to_drain(False))  # it came to nothing
    assert run.end()[0] == 0
    assert (tmp_path / "ran").exists()


def test_each_attempt_to_begin_leaves_nothing_open(kingd: FakeKingd, start: Start, tmp_path: Path) -> None:
    kingd.do(lambda: kingd.service.tell_to_drain(True))
    kingd.service.present = event("elected", role="leader", leader=BOX2)
    run = start("--wait", "--", "touch", str(tmp_path / "ran"))
    attempts: set[str | None] = set()
    opened: dict[int, int] = {}  # attempt -> how many files were open in it at least

    def tried() -> bool:
        attempts.update(kingd.service.names_held)
        number, count = len(attempts), sum(1 for _ in Path(f"/proc/{run.front}/fd").iterdir())
        opened[number] = min(count, opened.get(number, count))
        return number > 4

    until(tried)
    kingd.do(lambda: kingd.service.tell_to_drain(False))
    assert run.end()[0] == 0
    assert opened[4] == opened[2], opened


# -- R13: many


def test_r13_many_runs_cost_one_connection_each(kingd: FakeKingd, start: Start, tmp_path: Path) -> None:
    """36, for each of them is three processes here. 500: tests/daemon/test_control_hold.py, `python -m tests.lan.run_many`."""
    witnesses = [Witness(tmp_path / f"record{number}") for number in range(36)]
    kingd.service.status_is = leads() | {"valid_ms": 30_000}
    runs = [start("--", *each.argv(on_term="0")) for each in witnesses]
    for each in witnesses:
        each.until_alive()
    assert len(kingd.server.connections) == len(kingd.service.names_held) == len(runs)
    for each in witnesses:
        each.goes_on()
    kingd.service.status_is = FOLLOWS
    kingd.do(lambda: kingd.service.emit(event("deposed", role="follower", leader=BOX1)))
    assert {run.end()[0] for run in runs} == {76}
    assert not [pid for each in witnesses for pid in each.living]
