"""Sixty hosts: what a start and a failover cost, and that it holds when the best go together. docs/large-clusters.md."""

import pytest

from kingd.core.timing import MS, SECOND
from kingd.sim.cluster import Cluster, hosts
from kingd.sim.network import Weather

pytestmark = pytest.mark.sim

COUNT = 60


@pytest.fixture
def cluster() -> Cluster:
    """All started within a second, and at rest."""
    cluster = Cluster(hosts(*range(COUNT, 0, -1)), seed=4)
    for host in cluster.hosts:
        cluster.start(host)
        cluster.run(SECOND // COUNT)
    assert cluster.run_until(lambda: cluster.agreed() == "box1", 5 * SECOND)
    assert cluster.mail.said / COUNT < 80  # a start is no storm: all pairs would be 300
    cluster.run(20 * SECOND)
    return cluster


def test_failover_takes_at_most_six_datagrams_a_member(cluster: Cluster) -> None:
    before = cluster.mail.said
    cluster.crash(cluster.host("box1"))
    assert cluster.run_until(lambda: cluster.agreed() == "box2", 2 * SECOND)
    assert cluster.mail.said - before <= 6 * COUNT


def test_098_rest_costs_what_50_nodes_cost(cluster: Cluster) -> None:
    """65 datagrams a second for each, at most, in and out."""
    said, heard = cluster.mail.said, cluster.network.delivered
    cluster.run(20 * SECOND)
    assert (cluster.mail.said - said + cluster.network.delivered - heard) / 20 / COUNT < 65


def test_when_all_that_come_next_go_together_somebody_leads_that_knew_few(cluster: Cluster) -> None:
    for name in ("box1", "box2", "box3", "box4", "box5"):
        cluster.crash(cluster.host(name))
    assert cluster.run_until(lambda: cluster.agreed() == "box6", 10 * SECOND)


def test_the_best_comes_back_and_learns_of_all_of_them(cluster: Cluster) -> None:
    cluster.crash(cluster.host("box1"))
    assert cluster.run_until(lambda: cluster.agreed() == "box2", 2 * SECOND)
    cluster.run(5 * SECOND)
    cluster.start(cluster.host("box1"))
    assert cluster.run_until(lambda: cluster.agreed() == "box1", 5 * SECOND)


def test_halves_that_were_cut_apart_become_one(cluster: Cluster) -> None:
    cluster.partition(cluster.hosts[0::2], cluster.hosts[1::2])
    cluster.run(3 * SECOND)
    assert {host.name for host in cluster.leaders()} == {"box1", "box2"}
    cluster.network.heal()
    assert cluster.run_until(lambda: cluster.agreed() == "box1", 10 * SECOND)


def test_loss_costs_no_leader(cluster: Cluster) -> None:
    cluster.network.weather = Weather(loss_rate=0.05, delay_max_us=5 * MS)
    changes = cluster.checker.leader_changes
    cluster.run(10 * SECOND)
    assert cluster.checker.leader_changes == changes
