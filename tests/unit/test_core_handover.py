"""Stepping aside: offer, prepare, ready, resign, ticket; and the errors of step-down. docs/protocol.md 4.5."""

from dataclasses import replace

import pytest

from kingd.core.effect import EventKind, HandedOver, Multicast, Stopped
from kingd.core.problems import StepDownError
from kingd.core.settings import Preempt
from kingd.core.timing import SECOND
from kingd.core.wire.message import (
    NOBODY,
    Announce,
    Claim,
    Grant,
    NodeId,
    Offer,
    Ping,
    Probe,
    ProbeAck,
    Ready,
    Reason,
    Refuse,
    Resign,
    Role,
    Roster,
    RosterEntry,
    SessionId,
    Term,
)
from kingd.daemon import sentences
from tests.unit.scripted import ME, MY_SESSION, Bench, Peer, ballot, refusal, resignation


def leading(*followers: Peer) -> Bench:
    bench = Bench()
    bench.become_leader(*followers)
    for follower in followers:
        follower.role, follower.leader, follower.floor = Role.FOLLOWER, bench.node.ballot, bench.node.ballot
        bench.hear(follower, Ready(ballot=ballot(1, 1), reason=Reason.JOINED))  # of nothing: only to tell its role
    bench.clear()
    return bench


def ready(bench: Bench) -> Ready:
    return Ready(ballot=bench.node.ballot, reason=Reason.STEP_DOWN)


def step_down(bench: Bench, *, to: str | None = None, for_s: int = 60) -> None:
    bench.perform(bench.core.step_down(to=to, for_us=for_s * SECOND, now_us=bench.now_us))


@pytest.fixture
def first() -> Peer:
    return Peer(node=61, priority=90)


@pytest.fixture
def second() -> Peer:
    return Peer(node=62, priority=80)


# -- the leader


def test_023_offer_ready_resign_and_the_successor_leads(first: Peer, second: Peer) -> None:
    bench = leading(first, second)
    led = bench.node.ballot
    step_down(bench)
    assert bench.answer(first, Offer) == Offer(ballot=led, reason=Reason.STEP_DOWN)
    assert bench.role() is Role.LEADER
    bench.clear()
    bench.hear(first, ready(bench))
    assert bench.role() is Role.SEEKING
    goodbye = bench.answer(first, Resign)
    assert (goodbye.ballot, goodbye.successor, goodbye.successor_session) == (led, 61, 6100)
    assert [e for e in bench.effects if isinstance(e, Multicast)]  # the others hear it too
    claim = Claim(term=Term(led.term + 1), attempt=1, reason=Reason.STEP_DOWN)
    bench.hear(first, claim)
    assert bench.answer(first, Grant)
    bench.beat(first.leads(led.term + 1))
    assert bench.leader_name() == "box61"
    assert [e.to.name for e in bench.effects if isinstance(e, HandedOver) and e.to] == ["box61"]
    assert bench.events() == [EventKind.DEPOSED, EventKind.LEADER_CHANGED]


def test_offer_goes_to_the_best_and_then_to_the_next(first: Peer, second: Peer) -> None:
    bench = leading(first, second)
    step_down(bench)
    assert not [d for d in bench.sent_to(second) if isinstance(d.body, Offer)]
    bench.advance_ms(460)
    assert [d for d in bench.sent_to(second) if isinstance(d.body, Offer)]
    bench.advance_ms(460)
    assert [e.to for e in bench.effects if isinstance(e, HandedOver)] == [None]
    assert bench.role() is Role.LEADER  # nobody took it: things are as they were


def test_025_successor_that_is_not_ready_costs_no_leadership(first: Peer) -> None:
    bench = leading(first)
    step_down(bench)
    bench.advance_ms(2000)
    assert bench.role() is Role.LEADER
    assert EventKind.DEPOSED not in bench.events()


def test_031_second_step_down_retargets_before_the_resignation(first: Peer, second: Peer) -> None:
    bench = leading(first, second)
    step_down(bench, to="box61")
    step_down(bench, to="box62")
    bench.hear(first, ready(bench))
    assert bench.role() is Role.LEADER  # it is not the one any more
    bench.hear(second, ready(bench))
    assert bench.answer(second, Resign).successor == 62


def test_031_after_the_resignation_a_second_one_is_refused(first: Peer, second: Peer) -> None:
    bench = leading(first, second)
    step_down(bench)
    bench.hear(first, ready(bench))
    with pytest.raises(StepDownError) as caught:
        step_down(bench, to="box62")
    assert told(caught.value)[0] == "NotLeader"


def test_027_successor_that_dies_with_the_ticket(first: Peer) -> None:
    """The old leader leads again, above: it never acts under the ballot that it gave away."""
    bench = leading(first)
    led = bench.node.ballot
    bench.core.step_down(to=None, for_us=0, now_us=bench.now_us)
    bench.hear(first, ready(bench))
    bench.clear()
    bench.advance_ms(499)
    assert bench.role() is Role.SEEKING
    assert len(bench.sent(Resign)) == 3  # sent again to the successor
    bench.advance_ms(600)
    assert bench.role() is Role.LEADER
    assert bench.node.ballot > led


def test_027_failed_successor_is_offered_nothing_for_ten_seconds(first: Peer) -> None:
    bench = leading(first)
    bench.core.step_down(to=None, for_us=0, now_us=bench.now_us)
    bench.hear(first, ready(bench))
    bench.advance_ms(1200)
    assert bench.role() is Role.LEADER
    first.leader = bench.node.ballot
    bench.hear(first, ready(bench))  # it has contact again
    with pytest.raises(StepDownError) as caught:
        step_down(bench)
    assert told(caught.value)[0] == "NoSuccessor"


def test_028_resigned_leader_does_not_say_that_it_leads(first: Peer) -> None:
    bench = leading(first)
    step_down(bench)
    bench.hear(first, ready(bench))
    status = bench.core.status(bench.now_us)
    assert (status.leader, status.role) == (None, Role.SEEKING)


def test_step_down_keeps_it_from_leading_for_as_long_as_asked(first: Peer) -> None:
    bench = leading(first)
    step_down(bench, for_s=60)
    bench.hear(first, ready(bench))
    assert bench.core.status(bench.now_us).ineligible_reason == "step-down"
    bench.advance_ms(59_000)
    assert bench.role() is not Role.LEADER
    bench.advance_ms(3_000)
    assert bench.core.status(bench.now_us).ineligible_reason is None


def test_ready_of_another_ballot_or_of_nobody_asked_is_ignored(first: Peer, second: Peer) -> None:
    bench = leading(first, second)
    bench.hear(first, ready(bench))  # of lower priority: it may not ask
    step_down(bench)
    bench.hear(second, ready(bench))
    bench.hear(first, Ready(ballot=ballot(bench.node.ballot.term - 1, ME), reason=Reason.STEP_DOWN))
    assert bench.role() is Role.LEADER


# -- the errors of step-down


def told(error: StepDownError) -> tuple[str, str]:
    """The error's name, and the sentence that comes with it."""
    return sentences.hindrance(error.why)


def test_step_down_where_nobody_leads() -> None:
    with pytest.raises(StepDownError) as caught:
        step_down(Bench())
    assert told(caught.value)[0] == "NotLeader"


@pytest.mark.parametrize(
    ("to", "name", "hint"),
    [
        ("box99", "UnknownMember", "no other live member is called 'box99'"),
        ("me", "UnknownMember", "no other live member"),
        ("box61", "NoSuccessor", "not eligible"),
        (None, "NoSuccessor", "no other member is alive, eligible and in contact"),
    ],
)
def test_026_step_down_to_nobody(to: str | None, name: str, hint: str) -> None:
    voter = Peer(node=61, priority=0, eligible=False)
    bench = leading(voter)
    with pytest.raises(StepDownError) as caught:
        step_down(bench, to=to)
    assert told(caught.value)[0] == name
    assert hint in told(caught.value)[1]
    assert bench.role() is Role.LEADER


def test_step_down_to_a_name_that_two_have_is_refused_and_an_id_is_not() -> None:
    twins = [Peer(node=61, name="box"), Peer(node=62, name="box")]
    bench = leading(*twins)
    with pytest.raises(StepDownError) as caught:
        step_down(bench, to="box")
    assert told(caught.value)[0] == "UnknownMember"
    assert "000000000000003d (10.0.0.61:5466), 000000000000003e (10.0.0.62:5466)" in told(caught.value)[1]
    step_down(bench, to="000000000000003e")
    assert [offer.header.destination for offer in bench.datagrams() if isinstance(offer.body, Offer)] == [62]


def test_step_down_to_a_name_that_is_this_nodes_too_is_refused() -> None:
    bench = leading(Peer(node=61, name="me"))
    with pytest.raises(StepDownError) as caught:
        step_down(bench, to="me")
    assert "more than one live member is called 'me'" in told(caught.value)[1]


def test_030_successor_that_lost_its_priority_gets_no_ticket(first: Peer) -> None:
    bench = leading(first)
    step_down(bench)
    first.priority, first.eligible = 0, False
    bench.hear(first, Ready(ballot=ballot(9, 9), reason=Reason.STEP_DOWN))
    bench.advance_ms(1000)
    assert bench.role() is Role.LEADER


# -- planned stop, priority 0


def test_064_stop_hands_over_and_ends_when_the_successor_leads(first: Peer) -> None:
    bench = leading(first)
    bench.perform(bench.core.stop(now_us=bench.now_us))
    assert bench.answer(first, Offer).reason is Reason.LEADER_LEFT
    bench.hear(first, Ready(ballot=bench.node.ballot, reason=Reason.LEADER_LEFT))
    assert bench.answer(first, Resign).leaving
    assert not [e for e in bench.effects if isinstance(e, Stopped)]
    bench.beat(first.leads(9))
    bench.advance_ms(1)
    assert isinstance(bench.effects[-1], Stopped)


def test_064_stop_without_anybody_else_ends_at_once() -> None:
    bench = Bench()
    bench.advance_ms(600)
    bench.perform(bench.core.stop(now_us=bench.now_us))
    bench.advance_ms(1)
    assert isinstance(bench.effects[-1], Stopped)
    assert [e for e in bench.sent(Resign) if e.leaving]


def test_064_stop_ends_within_two_seconds_whatever_the_others_do(first: Peer, second: Peer) -> None:
    bench = leading(first, second)
    bench.perform(bench.core.stop(now_us=bench.now_us))
    bench.advance_ms(2000)
    assert any(isinstance(effect, Stopped) for effect in bench.effects)


def test_stop_of_a_follower_says_goodbye_and_ends() -> None:
    bench = Bench()
    bench.meet(Peer(node=70).leads(5))
    bench.clear()
    bench.perform(bench.core.stop(now_us=bench.now_us))
    bench.advance_ms(1)
    assert isinstance(bench.effects[-1], Stopped)
    goodbyes = bench.sent(Resign)
    assert len(goodbyes) == 3
    assert all(g.leaving and g.ballot == ballot(0, 0) for g in goodbyes)
    assert bench.core.deadline_us > bench.now_us  # it is told once, and not for ever


def test_stop_twice_is_one_stop(first: Peer) -> None:
    bench = leading(first)
    bench.perform(bench.core.stop(now_us=bench.now_us))
    assert bench.core.stop(now_us=bench.now_us) == []


def test_060_priority_0_hands_over_to_the_next(first: Peer) -> None:
    bench = leading(first)
    bench.perform(bench.core.set_priority(0, now_us=bench.now_us))
    assert bench.answer(first, Offer).reason is Reason.PRIORITY_CHANGED


def test_060_priority_0_alone_still_does_not_lead() -> None:
    bench = Bench()
    bench.advance_ms(600)
    bench.perform(bench.core.set_priority(0, now_us=bench.now_us))
    assert bench.leader_name() is None
    bench.advance_ms(60_000)
    assert bench.leader_name() is None


# -- the successor


def following(leader: Peer, *others: Peer, **changes: object) -> Bench:
    bench = Bench(**changes)  # type: ignore[arg-type]
    bench.meet(leader, *others)
    bench.advance_ms(1)
    bench.beat(leader)
    bench.clear()
    return bench


def ticket_for_me(leader: Peer, *, term: int = 5, session: int = MY_SESSION) -> Resign:
    return resignation(ballot(term, leader.node), Reason.HANDOVER, to=ME, session=session)


def test_offered_successor_asks_all_and_says_ready() -> None:
    leader, other = Peer(node=70, priority=200).leads(5), Peer(node=61)
    bench = following(leader, other)
    bench.hear(leader, Offer(ballot=ballot(5, 70), reason=Reason.STEP_DOWN))
    claim = bench.claim
    assert claim.pre_vote
    assert bench.role() is Role.FOLLOWER  # nothing has happened yet
    assert not [d for d in bench.sent_to(leader) if isinstance(d.body, Claim)]  # it has asked for it
    bench.hear(other, would_follow(claim, leader))
    assert bench.answer(leader, Ready) == Ready(ballot=ballot(5, 70), reason=Reason.STEP_DOWN)


def would_follow(claim: Claim, leader: Peer) -> Refuse:
    return refusal(claim, leader.leader, leader.session, led=True, remaining_ms=400)


def test_025_successor_names_who_did_not_answer_it() -> None:
    leader, other = Peer(node=70, priority=200).leads(5), Peer(node=61)
    bench = following(leader, other)
    bench.hear(leader, Offer(ballot=ballot(5, 70), reason=Reason.STEP_DOWN))
    assert not bench.sent(Ready)
    bench.advance_ms(240)
    bench.beat(leader)
    bench.advance_ms(20)
    assert {ready.silent for ready in bench.sent(Ready)} == {(61,)}


def test_025_leader_that_hears_whom_the_successor_misses_leads_on(first: Peer, second: Peer) -> None:
    bench = leading(first, second)
    step_down(bench)
    misses = replace(ready(bench), silent=(NodeId(second.node),))
    bench.hear(first, misses)
    bench.acknowledge(second)
    bench.advance_ms(60)
    bench.hear(first, misses)
    assert bench.role() is Role.LEADER


def test_025_leader_that_does_not_hear_the_silent_one_either_resigns(first: Peer, second: Peer) -> None:
    bench = leading(first, second)
    bench.advance_ms(1)
    step_down(bench)
    misses = replace(ready(bench), silent=(NodeId(second.node),))
    bench.hear(first, misses)
    assert bench.role() is Role.LEADER
    bench.advance_ms(49)
    bench.hear(first, misses)
    assert bench.role() is Role.LEADER
    bench.advance_ms(2)
    bench.hear(first, misses)
    assert bench.sent(Resign)[-1].successor == first.node


def test_ticket_makes_the_successor_claim_and_lead() -> None:
    leader, other = Peer(node=70, priority=200).leads(5), Peer(node=61)
    bench = following(leader, other)
    bench.hear(leader, ticket_for_me(leader))
    claim = bench.claim
    assert claim.term == 6
    assert claim.ticket is not None
    assert (claim.ticket.ballot, claim.ticket.session, claim.ticket.successor) == (ballot(5, 70), 7000, ME)
    for peer in (leader, other):
        bench.hear(peer, Grant(term=claim.term, attempt=claim.attempt))
    assert bench.leader_name() == "me"


def test_ticket_twice_is_one_claim() -> None:
    leader, other = Peer(node=70, priority=200).leads(5), Peer(node=61)
    bench = following(leader, other)
    for _ in range(3):
        bench.hear(leader, ticket_for_me(leader))
    assert len({claim.attempt for claim in bench.sent(Claim)}) == 1


@pytest.mark.parametrize(
    ("what", "term", "session"),
    [("for a former session of mine", 5, MY_SESSION - 1), ("of an earlier ballot", 4, MY_SESSION)],
    ids=["former session", "earlier ballot"],
)
def test_026_ticket_that_is_not_for_us_starts_no_claim(what: str, term: int, session: int) -> None:
    leader = Peer(node=70, priority=200).leads(5)
    bench = following(leader, Peer(node=61))
    bench.hear(leader, ticket_for_me(leader, term=term, session=session))
    bench.advance_ms(50)
    assert not [claim for claim in bench.sent(Claim) if claim.ticket]


def test_032_ticket_that_comes_after_its_giver_was_elected_again_is_void() -> None:
    leader = Peer(node=70, priority=200).leads(5)
    bench = following(leader, Peer(node=61))
    bench.beat(leader.leads(8))
    bench.clear()
    bench.hear(leader, ticket_for_me(leader, term=5))
    assert not bench.sent(Claim)
    assert bench.leader_name() == "box70"


def test_priority_0_takes_no_ticket() -> None:
    leader = Peer(node=70, priority=200).leads(5)
    bench = following(leader, priority=0)
    bench.hear(leader, ticket_for_me(leader))
    bench.advance_ms(3000)
    assert not bench.sent(Claim)


# -- prepared ahead of a planned stop


def goodbye() -> Resign:
    return resignation(ballot(0, 0), Reason.LEADER_LEFT, leaving=True)


def prepared(bench: Bench) -> Ready:
    return Ready(ballot=bench.node.ballot, reason=Reason.LEADER_LEFT)


def stop(bench: Bench) -> None:
    bench.clear()
    bench.perform(bench.core.stop(now_us=bench.now_us))


def test_064_stop_gives_it_at_once_to_the_successor_that_has_prepared(first: Peer, second: Peer) -> None:
    bench = leading(first, second)
    bench.hear(first, prepared(bench))
    assert bench.role() is Role.LEADER  # it is in case of
    stop(bench)
    assert not bench.sent(Offer)
    assert (bench.answer(first, Resign).successor, bench.answer(first, Resign).leaving) == (first.node, True)


def test_064_stop_asks_first_where_somebody_has_come_since(first: Peer, second: Peer) -> None:
    bench = leading(first, second)
    bench.hear(first, prepared(bench))
    bench.meet(Peer(node=63, priority=10))
    stop(bench)
    assert bench.answer(first, Offer).reason is Reason.LEADER_LEFT


def test_064_stop_does_not_ask_for_who_has_gone_since(first: Peer, second: Peer) -> None:
    bench = leading(first, second)
    bench.hear(first, prepared(bench))
    bench.hear(second, goodbye())
    stop(bench)
    assert bench.answer(first, Resign).successor == first.node


@pytest.mark.parametrize("what", ["other ballot", "not the best", "somebody did not answer"])
def test_064_preparation_that_is_worth_nothing(first: Peer, second: Peer, what: str) -> None:
    bench = leading(first, second)
    message = prepared(bench)
    if what == "other ballot":
        message = replace(message, ballot=ballot(9, 50))
    if what == "somebody did not answer":
        message = replace(message, silent=(NodeId(second.node),))
    bench.hear(second if what == "not the best" else first, message)
    stop(bench)
    assert bench.answer(first, Offer).reason is Reason.LEADER_LEFT
    assert bench.role() is Role.LEADER


def hear_for(bench: Bench, leader: Peer, *others: Peer, seconds: float) -> None:
    for _ in range(round(seconds * 10)):
        bench.advance_ms(100)
        bench.beat(leader)
        for other in others:
            bench.hear(other, Announce(name=other.name, version="0", interval_ms=1000), multicast=True)


def test_who_comes_next_prepares_once_and_again_for_a_newcomer() -> None:
    leader, other, newcomer = (
        Peer(node=70, priority=200).leads(5),
        Peer(node=61, priority=90),
        Peer(node=62, priority=80),
    )
    bench = following(leader, other)
    while not bench.sent(Claim):
        hear_for(bench, leader, other, seconds=0.1)
    assert {d.header.destination for d in bench.datagrams() if isinstance(d.body, Claim)} == {61}
    bench.hear(other, would_follow(bench.claim, leader))
    assert bench.sent(Ready) == [Ready(ballot=ballot(5, 70), reason=Reason.LEADER_LEFT)]
    hear_for(bench, leader, other, seconds=3)
    assert len(bench.sent(Ready)) == 1
    bench.clear()
    bench.meet(newcomer)
    while not bench.sent(Claim):
        hear_for(bench, leader, other, newcomer, seconds=0.1)
    bench.hear(other, would_follow(bench.claim, leader))
    assert not bench.sent(Ready)
    bench.hear(newcomer, would_follow(bench.claim, leader))
    assert len(bench.sent(Ready)) == 1


def test_who_is_second_in_line_does_not_prepare() -> None:
    leader, better = Peer(node=70, priority=200).leads(5), Peer(node=61, priority=150)
    bench = following(leader, better)
    hear_for(bench, leader, better, seconds=3)
    assert not bench.sent(Claim)
    assert not bench.sent(Ready)


def test_failed_preparation_ahead_says_nothing_and_is_not_tried_again() -> None:
    leader, other = Peer(node=70, priority=200).leads(5), Peer(node=61, priority=90)
    bench = following(leader, other)
    hear_for(bench, leader, other, seconds=3)
    assert {claim.attempt for claim in bench.sent(Claim)} == {bench.claim.attempt}
    assert not bench.sent(Ready)
    assert bench.leader_name() == "box70"


def test_064_leader_that_leaves_does_not_wait_for_what_is_prepared_ahead() -> None:
    leader, other = Peer(node=70, priority=200).leads(5), Peer(node=61, priority=90)
    bench = following(leader, other)
    while not bench.sent(Claim):
        hear_for(bench, leader, other, seconds=0.1)
    first = bench.claim
    bench.hear(leader, Offer(ballot=ballot(5, 70), reason=Reason.LEADER_LEFT))
    assert bench.claim.attempt != first.attempt


# -- preemption


@pytest.mark.parametrize(
    ("mine", "leaders", "enabled", "asks"),
    [
        (200, 100, True, True),
        (101, 100, True, True),
        (100, 100, True, False),
        (50, 100, True, False),
        (200, 100, False, False),
        (0, 0, True, False),
    ],
)
def test_060_only_a_strictly_higher_priority_asks_and_only_if_it_may(
    mine: int, leaders: int, enabled: bool, asks: bool
) -> None:
    leader = Peer(node=70, priority=leaders).leads(5)
    bench = following(leader, priority=mine, preempt=Preempt(enabled=enabled))
    for _ in range(30):
        bench.advance_ms(100)
        bench.beat(leader)
    assert not [claim for claim in bench.sent(Claim) if not claim.pre_vote]
    reasons = {ready.reason for ready in bench.sent(Ready)} - {Reason.LEADER_LEFT}  # that one only if it leaves
    assert reasons == ({Reason.HIGHER_PRIORITY} if asks else set())
    assert bench.leader_name() == "box70"  # until it resigns


def test_newcomer_prepares_the_moment_it_knows_all_whom_its_leader_counts() -> None:
    """It asks the leader at once who is there, and does not wait for a heartbeat: nor for a member that it does not know."""
    leader, other = Peer(node=70, priority=10).leads(5), Peer(node=71, priority=5)
    bench = Bench()
    bench.meet(leader)
    bench.advance(0)
    assert bench.answer(leader, Ping).polling
    entry = RosterEntry(node=NodeId(71), session=SessionId(other.session), host=other.endpoint.host, port=5466)
    bench.hear(leader, Roster(entries=(entry,), alive=3))
    bench.advance_ms(5)
    assert not bench.sent(Claim)
    bench.acknowledge(other)
    bench.advance(0)
    assert bench.answer(other, Claim).pre_vote


def test_newcomer_to_a_cluster_of_one_prepares_at_once() -> None:
    leader = Peer(node=70, priority=10).leads(5)
    bench = Bench()
    bench.meet(leader)
    bench.hear(leader, Roster(entries=(), alive=2))
    bench.advance(0)
    assert bench.answer(leader, Ready).reason is Reason.HIGHER_PRIORITY


def test_063_preemption_waits_as_long_as_configured() -> None:
    leader = Peer(node=70, priority=10).leads(5)
    bench = following(leader, preempt=Preempt(wait_us=3 * SECOND))
    for _ in range(29):
        bench.advance_ms(100)
        bench.beat(leader)
    assert not [ready for ready in bench.sent(Ready) if ready.reason is not Reason.LEADER_LEFT]
    bench.advance_ms(100)
    assert bench.sent(Ready)[-1].reason is Reason.HIGHER_PRIORITY


def test_063_wait_is_kept_under_the_next_leader_too() -> None:
    """Whoever still looked for members under the former one knows all of the next one at once, and waits all the same."""
    former, leader = Peer(node=70, priority=10).leads(5), Peer(node=71, priority=20).leads(9)
    bench = following(former, preempt=Preempt(wait_us=3 * SECOND))
    for _ in range(30):
        bench.beat(former, alive=3)
        bench.advance_ms(100)
    goodbye = resignation(former.leader, Reason.LEADER_LEFT, leaving=True)
    bench.hear(former, goodbye)
    bench.meet(leader)
    assert bench.leader_name() == "box71"
    for _ in range(29):
        bench.beat(leader)
        bench.advance_ms(100)
    assert not [ready for ready in bench.sent(Ready) if ready.reason is not Reason.LEADER_LEFT]
    bench.advance_ms(100)
    assert bench.sent(Ready)[-1].reason is Reason.HIGHER_PRIORITY


@pytest.mark.parametrize(
    ("returns", "waits_s"), [(0, 3), (1, 3), (2, 6), (3, 12), (8, 384), (255, 600)], ids=lambda value: str(value)
)
def test_063_wait_doubles_with_each_return_up_to_ten_minutes(returns: int, waits_s: int) -> None:
    leader = Peer(node=70, priority=10).leads(5)
    bench = Bench(preempt=Preempt(wait_us=3 * SECOND))
    bench.hear(leader, Announce(name="box70", version="0", interval_ms=1000))
    bench.hear(leader, ProbeAck(echo=bench.sent(Probe)[-1].nonce, name="box70", version="0", returns=returns))
    assert bench.leader_name() == "box70"
    assert bench.following.preempt_at_us - bench.now_us == waits_s * SECOND


def test_063_returns_of_a_host_are_counted_and_told_to_it() -> None:
    bench, host = Bench(), Peer(node=60)
    told = []
    for _ in range(4):
        bench.hear(host, Probe(nonce=1))  # asked before its new session is verified
        ack = bench.answer(host, ProbeAck)
        told.append(ack.returns)
        bench.hear(host, ProbeAck(echo=ack.nonce, name=host.name, version="0", returns=0))
        bench.hear(host, Probe(nonce=1))  # and after
        told.append(bench.answer(host, ProbeAck).returns)
        host = host.restarted()
        bench.advance_ms(1000)
    assert told == [0, 0, 1, 1, 2, 2, 3, 3]


def test_060_leader_resigns_to_a_follower_of_higher_priority_that_is_ready() -> None:
    better = Peer(node=61, priority=90)
    bench = leading(better)
    better.priority = 200
    bench.hear(better, Ready(ballot=bench.node.ballot, reason=Reason.HIGHER_PRIORITY))
    assert bench.answer(better, Resign).successor == 61
    assert bench.told()[-1].reason is Reason.PREEMPTED


@pytest.mark.parametrize("priority", [90, 100])
def test_083_leader_does_not_resign_to_an_equal_or_lower_one(priority: int) -> None:
    asker = Peer(node=40, priority=priority)  # of lower id: that decides between candidates only
    bench = leading(Peer(node=61, priority=10))
    bench.meet(asker)
    asker.role = Role.FOLLOWER
    bench.clear()
    bench.hear(asker, Ready(ballot=bench.node.ballot, reason=Reason.HIGHER_PRIORITY))
    assert bench.role() is Role.LEADER
    assert not bench.sent(Resign)


def test_104_ticket_between_two_that_gave_way_to_each_other_ends_in_a_claim() -> None:
    """Priorities changed while they merged: both resigned to the other, and either may claim."""
    better = Peer(node=70, priority=200).leads(9)
    bench = leading(Peer(node=61, priority=10))
    bench.meet(better)
    assert bench.role() is Role.SEEKING
    bench.clear()
    bench.hear(better, ticket_for_me(better, term=9))
    assert bench.claim.term == 10
    assert bench.claim.ticket is not None


def test_nobody_is_named_when_nobody_is_there() -> None:
    bench = Bench()
    bench.advance_ms(600)
    bench.perform(bench.core.stop(now_us=bench.now_us))
    assert {r.successor for r in bench.sent(Resign)} == {NOBODY}
    assert NodeId(0) == NOBODY
