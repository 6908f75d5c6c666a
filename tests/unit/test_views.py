"""The core's facts as the JSON objects of the control socket."""

import pytest

from kingd.core.effect import Event, EventKind, Peer, Surveyed, SurveyRow
from kingd.core.timing import MS
from kingd.core.wire.endpoint import Endpoint
from kingd.core.wire.message import NodeId, Reason, Role, Term
from kingd.daemon import views
from kingd.daemon.clock import Instant, moment
from tests.unit.scripted import Bench
from tests.unit.scripted import Peer as Host

BOX1 = Peer(node=NodeId(0xAB), name="box1", priority=100, endpoint=Endpoint("10.0.0.1", 5466, "eth0"))
ME = Peer(node=NodeId(1), name="me", priority=90, endpoint=None)


def row(name: str, leader: str, *, ok: bool = True) -> SurveyRow:
    return SurveyRow(
        node=NodeId(1),
        name=name,
        priority=1,
        leader_name=leader,
        term=Term(3),
        rtt_us=800 if ok else None,
        eligible=True,
        ineligible_reason=None,
    )


@pytest.mark.parametrize(
    ("wall_s", "shown"),
    [
        (0, "1970-01-01T00:00:00.000Z"),
        (1795435200.0005, "2026-11-23T12:00:00.000Z"),
        (0.999, "1970-01-01T00:00:00.999Z"),
    ],
)
def test_moment_is_rfc_3339_in_utc_with_milliseconds(wall_s: float, shown: str) -> None:
    assert moment(wall_s) == shown


def test_peer_and_its_address() -> None:
    assert views.peer(BOX1, here="10.0.0.9:5466") == {
        "id": "00000000000000ab",
        "name": "box1",
        "priority": 100,
        "address": "10.0.0.1:5466",
    }
    assert views.peer(None, here=None) is None
    mine = views.peer(ME, here="10.0.0.9:5466", tags=(("a", "b"),))
    assert mine is not None
    assert (mine["address"], mine["tags"]) == ("10.0.0.9:5466", {"a": "b"})


@pytest.mark.parametrize(
    ("rows", "agree"),
    [
        ((row("a", "a"), row("b", "a")), True),
        ((row("a", "a"), row("b", "b")), False),
        ((row("a", "a"), row("b", "")), False),
        ((row("a", ""), row("b", "")), False),
        ((row("a", "a"), row("b", "", ok=False)), True),
        ((row("a", "a"), row("b", "b", ok=False)), False),
    ],
    ids=["all", "two leaders", "one knows none", "nobody knows", "the dead have no say", "a deaf leader has"],
)
def test_survey_agrees_when_all_that_answered_name_the_same(rows: tuple[SurveyRow, ...], agree: bool) -> None:
    assert views.survey(Surveyed(1, rows))["agree"] is agree


def test_silent_member_in_a_survey() -> None:
    nodes = views.survey(Surveyed(1, (row("b", "", ok=False),)))["nodes"]
    assert nodes == [
        {
            "id": "0" * 15 + "1",
            "name": "b",
            "priority": 1,
            "leader": None,
            "term": 3,
            "ok": False,
            "eligible": True,
            "ineligible_reason": None,
            "rtt_ms": None,
        }
    ]


@pytest.mark.parametrize(
    ("role", "shown"),
    [
        (Role.JOINING, "joining"),
        (Role.FOLLOWER, "follower"),
        (Role.SEEKING, "candidate"),
        (Role.CANDIDATE, "candidate"),
        (Role.LEADER, "leader"),
    ],
)
def test_event_of_each_role(role: Role, shown: str) -> None:
    event = Event(
        at_us=7,
        kind=EventKind.LEADER_CHANGED,
        role=role,
        previous_role=Role.JOINING,
        term=Term(7),
        leader=BOX1,
        previous_leader=None,
        reason=Reason.LEADER_TIMEOUT,
    )
    assert views.event(event, Instant(7, 9, 0), here=None, seq=5) == {
        "version": 1,
        "event": "leader-changed",
        "time": "1970-01-01T00:00:00.000Z",
        "monotonic_ns": 9,
        "role": shown,
        "previous_role": "joining",
        "term": 7,
        "seq": 5,
        "leader": views.peer(BOX1, here=None),
        "previous_leader": None,
        "reason": "leader-timeout",
        "evidence": None,
        "repeat": 1,
    }


def test_members_are_ranked_and_only_the_believed_leader_is_called_one() -> None:
    """Two say that they lead: this node follows one of them."""
    bench = Bench(priority=150)
    leader, rival, gone = Host(node=70, priority=200).leads(5), Host(node=71, priority=300).leads(6), Host(node=72)
    bench.meet(leader, rival, gone)
    bench.advance(250 * MS)
    bench.beat(leader)
    answer = views.members(bench.core.members(bench.now_us), here="10.0.0.50:5466")
    rows = answer["members"]
    assert isinstance(rows, list)
    assert [(r["name"], r["role"], r["last_heard_ms"]) for r in rows] == [
        ("box71", "follower", 250),
        ("box70", "leader", 0),
        ("me", "follower", 0),
        ("box72", "candidate", 250),
    ]
