"""What a failover costs in datagrams: docs/scale.md. The leader's host loses power, so that all have to ask."""

import pytest

from kingd.core.timing import SECOND
from kingd.sim.cluster import Cluster, hosts

pytestmark = pytest.mark.sim


@pytest.mark.parametrize("count", [2, 3, 7, 10, 20])
def test_failover_takes_at_most_six_datagrams_a_member(count: int) -> None:
    """All that anybody sends until all agree: what would have been sent anyway, too."""
    cluster = Cluster(hosts(*range(count, 0, -1)), seed=count)
    cluster.start_all()
    assert cluster.run_until(lambda: cluster.agreed() == "box1", 5 * SECOND)
    cluster.run(10 * SECOND)
    before = cluster.said
    cluster.crash(cluster.host("box1"))
    assert cluster.run_until(lambda: cluster.agreed() == "box2", 5 * SECOND)
    assert cluster.said - before <= 6 * count
