"""What all hosts told, as one answer: under a size, once for all who ask, and never so much at once that the election waits.
docs/history.md."""

import json
import random
from collections.abc import Callable, Iterator
from functools import partial
from itertools import count
from typing import Any, cast

import pytest

from kingd.aside.budget import Budget
from kingd.aside.voice import Say, Voice
from kingd.control.service import JsonObject, ServiceError
from kingd.core.effect import Event, EventKind
from kingd.core.wire.message import NodeId, Reason, Role, Term
from kingd.core.wire.past import Events, Evidence, Recall, Told
from kingd.daemon import histories
from kingd.daemon.clock import moment
from kingd.daemon.historian import KEPT_S, Historian
from kingd.daemon.news import News
from kingd.loop import Loop
from kingd.records import replace
from tests.cli.conformance import reply_mistakes
from tests.unit.scripted import Bench, Peer

TOLD = Told(
    number=1, age_ms=5, term=2**63, kind=0, reason=2, role=4, leader="n" * 63, previous="n" * 63, member="n" * 63,
    evidence=Evidence(silent_us=512_000, heartbeats=5, announcements=5, unanswered=4, agreed=2, of=2, lasted_us=7),
)  # fmt: skip
CHANGE = Event(
    at_us=0, kind=EventKind.LEADER_LOST, role=Role.FOLLOWER, previous_role=Role.FOLLOWER, term=Term(7),
    leader=None, previous_leader=None, reason=Reason.LEADER_TIMEOUT,
)  # fmt: skip


def many(most: int, **more: Any) -> list[Told]:
    """The newest first."""
    return [replace(TOLD, number=number, **more) for number in range(most, 0, -1)]


def answer_of(parts: list[histories.Part]) -> tuple[bytes, list[dict[str, Any]]]:
    pieces = histories.gathered(parts, now_us=10**9, wall_s=1.7e9)
    found: list[bytes] = []

    def take() -> Iterator[None]:
        found.append((yield from pieces))

    list(take())
    parameters = json.loads(found[0][:-1])["parameters"]
    assert reply_mistakes("Histories", parameters) == []
    return found[0], parameters["members"]


@pytest.mark.parametrize("told", [many(256), many(256, leader="", previous="", member="")])
def test_answer_of_most_hosts_stays_under_its_size_and_has_the_newest_of_each(told: list[Told]) -> None:
    raw, members = answer_of([(f"{node:016x}", "n" * 63, [(0, each) for each in told], False) for node in range(65)])
    assert 0.97 * histories.ANSWER_MAX < len(raw) <= histories.ANSWER_MAX
    for member in members:
        numbers = [event["seq"] for event in member["events"]]
        assert numbers == list(range(257 - len(numbers), 257))
        assert (member["more"], len(numbers) > 10) == (True, True)


def test_another_host_hears_how_old_it_is() -> None:
    told = [histories.told(replace(CHANGE, at_us=at_us), number=3, now_us=47_999) for at_us in (7_000, 48_000)]
    assert [(each.number, each.age_ms) for each in told] == [(3, 40), (3, 0)]


def test_who_has_little_leaves_room_for_the_others() -> None:
    little: list[histories.Part] = [
        ("a", "box1", [(0, each) for each in many(3)], False),
        ("b", "box2", None, False),
        ("c", "box3", (), True),
    ]
    _, members = answer_of([*little, ("d", "box4", [(0, each) for each in many(256)], False)])
    assert [(each["ok"], each["more"], len(each["events"])) for each in members] == [
        (True, False, 3),
        (False, False, 0),
        (True, True, 0),
        (True, False, 256),
    ]


class Turns:
    """A loop whose callbacks are called one by one, in a time that stands still between them."""

    def __init__(self) -> None:
        self.now = 0.0
        self.made = [0]  # events in each callback
        self._work: list[tuple[float, int, Callable[[], object]]] = []
        self._numbers = count()

    def now_s(self) -> float:
        return self.now

    def call_at(self, at_s: float, work: Callable[[], object]) -> "Turns":
        self._work.append((at_s, next(self._numbers), work))
        return self

    def call_later(self, delay_s: float, work: Callable[[], object]) -> "Turns":
        return self.call_at(self.now + delay_s, work)

    def call_soon(self, work: Callable[[], object]) -> None:
        self.call_at(self.now, work)

    def cancel(self) -> None:
        """A timer that comes all the same: none of those that are set here does anything then."""

    def run(self, for_s: float) -> None:
        until_s = self.now + for_s
        while self._work and min(self._work)[0] <= until_s:
            first = min(self._work)
            self._work.remove(first)
            self.now = max(self.now, first[0])
            self.made.append(0)
            first[2]()
        self.now = until_s


class Host:
    """It knows `others` hosts, each of which told its users 256 events and says so at once."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, others: int) -> None:
        self.loop, bench = Turns(), Bench()
        self._peers = {NodeId(node): Peer(node=node) for node in range(100, 100 + others)}
        bench.meet(*self._peers.values())
        self.asked = 0
        self._past = many(256)
        as_loop, voice = cast(Loop, self.loop), Voice(bench.core.acquaintance)
        self._bench = bench
        for module in ("historian", "news", "deadline"):
            monkeypatch.setattr(f"kingd.daemon.{module}.now_us", self._now_us)
        monkeypatch.setattr(histories, "moment", self._moment)
        self.news = News(bench.core, as_loop, here=lambda: None)
        self._historian = Historian(
            bench.core, self.news, as_loop, voice=voice, budget=Budget(), say=self._hear, rng=random.Random(1)
        )

    def _now_us(self) -> int:
        return self._bench.now_us + int(self.loop.now * 1e6)

    def _moment(self, wall_s: float) -> str:
        """Each event has one."""
        self.loop.made[-1] += 1
        return moment(wall_s)

    def _hear(self, said: list[Say]) -> None:
        for each in said:
            header, body = each.datagram.header, each.datagram.body
            assert isinstance(body, Recall)
            self.asked += body.before == 0
            page = tuple(told for told in self._past if body.before == 0 or told.number < body.before)[:18]
            answer = self._peers[header.destination].says(Events(echo=body.nonce, told=page))
            self.loop.call_soon(partial(self._historian.take, answer.header, Events(echo=body.nonce, told=page)))

    def tell_of_a_change(self) -> None:
        self.news.tell(replace(CHANGE, at_us=self._now_us()))

    def ask(self) -> list[JsonObject | bytes | ServiceError]:
        found: list[JsonObject | bytes | ServiceError] = []
        self._historian.histories(found.append)
        return found


def test_no_callback_makes_more_than_a_slice_and_all_who_ask_share_the_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    host = Host(monkeypatch, others=63)
    one, other = host.ask(), host.ask()
    host.loop.run(0.5)
    assert (host.asked, len(one), len(other), one[0] is other[0]) == (63, 1, 1, True)
    assert isinstance(one[0], bytes)
    assert 0.9 * histories.ANSWER_MAX < len(one[0]) <= histories.ANSWER_MAX
    assert max(host.loop.made) == histories.SLICE
    assert sum(host.loop.made) > 1000


def test_who_asks_again_soon_gets_the_last_answer_unless_there_is_news(monkeypatch: pytest.MonkeyPatch) -> None:
    host = Host(monkeypatch, others=2)
    first = host.ask()
    host.loop.run(1.9)
    assert (host.ask()[0] is first[0], host.asked) == (True, 2)
    host.tell_of_a_change()
    fresh = host.ask()
    host.loop.run(0.1)
    assert (b"leader-lost" in cast(bytes, fresh[0]), host.asked) == (True, 4)
    host.loop.run(KEPT_S)
    assert host.ask() == []  # and the members are asked
    host.loop.run(0.1)
    assert host.asked == 6


def test_members_are_asked_once_a_second_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    host = Host(monkeypatch, others=1)
    for _ in range(100):
        host.tell_of_a_change()
        host.ask()
        host.loop.run(0.05)
    assert host.asked == 5
