"""Clusters of dozens: what an election costs there, and what a quiet cluster does."""

import pytest

from kingd.core.timing import MS, SECOND
from tests.scenarios.world import agrees_on, best, cold, leaderless_us, settled, told

pytestmark = pytest.mark.slow


def test_039_many_seekers_do_not_claim_at_once() -> None:
    cluster = settled(*[100] * 40)
    cluster.mail.record = []
    cluster.crash(best(cluster.hosts))
    assert leaderless_us(cluster, 3 * SECOND) < 2 * SECOND
    claimants = {source for source, _, data in cluster.mail.record if data[3] == 5}
    assert len(claimants) < 3


def test_080_failover_of_many_does_not_storm_the_dead_leader() -> None:
    """60 followers: the next three ask it when it falls silent, the others once before they give it up."""
    cluster = settled(*[100] * 60)
    dead = best(cluster.hosts)
    cluster.run(50 * MS)
    cluster.crash(dead)
    cluster.mail.record = []
    cluster.run(190 * MS)
    asked_early = {source for source, target, data in cluster.mail.record if target == dead.index and data[3] == 9}
    assert len(asked_early) <= 20  # the three, and whoever had a ping to send anyway
    agrees_on(cluster, best([h for h in cluster.hosts if h is not dead]).name, within_s=1)
    pings = [source for source, target, data in cluster.mail.record if target == dead.index and data[3] == 9]
    assert len(pings) <= 6 * 59


def test_096_everybody_starts_within_a_second() -> None:
    """60 here, for a simulator carries every datagram: one leader in 2 s, and few messages of their own."""
    cluster = cold(*[100] * 60)
    for host in cluster.hosts:
        cluster.start(host)
        cluster.run(15 * MS)
    agrees_on(cluster, best(cluster.hosts).name, within_s=2)
    claims = [e for h in cluster.hosts for e in told(h) if e.kind == "elected"]
    assert len(claims) <= 3


def test_098_steady_state_per_node_does_not_grow() -> None:
    """What a follower sends in a quiet cluster: an announcement and a ping or two a second, whatever the size."""
    rates = []
    for size in (5, 40):
        cluster = settled(*[100] * size)
        cluster.run(5 * SECOND)
        follower = max(cluster.hosts, key=lambda host: host.node_id)
        cluster.mail.record = []
        cluster.run(10 * SECOND)
        sent = [data for source, target, data in cluster.mail.record if source == follower.index]
        unicast = [data for data in sent if data[3] not in (1, 2)]
        announced = {data for data in sent if data[3] == 1}
        rates.append((len(unicast) + len(announced)) / 10)
    assert max(rates) <= 5
    assert rates[1] <= rates[0] + 1
