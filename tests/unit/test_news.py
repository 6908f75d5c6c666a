"""What a watcher is told first is the state now, in the shape of the change that brought it about: both tell the same."""

import logging
import time
from collections.abc import Callable
from typing import cast

import pytest

from kingd.control.service import JsonObject
from kingd.core.effect import EventKind
from kingd.core.wire.message import Grant, Ping
from kingd.daemon import news
from kingd.daemon.clock import instant, moment
from kingd.daemon.news import News
from kingd.loop import Loop, Timer
from kingd.records import replace
from tests.unit.scripted import Bench, Peer, ballot
from tests.unit.test_evidence import followed


class NoLoop:
    def call_later(self, *_: object) -> None:
        """Of what it would do later nothing is asked here."""

    call_soon = call_later


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Bench:
    """It led after its leader had fallen silent, and the one peer that is there agreed."""
    other = Peer(node=60, priority=50)
    found, _ = followed(other)
    found.advance_ms(511)
    found.hear(other, Grant(term=found.claim.term, attempt=found.claim.attempt))
    monkeypatch.setattr(news, "now_us", lambda: found.now_us)
    return found


def telling(bench: Bench) -> News:
    found = News(bench.core, cast(Loop, NoLoop()), here=lambda: None)
    for event in bench.told():
        found.tell(event)
    return found


def test_first_tells_the_same_as_the_change(bench: Bench) -> None:
    told = telling(bench)
    seen: list[JsonObject | None] = []
    told.watch(seen.append)
    [first] = seen
    elected = next(each for each in told.history() if each["event"] == EventKind.ELECTED)
    assert "1 of 1 peer agrees" in str(elected["evidence"])
    assert first == elected | {"initial": True, "seq": told.count}


def test_term_that_rose_since_is_no_change_and_the_first_of_a_watcher_has_it(bench: Bench) -> None:
    told = telling(bench)
    elected = told.history()[-1]
    stuck = Peer(node=61, priority=10)
    bench.meet(stuck)
    bench.clear()
    bench.advance_ms(250)
    stuck.floor = ballot(40, 61)
    bench.hear(stuck, Ping(nonce=1, heard=0, polling=False))
    for node in (60, 61):
        bench.hear(Peer(node=node), Grant(term=bench.claim.term, attempt=bench.claim.attempt))
    assert (bench.core.status(bench.now_us).term, bench.told()) == (41, [])
    seen: list[JsonObject | None] = []
    told.watch(seen.append)
    assert seen == [elected | {"initial": True, "term": 41}]


def test_who_begins_to_watch_in_a_stall_is_told_that_it_leads_on(bench: Bench) -> None:
    """Nobody else is: the stall is no event, and nor is its end."""
    told = telling(bench)
    bench.clear()
    others: list[JsonObject | None] = []
    told.watch(others.append)
    bench.now_us += 400_000  # it did not run
    seen: list[JsonObject | None] = []
    told.watch(seen.append)
    gone = told.watch(seen.append)
    gone()
    told.stepped()
    assert [each["leader"] for each in seen if each] == [None, None]
    bench.advance_ms(50)
    told.stepped()
    bench.hear(Peer(node=60), Grant(term=bench.claim.term, attempt=bench.claim.attempt))
    told.stepped()
    told.stepped()
    assert bench.told() == []
    assert len(others) == 1
    assert [each and each["event"] for each in seen[2:]] == [EventKind.ELECTED]
    assert seen[2] is not None
    assert seen[2]["initial"] is True


def clocks_are(monkeypatch: pytest.MonkeyPatch, boottime_us: int) -> dict[int, int]:
    """This host slept for 10 s since its start."""
    found = {time.CLOCK_BOOTTIME: boottime_us * 1000, time.CLOCK_MONOTONIC: boottime_us * 1000 - 10_000_000_000}
    monkeypatch.setattr(time, "clock_gettime_ns", found.__getitem__)
    monkeypatch.setattr(time, "time", lambda: 1.7e9)
    instant.cache_clear()
    return found


def test_each_has_the_time_of_its_step_however_late_it_is_told(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    at_us = [event.at_us for event in bench.told()]
    assert at_us[0] < at_us[-1] == bench.now_us
    bench.now_us += 40_000
    clocks_are(monkeypatch, bench.now_us)
    told = telling(bench)
    assert [each["monotonic_ns"] for each in told.history()] == [each * 1000 - 10_000_000_000 for each in at_us]
    assert told.history()[-1]["time"] == told.since == moment(1.7e9 - 0.04)
    assert [event.at_us for _, event in told.past()] == at_us[::-1]


def test_step_is_one_instant_by_three_clocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """It was 40 ms ago."""
    clocks = clocks_are(monkeypatch, 30_000_000)
    at = instant(29_960_000)
    assert (at.us, at.monotonic_ns, moment(at.wall_s)) == (29_960_000, 19_960_000_000, moment(1.7e9 - 0.04))
    clocks[time.CLOCK_MONOTONIC] += 5_000_000  # for the next event of the same step
    assert instant(29_960_000) == at


@pytest.mark.parametrize("ends", ["turn", "daemon"])
def test_log_waits_for_the_end_of_the_turn(bench: Bench, caplog: pytest.LogCaptureFixture, ends: str) -> None:
    """The next claim may be due in it, and waits for no log. Nothing is lost where there is no end of it."""
    soon: list[Callable[[], object]] = []
    caplog.set_level(logging.INFO)

    class Turn:
        call_later = NoLoop.call_later

        def call_soon(self, work: Callable[[], object]) -> None:
            soon.append(work)

    told = News(bench.core, cast(Loop, Turn()), here=lambda: None)
    lost, elected = bench.told()[-2:]
    told.tell(lost)
    told.tell(elected)
    assert (caplog.messages, len(soon), len(told.history())) == ([], 1, 2)
    if ends == "turn":
        soon.pop()()
    else:
        told.close()
    assert [line.split()[0] for line in caplog.messages] == [lost.kind, elected.kind]
    told.tell(elected)
    assert len(soon) == (1 if ends == "turn" else 2)


def test_member_is_told_after_a_moment_or_before_the_next_change_of_leadership(bench: Bench) -> None:
    """It joins, and is handed over to within milliseconds: who watches does not hold that up."""
    timers: set[Timer] = set()
    soon: list[Callable[[], object]] = []

    class Later:
        def call_later(self, delay_s: float, work: Callable[[], object]) -> Timer:
            return Timer(delay_s, work, timers)

        def call_soon(self, work: Callable[[], object]) -> None:
            soon.append(work)

    told = News(bench.core, cast(Loop, Later()), here=lambda: None)
    seen: list[JsonObject | None] = []
    told.watch(seen.append)
    elected = next(each for each in bench.told() if each.kind is EventKind.ELECTED)
    joined = replace(elected, kind=EventKind.MEMBER_JOINED, member=elected.leader)
    seen.clear()
    told.tell(joined)
    assert seen == []
    told.tell(elected)
    assert [each["event"] for each in seen if each] == ["member-joined", "elected"]
    told.tell(joined)
    for each in sorted(timers, key=lambda timer: timer.at_s):
        each.work()
    assert [each["event"] for each in seen if each] == ["member-joined", "elected", "member-joined"]
    assert seen[1:] == told.history()[1:]
