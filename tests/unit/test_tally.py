"""What is counted for curves: leaders and overlaps, datagrams, and how late the loop was."""

import pytest

from kingd.control.service import JsonObject
from kingd.core.effect import Event, EventKind, Peer
from kingd.core.wire.endpoint import Endpoint
from kingd.core.wire.message import NO_BALLOT, Ack, Claim, NodeId, Reason, Resign, Role, SessionId, Term
from kingd.daemon.deadline import Lag
from kingd.daemon.refusals import MEANINGS, Refusals
from kingd.daemon.tally import Tally
from kingd.daemon.traffic import Traffic
from kingd.records import replace
from tests.unit.scripted import Bench

S = 1_000_000
ME, OTHER = (Peer(node=NodeId(n), name=f"box{n}", priority=100, endpoint=None) for n in (1, 2))
A, B = Endpoint("10.0.0.1", 5466), Endpoint("10.0.0.2", 5466)


def change(
    kind: EventKind, leader: Peer | None, reason: Reason = Reason.LEADER_TIMEOUT, *, member: Peer | None = None
) -> Event:
    return Event(
        at_us=0,
        kind=kind,
        role=Role.FOLLOWER,
        previous_role=Role.FOLLOWER,
        term=Term(1),
        leader=leader,
        previous_leader=None,
        reason=reason,
        member=member,
    )


def member(kind: EventKind, node: Peer = OTHER) -> Event:
    return change(kind, ME, member=node)


def tally(*events: tuple[float, Event]) -> Tally:
    found = Tally(now_us=0)
    for at_s, event in events:
        found.note(replace(event, at_us=round(at_s * S)), wall_s=1000 + at_s)
    return found


def elections(found: Tally) -> tuple[dict[object, int], object]:
    told = found.told()["elections"]
    assert isinstance(told, dict)
    names = [*told["bounds_ms"], "more"]
    return {name: count for name, count in zip(names, told["counts"], strict=True) if count}, told["sum_us"]


def test_election_lasts_as_long_as_no_leader_is_known() -> None:
    found = tally(
        (0.4, change(EventKind.LEADER_CHANGED, OTHER, Reason.JOINED)),
        (10, change(EventKind.LEADER_LOST, None)),
        (10.003, change(EventKind.ELECTED, ME)),
        (20, change(EventKind.DEPOSED, OTHER, Reason.HANDOVER)),
        (30, change(EventKind.LEADER_LOST, None)),
        (99, change(EventKind.LEADER_CHANGED, ME)),
    )
    assert elections(found) == ({500: 1, 5: 1, 1: 1, "more": 1}, 400_000 + 3_000 + 0 + 69 * S)
    changes = found.told()["leader_changes"]
    assert isinstance(changes, dict)
    assert {reason: count for reason, count in changes.items() if count} == {
        "joined": 1,
        "leader-timeout": 2,
        "handover": 1,
    }
    assert set(changes) == {reason.word for reason in Reason}
    assert found.told()["last_leader_change_ms"] == 1_099_000


def test_bound_is_within() -> None:
    assert elections(tally((0.001, change(EventKind.ELECTED, ME))))[0] == {1: 1}
    assert elections(tally((0.001001, change(EventKind.ELECTED, ME))))[0] == {2: 1}


LED = (1.0, change(EventKind.ELECTED, ME))
MET = (200.0, member(EventKind.MEMBER_JOINED))
OVER = (200.5, change(EventKind.OVERLAP_RESOLVED, ME))


@pytest.mark.parametrize(
    ("before", "overlap_s"),
    [
        ([LED, (140.0, member(EventKind.MEMBER_DEAD)), MET], 60.5),  # the network was cut
        ([(140.0, member(EventKind.MEMBER_DEAD)), (150.0, change(EventKind.ELECTED, ME)), MET], 50.5),  # led since
        ([LED, MET], 0.5),  # never known before
        (
            [(0.5, member(EventKind.MEMBER_JOINED)), (198.0, member(EventKind.MEMBER_DEAD)), LED, MET],
            2.5,
        ),  # a short cut
        (
            [(199.0, member(EventKind.MEMBER_JOINED)), (199.5, change(EventKind.ELECTED, ME))],
            0.001,
        ),  # too short to tell
        ([LED], 0.001),  # in a large cluster not everybody is told of members
        ([LED, (5.0, member(EventKind.MEMBER_DEAD)), (9.0, member(EventKind.MEMBER_JOINED))], 0.001),  # long back
    ],
)
def test_overlap_lasts_since_the_other_was_lost_or_met(before: list[tuple[float, Event]], overlap_s: float) -> None:
    assert tally(*before, OVER).told()["overlap_us"] == round(overlap_s * S)


def test_flood_of_members_leaves_bounded_traces() -> None:
    found = Tally(now_us=0)
    for number in range(10_000):
        peer = Peer(node=NodeId(number), name="x", priority=1, endpoint=None)
        found.note(replace(member(EventKind.MEMBER_DEAD, peer), at_us=number), wall_s=0)
        if number % 2:
            found.note(replace(member(EventKind.MEMBER_JOINED, peer), at_us=number), wall_s=0)
    assert found.remembered <= 128


# -- datagrams


def traffic() -> Traffic:
    return Traffic(Bench().core, Refusals())


def counts(found: Traffic, key: str) -> JsonObject:
    told = found.told()[key]
    assert isinstance(told, dict)
    return {name: count for name, count in told.items() if count}


def test_datagrams_are_counted_by_what_they_say() -> None:
    found = traffic()
    found.sends(Ack(sequence=1), A)
    found.sends(Ack(sequence=1), A)
    found.received(Claim(term=Term(1), attempt=1))
    assert (counts(found, "sent"), counts(found, "received")) == ({"ack": 2}, {"claim": 1})
    told = found.told()["sent"]
    assert isinstance(told, dict)
    assert {"probe-ack", "heartbeat", "obituary"} < set(told)
    assert set(told) == set(found.told()["received"])  # type: ignore[call-overload]


def test_what_is_sent_again_to_who_had_it_is_a_retransmission() -> None:
    found = traffic()
    first, second = (Claim(term=Term(1), attempt=attempt) for attempt in (1, 2))
    for body, to in ((first, A), (first, B), (first, A), (second, A), (second, A), (first, A)):
        found.sends(body, to)
    goodbye = Resign(
        ballot=NO_BALLOT, successor=NodeId(0), successor_session=SessionId(0), reason=Reason.HANDOVER, leaving=True
    )
    found.sends(goodbye, None)
    found.sends(goodbye, None)
    assert found.told()["retransmits"] == 3


def test_who_is_claimed_to_leaves_bounded_traces() -> None:
    found = traffic()
    for number in range(20_000):
        found.sends(Claim(term=Term(1), attempt=1), Endpoint(f"10.0.{number >> 8}.{number & 255}", 1))
    assert found.remembered <= 4096


def test_refused_datagrams_are_those_of_the_sockets_and_of_the_core() -> None:
    refusals = Refusals()
    found = Traffic(Bench().core, refusals)
    refusals.count("flood")
    assert counts(found, "rejected") == found.rejected() == {"flood": 1}
    assert set(MEANINGS) <= set(found.told()["rejected"])  # type: ignore[call-overload]


# -- how late


def test_lag_is_the_worst_of_the_last_minute_or_so() -> None:
    found = Lag()
    for at_s, late_us, worst_us in ((31, 5, 5), (40, 2, 5), (62, 1, 5), (93, 1, 1), (94, 7, 7)):
        found.note(late_us, now_us=at_s * S)
        assert found.worst_us == worst_us
