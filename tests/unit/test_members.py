"""The table of members: replay window, rank, who is forgotten first. docs/protocol.md 2.1, 3.5, 4.1."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kingd.core.scale import ANNOUNCE_US, MEMBERS_MAX, announce_us
from kingd.core.state.challenges import CHALLENGES_MAX, Challenge, Challenges
from kingd.core.state.members import (
    ENDPOINT_STALE_US,
    FORGET_AFTER_US,
    MISSED_MAX,
    Member,
    Members,
    ReplayWindow,
    State,
)
from kingd.core.state.request import Request
from kingd.core.timing import SECOND
from kingd.core.wire.endpoint import Endpoint
from kingd.core.wire.message import NodeId, Pong, Role, SessionId
from tests.unit.scripted import Peer

WINDOW = 1024


def member(node: int, *, session: int = 0, priority: int = 100, heard_us: int = 0) -> Member:
    return Member(
        node=NodeId(node),
        session=SessionId(session or node),
        name=f"box{node}",
        version="0",
        endpoint=Endpoint("10.0.0.1", 5466),
        heard_us=heard_us,
        priority=priority,
    )


# -- replay window


@pytest.mark.parametrize(
    ("heard", "sequence", "accepted"),
    [
        ([], 1, True),
        ([1], 1, False),
        ([1, 3], 2, True),
        ([1, 3, 2], 2, False),
        ([5000], 5000 - WINDOW + 1, True),
        ([5000], 5000 - WINDOW, False),
        ([5000, 5000 - WINDOW + 1], 5000 - WINDOW + 1, False),
        ([1], (1 << 64) - 1, True),
        ([1, (1 << 64) - 1], 1, False),
        ([(1 << 64) - 1], 1, False),
    ],
    ids=[
        "first",
        "again",
        "late",
        "late again",
        "oldest in the window",
        "older than the window",
        "oldest again",
        "jump to the end",
        "replay after a jump",
        "never heard, far behind",
    ],
)
def test_replay_window(heard: list[int], sequence: int, accepted: bool) -> None:
    window = ReplayWindow()
    assert all(window.accept(number) for number in heard)
    assert window.has(sequence) is not accepted
    assert window.accept(sequence) is accepted


@given(st.lists(st.integers(1, 3000) | st.integers(1, (1 << 64) - 1), max_size=60))
def test_008_no_sequence_is_accepted_twice(sequences: list[int]) -> None:
    window = ReplayWindow()
    accepted = [number for number in sequences if window.accept(number)]
    assert len(accepted) == len(set(accepted))


def test_replay_window_accepts_all_that_is_reordered_within_it() -> None:
    sequences = list(range(1, WINDOW + 1))
    random.Random(1).shuffle(sequences)
    window = ReplayWindow()
    assert all(window.accept(number) for number in sequences)


# -- rank


def test_rank_is_priority_then_lower_id_and_nothing_else() -> None:
    ranked = [member(9, priority=200), member(3), member(4), member(1, priority=1)]
    assert sorted(ranked, key=lambda m: m.rank) == ranked
    before = member(3).rank
    assert before == ranked[1].rank
    leading = member(3)
    leading.role = Role.LEADER  # incumbency is no part of it
    assert leading.rank == before


# -- the table


def test_new_session_replaces_the_old_one_and_counts_as_a_return() -> None:
    members = Members()
    for session in (1, 2, 3):
        members.add(member(7, session=session, heard_us=session * SECOND))
    assert len(members.verified()) == 1
    assert members.find(NodeId(7), SessionId(1)) is None
    newest = members.find(NodeId(7), SessionId(3))
    assert newest is not None
    assert newest.returns(3 * SECOND) == 2
    assert newest.returns(400 * SECOND) == 0  # forgiven after five minutes


def test_who_is_only_heard_of_is_no_verified_member_until_it_answers() -> None:
    """And then with its former session until it has proven the new one."""
    members, former, newer = Members(), member(7, session=1), member(7, session=2)
    members.add(former)
    members.hear_of(newer)
    assert [m.verified for m in members.everybody()] == [True, False]
    assert members.find(NodeId(7), SessionId(2)) is None
    assert members.alive() == [former]
    assert members.everybody_alive(0) == [former, newer]
    silent_us = MISSED_MAX * newer.interval_us + 1
    assert (former.state_at(silent_us), newer.state_at(silent_us)) == (State.ALIVE, State.DEAD)
    members.add(newer)
    assert members.everybody() == [newer]
    assert newer.verified


def test_flood_of_members_drives_out_the_dead_and_never_the_living() -> None:
    members = Members()
    for node in range(1, MEMBERS_MAX + 1):
        members.add(member(node, heard_us=node))
    assert members.has_room_for(NodeId(7))  # its new session
    assert not members.has_room_for(NodeId(MEMBERS_MAX + 1))
    for number in (500, 400):
        dead = members.get(NodeId(number))
        assert dead is not None
        dead.state = State.DEAD
    for number, forgotten in ((1, 400), (2, 500)):  # who is silent for longest gives way first
        assert members.has_room_for(NodeId(MEMBERS_MAX + number))
        members.add(member(MEMBERS_MAX + number, heard_us=MEMBERS_MAX + number))
        assert members.get(NodeId(forgotten)) is None
    assert not members.has_room_for(NodeId(MEMBERS_MAX + 3))
    assert len(members.verified()) == MEMBERS_MAX


def test_member_is_dead_after_five_missed_announcements_and_listed_for_an_hour() -> None:
    members = Members()
    members.add(member(1))
    limit_us = MISSED_MAX * ANNOUNCE_US
    assert members.bury(limit_us) == []
    assert [m.node for m in members.bury(limit_us + 1)] == [1]
    assert members.alive() == []
    assert members.bury(limit_us + 2) == []  # told once
    assert len(members.verified()) == 1
    members.bury(FORGET_AFTER_US + 1)
    assert len(members.verified()) == 0


def test_slow_announcer_is_given_five_of_its_own_intervals() -> None:
    members = Members()
    slow = member(1)
    slow.interval_us = 10 * SECOND
    members.add(slow)
    assert members.bury(50 * SECOND) == []
    assert members.bury(51 * SECOND) == [slow]


def test_own_stall_is_nobodys_silence() -> None:
    members = Members()
    members.add(member(1))
    members.excuse(60 * SECOND)
    assert members.bury(60 * SECOND) == []


@pytest.mark.parametrize(("size", "every_s"), [(3, 1), (30, 1), (50, 2.5), (100, 10), (450, 202.5)])
def test_098_announcements_that_arrive_anywhere_are_no_more_than_1000_a_second(size: int, every_s: float) -> None:
    assert announce_us(size) == every_s * SECOND
    assert size * size / every_s <= 1_000


def test_source_of_a_datagram_does_not_say_where_a_member_is_reached() -> None:
    peer, known = Peer(node=7), member(7, session=700)
    elsewhere = Endpoint("10.0.0.9", 5466, "eth0")
    known.update(peer.says(_anything(), multicast=True).header, source=elsewhere, now_us=5)
    assert (known.endpoint.host, known.multicast_us, known.heard_us) == ("10.0.0.1", 5, 5)
    known.update(peer.says(_anything()).header, source=elsewhere, now_us=6)
    assert (known.endpoint.host, known.multicast_us, known.heard_us) == ("10.0.0.1", 5, 6)
    assert known.would_move(elsewhere, 6)
    known.move(elsewhere, 7)
    assert (known.endpoint, known.would_move(elsewhere, 8)) == (elsewhere, False)


def test_worse_address_is_taken_when_the_better_one_is_silent() -> None:
    known = member(7, session=700)
    worse = Endpoint("fe80::9", 5466, "eth0")
    assert not known.would_move(worse, ENDPOINT_STALE_US)
    assert known.would_move(worse, ENDPOINT_STALE_US + 1)


def _anything() -> Pong:
    return Pong(echo=1)


# -- challenges

CHALLENGE = Challenge(nonce=77, request=Request(5, (40,)))


def test_challenge_is_answered_once_by_its_nonce() -> None:
    challenges = Challenges()
    challenges.put(NodeId(1), SessionId(2), CHALLENGE)
    assert challenges.take(NodeId(1), SessionId(2), echo=78) is None
    assert challenges.take(NodeId(1), SessionId(3), echo=77) is None
    assert challenges.take(NodeId(1), SessionId(2), echo=77) == CHALLENGE
    assert challenges.take(NodeId(1), SessionId(2), echo=77) is None


def test_flood_of_strangers_leaves_a_bounded_number_of_challenges() -> None:
    challenges = Challenges()
    for node in range(1, 3 * CHALLENGES_MAX):
        challenges.put(NodeId(node), SessionId(1), Challenge(node, Request(node, (40,))))
    assert len(challenges) == CHALLENGES_MAX
    assert challenges.get(NodeId(1), SessionId(1)) is None  # the oldest gave way
    assert challenges.get(NodeId(3 * CHALLENGES_MAX - 1), SessionId(1)) is not None
