"""What a node says of itself, at any instant, timers or not; and commands. docs/protocol.md 6."""

from dataclasses import replace

import pytest

from kingd.core.effect import EventKind
from kingd.core.timing import MS, SECOND
from kingd.core.wire.message import NO_BALLOT, Announce, Claim, Heartbeat, Ineligible, Obituary, Reason, Resign, Role
from tests.unit.scripted import Bench, Peer

# -- honesty after a stall: asked before any timer has fired


@pytest.mark.parametrize(("late_ms", "says"), [(0, "me"), (299, "me"), (301, None), (5_000, None), (3_600_000, None)])
def test_066_leader_that_did_not_run_says_not_known_before_anything_else(late_ms: int, says: str | None) -> None:
    bench = Bench()
    bench.become_leader(Peer(node=60, priority=10))
    bench.advance(bench.core.deadline_us - bench.now_us)
    beat_us = bench.leading.beat_us
    status = bench.core.status(beat_us + late_ms * MS)
    assert (status.leader.name if status.leader else None) == says
    if says is None:
        assert (status.role, status.reason, status.leader_age_us) == (Role.SEEKING, Reason.STALLED, None)


@pytest.mark.parametrize(("late_ms", "says"), [(0, "box70"), (500, "box70"), (501, None), (5_000, None)])
def test_091_follower_whose_evidence_is_old_says_not_known(late_ms: int, says: str | None) -> None:
    bench, leader = Bench(), Peer(node=70).leads(5)
    bench.meet(leader)
    bench.beat(leader)
    status = bench.core.status(bench.now_us + late_ms * MS)
    assert (status.leader.name if status.leader else None) == says
    assert status.leader_age_us == (late_ms * MS if says else None)


def test_answer_of_leadership_says_when_this_node_would_take_it_back() -> None:
    """Whatever the role and the mode: believed to the last microsecond of `valid_us`, and not after it."""
    leading, following, lease, leader = Bench(), Bench(), Bench(voters=("me",), ceiling=1), Peer(node=70).leads(5)
    leading.become_leader(Peer(node=60, priority=10))
    following.meet(leader)
    following.beat(leader)
    lease.advance(5 * SECOND)
    limits_us = (leading.node.timing.stall_us, following.node.timing.leader_timeout_us, lease.node.timing.lease_us)
    for bench, limit_us in zip((leading, following, lease), limits_us, strict=True):
        now = bench.core.status(bench.now_us)
        assert now.leader is not None
        assert now.valid_us is not None
        assert 0 < now.valid_us <= limit_us
        last = bench.core.status(bench.now_us + now.valid_us - 1)
        over = bench.core.status(bench.now_us + now.valid_us + 1)
        assert (last.ballot, last.valid_us) == (now.ballot, 1)
        assert (over.leader, over.valid_us) == (None, None)


def test_091_suspended_follower_names_its_leader_again_only_after_a_word_of_it() -> None:
    bench, leader = Bench(), Peer(node=70).leads(5)
    bench.meet(leader)
    bench.beat(leader)
    bench.run_late(3600 * SECOND)
    assert bench.leader_name() is None
    bench.beat(leader)
    assert bench.leader_name() == "box70"


def test_092_clock_that_goes_back_is_a_mistake_of_ours() -> None:
    bench = Bench()
    bench.perform(bench.core.tick(now_us=bench.now_us))
    with pytest.raises(AssertionError, match="clock"):
        bench.core.tick(now_us=bench.now_us - 1)


# -- facts


def test_status_of_a_leader() -> None:
    bench = Bench(tags=(("url", "x"),))
    bench.become_leader(Peer(node=60, priority=10))
    status = bench.core.status(bench.now_us)
    assert status.leader is not None
    assert (status.role, status.leader.name, status.leader_tags) == (Role.LEADER, "me", (("url", "x"),))
    assert (status.leader_age_us, status.alive, status.dead, status.eligible) == (0, 2, 0, True)


def test_tags_of_the_leader_are_known_to_its_followers() -> None:
    bench, leader = Bench(), Peer(node=70).leads(5)
    bench.meet(leader)
    bench.hear(leader, Announce(name="box70", version="0", interval_ms=1000, tags=(("port", "80"),)), multicast=True)
    assert bench.core.status(bench.now_us).leader_tags == (("port", "80"),)


def test_joining_node_names_nobody() -> None:
    status = Bench().core.status(1_000_000)
    assert (status.role, status.leader, status.leader_age_us, status.term) == (Role.JOINING, None, None, 0)


def test_094_neighbour_that_is_heard_by_multicast_but_does_not_answer_is_told() -> None:
    bench, mute = Bench(), Peer(node=60)
    for _ in range(30):
        bench.beat(mute.leads(3))
        bench.advance_ms(100)
    problems = bench.problems()
    assert [p for p in problems if "heard by multicast but does not answer" in p and "10.0.0.60:5466" in p]
    assert bench.leader_name() is None


@pytest.mark.parametrize(
    ("own", "its", "why"),
    [
        (0, 7, "it signs with a cluster key and this host does not"),
        (9, 7, "it signs with another cluster key than this host"),
        (9, 0, "this host signs with a cluster key and it does not"),
        (7, 7, "unicast UDP between us is blocked"),
    ],
)
def test_neighbour_that_may_refuse_this_host_for_its_key_is_not_said_to_be_cut_off(
    own: int, its: int, why: str
) -> None:
    """On the way to a first key: who has none hears all, and is heard by nobody who has it."""
    bench, follower, stranger = Bench(key_id=own), Peer(node=60, priority=10, key_id=its), Peer(node=70, key_id=its)
    bench.become_leader(follower)
    for _ in range(40):
        for peer in (follower, stranger):
            bench.hear(peer, Announce(name=peer.name, version="0", interval_ms=1000), multicast=True)
        bench.advance_ms(100)
    found = [p for p in bench.problems() if "does not answer" in p]
    assert ["box60" in p or "10.0.0.70" in p for p in found] == [True, True]
    assert all(why in p for p in found), found
    bench.perform(bench.core.configure(replace(bench.node.settings, key_id=8), now_us=bench.now_us))
    assert [p for p in bench.problems() if "does not answer" in p] == []


def says(bench: Bench, *peers: Peer, for_ms: int) -> None:
    for _ in range(for_ms // 100):
        for peer in peers:
            bench.hear(peer, Announce(name=peer.name, version="0", interval_ms=1000), multicast=True)
        bench.advance_ms(100)


def unanswering(bench: Bench) -> list[str]:
    return [p for p in bench.problems() if "heard by multicast but does not answer" in p]


def test_who_was_not_asked_while_this_node_did_not_run_is_not_said_to_be_cut_off() -> None:
    """SIGSTOP, SIGCONT: the leader is heard at once, and its answers are older than those of anybody else."""
    bench, leader, stranger = Bench(), Peer(node=60).leads(3), Peer(node=70)
    bench.meet(leader)
    bench.beat(leader)
    bench.hear(stranger, Announce(name="box70", version="0", interval_ms=1000), multicast=True)
    bench.now_us += 7 * SECOND
    bench.beat(leader)
    assert bench.leader_name() == "box60"
    assert unanswering(bench) == []
    says(bench, stranger, for_ms=3000)  # and then it is told all the same
    assert ["10.0.0.70" in p for p in unanswering(bench)] == [True]


@pytest.mark.parametrize(
    "last_word", [Resign(ballot=NO_BALLOT, reason=Reason.LEADER_LEFT, leaving=True), Obituary(), None], ids=str
)
def test_who_has_ended_is_not_heard_any_more(last_word: Resign | Obituary | None) -> None:
    bench, stranger = Bench(), Peer(node=70)
    says(bench, stranger, for_ms=2000)
    assert len(unanswering(bench)) == 1
    if last_word is None:  # it died, and nobody says so
        bench.advance_ms(9000)
    else:
        bench.hear(stranger, last_word, multicast=True)
        bench.advance_ms(1500)
    assert unanswering(bench) == []


# -- names that two hosts have


def test_two_hosts_of_one_name_are_told_by_whoever_sees_them() -> None:
    bench = Bench()
    bench.meet(Peer(node=60, name="box"), Peer(node=61, name="box"), Peer(node=62))
    assert bench.problems() == (
        "two hosts are called box (10.0.0.60:5466, 10.0.0.61:5466): give all but one another name (`name` in kingd.toml)",
    )


def test_host_of_this_ones_name_is_told() -> None:
    bench = Bench()
    bench.meet(Peer(node=60, name="me"))
    assert any("two hosts are called me (10.0.0.60:5466, this one)" in p for p in bench.problems())


def test_host_that_came_back_without_its_state_is_not_two_for_long() -> None:
    bench = Bench()
    bench.meet(Peer(node=60))
    bench.advance_ms(2100)  # two announcements
    bench.meet(Peer(node=310, name="box60"))
    assert not [p for p in bench.problems() if "hosts are called" in p]


def test_time_that_is_left_of_a_step_down_is_told() -> None:
    bench = Bench()
    other = Peer(node=60, priority=10)
    bench.become_leader(other)
    assert bench.core.status(bench.now_us).ineligible_us is None
    bench.node.orders.set_unfit(Ineligible.STEP_DOWN, bench.now_us + 42 * SECOND)
    status = bench.core.status(bench.now_us + 2 * SECOND)
    assert (status.ineligible_reason, status.ineligible_us) == ("step-down", 40 * SECOND)


# -- events


def test_events_are_one_per_change() -> None:
    bench, leader = Bench(), Peer(node=70).leads(5)
    bench.meet(leader)
    bench.beat(leader)
    bench.advance_ms(300)
    bench.beat(leader)
    kinds = [kind for kind in bench.events() if "member" not in kind]
    assert kinds == [EventKind.STARTED, EventKind.LEADER_CHANGED]


def test_reload_keeps_leadership_and_tells_the_new_priority_at_once() -> None:
    bench = Bench()
    bench.become_leader(Peer(node=60, priority=10))
    bench.clear()
    bench.perform(bench.core.set_priority(150, now_us=bench.now_us))
    assert bench.leader_name() == "me"
    assert [d.header.priority for d in bench.datagrams() if isinstance(d.body, Heartbeat)] == [150]
    assert bench.events() == []


def test_086_node_that_cannot_write_follows_and_does_not_lead() -> None:
    bench = Bench()
    bench.perform(bench.core.set_unfit(Ineligible.STATE_NOT_WRITABLE, now_us=bench.now_us))
    bench.meet(Peer(node=60, priority=10))
    bench.advance_ms(5000)
    assert bench.sent(Claim) == []
    assert bench.core.status(bench.now_us).ineligible_reason == "state-not-writable"
    bench.perform(bench.core.set_unfit(Ineligible.STATE_NOT_WRITABLE, until_us=0, now_us=bench.now_us))
    bench.advance_ms(2000)
    assert bench.sent(Claim)


def test_086_leader_that_becomes_unfit_stands_aside() -> None:
    bench = Bench()
    bench.advance_ms(600)
    bench.perform(bench.core.set_unfit(Ineligible.STATE_NOT_WRITABLE, now_us=bench.now_us))
    assert bench.leader_name() is None
    assert bench.told()[-1].reason is Reason.CHECK_FAILED
