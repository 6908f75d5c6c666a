"""Who may lead: one mechanism for check, maintenance, step-down, priority 0 and a disk that cannot be written."""

import pytest

from kingd.core.effect import Draining, EventKind, Surveyed
from kingd.core.problems import StepDownError
from kingd.core.timing import SECOND
from kingd.core.wire.message import (
    NO_BALLOT,
    NO_SESSION,
    NOBODY,
    Announce,
    Claim,
    Ineligible,
    Offer,
    Ready,
    Reason,
    Report,
    Resign,
    Role,
    Survey,
)
from kingd.daemon import sentences
from tests.unit.scripted import Bench, Peer, ballot

CHECK, MAINTENANCE = Ineligible.CHECK_FAILED, Ineligible.MAINTENANCE


def leading(*peers: Peer) -> Bench:
    bench = Bench()
    bench.become_leader(*peers)
    for peer in peers:
        peer.role, peer.leader, peer.floor = Role.FOLLOWER, bench.node.ballot, bench.node.ballot
        bench.hear(peer, Announce(name=peer.name, version="0", interval_ms=1000), multicast=True)
    bench.clear()
    return bench


def set_unfit(bench: Bench, why: Ineligible = CHECK, *, for_us: int = 1 << 60) -> None:
    bench.perform(bench.core.set_unfit(why, until_us=bench.now_us + for_us if for_us else 0, now_us=bench.now_us))


def reason(bench: Bench) -> str | None:
    return bench.core.status(bench.now_us).ineligible_reason


def offered_to(bench: Bench) -> list[int]:
    return [d.header.destination for d in bench.datagrams() if isinstance(d.body, Offer)]


# -- which of several counts, and for how long


def test_of_several_reasons_the_operators_word_comes_first() -> None:
    bench = Bench()
    for why in (CHECK, Ineligible.STATE_NOT_WRITABLE, MAINTENANCE):
        set_unfit(bench, why)
        assert reason(bench) == why.word
    bench.perform(bench.core.set_priority(0, now_us=bench.now_us))
    set_unfit(bench, MAINTENANCE, for_us=0)
    assert reason(bench) == "priority-0"


def test_maintenance_ends_by_itself_and_says_for_how_long_still() -> None:
    bench = Bench()
    set_unfit(bench, MAINTENANCE, for_us=90 * SECOND)
    bench.advance(30 * SECOND)
    status = bench.core.status(bench.now_us)
    assert (status.ineligible_reason, status.ineligible_us) == ("maintenance", 60 * SECOND)
    bench.advance(62 * SECOND)
    assert bench.leader_name() == "me"


def test_what_was_known_at_the_start_counts_before_anything_else() -> None:
    bench = Bench(unfit={Ineligible.CHECK_PENDING: 1 << 60})
    bench.advance_ms(3000)
    assert (reason(bench), bench.sent(Claim)) == ("check-pending", [])
    set_unfit(bench, Ineligible.CHECK_PENDING, for_us=0)
    bench.advance_ms(2000)
    assert bench.sent(Claim) or bench.role() is Role.LEADER


# -- a leader that may not lead any more


@pytest.mark.parametrize("why", [CHECK, MAINTENANCE, Ineligible.STATE_NOT_WRITABLE])
def test_unfit_leader_offers_leadership_to_the_best_that_may_lead(why: Ineligible) -> None:
    best, worse = Peer(node=60, priority=90), Peer(node=61, priority=80)
    bench = leading(best, worse)
    set_unfit(bench, why)
    assert offered_to(bench) == [60]
    bench.hear(best, Ready(ballot=bench.node.ballot, reason=why.reason))
    assert bench.answer(best, Resign).reason is why.reason
    assert bench.leader_name() is None


@pytest.mark.parametrize(
    ("why", "stays"),
    [(CHECK, True), (Ineligible.CHECK_PENDING, True), (MAINTENANCE, False), (Ineligible.STATE_NOT_WRITABLE, False)],
)
def test_leader_whose_check_fails_stays_while_nobody_else_may_lead(why: Ineligible, stays: bool) -> None:
    """Better one leader that is not fit than none; an operator's word, and a state that cannot be kept, are final."""
    other = Peer(node=60, priority=90, ineligible=CHECK)
    bench = leading(other)
    set_unfit(bench, why)
    assert (bench.leader_name() == "me") is stays
    assert any("leads on" in problem for problem in bench.problems()) is stays


def test_unfit_leader_that_stayed_gives_leadership_to_the_first_that_may_lead() -> None:
    other = Peer(node=60, priority=90, ineligible=CHECK)
    bench = leading(other)
    set_unfit(bench)
    bench.advance_ms(900)
    assert (offered_to(bench), bench.leader_name()) == ([], "me")
    other.ineligible = Ineligible.UNSAID
    bench.hear(other, Announce(name=other.name, version="0", interval_ms=1000), multicast=True)
    bench.advance_ms(150)
    assert set(offered_to(bench)) == {60}


def test_unfit_leader_offers_ever_more_rarely_what_nobody_takes() -> None:
    other = Peer(node=60, priority=90)
    bench = leading(other)
    set_unfit(bench)
    tries = []
    for second in range(40):
        bench.clear()
        for _ in range(5):
            bench.acknowledge_from(other)
            bench.hear(other, Announce(name=other.name, version="0", interval_ms=1000), multicast=True)
            bench.advance_ms(200)
        tries += [second] if offered_to(bench) else []
    assert bench.leader_name() == "me"
    assert 4 <= len(tries) <= 12, tries
    set_unfit(bench, for_us=0)
    assert bench.node.orders.offers == 0


def test_leader_in_maintenance_goes_also_if_what_it_offered_is_not_taken() -> None:
    bench = leading(Peer(node=60, priority=90))
    set_unfit(bench, MAINTENANCE)
    bench.advance_ms(1000)
    assert bench.role() is not Role.LEADER


def test_unfit_leader_that_stayed_can_still_not_step_down_to_nobody() -> None:
    bench = leading(Peer(node=60, priority=90, ineligible=CHECK))
    set_unfit(bench)
    with pytest.raises(StepDownError) as caught:
        bench.core.step_down(to=None, for_us=0, now_us=bench.now_us)
    assert sentences.hindrance(caught.value.why)[0] == "NoSuccessor"


def test_unfit_leader_that_stalls_asks_whether_it_still_leads() -> None:
    """Nobody else may lead: without that, a moment's stall would leave all without a leader."""
    other = Peer(node=60, priority=90, ineligible=CHECK)
    bench = leading(other)
    set_unfit(bench)
    bench.clear()
    bench.run_late(400_000)
    bench.advance_ms(100)
    assert bench.sent(Claim)


# -- who is met


@pytest.mark.parametrize(
    ("mine", "its", "priority", "yields"),
    [
        (None, None, 200, True),
        (None, CHECK, 200, False),
        (CHECK, None, 10, True),
        (CHECK, CHECK, 200, True),
        (CHECK, CHECK, 10, False),
        (CHECK, MAINTENANCE, 200, False),
    ],
)
def test_of_two_leaders_that_meet_the_one_that_may_lead_stays(
    mine: Ineligible | None, its: Ineligible | None, priority: int, yields: bool
) -> None:
    bench = leading(Peer(node=60, priority=5, ineligible=CHECK))
    if mine:
        set_unfit(bench, mine)
    other = Peer(node=70, priority=priority, ineligible=its or Ineligible.UNSAID).leads(9)
    bench.meet(other)
    resigned = [d.body for d in bench.sent_to(other) if isinstance(d.body, Resign)]
    assert bool(resigned) is yields
    assert (bench.role() is Role.LEADER) is not yields


def test_unfit_leader_takes_what_another_unfit_one_gives_it() -> None:
    bench = leading(Peer(node=60, priority=5, ineligible=CHECK))
    set_unfit(bench)
    other = Peer(node=70, priority=10, ineligible=CHECK).leads(9)
    bench.meet(other)
    bench.clear()
    given = Resign(
        ballot=ballot(9, 70), successor=bench.node.id, successor_session=bench.node.session,
        reason=Reason.OVERLAP_RESOLVED, leaving=False,
    )  # fmt: skip
    bench.hear(other, given)
    assert bench.sent(Claim)


# -- what is said of it


def test_maintenance_and_check_of_this_node_are_events() -> None:
    bench = Bench()
    bench.advance_ms(600)
    bench.clear()
    set_unfit(bench)
    set_unfit(bench, MAINTENANCE, for_us=5 * SECOND)
    bench.advance(6 * SECOND)
    told = [(e.kind, e.on, e.member and e.member.name) for e in bench.told() if e.on is not None]
    assert told == [
        (EventKind.CHECK_FAILED, True, "me"),
        (EventKind.MAINTENANCE, True, "me"),
        (EventKind.MAINTENANCE, False, "me"),
        (EventKind.CHECK_FAILED, True, "me"),
    ]


def test_every_host_is_told_of_a_members_maintenance_once() -> None:
    other = Peer(node=60, priority=90)
    bench = leading(other)
    for why in (MAINTENANCE, MAINTENANCE, Ineligible.STOPPING):
        other.ineligible = why
        bench.hear(other, Announce(name=other.name, version="0", interval_ms=1000), multicast=True)
    (event,) = [e for e in bench.told() if e.on is not None]
    assert (event.kind, event.on, event.reason) == (EventKind.MAINTENANCE, True, Reason.MAINTENANCE)
    assert event.member is not None
    assert event.member.name == "box60"
    back = other.restarted()
    back.ineligible = MAINTENANCE
    bench.advance(20 * SECOND)
    bench.clear()
    bench.meet(back)
    assert [e for e in bench.told() if e.on is not None] == []


def test_members_and_survey_say_why_one_may_not_lead() -> None:
    other = Peer(node=60, priority=90, ineligible=MAINTENANCE)
    bench = leading(other)
    row = next(row for row in bench.core.members(bench.now_us) if row.peer.node == 60)
    assert (row.eligible, row.ineligible_reason) == (False, "maintenance")
    bench.perform(bench.core.survey(1, now_us=bench.now_us))
    question = bench.answer(other, Survey)
    bench.hear(other, Report(echo=question.nonce, name="box60", leader_name="me"))
    (surveyed,) = [e for e in bench.effects if isinstance(e, Surveyed)]
    assert [(r.name, r.eligible, r.ineligible_reason) for r in surveyed.rows] == [
        ("me", True, None),
        ("box60", False, "maintenance"),
    ]


def test_unfit_leader_ends_what_runs_here_only_for_somebody_who_is_ready() -> None:
    """And takes it up again where that one does not take it in the end."""
    other = Peer(node=60, priority=90, ineligible=CHECK)
    bench = leading(other)
    bench.perform(bench.core.set_drains(True, now_us=bench.now_us))
    set_unfit(bench)
    bench.advance_ms(500)
    assert (draining(bench), offered_to(bench)) == ([], [])
    other.ineligible = Ineligible.UNSAID
    bench.hear(other, Announce(name=other.name, version="0", interval_ms=1000), multicast=True)
    bench.advance_ms(150)
    assert (draining(bench), set(offered_to(bench))) == ([], {60})
    bench.hear(other, Ready(ballot=bench.node.ballot, reason=Reason.CHECK_FAILED))
    assert (draining(bench), bench.leader_name()) == ([True], "me")
    offered = len(offered_to(bench))
    bench.perform(bench.core.drained(now_us=bench.now_us))
    assert offered_to(bench)[offered:] == [60]
    bench.advance_ms(800)
    assert (draining(bench), bench.leader_name()) == ([True, False], "me")


def test_unfit_leader_whose_successor_is_never_ready_ends_nothing() -> None:
    """It hears too few others, say: the services would have stopped for nothing."""
    bench = leading(Peer(node=60, priority=90), Peer(node=61, priority=80))
    bench.perform(bench.core.set_drains(True, now_us=bench.now_us))
    set_unfit(bench)
    bench.advance_ms(3000)
    assert set(offered_to(bench)) == {60, 61}
    assert (draining(bench), bench.leader_name()) == ([], "me")


def test_unfit_leader_whose_successor_died_meanwhile_takes_any_other() -> None:
    """All has ended here: it is not kept for the one that was ready."""
    other, third = Peer(node=60, priority=90), Peer(node=61, priority=80)
    bench = leading(other, third)
    bench.perform(bench.core.set_drains(True, now_us=bench.now_us))
    set_unfit(bench)
    bench.hear(other, Ready(ballot=bench.node.ballot, reason=Reason.CHECK_FAILED))
    assert draining(bench) == [True]
    bench.hear(
        other,
        Resign(
            ballot=NO_BALLOT, successor=NOBODY, successor_session=NO_SESSION, reason=Reason.LEADER_LEFT, leaving=True
        ),
    )
    bench.perform(bench.core.drained(now_us=bench.now_us))
    assert offered_to(bench)[-1] == 61
    bench.hear(third, Ready(ballot=bench.node.ballot, reason=Reason.CHECK_FAILED))
    assert bench.answer(third, Resign).successor == 61


@pytest.mark.parametrize("is_ready", [True, False])
def test_leader_that_must_not_lead_ends_what_runs_whether_or_not_somebody_is_ready(is_ready: bool) -> None:
    other = Peer(node=60, priority=90)
    bench = leading(other)
    bench.perform(bench.core.set_drains(True, now_us=bench.now_us))
    bench.perform(bench.core.set_unfit(Ineligible.MAINTENANCE, now_us=bench.now_us))
    assert (draining(bench), offered_to(bench)) == ([], [60])
    if is_ready:
        bench.hear(other, Ready(ballot=bench.node.ballot, reason=Reason.MAINTENANCE))
    bench.advance_ms(0 if is_ready else 3000)
    assert (draining(bench), bench.leader_name()) == ([True], "me")
    bench.perform(bench.core.drained(now_us=bench.now_us))
    bench.advance_ms(3000)
    assert bench.leader_name() != "me"


def draining(bench: Bench) -> list[bool]:
    return [effect.on for effect in bench.effects if isinstance(effect, Draining)]
