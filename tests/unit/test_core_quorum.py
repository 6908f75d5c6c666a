"""Quorum mode: an exclusive, timed promise at each voter, and a leader that counts them. docs/quorum.md."""

from dataclasses import replace

import pytest

from kingd.core.effect import EventKind, Persist
from kingd.core.rules.majority import majority
from kingd.core.settings import Voters
from kingd.core.timing import MS, Timing, promise_us
from kingd.core.wire.message import (
    NO_BALLOT,
    NOBODY,
    Ack,
    Claim,
    Grant,
    Heartbeat,
    NodeId,
    Offer,
    Ping,
    Pong,
    Ready,
    Reason,
    Refuse,
    Resign,
    Role,
    SessionId,
    Term,
    Ticket,
)
from kingd.core.wire.voter_list import NO_VOTERS
from tests.unit.scripted import LIST, ME, MY_SESSION, VOTERS, Bench, Peer, ballot, made, refusal, resignation, voter

OTHER_LIST = Voters(("box60", "box90", "me")).id
LEASE_MS = 1000
PROMISE_MS = 1026  # 1000 x 1.01 / 0.99 + 5 = 1025.2


def started(*peers: Peer, **changes: object) -> Bench:
    """A voter with history, whose start is over."""
    bench = Bench(voters=VOTERS, ceiling=1, **changes)  # type: ignore[arg-type]
    bench.meet(*peers)
    bench.node.term_seen = Term(4)
    bench.advance_ms(PROMISE_MS - 1)
    bench.perform(bench.core.tick(now_us=bench.now_us)) if bench.core.deadline_us <= bench.now_us else None
    bench.clear()
    return bench


def claims(
    bench: Bench, peer: Peer, term: int, *, attempt: int = 1, ticket: Ticket | None = None
) -> Grant | Refuse | None:
    """What the voter answers."""
    bench.clear()
    bench.hear(peer, Claim(term=Term(term), attempt=attempt, lease_ms=LEASE_MS, ticket=ticket))
    answers = [d.body for d in bench.sent_to(peer) if isinstance(d.body, Grant | Refuse)]
    return answers[-1] if answers else None


def is_leader(bench: Bench) -> bool:
    return bench.core.status(bench.now_us).role is Role.LEADER


def elected(*peers: Peer, **changes: object) -> Bench:
    """It leads by the vote of the first of the peers."""
    bench = started(*peers, **changes)
    bench.advance_ms(60)
    assert bench.role() is Role.CANDIDATE
    bench.hear(peers[0], Grant(term=bench.claim.term, attempt=bench.claim.attempt))
    return bench


def newest_beat(bench: Bench) -> int:
    return [d.header.sequence for d in bench.datagrams() if isinstance(d.body, Heartbeat)][-1]


# -- the voter


def test_voter_promises_for_longer_than_the_leader_counts_on_it() -> None:
    """By any two clocks within one per cent of each other's second."""
    for lease_ms in (1, 60, 1000, 10_000):
        lease_us = lease_ms * MS
        assert promise_us(lease_us) * 100 / 101 > lease_us * 100 / 99
    assert promise_us(LEASE_MS * MS) == 1_026_000


def test_promise_is_exclusive_until_its_end(one: Peer, two: Peer) -> None:
    bench = started(one, two, priority=0)
    bench.advance_ms(1)
    assert isinstance(claims(bench, one, 5), Grant)
    bench.advance_ms(PROMISE_MS - 2)
    refused = claims(bench, two, 6)
    assert isinstance(refused, Refuse)
    assert (refused.holder, refused.remaining_ms) == (ballot(5, 60), 2)
    bench.advance_ms(2)
    assert isinstance(claims(bench, two, 6, attempt=2), Grant)


def test_no_belief_about_the_holder_frees_the_promise(one: Peer, two: Peer) -> None:
    """Neither its silence, nor its own word in a pong, nor a new session of its host."""
    bench = started(one, two, priority=0)
    bench.advance_ms(1)
    claims(bench, one, 5)
    one.leads(5)
    bench.beat(one, lease_ms=LEASE_MS)
    assert bench.role() is Role.FOLLOWER
    bench.advance_ms(600)
    ping = bench.sent(Ping)[-1]
    one.role, one.leader = Role.FOLLOWER, ballot(4, 70)
    bench.hear(one, Pong(echo=ping.nonce))
    assert isinstance(claims(bench, two, 6), Refuse)
    again = one.restarted()
    bench.meet(again)
    assert isinstance(claims(bench, again, 7), Refuse)
    assert isinstance(claims(bench, two, 8), Refuse)


def test_heartbeats_renew_the_promise_and_are_acknowledged(one: Peer, two: Peer) -> None:
    bench = started(one, two, priority=0)
    bench.advance_ms(1)
    claims(bench, one, 5)
    one.leads(5)
    for _ in range(20):
        bench.advance_ms(100)
        bench.clear()
        bench.beat(one, lease_ms=LEASE_MS)
        assert bench.answer(one, Ack).sequence == one.sequence
    bench.advance_ms(PROMISE_MS - 2)
    assert isinstance(claims(bench, two, 6), Refuse)


def test_shorter_lease_shortens_no_promise(one: Peer, two: Peer) -> None:
    """089: the leader was told to count on less from now on."""
    bench = started(one, two, priority=0)
    bench.advance_ms(1)
    claims(bench, one, 5)
    one.leads(5)
    bench.beat(one, lease_ms=60)
    bench.advance_ms(PROMISE_MS - 2)
    assert isinstance(claims(bench, two, 6), Refuse)


@pytest.mark.parametrize("whose", ["that ballot", "an older one", "another session"])
def test_only_the_resignation_of_that_ballot_frees_it(one: Peer, two: Peer, whose: str) -> None:
    bench = started(one, two, priority=0)
    bench.advance_ms(1)
    claims(bench, one, 5)
    given_up = ballot(4, 60) if whose == "an older one" else ballot(5, 60)
    peer = two if whose == "another session" else one
    goodbye = resignation(given_up, Reason.HANDOVER)
    bench.hear(peer, goodbye)
    answer = claims(bench, two, 6)
    assert isinstance(answer, Grant if whose == "that ballot" else Refuse)


@pytest.mark.parametrize("wrong", ["", "ballot", "session", "successor", "successor's session"])
def test_024_ticket_frees_the_promise_for_its_bearer_only(one: Peer, two: Peer, wrong: str) -> None:
    bench = started(one, two, priority=0)
    bench.advance_ms(1)
    claims(bench, one, 5)
    ticket = Ticket(
        ballot=ballot(5, 60),
        session=SessionId(one.session),
        successor=NodeId(70),
        successor_session=SessionId(two.session),
    )
    ticket = {
        "": ticket,
        "ballot": replace(ticket, ballot=ballot(4, 60)),
        "session": replace(ticket, session=SessionId(9)),
        "successor": replace(ticket, successor=NodeId(80)),
        "successor's session": replace(ticket, successor_session=SessionId(9)),
    }[wrong]
    assert isinstance(claims(bench, two, 6, ticket=ticket), Refuse if wrong else Grant)


@pytest.mark.parametrize("late", ["resignation", "resignation to this node", "ticket"])
def test_032_what_ended_the_old_ballot_does_not_end_the_promise_for_a_higher_one(
    one: Peer, two: Peer, late: str
) -> None:
    """The exhaustive checker: a leader resigned, nobody took over, it claimed again, and this voter had heard only that."""
    bench = started(one, two)
    bench.advance_ms(1)
    claims(bench, one, 5)
    one.leads(5)
    bench.beat(one, lease_ms=LEASE_MS)
    one.role, one.leader = Role.CANDIDATE, NO_BALLOT
    assert isinstance(claims(bench, one, 7), Grant)
    mine = late == "resignation to this node"
    heir, session = (ME, MY_SESSION) if mine else (70, two.session)
    goodbye = resignation(ballot(5, 60), Reason.HANDOVER, to=heir, session=session)
    ticket = Ticket(
        ballot=ballot(5, 60),
        session=SessionId(one.session),
        successor=NodeId(70),
        successor_session=SessionId(two.session),
    )
    if late != "ticket":
        bench.hear(one, goodbye)
    assert bench.role() is not Role.CANDIDATE
    assert isinstance(claims(bench, two, 8, ticket=ticket if late == "ticket" else None), Refuse)


def test_voter_that_was_isolated_follows_its_leader_under_the_ballot_that_it_leads(one: Peer, two: Peer) -> None:
    """The simulator: it had granted the leader a higher term, under which that one does not lead yet."""
    bench = started(one, two, priority=0)
    bench.advance_ms(1)
    claims(bench, one, 5)
    one.leads(5)
    bench.beat(one, lease_ms=LEASE_MS)
    claims(bench, one, 7)
    bench.perform(bench.core.links_changed(0, now_us=bench.now_us))
    bench.advance_ms(500)
    bench.perform(bench.core.links_changed(1, now_us=bench.now_us))
    assert bench.role() is Role.JOINING
    bench.beat(one, lease_ms=LEASE_MS)
    assert bench.leader_name() == "box60"
    assert isinstance(claims(bench, two, 7), Refuse)


def test_grant_and_lease_wait_for_the_disk(one: Peer, two: Peer) -> None:
    """Neither a term above the durable ceiling, nor a longer promise than the durable one."""
    bench = started(one, two, priority=0)
    bench.advance_ms(1)
    ceiling = bench.node.durable.ceiling
    bench.has_disk = False
    assert claims(bench, one, ceiling + 1) is None
    wanted = [e for e in bench.effects if isinstance(e, Persist)][-1]
    assert wanted.ceiling > ceiling
    bench.perform(bench.core.persisted(wanted.ceiling, hold_us=wanted.hold_us, now_us=bench.now_us))
    assert isinstance(claims(bench, one, ceiling + 1), Grant)


def test_089_longer_promise_waits_for_the_disk(one: Peer, two: Peer) -> None:
    bench = started(one, two, priority=0)
    bench.advance_ms(1)
    bench.has_disk = False
    long = Claim(term=Term(5), attempt=1, lease_ms=2 * LEASE_MS)
    bench.clear()
    bench.hear(one, long)
    assert not bench.sent(Grant)
    wanted = [e for e in bench.effects if isinstance(e, Persist)][-1]
    assert wanted.hold_us == promise_us(2 * LEASE_MS * MS)
    bench.perform(bench.core.persisted(wanted.ceiling, hold_us=wanted.hold_us, now_us=bench.now_us))
    bench.hear(one, long)
    assert len(bench.sent(Grant)) == 1


def test_claim_of_who_has_another_list_is_not_answered(one: Peer, two: Peer) -> None:
    bench = started(one, two, priority=0)
    bench.advance_ms(1)
    one.voters = OTHER_LIST
    assert claims(bench, one, 5) is None
    assert bench.node.out.dropped["voters"] == 1


def test_without_voters_no_promise_is_written_to_disk() -> None:
    bench, leader = Bench(), Peer(node=60).leads(5)
    bench.meet(leader)
    bench.beat(leader)
    assert bench.leader_name() == "box60"
    assert {e.hold_us for e in bench.effects if isinstance(e, Persist)} == {0}


# -- the leader


def test_majority_of_named_voters_elects(one: Peer, two: Peer) -> None:
    bench = elected(one, two)
    assert is_leader(bench)
    assert EventKind.ELECTED in bench.events()


def test_without_a_majority_nobody_leads(one: Peer, two: Peer) -> None:
    bench = started(one, two)
    bench.advance_ms(20_000)
    assert bench.sent(Claim)
    assert not bench.sent(Heartbeat)
    assert not is_leader(bench)


def test_grants_of_others_than_voters_count_for_nothing(one: Peer, two: Peer) -> None:
    guest = voter(80)
    bench = started(guest, one, two)
    bench.advance_ms(60)
    bench.hear(guest, Grant(term=bench.claim.term, attempt=bench.claim.attempt))
    assert bench.role() is Role.CANDIDATE
    one.voters = OTHER_LIST
    bench.hear(one, Grant(term=bench.claim.term, attempt=bench.claim.attempt))
    assert bench.role() is Role.CANDIDATE
    bench.hear(two, Grant(term=bench.claim.term, attempt=bench.claim.attempt))
    assert is_leader(bench)


def test_name_that_two_hosts_have_votes_for_neither(one: Peer, two: Peer) -> None:
    double = Peer(node=90, name="box60", priority=10, voters=LIST)
    bench = started(one, double, two)
    bench.advance_ms(60)
    for peer in (one, double):
        bench.hear(peer, Grant(term=bench.claim.term, attempt=bench.claim.attempt))
    assert not is_leader(bench)
    assert any("two hosts are called box60" in problem for problem in bench.problems())


def test_voters_that_do_not_count_are_named(one: Peer, two: Peer) -> None:
    """One is not heard, one has another list, two have one name."""
    bench = started(one, two)
    assert missing(bench) == ((), 3)
    bench.meet(Peer(node=90, name="box60", priority=10, voters=LIST))
    assert missing(bench) == (("box60",), 2)
    bench = started(one)
    assert missing(bench) == (("box70",), 2)
    one.voters = OTHER_LIST
    bench.beat(one)
    assert missing(bench) == (("box60", "box70"), 1)


def missing(bench: Bench) -> tuple[tuple[str, ...], int]:
    status = bench.core.status(bench.now_us)
    return status.voters_missing, status.voters_reachable


def test_voter_that_lost_its_state_counts_again_when_its_former_vote_is_over(one: Peer, two: Peer) -> None:
    """Another id, the same name and address: not two hosts for as long as this node leads."""
    bench = elected(one, two)
    bench.hear(two, Ack(sequence=newest_beat(bench)))
    reborn = Peer(node=60 + 250, name="box60", priority=10, voters=LIST)
    bench.meet(reborn)
    for _ in range(30):
        bench.advance_ms(100)
        bench.hear(two, Ack(sequence=newest_beat(bench)))
        bench.hear(reborn, Ack(sequence=newest_beat(bench)))
    for _ in range(30):
        bench.advance_ms(100)
        bench.hear(reborn, Ack(sequence=newest_beat(bench)))
    assert is_leader(bench)


def test_a_refusal_is_only_a_missing_vote(one: Peer, two: Peer) -> None:
    bench = started(one, two)
    bench.advance_ms(60)
    claim = bench.claim
    held = refusal(claim, ballot(3, 90), 9000, led=True, remaining_ms=900)
    bench.hear(one, held)
    assert bench.role() is Role.CANDIDATE
    bench.hear(two, Grant(term=claim.term, attempt=claim.attempt))
    assert is_leader(bench)


def test_two_refusals_of_three_voters_end_the_claim(one: Peer, two: Peer) -> None:
    bench = started(one, two)
    bench.advance_ms(60)
    claim = bench.claim
    for peer in (one, two):
        held = refusal(claim, ballot(3, 90), 9000, led=True, remaining_ms=900)
        bench.hear(peer, held)
    assert bench.role() is Role.SEEKING


def test_016_lease_counts_from_when_the_answered_claim_was_sent(one: Peer, two: Peer) -> None:
    bench = started(one, two)
    while not bench.sent(Claim):
        bench.advance(max(0, bench.core.deadline_us - bench.now_us))
    sent_us = bench.now_us
    bench.advance_ms(100)  # it was sent again meanwhile; which copy was answered nobody can tell
    bench.hear(one, Grant(term=bench.claim.term, attempt=bench.claim.attempt))
    bench.advance(sent_us + 980 * MS - 1 - bench.now_us)
    assert is_leader(bench)
    bench.advance(1)
    assert not is_leader(bench)


def test_016_leader_without_answers_says_so_before_any_promise_ends(one: Peer, two: Peer) -> None:
    bench = elected(one, two)
    bench.clear()
    bench.advance_ms(1000)
    assert bench.role() is Role.SEEKING
    (event,) = [e for e in bench.told() if e.kind is EventKind.DEPOSED]
    assert event.reason is Reason.QUORUM_LOST
    assert bench.sent(Resign)[-1].successor == NOBODY
    status = bench.core.status(bench.now_us)
    assert (status.leader, status.quorum_ok) == (None, False)


def test_answer_to_a_status_query_needs_no_timer(one: Peer, two: Peer) -> None:
    """066: the process was stopped, and is asked before it does anything else."""
    bench = elected(one, two)
    assert bench.core.status(bench.now_us + 900 * MS).role is Role.LEADER
    assert bench.core.status(bench.now_us + 1000 * MS).role is not Role.LEADER


def test_015_acks_keep_the_lease(one: Peer, two: Peer) -> None:
    bench = elected(one, two)
    for _ in range(50):
        bench.advance_ms(100)
        bench.hear(two, Ack(sequence=newest_beat(bench)))
    bench.advance_ms(900)
    assert is_leader(bench)


def test_ack_counts_from_the_heartbeat_that_it_names(one: Peer, two: Peer) -> None:
    bench = elected(one, two)
    bench.clear()
    bench.advance_ms(100)
    beat, sent_us = newest_beat(bench), bench.now_us
    bench.advance_ms(400)
    bench.hear(one, Ack(sequence=beat))
    bench.advance(sent_us + 980 * MS - 1 - bench.now_us)
    assert is_leader(bench)
    bench.advance(1)
    assert not is_leader(bench)


def test_ack_of_a_former_leadership_counts_for_nothing(one: Peer, two: Peer) -> None:
    bench = elected(one, two)
    bench.advance_ms(100)
    beat = newest_beat(bench)
    bench.advance_ms(1000)
    assert not is_leader(bench)
    bench.hear(one, Ack(sequence=beat))
    bench.hear(two, Ack(sequence=beat))
    assert not is_leader(bench)


def test_what_enters_after_the_lease_finds_no_leader(one: Peer, two: Peer) -> None:
    """The process did not run, and no timer has fired yet."""
    bench = elected(one, two)
    bench.clear()
    bench.now_us += 1500 * MS
    bench.hear(two, Claim(term=Term(bench.node.term_seen + 1), attempt=5, lease_ms=LEASE_MS))
    assert EventKind.DEPOSED in bench.events()
    assert bench.sent(Grant)


def test_017_leader_refuses_claims(one: Peer, two: Peer) -> None:
    bench = elected(one, two)
    refused = claims(bench, two, 50)
    assert isinstance(refused, Refuse)
    assert refused.led


def test_leader_leads_on_under_the_old_ballot_until_a_majority_grants_the_new_one(one: Peer, two: Peer) -> None:
    """019: somebody who was cut off comes back with a higher floor."""
    bench = elected(one, two)
    before = bench.node.ballot
    two.role, two.floor = Role.SEEKING, ballot(before.term + 2, 70)
    bench.advance_ms(200)
    bench.clear()
    bench.hear(two, Ping(nonce=1, heard=0, polling=False))
    assert bench.claim.term == before.term + 3
    assert bench.node.ballot == before
    assert is_leader(bench)
    bench.hear(one, Grant(term=bench.claim.term, attempt=bench.claim.attempt))
    assert bench.node.ballot.term == before.term + 3


def test_hand_over_is_ready_when_a_majority_would_follow(one: Peer, two: Peer) -> None:
    """025, with voters: the third need not answer."""
    bench = started(one, two)
    one.leads(5)
    bench.beat(one, lease_ms=LEASE_MS)
    while not any(claim.pre_vote for claim in bench.sent(Claim)):
        bench.advance_ms(50)
        bench.beat(one, lease_ms=LEASE_MS)
        bench.acknowledge_from(one)
    assert not [d for d in bench.sent_to(one) if isinstance(d.body, Claim)]  # its resignation will be its answer
    assert bench.answer(one, Ready).silent == ()


def test_vote_of_a_leader_that_leaves_is_missing(one: Peer, two: Peer) -> None:
    bench = started(one, two, priority=10)
    one.leads(5)
    while bench.role() is not Role.FOLLOWER:
        bench.advance_ms(50)
        bench.beat(one, lease_ms=LEASE_MS)
        bench.acknowledge_from(one)
    bench.clear()
    bench.hear(one, Offer(ballot=ballot(5, 60), reason=Reason.LEADER_LEFT))
    assert not bench.sent(Ready)
    refused = refusal(bench.claim, ballot(5, 60), one.session, led=True, remaining_ms=900)
    bench.hear(two, refused)
    assert bench.answer(one, Ready).silent == ()


def test_leader_without_a_quorum_is_not_followed(one: Peer, two: Peer) -> None:
    """It is in availability mode: others may lead beside it."""
    bench = started(one, two, priority=0)
    bench.advance_ms(1)
    one.voters = NO_VOTERS
    one.leads(9)
    for _ in range(5):
        bench.advance_ms(100)
        bench.beat(one)
        bench.acknowledge_from(one)
    assert bench.leader_name() is None
    assert any("another list of quorum.voters" in problem for problem in bench.problems())


# -- the list


@pytest.mark.parametrize(("voters", "needed"), [(1, 1), (2, 2), (3, 2), (4, 3), (5, 3)])
def test_majority(voters: int, needed: int) -> None:
    assert majority(voters) == needed


def test_new_list_keeps_what_the_old_one_proved(one: Peer, two: Peer) -> None:
    bench = elected(one, two)
    bench.advance_ms(500)
    bench.node.quorum.voters = made((*VOTERS, "zoe"), 1)
    bench.perform(bench.core.configure(bench.node.settings, now_us=bench.now_us))
    assert is_leader(bench)
    bench.hear(one, Ack(sequence=newest_beat(bench)))  # by the old list
    bench.advance_ms(500)
    assert not is_leader(bench)


def test_fast_profile_has_a_lease_of_60_ms() -> None:
    assert Timing(heartbeat_us=10 * MS, leader_timeout_us=30 * MS).lease_us == 60 * MS
