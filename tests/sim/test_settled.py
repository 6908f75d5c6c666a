"""A cluster that was made at rest is as one that came to rest: what the figures of docs/scale.md rely on."""

import pytest

from kingd.core.timing import SECOND
from kingd.sim.cluster import Cluster, hosts
from kingd.sim.settled import settle

pytestmark = pytest.mark.sim


def grown(count: int) -> Cluster:
    cluster = Cluster(hosts(*range(count, 0, -1)), seed=1)
    for host in cluster.hosts:
        cluster.start(host)
        cluster.run(SECOND // 100)
    assert cluster.run_until(lambda: cluster.agreed() == "box1", 5 * SECOND)
    cluster.run(70 * SECOND)  # until only measured jitter counts
    return cluster


def settled(count: int) -> Cluster:
    cluster = Cluster(hosts(*range(count, 0, -1)), seed=2)
    settle(cluster)
    assert cluster.agreed() == "box1"
    return cluster


def rates(cluster: Cluster, duration_us: int) -> tuple[float, float]:
    """Datagrams sent, and received, a second and node."""
    said, heard = cluster.mail.said, cluster.network.delivered
    cluster.run(duration_us)
    each = len(cluster.hosts) * duration_us / SECOND
    return (cluster.mail.said - said) / each, (cluster.network.delivered - heard) / each


@pytest.mark.parametrize("count", [3, 10, 40])
def test_it_says_as_much_as_one_that_came_to_rest(count: int) -> None:
    assert rates(settled(count), 15 * SECOND) == pytest.approx(rates(grown(count), 15 * SECOND), rel=0.1)


def test_it_elects_the_next_one_at_the_same_cost() -> None:
    costs = []
    for cluster in (grown(40), settled(40)):
        said = cluster.mail.said
        cluster.crash(cluster.host("box1"))
        assert cluster.run_until(lambda cluster=cluster: cluster.agreed() == "box2", 2 * SECOND)  # type: ignore[misc]
        costs.append(cluster.mail.said - said)
    assert costs[1] == pytest.approx(costs[0], rel=0.15)
