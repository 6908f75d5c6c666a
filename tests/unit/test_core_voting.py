"""Who gets the promise: one row per rule of docs/protocol.md 4.2."""

from collections.abc import Callable

import pytest

from kingd.core.effect import EventKind
from kingd.core.scale import MEMBERS_MAX, claim_us
from kingd.core.timing import MS
from kingd.core.wire.message import (
    Claim,
    Grant,
    NodeId,
    Ping,
    Pong,
    Reason,
    Refuse,
    Resign,
    Role,
    SessionId,
    Term,
    Ticket,
)
from tests.unit.scripted import ME, MY_SESSION, Bench, Peer, ballot, resignation

BETTER, WORSE = 200, 50  # than the 100 of the node under test


def verdict(bench: Bench, claimant: Peer, claim: Claim) -> Grant | Refuse | None:
    """The answer to this claim, or None if there is none (yet)."""
    bench.clear()
    bench.hear(claimant, claim)
    answers = [d.body for d in bench.sent_to(claimant) if isinstance(d.body, Grant | Refuse)]
    assert len(answers) <= 1
    return answers[0] if answers else None


def in_role(role: Role, claimant: Peer) -> Bench:
    bench = Bench()
    others = [Peer(node=61, priority=10), Peer(node=62, priority=10)]
    match role:
        case Role.JOINING:
            bench.meet(claimant)
        case Role.FOLLOWER:
            bench.meet(claimant, Peer(node=70, priority=BETTER).leads(5))
        case Role.SEEKING:
            bench.meet(claimant, Peer(node=1, priority=300), Peer(node=2, priority=300))
            bench.advance_ms(550)
        case Role.CANDIDATE:
            bench.meet(claimant)
            bench.become_candidate(*others)
        case Role.LEADER:
            bench.meet(claimant)
            claim = bench.become_candidate(*others)
            for peer in [claimant, *others]:
                bench.hear(peer, Grant(term=claim.term, attempt=claim.attempt))
    assert bench.role() is role
    return bench


# -- 3: a claim arrives in each role

ROLES: list[tuple[Role, int, str, Role]] = [
    # role, claimant's priority, answer, role afterwards
    (Role.JOINING, BETTER, "grant", Role.JOINING),
    (Role.JOINING, WORSE, "grant", Role.JOINING),
    (Role.FOLLOWER, BETTER, "refuse-led", Role.FOLLOWER),
    (Role.FOLLOWER, WORSE, "refuse-led", Role.FOLLOWER),
    (Role.SEEKING, BETTER, "grant", Role.SEEKING),
    (Role.SEEKING, WORSE, "grant", Role.SEEKING),  # rank decides who asks first, never who may be granted
    (Role.CANDIDATE, BETTER, "grant", Role.SEEKING),
    (Role.CANDIDATE, WORSE, "refuse", Role.CANDIDATE),
    (Role.LEADER, BETTER, "refuse-led", Role.LEADER),
    (Role.LEADER, WORSE, "refuse-led", Role.LEADER),
]


def word(answer: Grant | Refuse | None) -> str:
    if answer is None:
        return "none"
    if isinstance(answer, Grant):
        return "grant"
    return "refuse-led" if answer.led else "refuse"


@pytest.mark.parametrize(("role", "priority", "expected", "afterwards"), ROLES)
def test_003_claim_in_each_role(role: Role, priority: int, expected: str, afterwards: Role) -> None:
    claimant = Peer(node=60, priority=priority)
    bench = in_role(role, claimant)
    answer = verdict(bench, claimant, Claim(term=Term(100), attempt=9))
    assert word(answer) == expected
    assert bench.role() is afterwards
    assert isinstance(answer, Grant | Refuse)
    assert (answer.term, answer.attempt, answer.pre_vote) == (100, 9, False)


@pytest.mark.parametrize(("role", "priority", "expected", "afterwards"), ROLES)
def test_003_prepare_is_answered_alike_and_changes_nothing(
    role: Role, priority: int, expected: str, afterwards: Role
) -> None:
    claimant = Peer(node=60, priority=priority)
    bench = in_role(role, claimant)
    promised, until_us, deadline_us = bench.node.promise.floor, bench.node.promise.until_us, bench.core.deadline_us
    answer = verdict(bench, claimant, Claim(term=Term(100), attempt=9, pre_vote=True))
    assert word(answer) == expected
    assert bench.role() is role
    assert (bench.node.promise.floor, bench.node.promise.until_us) == (promised, until_us)
    assert bench.core.deadline_us == deadline_us
    assert len(bench.effects) == 1  # the answer, and nothing else


@pytest.mark.parametrize(("role", "priority", "expected", "afterwards"), [row for row in ROLES if "refuse" in row[2]])
def test_011_refused_claim_changes_nothing_whatever_its_term(
    role: Role, priority: int, expected: str, afterwards: Role
) -> None:
    """A leader does not step down on a bare term, a follower stays loyal, a better candidate goes on."""
    claimant = Peer(node=60, priority=priority)
    bench = in_role(role, claimant)
    leader, promised, until_us = bench.node.leader, bench.node.promise.floor, bench.node.promise.until_us
    for term in (200, 300):
        verdict(bench, claimant, Claim(term=Term(term), attempt=term))
    assert (bench.role(), bench.node.leader, bench.node.promise.floor) == (role, leader, promised)
    assert bench.node.promise.until_us == until_us


def test_leader_says_that_it_leads() -> None:
    claimant = Peer(node=60, priority=BETTER)
    bench = in_role(Role.LEADER, claimant)
    answer = verdict(bench, claimant, Claim(term=Term(100), attempt=9))
    assert isinstance(answer, Refuse)
    assert (answer.holder.node, answer.holder_session) == (ME, MY_SESSION)


def test_follower_names_its_leader_and_how_long_it_holds() -> None:
    claimant = Peer(node=60)
    bench = in_role(Role.FOLLOWER, claimant)
    answer = verdict(bench, claimant, Claim(term=Term(100), attempt=9))
    assert isinstance(answer, Refuse)
    assert (answer.holder, answer.holder_session, answer.remaining_ms) == (ballot(5, 70), 7000, 500)


# -- 9: what was promised x who claims

PROMISED = [
    # what is held, at which time; the claim's term; who claims; expected
    ("none", 1, "other", "grant"),
    ("none", 1, "restarted", "grant"),
    ("candidate", 9, "same", "refuse"),
    ("candidate", 10, "same", "grant"),  # a resent claim
    ("candidate", 11, "same", "grant"),
    ("candidate", 9, "other", "refuse"),
    ("candidate", 10, "other", "refuse"),
    ("candidate", 11, "other", "refuse"),  # exclusive while it lasts
    ("candidate", 9, "restarted", "refuse"),
    ("candidate", 10, "restarted", "refuse"),  # the same ballot, of another session
    ("candidate", 11, "restarted", "grant"),  # its old session is gone
    ("expired", 9, "same", "refuse"),
    ("expired", 10, "same", "grant"),
    ("expired", 11, "same", "grant"),
    ("expired", 9, "other", "refuse"),
    ("expired", 10, "other", "refuse"),  # strictly above, or two sessions could hold one term
    ("expired", 11, "other", "grant"),
    ("expired", 10, "restarted", "refuse"),
    ("expired", 11, "restarted", "grant"),
    ("led", 9, "same", "refuse-led"),
    ("led", 10, "same", "grant"),
    ("led", 11, "same", "grant"),  # a leader raises its term
    ("led", 9, "other", "refuse-led"),
    ("led", 10, "other", "refuse-led"),
    ("led", 11, "other", "refuse-led"),
    ("led", 11, "restarted", "grant"),
    ("resigned", 9, "other", "refuse"),
    ("resigned", 10, "other", "refuse"),  # the floor stays
    ("resigned", 11, "other", "grant"),
]


@pytest.mark.parametrize(("held", "term", "who", "expected"), PROMISED, ids=["-".join(map(str, r)) for r in PROMISED])
def test_009_promised_against_claimed(held: str, term: int, who: str, expected: str) -> None:
    holder, other = Peer(node=60, priority=BETTER), Peer(node=61, priority=BETTER)
    bench = Bench(priority=0)  # it votes, and never claims itself meanwhile
    bench.meet(holder, other)
    bench.advance_ms(550)
    if held != "none":
        assert isinstance(verdict(bench, holder, Claim(term=Term(10), attempt=1)), Grant)
    if held == "expired":
        bench.advance_ms(501)
    if held == "led":
        bench.beat(holder.leads(10))
        assert bench.role() is Role.FOLLOWER
    if held == "resigned":
        bench.hear(holder, resignation(ballot(10, holder.node), Reason.HANDOVER))
    claimant = {"same": holder, "other": other, "restarted": holder.restarted()}[who]
    if who == "restarted":
        bench.meet(claimant)
    assert word(verdict(bench, claimant, Claim(term=Term(term), attempt=2))) == expected


def test_017_claim_inside_a_promise_is_refused_and_after_it_granted() -> None:
    holder, other = Peer(node=60, priority=BETTER), Peer(node=61, priority=BETTER)
    bench = in_role(Role.JOINING, holder)
    bench.meet(other)
    assert isinstance(verdict(bench, holder, Claim(term=Term(10), attempt=1)), Grant)
    bench.advance_ms(499)
    assert isinstance(verdict(bench, other, Claim(term=Term(11), attempt=1)), Refuse)
    bench.advance_ms(1)
    assert isinstance(verdict(bench, other, Claim(term=Term(11), attempt=2)), Grant)


@pytest.mark.parametrize(("leads", "follows"), [(True, True), (False, False)])
def test_093_who_has_granted_asks_the_candidate_whose_heartbeat_does_not_come(leads: bool, follows: bool) -> None:
    claimant = Peer(node=60, priority=BETTER)
    bench = Bench(priority=0)
    bench.meet(claimant)
    bench.advance(bench.node.timing.contact_us + 1)  # and nobody's multicast arrives
    bench.hear(claimant, Claim(term=Term(9), attempt=1, pre_vote=False, reason=Reason.JOINED))
    bench.clear()
    bench.advance(bench.node.timing.ask_after_us)
    question = bench.answer(claimant, Ping)
    if leads:
        claimant.leads(9)
    bench.hear(claimant, Pong(echo=question.nonce))
    assert (bench.role() is Role.FOLLOWER) == follows
    bench.clear()
    bench.advance(bench.node.timing.ask_after_us)
    assert bench.sent(Ping)  # again, or because its multicast is still not heard


def test_who_has_granted_and_hears_multicast_waits_for_the_heartbeat() -> None:
    """Else who has just been elected by hundreds has hundreds to answer."""
    claimant = Peer(node=60, priority=BETTER)
    bench = in_role(Role.SEEKING, claimant)
    bench.hear(claimant, Claim(term=Term(9), attempt=1, pre_vote=False, reason=Reason.JOINED))
    bench.clear()
    bench.advance(bench.node.promise.until_us - bench.now_us - 1)
    assert not bench.sent(Ping)


def test_resent_claim_does_not_extend_the_promise_of_a_dead_candidate_for_ever() -> None:
    holder, other = Peer(node=60, priority=BETTER), Peer(node=61, priority=BETTER)
    bench = in_role(Role.JOINING, holder)
    bench.meet(other)
    for attempt in (1, 1, 1):
        verdict(bench, holder, Claim(term=Term(10), attempt=attempt))
        bench.advance_ms(30)
    bench.advance_ms(500)
    assert isinstance(verdict(bench, other, Claim(term=Term(11), attempt=2)), Grant)


# -- rule 4: ask first


def follower_of(leader: Peer, *others: Peer) -> Bench:
    bench = Bench()
    bench.meet(leader, *others)
    assert bench.role() is Role.FOLLOWER
    return bench


def test_021_leader_heard_a_moment_ago_is_not_given_away() -> None:
    leader, suspicious = Peer(node=70).leads(5), Peer(node=60, priority=BETTER)
    bench = follower_of(leader, suspicious)
    bench.advance_ms(100)
    assert word(verdict(bench, suspicious, Claim(term=Term(6), attempt=1))) == "refuse-led"


def test_leader_that_missed_a_heartbeat_is_asked_first() -> None:
    leader, claimant = Peer(node=70).leads(5), Peer(node=60, priority=BETTER)
    bench = follower_of(leader, claimant, Peer(node=61, priority=BETTER), Peer(node=62, priority=BETTER))
    bench.advance_ms(200)  # fourth in line: it does not ask by itself so early
    assert verdict(bench, claimant, Claim(term=Term(6), attempt=1)) is None
    assert len([d for d in bench.sent_to(leader) if isinstance(d.body, Ping)]) == 1


def test_081_silent_leader_is_given_away_when_it_was_asked_twice_and_did_not_answer() -> None:
    leader, claimant = Peer(node=70).leads(5), Peer(node=60, priority=BETTER)
    bench = follower_of(leader, claimant)
    bench.advance_ms(270)
    assert isinstance(verdict(bench, claimant, Claim(term=Term(6), attempt=1)), Grant)
    assert bench.role() is Role.SEEKING
    assert bench.events() == [EventKind.LEADER_LOST]


def test_080_silent_leader_whose_port_refuses_is_given_away_sooner() -> None:
    """The second question, and not a round trip after it."""
    leader, claimant = Peer(node=70).leads(5), Peer(node=60, priority=BETTER)
    bench = follower_of(leader, claimant, Peer(node=61, priority=BETTER), Peer(node=62, priority=BETTER))
    bench.advance_ms(200)
    assert verdict(bench, claimant, Claim(term=Term(6), attempt=1)) is None
    bench.perform(bench.core.refused(leader.endpoint, now_us=bench.now_us))
    assert verdict(bench, claimant, Claim(term=Term(6), attempt=1)) is None
    bench.perform(bench.core.refused(leader.endpoint, now_us=bench.now_us))
    assert bench.role() is Role.SEEKING
    assert isinstance(verdict(bench, claimant, Claim(term=Term(6), attempt=1)), Grant)


def test_079_leader_that_answers_the_question_keeps_the_promise() -> None:
    """The claimant cannot reach it (a firewall between the two?): the others can."""
    leader, claimant = Peer(node=70).leads(5), Peer(node=60, priority=BETTER)
    bench = follower_of(leader, claimant)
    for attempt in range(20):
        bench.advance_ms(60)
        answer_pings(bench, leader)
        assert not isinstance(verdict(bench, claimant, Claim(term=Term(6), attempt=attempt)), Grant)
    assert bench.leader_name() == leader.name


def answer_pings(bench: Bench, leader: Peer) -> None:
    for ping in [d.body for d in bench.sent_to(leader) if isinstance(d.body, Ping)]:
        bench.hear(leader, Pong(echo=ping.nonce))
    bench.clear()


# -- tickets


def ticket(holder: Peer, bearer: Peer, *, term: int = 5) -> Ticket:
    return Ticket(
        ballot=ballot(term, holder.node),
        session=SessionId(holder.session),
        successor=NodeId(bearer.node),
        successor_session=SessionId(bearer.session),
    )


TICKETS: list[tuple[str, Callable[[Peer, Peer, Peer], Ticket], str]] = [
    ("exact", lambda leader, claimant, other: ticket(leader, claimant), "grant"),
    ("of an earlier term", lambda leader, claimant, other: ticket(leader, claimant, term=4), "refuse-led"),
    ("of another session", lambda leader, claimant, other: ticket(leader.restarted(), claimant), "refuse-led"),
    ("of another leader", lambda leader, claimant, other: ticket(other, claimant), "refuse-led"),
    ("for somebody else", lambda leader, claimant, other: ticket(leader, other), "refuse-led"),
    ("for its former session", lambda leader, claimant, other: ticket(leader, claimant.restarted()), "refuse-led"),
]


@pytest.mark.parametrize(("what", "make", "expected"), TICKETS, ids=[row[0] for row in TICKETS])
def test_024_hand_over_inside_a_promise_needs_the_exact_ticket(
    what: str, make: Callable[[Peer, Peer, Peer], Ticket], expected: str
) -> None:
    leader, claimant, other = Peer(node=70).leads(5), Peer(node=60), Peer(node=61)
    bench = follower_of(leader, claimant, other)
    claim = Claim(term=Term(6), attempt=1, ticket=make(leader, claimant, other))
    assert word(verdict(bench, claimant, claim)) == expected


def test_ticket_does_not_lift_the_floor() -> None:
    leader, claimant = Peer(node=70).leads(5), Peer(node=60)
    bench = follower_of(leader, claimant)
    claim = Claim(term=Term(5), attempt=1, ticket=ticket(leader, claimant))
    assert word(verdict(bench, claimant, claim)) == "refuse-led"


# -- giving way


def test_004_candidate_gives_way_to_a_better_one_and_gives_its_grants_back() -> None:
    claimant = Peer(node=60, priority=BETTER)
    bench = in_role(Role.CANDIDATE, claimant)
    mine = bench.claim
    assert isinstance(verdict(bench, claimant, Claim(term=Term(mine.term + 1), attempt=1)), Grant)
    resigned = bench.sent(Resign)
    assert {r.ballot for r in resigned} == {ballot(mine.term, ME)}
    assert len(resigned) == 3  # to each that it had asked


def test_013_late_grant_after_giving_way_counts_for_nothing() -> None:
    claimant = Peer(node=60, priority=BETTER)
    bench = in_role(Role.CANDIDATE, claimant)
    mine = bench.claim
    verdict(bench, claimant, Claim(term=Term(mine.term + 1), attempt=1))
    for peer in (Peer(node=61, priority=10, sequence=50), Peer(node=62, priority=10, sequence=50), claimant):
        bench.hear(peer, Grant(term=mine.term, attempt=mine.attempt))
    assert bench.role() is Role.SEEKING
    assert bench.node.out.dropped["stale-answer"] == 3


def test_equal_priority_duel_is_decided_by_the_lower_id() -> None:
    lower, higher = Peer(node=40), Peer(node=60)
    assert isinstance(verdict(in_role(Role.CANDIDATE, lower), lower, Claim(term=Term(9), attempt=1)), Grant)
    assert isinstance(verdict(in_role(Role.CANDIDATE, higher), higher, Claim(term=Term(9), attempt=1)), Refuse)


@pytest.mark.parametrize("count", [3, 150, 2_000, 60_000])
def test_a_promise_outlasts_the_claim_to_all_whom_the_leader_counted(count: int) -> None:
    """Votes that run out before they are counted are worth nothing, and who gave them claims himself."""
    bench, claimant, leader = Bench(), Peer(node=60), Peer(node=70).leads(5)
    bench.meet(leader, claimant)
    bench.beat(leader, alive=count)
    gone = resignation(leader.leader, Reason.HANDOVER)
    bench.hear(leader, gone)
    assert isinstance(verdict(bench, claimant, Claim(term=Term(6), attempt=1)), Grant)
    assert bench.node.promise.until_us - bench.now_us >= longest_claim_us(min(count, MEMBERS_MAX)) + 250 * MS


def longest_claim_us(count: int) -> int:
    """How long a candidate waits for so many, if one of them does not answer."""
    return claim_us(Bench().node.timing, count)[-1]
