"""What the swarm found, each shrunk to a short story on the same `Cluster`. The checker of `kingd.sim` looks on in all of them."""

from kingd.core.timing import MS, SECOND
from kingd.sim.cluster import Cluster, hosts

MINUTE = 60 * SECOND


def started(*priorities: int, seed: int = 1) -> Cluster:
    """A cluster that agrees on its best."""
    cluster = Cluster(hosts(*priorities), seed=seed)
    cluster.start_all()
    cluster.run(3 * SECOND)
    best = max(cluster.hosts, key=lambda h: h.settings.priority)
    assert cluster.agreed() == best.name
    return cluster


def test_raised_term_is_followed_only_once_it_is_led() -> None:
    """A granted raise used to be shown as the leader's ballot before the leader had it: its heartbeats were ignored meanwhile."""
    cluster = started(10, 20, 30, 40)
    box1, box2, box3, box4 = cluster.hosts
    cluster.partition([box1, box3], [box2, box4])
    assert cluster.run_until(lambda: len(cluster.leaders()) == 2, 2 * SECOND)
    cluster.network.heal()
    assert cluster.run_until(lambda: cluster.agreed() == "box4", SECOND)
    cluster.run(MS)
