"""A hand-over of a node that goes on running waits until what runs because it leads has ended. docs/protocol.md 4.5."""

import pytest

from kingd.core.effect import Draining, EventKind, HandedOver
from kingd.core.timing import DRAIN_US_MAX, SECOND
from kingd.core.wire.message import Ineligible, NodeId, Offer, Ready, Reason, Resign, Role
from tests.unit.scripted import Bench, Peer
from tests.unit.test_core_handover import leading, step_down


@pytest.fixture
def first() -> Peer:
    return Peer(node=61, priority=90)


def draining(*followers: Peer) -> Bench:
    """A leader with something to end."""
    bench = leading(*followers)
    bench.perform(bench.core.set_drains(True, now_us=bench.now_us))
    bench.clear()
    return bench


def told(bench: Bench) -> list[bool]:
    return [effect.on for effect in bench.effects if isinstance(effect, Draining)]


def drained(bench: Bench) -> None:
    bench.perform(bench.core.drained(now_us=bench.now_us))


def keep(bench: Bench, *peers: Peer, seconds: float) -> None:
    """Time passes, and the others go on living."""
    for _ in range(round(seconds * 2)):
        bench.advance_ms(500)
        for peer in peers:
            bench.hear(peer, Ready(ballot=bench.node.ballot, reason=Reason.JOINED))
            for member in bench.node.members.verified():
                bench.node.note_contact(member, bench.now_us)


def prepared(bench: Bench, reason: Reason) -> Ready:
    return Ready(ballot=bench.node.ballot, reason=reason)


def test_step_down_offers_nothing_before_all_has_ended(first: Peer) -> None:
    bench = draining(first)
    step_down(bench)
    keep(bench, first, seconds=5)
    assert (told(bench), bench.role(), bench.sent(Offer), bench.sent(Resign)) == ([True], Role.LEADER, [], [])
    assert any("step-down" in problem for problem in bench.problems())
    drained(bench)
    assert bench.answer(first, Offer).reason is Reason.STEP_DOWN
    bench.hear(first, prepared(bench, Reason.STEP_DOWN))
    assert bench.answer(first, Resign).successor == 61
    assert (bench.role(), told(bench)) == (Role.SEEKING, [True, False])


def test_preemption_waits_as_well_and_the_one_that_asked_gets_it(first: Peer) -> None:
    bench = draining(first)
    first.priority = 200
    bench.hear(first, prepared(bench, Reason.HIGHER_PRIORITY))
    assert (told(bench), bench.sent(Resign)) == ([True], [])
    keep(bench, first, seconds=2)
    bench.hear(first, prepared(bench, Reason.HIGHER_PRIORITY))  # it asks again: that is no consent
    assert (told(bench), bench.role(), bench.sent(Resign)) == ([True], Role.LEADER, [])
    drained(bench)
    assert bench.answer(first, Offer).reason is Reason.HIGHER_PRIORITY
    bench.hear(first, prepared(bench, Reason.HIGHER_PRIORITY))
    assert bench.answer(first, Resign).successor == 61
    assert bench.told()[-1].reason is Reason.PREEMPTED


def test_nothing_to_end_is_no_wait(first: Peer) -> None:
    bench = draining(first)
    bench.perform(bench.core.set_drains(False, now_us=bench.now_us))
    step_down(bench)
    assert bench.answer(first, Offer)
    assert told(bench) == []


def test_planned_stop_of_the_daemon_waits_for_nothing(first: Peer) -> None:
    """Whoever stops it has ended the rest before, or ends it with the process."""
    bench = draining(first)
    step_down(bench)
    bench.perform(bench.core.stop(now_us=bench.now_us))
    assert bench.answer(first, Offer).reason is Reason.LEADER_LEFT
    assert told(bench) == [True, False]


def test_what_does_not_end_in_time_keeps_leadership_where_it_is(first: Peer) -> None:
    bench = draining(first)
    step_down(bench)
    keep(bench, first, seconds=DRAIN_US_MAX / SECOND)
    assert (bench.role(), told(bench), bench.sent(Offer)) == (Role.LEADER, [True, False], [])
    assert [e for e in bench.effects if isinstance(e, HandedOver)] == [HandedOver(None, drained=False)]
    drained(bench)  # too late
    assert bench.sent(Offer) == []


def test_preemptor_whose_turn_came_to_nothing_waits_before_all_is_ended_again(first: Peer) -> None:
    bench = draining(first)
    first.priority = 200
    bench.hear(first, prepared(bench, Reason.HIGHER_PRIORITY))
    keep(bench, first, seconds=DRAIN_US_MAX / SECOND)
    assert told(bench) == [True, False]
    bench.hear(first, prepared(bench, Reason.HIGHER_PRIORITY))
    assert told(bench) == [True, False]
    keep(bench, first, seconds=11)
    bench.hear(first, prepared(bench, Reason.HIGHER_PRIORITY))
    assert told(bench) == [True, False, True]


def test_who_must_not_lead_waits_and_then_goes_whatever_still_runs(first: Peer) -> None:
    bench = draining(first)
    bench.perform(bench.core.set_priority(0, now_us=bench.now_us))
    assert bench.answer(first, Offer).reason is Reason.PRIORITY_CHANGED
    bench.hear(first, prepared(bench, Reason.PRIORITY_CHANGED))
    assert told(bench) == [True]
    bench.clear()
    keep(bench, first, seconds=5)
    assert (bench.role(), bench.sent(Offer), bench.sent(Resign)) == (Role.LEADER, [], [])
    keep(bench, first, seconds=DRAIN_US_MAX / SECOND - 5)
    assert bench.answer(first, Offer).reason is Reason.PRIORITY_CHANGED


def test_who_may_stay_does_so_with_what_does_not_end(first: Peer) -> None:
    """An unfit leader is better than the next one beside what still runs here."""
    bench = draining(first)
    bench.perform(bench.core.set_unfit(Ineligible.CHECK_FAILED, now_us=bench.now_us))
    assert bench.answer(first, Offer)
    bench.hear(first, prepared(bench, Reason.CHECK_FAILED))
    assert told(bench) == [True]
    bench.clear()
    keep(bench, first, seconds=DRAIN_US_MAX / SECOND)
    keep(bench, first, seconds=1)
    assert (bench.role(), told(bench), bench.sent(Offer)) == (Role.LEADER, [False], [])


def test_who_must_not_lead_ends_what_runs_also_where_nobody_may_succeed_just_now(first: Peer) -> None:
    """Somebody may a moment later: one that starts, or did not take it before."""
    bench = draining(first)
    bench.node.succession.refuse(NodeId(first.node), bench.now_us)
    bench.perform(bench.core.set_unfit(Ineligible.MAINTENANCE, now_us=bench.now_us))
    assert (bench.role(), told(bench), bench.sent(Resign)) == (Role.LEADER, [True], [])
    drained(bench)
    assert bench.role() is not Role.LEADER
    assert bench.sent(Resign)


def test_successor_that_is_gone_when_all_has_ended_costs_no_leadership(first: Peer) -> None:
    bench = draining(first)
    step_down(bench)
    bench.advance_ms(5000)  # not a word from it
    drained(bench)
    bench.advance_ms(2000)
    assert (bench.role(), told(bench)) == (Role.LEADER, [True, False])
    assert EventKind.DEPOSED not in bench.events()
    assert [e for e in bench.effects if isinstance(e, HandedOver)] == [HandedOver(None)]


def test_newest_order_counts(first: Peer) -> None:
    second = Peer(node=62, priority=80)
    bench = draining(first, second)
    step_down(bench)
    step_down(bench, to="box62")
    assert told(bench) == [True]
    drained(bench)
    assert bench.answer(second, Offer).keep_ms == 60_000
    assert not [d for d in bench.sent_to(first) if isinstance(d.body, Offer)]


def test_leadership_lost_meanwhile_ends_it(first: Peer) -> None:
    bench = draining(first)
    step_down(bench)
    bench.perform(bench.core.links_changed(0, now_us=bench.now_us))
    bench.advance_ms(1000)
    assert (bench.role(), told(bench)) == (Role.JOINING, [True, False])
