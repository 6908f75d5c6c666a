"""A voter that has lost its state votes when enough others have told it what it may have promised. docs/quorum.md 5."""

import pytest

from kingd.core.timing import MS, SECOND, Timing
from tests.scenarios.test_quorum import FOUR, THREE, say_that_they_lead
from tests.scenarios.world import SEEDS, agrees_on, settled, term


@pytest.mark.parametrize("seed", SEEDS)
def test_053_voter_that_lost_its_state_is_told_by_the_others(seed: int) -> None:
    cluster = settled(30, 20, 10, seed=seed, voters=THREE)
    led = term(cluster)
    box3 = cluster.hosts[2]
    cluster.crash(box3)
    cluster.forget(box3)
    cluster.start(box3)
    agrees_on(cluster, "box1", within_s=5)
    cluster.crash(cluster.hosts[0])
    agrees_on(cluster, "box2", within_s=3, among=cluster.hosts[1:])
    assert term(cluster) > led


@pytest.mark.parametrize("seed", SEEDS)
def test_053_voter_that_lost_its_state_waits_while_one_that_knows_is_missing(seed: int) -> None:
    """Of three voters the third may have been elected by the one that has forgotten."""
    cluster = settled(30, 20, 10, seed=seed, voters=THREE)
    box1, _, box3 = cluster.hosts
    cluster.crash(box1)
    cluster.crash(box3)
    cluster.forget(box3)
    cluster.start(box3)
    cluster.run(30 * SECOND)
    assert say_that_they_lead(cluster) == []
    cluster.start(box1)
    agrees_on(cluster, "box1", within_s=6)


@pytest.mark.parametrize("moves", [True, False])
@pytest.mark.parametrize("timing", [Timing(), Timing(heartbeat_us=SECOND, leader_timeout_us=5 * SECOND)])
def test_voter_that_loses_its_state_twice_is_one_voter(timing: Timing, moves: bool) -> None:
    """box1 leads by box3 and box4. Both lose their state, and box4 once more, before it has recovered, at another address: box3
    knows two of that name, and has not heard all others while it does not hear box1."""
    cluster = settled(40, 0, 0, 0, voters=FOUR)
    box1, box2, box3, box4 = cluster.hosts
    cluster.partition([box2], [box1, box3, box4])
    cluster.crash(box1)
    cluster.set_timing(box1, timing)
    cluster.start(box1)
    agrees_on(cluster, "box1", within_s=20, among=[box1, box3, box4])
    cluster.network.cuts.clear()
    cluster.partition([box1], [box2, box3, box4])
    for host in (box3, box4):
        cluster.crash(host)
        cluster.forget(host)
        cluster.start(host)
    cluster.run(1400 * MS)
    cluster.crash(box4)
    cluster.forget(box4)
    box4.port += moves
    cluster.start(box4)
    cluster.set_priority(box2, 20)
    cluster.run(20 * SECOND)
    assert [host.name for host in (box3, box4) if host.core and host.core.node.quorum.recovered] == []
    assert say_that_they_lead(cluster) == []
    cluster.network.cuts.clear()
    agrees_on(cluster, "box1", within_s=20)
