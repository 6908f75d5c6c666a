"""Planned changes: preemption, stop, step-down, priorities; and what comes between."""

import pytest

from kingd.core.effect import EventKind, HandedOver
from kingd.core.settings import Preempt
from kingd.core.timing import MS, SECOND
from kingd.core.wire.message import Role
from kingd.sim.cluster import Cluster
from kingd.sim.host import Host
from tests.scenarios.world import (
    SEEDS,
    agrees_on,
    cold,
    disturbed,
    leaderless_us,
    never_two_leaders,
    settled,
    term,
    told,
)


def step_down(cluster: Cluster, host: Host, *, to: str | None = None, for_us: int = 60 * SECOND) -> None:
    cluster.enter(host, lambda core: core.step_down(to=to, for_us=for_us, now_us=cluster.now_us))


@pytest.mark.parametrize("seed", SEEDS)
def test_023_transfer_there_and_back(seed: int) -> None:
    cluster = settled(100, 90, 80, seed=seed)
    before = term(cluster)
    step_down(cluster, cluster.hosts[0], to="box3", for_us=10 * SECOND)
    agrees_on(cluster, "box3", within_s=1)
    assert term(cluster) > before
    answers = [effect.to.name for effect in cluster.hosts[0].handed_over if effect.to]
    assert answers == ["box3"]
    agrees_on(cluster, "box1", within_s=15)  # its time away is over, and it outranks


@pytest.mark.parametrize("seed", SEEDS)
def test_025_transfer_to_one_that_misses_a_follower(seed: int) -> None:
    """box2 has no link to box3, which lives: no ticket for it, and the leader leads on."""
    cluster = settled(100, 90, 80, seed=seed)
    cluster.cut(cluster.hosts[1], cluster.hosts[2])
    since_us = cluster.now_us
    step_down(cluster, cluster.hosts[0], to="box2")
    cluster.run(3 * SECOND)
    views = {cluster.view(host) for host in cluster.hosts}
    assert views in ({"box1"}, {"box2"})  # whoever leads, leads all three
    if views == {"box1"}:
        assert disturbed(cluster, since_us) == []
        assert HandedOver(None) in cluster.hosts[0].handed_over


@pytest.mark.parametrize("seed", SEEDS)
def test_027_successor_dies_with_the_ticket(seed: int) -> None:
    cluster = settled(100, 90, 80, seed=seed)
    before = term(cluster)
    step_down(cluster, cluster.hosts[0], to="box2", for_us=0)
    assert cluster.run_until(lambda: cluster.hosts[0].role is not Role.LEADER, SECOND)
    cluster.crash(cluster.hosts[1])
    assert leaderless_us(cluster, 5 * SECOND, among=[cluster.hosts[0], cluster.hosts[2]]) < 2 * SECOND
    assert term(cluster) > before


@pytest.mark.parametrize("seed", SEEDS)
def test_029_third_node_claims_during_a_transfer(seed: int) -> None:
    """box3 gets the highest priority at every moment of the hand-over: one leader in the end, never two of one term."""
    for delay_us in range(0, 8 * MS, MS):
        cluster = settled(100, 90, 80, seed=seed)
        step_down(cluster, cluster.hosts[0], to="box2", for_us=2 * SECOND)
        cluster.run(delay_us)
        cluster.set_priority(cluster.hosts[2], 500)
        agrees_on(cluster, "box3", within_s=10)


@pytest.mark.parametrize("seed", SEEDS)
def test_030_successor_is_demoted_between_ready_and_ticket(seed: int) -> None:
    for delay_us in range(0, 8 * MS, MS):
        cluster = settled(100, 90, 80, seed=seed)
        step_down(cluster, cluster.hosts[0], to="box2", for_us=5 * SECOND)
        cluster.run(delay_us)
        cluster.set_priority(cluster.hosts[1], 0)
        cluster.run(3 * SECOND)
        assert cluster.agreed() in ("box1", "box3")


@pytest.mark.parametrize("seed", SEEDS)
def test_032_delayed_ticket(seed: int) -> None:
    """All of a hand-over is delivered again after the giver was elected anew: void."""
    cluster = settled(100, 90, 80, seed=seed)
    cluster.mail.record = []
    step_down(cluster, cluster.hosts[0], to="box2", for_us=SECOND)
    agrees_on(cluster, "box2", within_s=1)
    recorded, cluster.mail.record = cluster.mail.record, None
    agrees_on(cluster, "box1", within_s=10)
    before, since_us = term(cluster), cluster.now_us
    for source, target, data in recorded:
        cluster.network.send(data, source=source, target=target, multicast=False, now_us=cluster.now_us)
    cluster.run(5 * SECOND)
    assert disturbed(cluster, since_us) == []
    assert term(cluster) == before


@pytest.mark.parametrize("seed", SEEDS)
def test_038_resignation_frees_at_once(seed: int) -> None:
    """A leader that goes, and says so, costs no timeout; one that is only silent does."""
    times_us = []
    for goes in (True, False):
        cluster = settled(100, 90, 80, seed=seed)
        cluster.mail.record = []
        if goes:
            cluster.stop(cluster.hosts[0])
        else:
            cluster.crash(cluster.hosts[0])
        times_us.append(leaderless_us(cluster, 3 * SECOND, among=cluster.hosts[1:]))
    assert times_us[0] <= 100 * MS
    assert times_us[1] >= 4 * MS


@pytest.mark.parametrize("preempts", [True, False])
@pytest.mark.parametrize("seed", SEEDS)
def test_060_higher_priority_returns(seed: int, preempts: bool) -> None:
    cluster = settled(100, 90, 80, seed=seed, preempt=Preempt(enabled=preempts))
    cluster.crash(cluster.hosts[0])
    agrees_on(cluster, "box2", within_s=2)
    cluster.start(cluster.hosts[0])
    agrees_on(cluster, "box1" if preempts else "box2", within_s=3)
    cluster.run(10 * SECOND)
    assert cluster.agreed() == ("box1" if preempts else "box2")


@pytest.mark.parametrize("seed", SEEDS)
def test_063_preempt_delay(seed: int) -> None:
    """It waits after its return, and longer with each return in five minutes."""
    cluster = settled(100, 90, 80, seed=seed, preempt=Preempt(wait_us=3 * SECOND))
    waits_s = []
    for _ in range(4):
        cluster.crash(cluster.hosts[0])
        agrees_on(cluster, "box2", within_s=3)
        cluster.run(SECOND)
        cluster.start(cluster.hosts[0])
        agrees_on(cluster, "box2", within_s=2)
        began_us = cluster.now_us
        agrees_on(cluster, "box1", within_s=60)
        waits_s.append((cluster.now_us - began_us) / SECOND)
    assert waits_s[0] == pytest.approx(3, abs=0.5)
    assert waits_s == sorted(waits_s)
    assert waits_s[-1] >= 2 * waits_s[1]


@pytest.mark.parametrize("seed", SEEDS)
def test_064_planned_stop(seed: int) -> None:
    """From the stop to agreement on the next: a few round trips, and one event for those who watch."""
    cluster = settled(100, 90, 80, seed=seed)
    since_us = cluster.now_us
    others = cluster.hosts[1:]
    cluster.stop(cluster.hosts[0])
    agrees_on(cluster, "box2", within_s=0.1, among=others)
    assert [event.kind for event in told(others[1], since_us)] == [EventKind.LEADER_CHANGED]
    cluster.run(3 * SECOND)
    assert cluster.hosts[0].core is None


@pytest.mark.parametrize("priority", [200, 95, 0])
@pytest.mark.parametrize("who", [0, 1, 2])
def test_082_priority_change_mid_claim(who: int, priority: int) -> None:
    """At every message boundary of an election: the invariants hold, and it ends where it should."""
    for steps in range(0, 60, 3):
        cluster = settled(100, 90, 80)
        cluster.crash(cluster.hosts[0])
        assert cluster.run_until(lambda: False, 0) is False
        cluster.run(480 * MS)
        run_steps(cluster, steps)
        changed = cluster.hosts[1 + who % 2]
        cluster.set_priority(changed, priority)
        if who == 0:
            cluster.start(cluster.hosts[0])
        running = cluster.running()
        top = max(running, key=lambda host: priority if host is changed else host.settings.priority)
        agrees_on(cluster, top.name, within_s=6)
        cluster.run(2 * SECOND)
        assert cluster.agreed() == top.name


def run_steps(cluster: Cluster, steps: int) -> None:
    """So many things happen (deliveries, timers)."""
    left = iter(range(steps))
    cluster.run_until(lambda: next(left, None) is None, 2 * SECOND)


@pytest.mark.parametrize("seed", range(6))
def test_083_equal_priority_restart(seed: int) -> None:
    """The one of lower id comes back: no preemption, however often."""
    cluster = settled(100, 100, 100, seed=seed)
    first = next(host for host in cluster.hosts if host.role is Role.LEADER)
    cluster.crash(first)
    assert cluster.run_until(lambda: cluster.agreed() not in (None, first.name), 3 * SECOND)
    second = cluster.agreed()
    for _ in range(3):
        cluster.start(first)
        never_two_leaders(cluster, 5 * SECOND)
        assert cluster.agreed() == second
        cluster.crash(first)
        cluster.run(SECOND)


@pytest.mark.parametrize("seed", SEEDS)
def test_060_all_priorities_0_is_nobody(seed: int) -> None:
    cluster = cold(0, 0, 0, seed=seed)
    cluster.start_all()
    cluster.run(30 * SECOND)
    assert cluster.leaders() == []
    cluster.set_priority(cluster.hosts[1], 1)
    agrees_on(cluster, "box2", within_s=3)
