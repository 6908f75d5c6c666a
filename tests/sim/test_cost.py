"""What a failover costs in datagrams: docs/scale.md. The leader's host loses power, so that all have to ask."""

from collections import Counter
from dataclasses import replace
from unittest.mock import patch

import pytest

from kingd.core.effect import Effect
from kingd.core.election import Core
from kingd.core.timing import MS, SECOND, Timing
from kingd.core.wire.message import NodeId
from kingd.sim.cluster import Cluster, hosts

pytestmark = pytest.mark.sim


@pytest.mark.parametrize("count", [2, 3, 7, 10, 20])
def test_failover_takes_at_most_six_datagrams_a_member(count: int) -> None:
    """All that anybody sends until all agree: what would have been sent anyway, too."""
    cluster = Cluster(hosts(*range(count, 0, -1)), seed=count)
    cluster.start_all()
    assert cluster.run_until(lambda: cluster.agreed() == "box1", 5 * SECOND)
    cluster.run(10 * SECOND)
    before = cluster.mail.said
    cluster.crash(cluster.host("box1"))
    assert cluster.run_until(lambda: cluster.agreed() == "box2", 5 * SECOND)
    assert cluster.mail.said - before <= 6 * count


@pytest.mark.parametrize("heartbeat_ms", [20, 100])
def test_leader_at_rest_is_woken_up_by_its_heartbeats_only(heartbeat_ms: int) -> None:
    """And a follower by its pings: announcements and sweeps come with those, nearly always."""
    timing = Timing(heartbeat_us=heartbeat_ms * MS)
    cluster = Cluster(hosts(30, 20, timing=timing), seed=1)
    cluster.start_all()
    cluster.run(10 * SECOND)
    woken = Counter[NodeId]()
    tick = Core.tick

    def counted(core: Core, *, now_us: int) -> list[Effect]:
        woken[core.id] += 1
        return tick(core, now_us=now_us)

    with patch.object(Core, "tick", counted):
        cluster.run(60 * SECOND)
    leader, follower = cluster.hosts
    beats, pings = 60 * SECOND // timing.heartbeat_us, 60 * SECOND // timing.ping_us
    assert woken[leader.node_id] <= beats
    assert woken[follower.node_id] <= pings + 60 + 30  # an announcement a second


@pytest.mark.parametrize("seed", range(4))
def test_claims_that_come_to_nothing_do_not_call_forth_each_other(seed: int) -> None:
    """The only voter has just started, and refuses everybody for a second: who gives way to it lets another one claim, who
    gives way at once (simulator, seed 7085847: a thousand terms in half a second)."""
    settings = [replace(s, voters=("box1",)) for s in hosts(0, 50, 100, 50, 150)]
    cluster = Cluster(settings, seed=seed)
    cluster.start_all()
    assert cluster.run_until(lambda: cluster.agreed() == "box5", 10 * SECOND)
    term = _term(cluster)
    voter = cluster.host("box1")
    cluster.crash(voter)
    cluster.start(voter)
    cluster.crash(cluster.host("box5"))
    assert cluster.run_until(lambda: cluster.agreed() is not None, 10 * SECOND)
    assert _term(cluster) - term < 60


def _term(cluster: Cluster) -> int:
    return max(host.core.node.term_seen for host in cluster.running() if host.core is not None)
