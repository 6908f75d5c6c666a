"""Clusters in which something runs on the leader, and has to end before it hands over. The checker looks at every effect."""

from functools import partial

import pytest

from kingd.core.election import Core
from kingd.core.timing import DRAIN_US_MAX, MS, SECOND
from kingd.core.wire.message import Role
from kingd.sim.cluster import Cluster, hosts
from kingd.sim.host import Host

pytestmark = pytest.mark.sim

VOTERS = ("box1", "box2", "box3")


def drains(cluster: Cluster, host: Host) -> None:
    now_us = cluster.local_us(host)
    cluster.enter(host, partial(Core.set_drains, on=True, now_us=now_us))


def drained(cluster: Cluster, host: Host) -> None:
    cluster.enter(host, partial(Core.drained, now_us=cluster.local_us(host)))


def is_draining(host: Host) -> bool:
    return host.core is not None and host.core.node.drain is not None


def led_by(cluster: Cluster, host: Host) -> bool:
    return cluster.leaders() == [host]


def draining(*, voters: tuple[str, ...], seed: int) -> tuple[Cluster, Host, Host]:
    """And the best host, for which the second best, which leads, ends what runs there."""
    cluster = Cluster(hosts(300, 200, 100, voters=voters), seed=seed)
    best, leader, third = cluster.hosts
    cluster.start(leader)
    cluster.start(third)
    assert cluster.run_until(lambda: led_by(cluster, leader), 20 * SECOND)
    drains(cluster, leader)
    cluster.start(best)
    assert cluster.run_until(lambda: is_draining(leader), 20 * SECOND)
    return cluster, best, leader


@pytest.mark.parametrize("voters", [(), VOTERS], ids=["availability", "quorum"])
@pytest.mark.parametrize("seed", range(3))
def test_host_of_higher_priority_leads_when_all_has_ended_and_not_before(voters: tuple[str, ...], seed: int) -> None:
    cluster, best, leader = draining(voters=voters, seed=seed)
    cluster.run(20 * SECOND)
    assert led_by(cluster, leader)
    drained(cluster, leader)
    assert cluster.run_until(lambda: led_by(cluster, best), 2 * SECOND)
    assert not is_draining(leader)


@pytest.mark.parametrize("voters", [(), VOTERS], ids=["availability", "quorum"])
def test_leader_that_is_lost_while_it_drains_is_replaced_as_ever(voters: tuple[str, ...]) -> None:
    cluster = Cluster(hosts(300, 200, 100, voters=voters), seed=4)
    leader, second, _ = cluster.hosts
    for host in cluster.hosts:
        cluster.start(host)
    assert cluster.run_until(lambda: led_by(cluster, leader), 20 * SECOND)
    drains(cluster, leader)
    cluster.enter(leader, partial(Core.step_down, to=None, for_us=60 * SECOND, now_us=cluster.local_us(leader)))
    assert is_draining(leader)
    cluster.crash(leader)
    assert cluster.run_until(lambda: led_by(cluster, second), 6 * SECOND)


def test_what_never_ends_costs_no_leadership() -> None:
    cluster, _, leader = draining(voters=VOTERS, seed=5)
    cluster.run(DRAIN_US_MAX)
    assert not is_draining(leader)
    assert led_by(cluster, leader)
    assert cluster.run_until(lambda: is_draining(leader), 30 * SECOND)  # it is asked again, later


@pytest.mark.parametrize("away_ms", [3_300, 5_000])
@pytest.mark.parametrize("seed", range(3))
def test_nothing_is_ended_twice_for_who_was_stopped_for_long(away_ms: int, seed: int) -> None:
    """It comes back in its old session, and what proved contact with it is old: that is proven first."""
    cluster = Cluster(hosts(300, 200, 100), seed=seed)
    best, leader, _ = cluster.hosts
    for host in cluster.hosts:
        cluster.start(host)
    assert cluster.run_until(lambda: cluster.agreed() == best.name, 20 * SECOND)
    cluster.run(3 * SECOND)
    cluster.pause(best, until_us=cluster.now_us + away_ms * MS)
    assert cluster.run_until(lambda: leader in cluster.leaders(), 20 * SECOND)
    drains(cluster, leader)
    assert cluster.run_until(lambda: is_draining(leader), 20 * SECOND)
    assert best.paused_until_us <= cluster.now_us
    cluster.run(10 * MS)
    drained(cluster, leader)
    assert cluster.run_until(lambda: not is_draining(leader), SECOND)
    assert led_by(cluster, best) or leader.role is not Role.LEADER
    assert cluster.run_until(lambda: led_by(cluster, best), SECOND)


@pytest.mark.parametrize("returns", [False, True])
def test_nothing_is_ended_for_who_has_gone(returns: bool) -> None:
    """Where it is there again, in a session of its own, it asks for leadership anew."""
    cluster, best, leader = draining(voters=(), seed=5)
    cluster.kill(best)
    assert cluster.run_until(lambda: not is_draining(leader), SECOND)
    assert led_by(cluster, leader)
    if returns:
        cluster.start(best)
        assert cluster.run_until(lambda: is_draining(leader), 20 * SECOND)
        drained(cluster, leader)
        assert cluster.run_until(lambda: led_by(cluster, best), 2 * SECOND)
