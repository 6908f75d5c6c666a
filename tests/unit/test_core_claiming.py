"""A candidate's side. docs/protocol.md 4.4."""

from collections.abc import Callable

import pytest

from kingd.core.effect import EventKind, Persist
from kingd.core.settings import Voters
from kingd.core.state.durable import Durable
from kingd.core.timing import MS
from kingd.core.wire.message import (
    Claim,
    Grant,
    Heartbeat,
    Reason,
    Refuse,
    Resign,
    Role,
    Term,
)
from tests.unit.scripted import ME, Bench, Peer, ballot, refusal

LOW = 10  # a priority below that of the node under test


def grant(claim: Claim) -> Grant:
    return Grant(term=claim.term, attempt=claim.attempt, pre_vote=claim.pre_vote)


def refuse(claim: Claim, holder: Peer, *, term: int = 0, led: bool = False) -> Refuse:
    return refusal(claim, ballot(term or claim.term, holder.node), holder.session, led=led, remaining_ms=300)


@pytest.fixture
def peers() -> tuple[Peer, Peer]:
    return Peer(node=61, priority=LOW), Peer(node=62, priority=LOW)


# -- when it claims


def test_007_alone_it_leads_when_the_join_wait_is_over() -> None:
    bench = Bench()
    bench.advance_ms(499)
    assert bench.role() is Role.JOINING
    bench.advance_ms(1)
    assert bench.role() is Role.LEADER
    assert [e.lonely for e in bench.sent(Heartbeat)] == [True]


@pytest.mark.parametrize(("better", "waits_ms"), [(0, 500), (1, 650), (2, 800)])
def test_062_each_next_in_rank_waits_a_slot_longer(better: int, waits_ms: int) -> None:
    bench = Bench()
    bench.meet(Peer(node=61, priority=LOW), *[Peer(node=n, priority=200) for n in range(1, better + 1)])
    bench.advance_ms(waits_ms - 1)
    assert not bench.sent(Claim)
    bench.advance_ms(1)
    assert bench.sent(Claim)


def test_ineligible_members_are_not_waited_for_in_rank() -> None:
    bench = Bench()
    bench.meet(Peer(node=1, priority=200, eligible=False))
    bench.advance_ms(500)
    assert bench.sent(Claim)


def test_036_priority_0_never_claims() -> None:
    bench = Bench(priority=0)
    bench.meet(Peer(node=61))
    bench.advance_ms(60_000)
    assert bench.sent(Claim) == []
    assert bench.core.status(bench.now_us).ineligible_reason == "priority-0"


def test_no_claim_while_a_leader_is_heard_that_is_being_probed() -> None:
    bench, leader = Bench(), Peer(node=70).leads(5)
    for _ in range(20):
        bench.beat(leader)
        bench.advance_ms(100)
    assert bench.sent(Claim) == []


# -- how it is decided


def test_won_when_all_have_granted(peers: tuple[Peer, Peer]) -> None:
    bench = Bench()
    claim = bench.become_candidate(*peers)
    bench.hear(peers[0], grant(claim))
    assert bench.role() is Role.CANDIDATE
    bench.clear()
    bench.hear(peers[1], grant(claim))
    assert bench.role() is Role.LEADER
    assert bench.events() == [EventKind.ELECTED]
    assert [b.lonely for b in bench.sent(Heartbeat)] == [False]  # the first goes out with the victory


def test_silent_member_costs_the_claims_time_and_no_more(peers: tuple[Peer, Peer]) -> None:
    bench = Bench()
    claim = bench.become_candidate(*peers)
    bench.hear(peers[0], grant(claim))
    bench.advance_ms(249)
    assert bench.role() is Role.CANDIDATE
    bench.advance_ms(1)
    assert bench.role() is Role.LEADER


def test_claim_is_sent_again_to_the_silent_only(peers: tuple[Peer, Peer]) -> None:
    bench = Bench()
    claim = bench.become_candidate(*peers)
    bench.hear(peers[0], grant(claim))
    bench.clear()
    sent_at_ms = []
    for at_ms in range(10, 250, 10):
        bench.advance_ms(10)
        if bench.sent(Claim):
            sent_at_ms.append(at_ms)
            assert [d.header.destination for d in bench.datagrams() if isinstance(d.body, Claim)] == [62]
        bench.clear()
    assert sent_at_ms == [30, 80, 160]


def test_one_refusal_stops_it(peers: tuple[Peer, Peer]) -> None:
    bench = Bench()
    claim = bench.become_candidate(*peers)
    bench.hear(peers[0], grant(claim))
    bench.clear()
    bench.hear(peers[1], refuse(claim, Peer(node=70), led=True))
    assert bench.role() is Role.SEEKING
    assert {r.ballot for r in bench.sent(Resign)} == {ballot(claim.term, ME)}


def test_006_candidate_concedes_to_a_leader_that_it_has_a_round_trip_with(peers: tuple[Peer, Peer]) -> None:
    bench, leader = Bench(), Peer(node=70)
    bench.meet(leader)
    bench.become_candidate(*peers)
    bench.advance_ms(1)
    bench.beat(leader.leads(5))
    bench.acknowledge(leader)
    assert (bench.role(), bench.leader_name()) == (Role.FOLLOWER, "box70")


STALE: list[tuple[str, Callable[[Claim], Grant]]] = [
    ("another attempt", lambda claim: Grant(term=claim.term, attempt=claim.attempt ^ 1)),
    ("another term", lambda claim: Grant(term=Term(claim.term + 1), attempt=claim.attempt)),
]


@pytest.mark.parametrize(("what", "make"), STALE, ids=[row[0] for row in STALE])
def test_014_answer_to_another_claim_counts_for_nothing(
    what: str, make: Callable[[Claim], Grant], peers: tuple[Peer, Peer]
) -> None:
    bench = Bench()
    claim = bench.become_candidate(*peers)
    for peer in peers:
        bench.hear(peer, make(claim))
    assert bench.role() is Role.CANDIDATE
    assert bench.node.out.dropped == {"stale-answer": 2}


def test_answer_of_a_session_that_was_not_asked_counts_for_nothing(peers: tuple[Peer, Peer]) -> None:
    bench = Bench()
    claim = bench.become_candidate(*peers)
    restarted = peers[0].restarted()
    bench.meet(restarted)
    bench.hear(restarted, grant(claim))
    assert bench.role() is Role.CANDIDATE
    assert bench.node.out.dropped == {"stale-answer": 1}


def test_grant_twice_is_one_grant(peers: tuple[Peer, Peer]) -> None:
    bench = Bench()
    claim = bench.become_candidate(*peers)
    for _ in range(3):
        bench.hear(peers[0], grant(claim))
    assert bench.role() is Role.CANDIDATE


# -- giving way, and coming again


def test_refusal_for_an_outranked_candidate_does_not_stop_it(peers: tuple[Peer, Peer]) -> None:
    """That one gives way itself when it hears our claim; the one that refused is asked again."""
    bench = Bench(ceiling=10)
    claim = bench.become_candidate(*peers)
    bench.hear(peers[1], refuse(claim, peers[0], term=9))
    assert bench.role() is Role.CANDIDATE
    for peer in peers:
        bench.hear(peer, grant(claim))
    assert bench.role() is Role.LEADER


def test_refusal_for_an_outranked_candidate_that_stands_ends_the_claim(peers: tuple[Peer, Peer]) -> None:
    bench = Bench(ceiling=10)
    claim = bench.become_candidate(*peers)
    bench.hear(peers[0], grant(claim))
    bench.hear(peers[1], refuse(claim, peers[0], term=9))
    bench.advance_ms(250)
    assert bench.role() is Role.SEEKING


def test_033_next_claim_is_above_every_term_that_it_was_told(peers: tuple[Peer, Peer]) -> None:
    bench = Bench()
    claim = bench.become_candidate(*peers)
    bench.hear(peers[1], refuse(claim, Peer(node=1, priority=200), term=40))
    assert bench.role() is Role.SEEKING
    bench.clear()
    bench.advance_ms(3000)
    assert bench.sent(Claim)[0].term == 41


def test_led_refusal_backs_off_for_seconds_a_duel_for_a_moment(peers: tuple[Peer, Peer]) -> None:
    waits_ms = {}
    for led in (True, False):
        bench = Bench()
        claim = bench.become_candidate(*[Peer(node=p.node, priority=LOW) for p in peers])
        peer = Peer(node=61, priority=LOW, sequence=10)
        bench.hear(peer, refuse(claim, Peer(node=1), term=claim.term, led=led))
        began_us = bench.now_us
        bench.clear()
        while not bench.sent(Claim):
            bench.advance(bench.core.deadline_us - bench.now_us)
        waits_ms[led] = (bench.now_us - began_us) // MS
    assert 1000 <= waits_ms[True] <= 2000
    assert waits_ms[False] <= 100


def test_105_failures_without_any_contact_back_off_ever_longer() -> None:
    """It hears somebody lead who does not hear it: nobody is helped by more claims."""
    bench, leader = Bench(), Peer(node=70).leads(5)
    gaps_s: list[float] = []
    last_us = bench.now_us
    for _ in range(1200):
        bench.beat(leader)
        bench.clear()
        bench.advance_ms(100)
        if bench.node.backoff.failures > len(gaps_s):
            gaps_s.append((bench.now_us - last_us) / 1e6)
            last_us = bench.now_us
    assert gaps_s[1:] == sorted(gaps_s[1:])
    assert gaps_s[-1] >= 32


# -- the ceiling


def test_085_no_claim_above_what_is_durable(peers: tuple[Peer, Peer]) -> None:
    bench = Bench(has_disk=False)
    bench.meet(*peers)
    bench.advance_ms(5000)
    assert bench.sent(Claim) == []
    wanted = [e.ceiling for e in bench.effects if isinstance(e, Persist)]
    assert wanted
    assert wanted[0] >= 1
    assert bench.role() is Role.SEEKING
    assert bench.core.status(bench.now_us).ineligible_reason == "state-not-writable"
    bench.perform(bench.core.persisted(wanted[0], now_us=bench.now_us))
    bench.advance_ms(500)
    assert {claim.term for claim in bench.sent(Claim)} == {1}


def test_053_claims_of_a_new_session_are_above_those_of_all_earlier_ones(peers: tuple[Peer, Peer]) -> None:
    bench = Bench(ceiling=40)
    assert bench.become_candidate(*peers).term == 41


def test_ceiling_is_raised_ahead_of_need(peers: tuple[Peer, Peer]) -> None:
    bench = Bench()
    for _ in range(30):
        bench.advance_ms(1000)
        assert bench.node.durable.ceiling > bench.node.term_seen


def test_085_slow_disk_is_asked_for_the_more_the_further_it_lags_but_not_for_what_nobody_would_believe() -> None:
    durable = Durable.of(ceiling=Term(10), term=Term(10), hold_us=0, wanted_us=0, voters=None)
    asked = []
    for seen in (10, 20, 50, 1 << 40):
        wanted = durable.ask(Term(seen), Term(0), Voters(), knows=True, now_us=0)
        assert wanted is not None
        asked.append(wanted.ceiling - seen)
    assert asked == [4, 20, 80, 1 << 16]
    durable.persisted(Term(asked[-1] + (1 << 40)), hold_us=0, voters=None)
    wanted = durable.ask(Term(1 << 41), Term(0), Voters(), knows=True, now_us=0)
    assert wanted is not None
    assert wanted.ceiling == (1 << 41) + 4


def test_040_messages_of_one_election_are_bounded(peers: tuple[Peer, Peer]) -> None:
    """A claim and a grant each, and one heartbeat for all: nothing grows with the square of the members."""
    many = [Peer(node=n, priority=LOW) for n in range(100, 130)]
    bench = Bench()
    bench.meet(*many)
    bench.clear()
    claim = bench.become_candidate()
    for peer in many:
        bench.hear(peer, grant(claim))
    assert bench.role() is Role.LEADER
    assert len(bench.sent(Claim)) == len(many)
    assert len(bench.sent(Heartbeat)) == 1
    assert claim.reason is Reason.JOINED
