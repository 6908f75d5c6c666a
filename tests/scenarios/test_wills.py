"""What happens when a daemon dies and its guardian lives: the obituary arrives, or some of it, or it is a lie."""

import pytest

from kingd.core.timing import MS, SECOND
from kingd.core.wire.message import Reason, Role
from kingd.sim.network import Weather
from tests.scenarios.world import SEEDS, agrees_on, disturbed, leaderless_us, problems, settled, told


@pytest.mark.parametrize("seed", SEEDS)
def test_038_obituary_frees_at_once(seed: int) -> None:
    cluster = settled(100, 90, 80, 70, seed=seed)
    cluster.kill(cluster.hosts[0])
    assert leaderless_us(cluster, 3 * SECOND, among=cluster.hosts[1:]) < 20 * MS
    assert {told(host)[-1].reason for host in cluster.hosts[1:]} == {Reason.LEADER_CRASHED}


@pytest.mark.parametrize("seed", range(40))
def test_075_sigkill_will_where_half_of_it_is_lost(seed: int) -> None:
    """Of six copies one arrives somewhere, and one claim is sent again: never the leader timeout."""
    cluster = settled(100, 90, 80, seed=seed)
    cluster.network.weather = Weather(loss_rate=0.5)
    cluster.kill(cluster.hosts[0])
    assert cluster.run_until(lambda: bool(cluster.leaders()), 450 * MS)


@pytest.mark.parametrize("seed", SEEDS)
def test_075_one_that_hears_of_it_is_enough(seed: int) -> None:
    cluster = settled(100, 90, 80, 70, seed=seed)
    dead, heir, *others = cluster.hosts
    for other in others:
        cluster.cut(dead, other, one_way=True)
    cluster.kill(dead)
    agrees_on(cluster, heir.name, within_s=0.02, among=[heir, *others])


@pytest.mark.parametrize("seed", SEEDS)
def test_075_two_die_at_once(seed: int) -> None:
    """The dead second is not waited for."""
    cluster = settled(100, 90, 80, 70, seed=seed)
    first, second, *others = cluster.hosts
    cluster.kill(first)
    cluster.kill(second)
    agrees_on(cluster, "box3", within_s=0.02, among=others)


def test_075_the_heir_dies_while_it_claims() -> None:
    """Some have promised to it already, and one of them does not hear of its death. Now and then the third, before it has heard
    of the heir's claim, asks with the same term as the heir, in vain, and once more after its back-off."""
    took_us = sorted(_until_the_third_leads(seed) for seed in range(40))
    assert took_us[-3] < 50 * MS
    assert took_us[-1] < 200 * MS


def _until_the_third_leads(seed: int) -> int:
    cluster = settled(100, 90, 80, 70, 60, seed=seed)
    first, heir, *others = cluster.hosts
    cluster.kill(first)
    assert cluster.run_until(lambda: heir.role is Role.CANDIDATE, 50 * MS)
    cluster.run(seed * 50)
    cluster.cut(heir, others[-1], one_way=True)
    cluster.kill(heir)
    since_us = cluster.now_us
    agrees_on(cluster, "box3", within_s=2, among=others)
    return cluster.now_us - since_us


@pytest.mark.parametrize("seed", SEEDS)
def test_076_kill_cgroup(seed: int) -> None:
    cluster = settled(100, 90, 80, seed=seed)
    cluster.crash(cluster.hosts[0])
    agrees_on(cluster, "box2", within_s=1.5)
    assert told(cluster.hosts[1])[-1].reason is Reason.LEADER_TIMEOUT


@pytest.mark.parametrize("count", [3, 7])
@pytest.mark.parametrize("seed", SEEDS)
def test_076_kill_cgroup_where_the_port_refuses(seed: int, count: int) -> None:
    """Its host lives: two answers of its kernel are as good as the rest of the leader timeout."""
    cluster = settled(*range(100, 100 - count, -1), seed=seed)
    cluster.crash(cluster.hosts[0], refuses=True)
    agrees_on(cluster, "box2", within_s=0.4)
    assert told(cluster.hosts[1])[-1].reason is Reason.LEADER_CRASHED


@pytest.mark.parametrize("seed", SEEDS)
def test_042_refute_false_death(seed: int) -> None:
    """A leader that lives leads again within a few heartbeats, and the second lie is believed by nobody."""
    cluster = settled(100, 90, 80, seed=seed)
    cluster.execute_will(cluster.hosts[0])
    assert leaderless_us(cluster, SECOND) < SECOND
    agrees_on(cluster, "box1", within_s=5)
    cluster.run(SECOND)
    since_us = cluster.now_us
    cluster.execute_will(cluster.hosts[0])
    cluster.run(2 * SECOND)
    assert disturbed(cluster, since_us) == []
    told_of = [problem for host in cluster.hosts[1:] for problem in problems(host, 0)]
    assert sum("box1 lives, though an obituary said" in problem for problem in told_of) == 2


@pytest.mark.parametrize("seed", SEEDS)
def test_041_replay_of_a_will_does_nothing(seed: int) -> None:
    cluster = settled(100, 90, 80, seed=seed)
    cluster.mail.record = []
    first = cluster.hosts[0]
    cluster.kill(first)
    agrees_on(cluster, "box2", within_s=1, among=cluster.hosts[1:])
    recorded, cluster.mail.record = cluster.mail.record, None
    cluster.start(first)
    agrees_on(cluster, "box1", within_s=5)
    cluster.run(SECOND)
    since_us = cluster.now_us
    for source, target, data in recorded:
        cluster.network.send(data, source=source, target=target, multicast=True, now_us=cluster.now_us)
    cluster.run(2 * SECOND)
    assert disturbed(cluster, since_us) == []
