"""Each change with what there was to show for it: as the core found it, and in words. docs/history.md."""

import pytest

from kingd.core.effect import Event, EventKind
from kingd.core.wire.endpoint import Endpoint
from kingd.core.wire.message import Claim, Grant, Obituary, Reason, Survey, Term
from kingd.core.wire.past import NO_EVIDENCE, Evidence, Sign
from kingd.daemon import evidence
from tests.unit.scripted import Bench, Peer, refusal, resignation
from tests.unit.test_core_quorum import elected


def followed(*others: Peer) -> tuple[Bench, Peer]:
    bench, leader = Bench(), Peer(node=70, priority=200).leads(5)
    bench.meet(*others, leader)
    bench.beat(leader)
    bench.clear()
    return bench, leader


def told(bench: Bench, kind: EventKind) -> Event:
    return [each for each in bench.told() if each.kind is kind][-1]


def words(bench: Bench, kind: EventKind) -> str:
    event = told(bench, kind)
    return evidence.words(event.evidence, event.kind)


def test_silent_leader_and_who_takes_over() -> None:
    other = Peer(node=60, priority=50)
    bench, _ = followed(other)
    bench.advance_ms(501)
    assert words(bench, EventKind.LEADER_LOST).startswith("last heard 500 ms ago, 5 heartbeats missed, ")
    assert told(bench, EventKind.MEMBER_DEAD).evidence == told(bench, EventKind.LEADER_LOST).evidence
    bench.advance_ms(10)
    bench.hear(other, Grant(term=bench.claim.term, attempt=bench.claim.attempt))
    assert words(bench, EventKind.ELECTED).startswith("last heard 511 ms ago, 5 heartbeats missed, ")
    assert words(bench, EventKind.ELECTED).endswith(", 1 of 1 peer agrees")


def test_leader_alone() -> None:
    bench = Bench()
    bench.advance_ms(2000)
    assert words(bench, EventKind.ELECTED) == "no peer is there to agree"


def test_obituary() -> None:
    bench, leader = followed()
    bench.advance_ms(20)
    leader.sequence = 2**64 - 2
    bench.hear(leader, Obituary(), multicast=True)
    assert words(bench, EventKind.LEADER_LOST) == "its guardian says that it has died, last heard 20 ms ago"


def test_closed_port() -> None:
    bench, leader = followed()
    bench.advance_ms(250)
    for _ in range(2):
        bench.perform(bench.core.refused(Endpoint(leader.endpoint.host, leader.endpoint.port, ""), now_us=bench.now_us))
    assert told(bench, EventKind.LEADER_LOST).evidence.sign is Sign.PORT_REFUSED


def test_resignation() -> None:
    bench, leader = followed()
    bench.hear(leader, resignation(leader.leader, Reason.STEP_DOWN), multicast=True)
    bench.advance_ms(3000)
    event = told(bench, EventKind.ELECTED)
    assert (event.reason, event.evidence.of) == (Reason.STEP_DOWN, 1)


def test_no_network() -> None:
    bench = Bench()
    bench.become_leader(Peer(node=60, priority=50))
    bench.perform(bench.core.links_changed(0, now_us=bench.now_us))
    bench.advance_ms(500)
    assert words(bench, EventKind.DEPOSED) == "no usable network for 400 ms"


@pytest.mark.parametrize("speaks", [True, False])
def test_lease_that_was_not_renewed(speaks: bool, one: Peer, two: Peer) -> None:
    bench = elected(one, two)
    bench.clear()
    for _ in range(10):
        bench.advance_ms(100)
        if speaks:  # and hears nothing
            bench.hear(one, Survey(nonce=1))
    heard = 2 if speaks else 1
    assert (
        words(bench, EventKind.DEPOSED) == f"{heard} of 3 voters were heard of late, and too few renewed their promises"
    )


def test_stall_that_cost_leadership() -> None:
    bench, other = Bench(), Peer(node=60, priority=50)
    bench.become_leader(other)
    bench.clear()
    bench.run_late(900_000)
    bench.advance_ms(100)
    other.leads(9)
    bench.hear(other, refusal(bench.claim, other.leader, other.session, led=True, remaining_ms=400))
    bench.advance_ms(1000)
    event = told(bench, EventKind.DEPOSED)
    assert (event.reason, event.evidence.sign) == (Reason.STALLED, Sign.NOT_RUN)
    assert event.evidence.lasted_us >= 900_000


def test_stall_is_the_reason_also_where_others_say_that_the_leader_was_silent() -> None:
    bench, other = Bench(), Peer(node=60, priority=50)
    bench.become_leader(other)
    bench.clear()
    bench.run_late(900_000)
    bench.hear(other, Claim(term=Term(9), attempt=1, reason=Reason.LEADER_TIMEOUT))
    other.leads(9)
    bench.beat(other)
    event = [each for each in bench.told() if each.leader is not None][-1]
    assert (event.reason, event.evidence.sign, event.evidence.heartbeats) == (Reason.STALLED, Sign.NOT_RUN, 0)


@pytest.mark.parametrize(
    ("found", "kind", "said"),
    [
        (NO_EVIDENCE, EventKind.MEMBER_JOINED, ""),
        (Evidence(silent_us=1), None, "last heard 0.0 ms ago"),
        (Evidence(silent_us=5_100_000, announcements=5), None, "last heard 5.1 s ago, 5 announcements missed"),
        (Evidence(silent_us=-1, heartbeats=1, unanswered=1), None, "1 heartbeat missed, 1 question unanswered"),
        (Evidence(agreed=2, of=2), EventKind.ELECTED, "2 of 2 peers agree"),
        (Evidence(sign=Sign.NO_LINK, lasted_us=400_000), None, "no usable network for 400 ms"),
        (Evidence(lasted_us=70_000_000), EventKind.OVERLAP_RESOLVED, "both led for 1 min 10 s"),
        (
            Evidence(sign=Sign.NOT_RENEWED, agreed=1, of=3),
            None,
            "1 of 3 voters were heard of late, and too few renewed their promises",
        ),
    ],
)
def test_words(found: Evidence, kind: EventKind | None, said: str) -> None:
    assert evidence.words(found, kind) == said


def test_every_sign_has_words() -> None:
    assert all(evidence.words(Evidence(sign=sign)) for sign in Sign if sign is not Sign.NONE)


def test_numbers_are_there_only_where_they_say_something() -> None:
    found = Evidence(silent_us=512_000, heartbeats=5, agreed=2, of=2)
    assert evidence.view(found, None) == {
        "words": "last heard 512 ms ago, 5 heartbeats missed, 2 of 2 peers agree",
        "silent_ms": 512,
        "heartbeats_missed": 5,
        "agreed": 2,
        "of": 2,
    }
    assert evidence.view(NO_EVIDENCE, None) is None
    assert evidence.view(NO_EVIDENCE, None, detail="exit code 1: disk full") == {"words": "exit code 1: disk full"}
