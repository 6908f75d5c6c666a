"""Hosts that are not fit to lead, and hosts in maintenance."""

import pytest

from kingd.core.effect import EventKind
from kingd.core.timing import MS, SECOND
from kingd.core.wire.message import Reason
from kingd.sim import fitness
from kingd.sim.host import Host
from tests.scenarios.world import SEEDS, agrees_on, disturbed, leaderless_us, problems, settled, term, told

VOTERS = ("box1", "box2", "box3")


def kinds(host: Host, kind: EventKind) -> list[tuple[str, bool | None]]:
    return [(event.member.name, event.on) for _, event in host.events if event.kind is kind and event.member]


@pytest.mark.parametrize("voters", [(), VOTERS], ids=["availability", "quorum"])
@pytest.mark.parametrize("seed", SEEDS)
def test_107_unfit_leader_hands_over(seed: int, voters: tuple[str, ...]) -> None:
    """In one hand-over, and gets leadership back when it is fit again."""
    cluster = settled(100, 90, 80, seed=seed, voters=voters)
    leader, _, third = cluster.hosts
    fitness.check(cluster, leader, fails=True)
    agrees_on(cluster, "box2", within_s=2)
    assert told(leader)[-1].reason is Reason.CHECK_FAILED
    assert kinds(third, EventKind.CHECK_FAILED) == [("box1", True)]
    since_us = cluster.now_us
    cluster.run(10 * SECOND)
    assert disturbed(cluster, since_us) == []
    cluster.crash(cluster.hosts[1])  # the unfit one votes, and leaves it to the third
    agrees_on(cluster, "box3", within_s=5, among=[leader, third])
    fitness.check(cluster, leader, fails=False)
    agrees_on(cluster, "box1", within_s=5, among=[leader, third])
    cluster.run(2 * SECOND)
    assert kinds(third, EventKind.CHECK_FAILED) == [("box1", True), ("box1", False)]


@pytest.mark.parametrize("voters", [(), VOTERS], ids=["availability", "quorum"])
@pytest.mark.parametrize("seed", SEEDS)
def test_108_all_are_unfit_and_the_leader_stays(seed: int, voters: tuple[str, ...]) -> None:
    """Also over a stall of it; and the first that is fit gets leadership."""
    cluster = settled(100, 90, 80, seed=seed, voters=voters)
    leader, second, _ = cluster.hosts
    for host in reversed(cluster.hosts):
        fitness.check(cluster, host, fails=True)
    since_us = cluster.now_us
    cluster.run(10 * SECOND)
    assert disturbed(cluster, since_us) == []
    assert any("leads on" in problem for problem in problems(leader, cluster.local_us(leader)))
    if not voters:  # there a stall of the lease's length frees the voters
        cluster.pause(leader, until_us=cluster.now_us + 350 * MS)
        cluster.run(5 * SECOND)
        assert cluster.agreed() == "box1"
    fitness.check(cluster, second, fails=False)
    agrees_on(cluster, "box2", within_s=3)


@pytest.mark.parametrize("seed", SEEDS)
def test_108_two_parts_that_are_unfit_merge(seed: int) -> None:
    """Each has a leader that stayed: one of them is left, the fit one if there is one."""
    cluster = settled(100, 90, 80, seed=seed)
    for other in cluster.hosts[1:]:
        cluster.cut(cluster.hosts[0], other)
    agrees_on(cluster, "box2", within_s=5, among=cluster.hosts[1:])
    for host in cluster.hosts:
        fitness.check(cluster, host, fails=True)
    cluster.run(3 * SECOND)
    cluster.network.heal()
    assert cluster.run_until(lambda: cluster.agreed() is not None, 10 * SECOND)
    assert cluster.agreed() == "box1"


@pytest.mark.parametrize("seed", SEEDS)
def test_109_maintenance_survives_a_restart_and_expires(seed: int) -> None:
    cluster = settled(100, 90, 80, seed=seed)
    host, _, third = cluster.hosts
    fitness.maintain(cluster, host, for_us=60 * SECOND)
    agrees_on(cluster, "box2", within_s=2)
    before = term(cluster)
    cluster.crash(host)
    cluster.run(5 * SECOND)
    cluster.start(host)
    agrees_on(cluster, "box2", within_s=5)
    cluster.run(40 * SECOND)
    assert (cluster.agreed(), term(cluster)) == ("box2", before)
    assert kinds(third, EventKind.MAINTENANCE) == [("box1", True)]
    agrees_on(cluster, "box1", within_s=20)
    cluster.run(2 * SECOND)
    assert kinds(third, EventKind.MAINTENANCE) == [("box1", True), ("box1", False)]
    cluster.crash(host)
    assert leaderless_us(cluster, 5 * SECOND, among=cluster.hosts[1:]) < 2 * SECOND


@pytest.mark.parametrize("seed", SEEDS)
def test_109_maintenance_of_the_only_host_is_obeyed(seed: int) -> None:
    cluster = settled(100, seed=seed)
    fitness.maintain(cluster, cluster.hosts[0], for_us=20 * SECOND)
    cluster.run(10 * SECOND)
    assert cluster.agreed() is None
    agrees_on(cluster, "box1", within_s=15)
