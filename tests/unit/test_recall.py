"""What the members told their users, asked for page by page, and answered within bounds. docs/history.md."""

import random
from collections.abc import Callable, Iterable, Iterator

import pytest

from kingd.aside.budget import Budget
from kingd.aside.voice import Say, Voice
from kingd.core.timing import MS
from kingd.core.wire.codec import DATAGRAM_SIZE_MAX, encode
from kingd.core.wire.message import Body
from kingd.core.wire.past import Events, Recall, Told
from kingd.core.wire.seal import Seal
from kingd.recall.gathering import Gathering, Memory
from kingd.recall.teller import Teller
from tests.unit.scripted import MY_SESSION, Bench, Peer

KEYED = Seal([b"k" * 32])


def past(number: int, *, age_ms: int = 0, name: str = "box1") -> Told:
    return Told(number=number, age_ms=age_ms, term=1, kind=0, reason=0, role=4, leader=name, previous=name, member=name)


def bodies(said: list[Say]) -> list[Body]:
    return [say.datagram.body for say in said]


class Asker:
    """A gathering among `peers`, whose every answer is written in the test; time passes only where a test says so."""

    def __init__(self, *peers: Peer) -> None:
        bench = Bench()
        bench.meet(*peers)
        self.now_us = bench.now_us
        known = bench.core.acquaintance
        self.gathering = Gathering(known, Voice(known), random.Random(1), began_us=self.now_us)
        self.said = self.gathering.tick(now_us=self.now_us)

    def asked(self, peer: Peer) -> list[Recall]:
        found = [say for say in self.said if say.datagram.header.destination == peer.node]
        assert all(say.datagram.header.receiver == peer.session and say.to == peer.endpoint for say in found)
        return [say.datagram.body for say in found if isinstance(say.datagram.body, Recall)]

    def hear(self, peer: Peer, *told: Told, more: int = 0) -> bool:
        """Whether it was an answer to what was asked."""
        nonce = next(body.nonce for body in bodies(self.said) if isinstance(body, Recall))
        header = peer.says(Events(echo=nonce + more, told=told)).header
        said = self.gathering.on_events(
            header.source, header.session, Events(echo=nonce + more, told=told), now_us=self.now_us
        )
        self.said += said or []
        return said is not None

    def advance_ms(self, ms: int) -> None:
        until_us = self.now_us + ms * MS
        while not self.gathering.is_done and self.gathering.deadline_us <= until_us:
            self.now_us = self.gathering.deadline_us
            self.said += self.gathering.tick(now_us=self.now_us)
        self.now_us = until_us

    @property
    def memories(self) -> list[Memory] | None:
        return self.gathering.memories if self.gathering.is_done else None


def test_alone_there_is_nobody_to_ask() -> None:
    assert Asker().memories == []


def test_pages_are_asked_for_until_there_are_no_older_ones() -> None:
    box = Peer(node=60)
    asker = Asker(box)
    assert [each.before for each in asker.asked(box)] == [0]
    assert asker.hear(box, past(9, age_ms=5), past(8, age_ms=700))
    assert ([each.before for each in asker.asked(box)], asker.memories) == ([0, 8], None)
    asker.advance_ms(3)
    assert asker.hear(box, past(1, age_ms=1000))
    (memory,) = asker.memories or []
    expected = [(asker.now_us - 8 * MS, 9), (asker.now_us - 703 * MS, 8), (asker.now_us - 1000 * MS, 1)]
    assert [(at, each.number) for at, each in memory.told or ()] == expected


def test_page_that_comes_twice_counts_once_and_others_do_not_count() -> None:
    box, stranger = Peer(node=60), Peer(node=61)
    asker = Asker(box)
    assert not asker.hear(box, past(5), more=1)
    assert not asker.hear(stranger, past(5))
    assert not asker.hear(box.restarted(), past(5))
    assert asker.hear(box, past(9), past(8))
    assert asker.hear(box, past(9), past(8))
    assert len(asker.asked(box)) == 2
    assert asker.hear(box)
    (memory,) = asker.memories or []
    assert [each.number for _, each in memory.told or ()] == [9, 8]


def test_silent_member_is_asked_three_times_and_named_after_half_a_second() -> None:
    speaker, silent = Peer(node=60), Peer(node=61)
    asker = Asker(speaker, silent)
    asker.hear(speaker)
    asker.advance_ms(449)
    assert (len(asker.asked(silent)), asker.memories) == (3, None)
    asker.advance_ms(1)
    assert [(each.name, each.told) for each in asker.memories or ()] == [("box60", ()), ("box61", None)]
    assert (len(asker.asked(speaker)), len(asker.asked(silent))) == (1, 3)


def test_member_whose_pages_are_lost_now_and_then_tells_all() -> None:
    """Each page has three tries of its own."""
    box = Peer(node=60)
    asker = Asker(box)
    for number in (4, 3, 2, 1):
        asker.advance_ms(350)
        assert asker.memories is None
        asker.hear(box, past(number))
    (memory,) = asker.memories or []
    assert [each.number for _, each in memory.told or ()] == [4, 3, 2, 1]


def test_one_who_never_ends_is_cut_off_by_number_and_by_time() -> None:
    box = Peer(node=60)
    quick, slow = Asker(box), Asker(box)
    number = 2**32 - 1
    while quick.memories is None:
        quick.hear(box, past(number := number - 1))
    while slow.memories is None:
        slow.advance_ms(100)
        slow.hear(box, past(number := number - 1))
    (memory,) = quick.memories
    assert len(memory.told or ()) == 256
    (memory,) = slow.memories
    assert len(memory.told or ()) == 19


def test_event_of_longer_ago_than_any_daemon_runs_is_left_out_and_ends_it() -> None:
    """Else its year is one that no calendar has."""
    box = Peer(node=60)
    asker = Asker(box)
    ten_years_ms = 10 * 366 * 24 * 3600 * 1000
    assert asker.hear(
        box, past(9), past(8, age_ms=ten_years_ms), past(7, age_ms=ten_years_ms + 1), past(6, age_ms=2**64 - 1)
    )
    (memory,) = asker.memories or []
    assert [each.number for _, each in memory.told or ()] == [9, 8]


def test_many_are_asked_for_less_of_each() -> None:
    peers = [Peer(node=node) for node in range(60, 124)]
    asker = Asker(*peers)
    for peer in peers:
        for newest in (256, 238, 220, 202):
            asker.hear(peer, *(past(number) for number in range(newest, newest - 18, -1)))
    memories = asker.memories or []
    assert {(len(each.told or ()), each.has_more) for each in memories} == {(64, True)}
    few = Asker(*peers[:2])
    few.hear(peers[0], *(past(number) for number in range(20, 0, -1)))
    few.hear(peers[1])
    assert [each.has_more for each in few.memories or ()] == [False, False]


class Host:
    """It is asked by `box`."""

    def __init__(self) -> None:
        bench, self.box = Bench(), Peer(node=60)
        bench.meet(self.box)
        self.told: list[Told] = []
        self.past: Callable[[int], Iterable[Told]] = lambda before: self.told[before:]
        self.now_us = bench.now_us
        known = bench.core.acquaintance
        self._teller = Teller(known, Voice(known), Budget(), past=lambda before: self.past(before))

    def ask(self, peer: Peer, *, before: int = 0, multicast: bool = False) -> list[Say] | None:
        asked = peer.says(Recall(nonce=5, before=before), multicast=multicast)
        assert isinstance(asked.body, Recall)
        return self._teller.take(asked.header, asked.body, now_us=self.now_us)


@pytest.mark.parametrize(("name", "fit"), [("n" * 63, 4), ("box1", 18), ("", 23)])
def test_answer_is_as_long_as_a_datagram_holds(name: str, fit: int) -> None:
    host = Host()
    host.told = [past(number, name=name) for number in range(300, 0, -1)]
    (say,) = host.ask(host.box) or []
    answer = say.datagram
    assert isinstance(answer.body, Events)
    assert (answer.body.echo, answer.body.told) == (5, tuple(host.told[:fit]))
    assert len(encode(answer, KEYED)) <= DATAGRAM_SIZE_MAX
    assert len(encode(host.box.says(Recall(nonce=5, before=0)), Seal())) == DATAGRAM_SIZE_MAX


def test_no_more_is_made_of_the_past_than_a_page_holds_and_one() -> None:
    """A question costs the one who is asked no more than its answer."""
    host, made = Host(), 0

    def make(_: int) -> Iterator[Told]:
        nonlocal made
        for made in range(1, 257):
            yield past(1000 - made)

    host.past = make
    (say,) = host.ask(host.box) or []
    assert isinstance(say.datagram.body, Events)
    assert (len(say.datagram.body.told), made) == (18, 19)


def test_older_ones_are_told_from_where_it_was_asked() -> None:
    host = Host()
    host.told = [past(3), past(2), past(1)]
    assert bodies(host.ask(host.box, before=2) or []) == [Events(echo=5, told=(past(1),))]


def test_answer_goes_to_where_the_member_was_proven_to_be_and_to_its_session_alone() -> None:
    host = Host()
    (say,) = host.ask(host.box) or []
    header = say.datagram.header
    assert (say.to, header.destination, header.receiver) == (host.box.endpoint, host.box.node, host.box.session)
    assert (header.session, header.multicast) == (MY_SESSION, False)


def test_who_is_not_known_or_asks_all_is_not_answered() -> None:
    host = Host()
    assert host.ask(Peer(node=61)) is None
    assert host.ask(host.box, multicast=True) is None


def test_answers_have_a_budget() -> None:
    host = Host()
    assert sum(host.ask(host.box) is not None for _ in range(1000)) == 400
    host.now_us += 1_000_000
    assert host.ask(host.box) is not None
