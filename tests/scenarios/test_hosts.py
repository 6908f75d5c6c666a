"""What happens to hosts: stalls, suspends, slow and lost disks, restarts, recorded traffic."""

import pytest

from kingd.core.effect import EventKind
from kingd.core.timing import MS, SECOND
from kingd.core.wire.message import Ineligible, Role
from tests.scenarios.world import (
    SEEDS,
    agrees_on,
    cold,
    disturbed,
    leaderless_us,
    never_two_leaders,
    settled,
    term,
    told,
)


@pytest.mark.parametrize("seed", SEEDS)
def test_041_replay_of_a_dead_session(seed: int) -> None:
    """All that a crashed host said comes again, for long: it stays dead for everybody."""
    cluster = settled(100, 90, 80, seed=seed)
    cluster.mail.record = []
    cluster.run(10 * SECOND)
    dead = cluster.hosts[0]
    cluster.crash(dead)
    agrees_on(cluster, "box2", within_s=2)
    cluster.run(10 * SECOND)
    recorded, cluster.mail.record = cluster.mail.record, None
    since_us = cluster.now_us
    for source, target, data in recorded:
        if source == dead.index and target != dead.index:
            cluster.network.send(data, source=source, target=target, multicast=False, now_us=cluster.now_us)
            cluster.run(5 * MS)
    cluster.run(SECOND)
    assert disturbed(cluster, since_us) == []
    for host in cluster.hosts[1:]:
        assert host.core is not None
        assert host.core.status(cluster.now_us).alive == 2


@pytest.mark.parametrize("seed", SEEDS)
def test_043_copied_identity(seed: int) -> None:
    """Two hosts use one node id: the newcomer is refused, and says so; the first one is not disturbed."""
    cluster = cold(100, 90, 80, seed=seed)
    cluster.hosts[2].node_id = cluster.hosts[0].node_id
    for host in cluster.hosts[:2]:
        cluster.start(host)
    agrees_on(cluster, "box1", within_s=2)
    since_us = cluster.now_us
    cluster.start(cluster.hosts[2])
    cluster.run(20 * SECOND)
    assert disturbed(cluster, since_us, among=cluster.hosts[:2]) == []
    copy = cluster.hosts[2].core
    assert copy is not None
    assert copy.status(cluster.now_us).ineligible_reason == "duplicate-id"
    cluster.crash(cluster.hosts[0])
    agrees_on(cluster, "box2", within_s=10, among=[cluster.hosts[1]])


@pytest.mark.parametrize("seed", SEEDS)
def test_049_late_packets_of_one_that_left(seed: int) -> None:
    cluster = settled(100, 90, 80, seed=seed)
    cluster.mail.record = []
    cluster.run(3 * SECOND)
    cluster.stop(cluster.hosts[0])
    cluster.run(3 * SECOND)
    recorded, cluster.mail.record = cluster.mail.record, None
    since_us = cluster.now_us
    for source, target, data in recorded:
        if source == 0 and target != 0:
            cluster.network.send(data, source=source, target=target, multicast=False, now_us=cluster.now_us)
    cluster.run(5 * SECOND)
    assert disturbed(cluster, since_us) == []
    assert not [e for h in cluster.hosts[1:] for at, e in h.events if at > since_us and e.kind == "member-joined"]


@pytest.mark.parametrize("away_us", [100 * MS, 2 * SECOND, 10 * SECOND])
@pytest.mark.parametrize("seed", SEEDS)
def test_050_rejoin(seed: int, away_us: int) -> None:
    """The leader's host is back with a new session: its old one is never revived, and it leads again in the end."""
    cluster = settled(100, 90, 80, seed=seed)
    before = term(cluster)
    cluster.crash(cluster.hosts[0])
    cluster.run(away_us)
    cluster.start(cluster.hosts[0])
    agrees_on(cluster, "box1", within_s=4)
    assert term(cluster) > before


@pytest.mark.parametrize("seed", SEEDS)
def test_053_lost_state(seed: int) -> None:
    """A leader comes back without its disk: another node, that joins like anybody, and no term is led twice."""
    cluster = settled(100, 90, 80, seed=seed)
    cluster.crash(cluster.hosts[0])
    agrees_on(cluster, "box2", within_s=2)
    before = term(cluster)
    cluster.forget(cluster.hosts[0])
    cluster.start(cluster.hosts[0])
    agrees_on(cluster, "box1", within_s=4)
    assert term(cluster) > before


@pytest.mark.parametrize("seed", SEEDS)
def test_066_pause_flush(seed: int) -> None:
    """The leader is stopped for 5 s, with a full queue: when it wakes it never says that it leads before it knows."""
    cluster = settled(100, 90, 80, seed=seed)
    leader = cluster.hosts[0]
    cluster.pause(leader, until_us=cluster.now_us + 5 * SECOND)
    agrees_on(cluster, "box2", within_s=2, among=cluster.hosts[1:])
    cluster.run(leader.paused_until_us - cluster.now_us - 1)
    assert leader.core is not None
    assert leader.core.status(cluster.now_us + 1).leader is None  # asked before it has read anything
    since_us = cluster.now_us
    agrees_on(cluster, "box1", within_s=3)  # it outranks; after a hand-over by box2
    kinds = [event.kind for event in told(leader, since_us)]
    assert kinds[0] is EventKind.DEPOSED
    assert EventKind.DEPOSED in [event.kind for event in told(cluster.hosts[1], since_us)]


@pytest.mark.parametrize("seed", SEEDS)
def test_067_starved_follower(seed: int) -> None:
    cluster = settled(100, 90, 80, seed=seed)
    since_us, before = cluster.now_us, term(cluster)
    for _ in range(60):
        cluster.pause(cluster.hosts[1], until_us=cluster.now_us + 400 * MS)
        cluster.run(cluster.rng.randrange(400 * MS, 900 * MS))
    assert disturbed(cluster, since_us) == []
    assert term(cluster) == before


@pytest.mark.parametrize("stall_ms", [100, 250, 400])
@pytest.mark.parametrize("seed", SEEDS)
def test_067_starved_leader(seed: int, stall_ms: int) -> None:
    """Shorter than the leader timeout: nobody takes over; of its own users it is true to itself."""
    cluster = settled(100, 90, 80, seed=seed)
    since_us = cluster.now_us
    for _ in range(10):
        cluster.pause(cluster.hosts[0], until_us=cluster.now_us + stall_ms * MS)
        cluster.run(2 * SECOND)
    assert [e for e in told(cluster.hosts[1], since_us) if e.leader and e.leader.name != "box1"] == []
    assert cluster.agreed() == "box1"


@pytest.mark.parametrize("seed", SEEDS)
def test_085_slow_disk(seed: int) -> None:
    """Every write takes 3 s: heartbeats are on time, and no claim goes above what is durable (the checker looks)."""
    cluster = cold(100, 90, 80, seed=seed)
    for host in cluster.hosts:
        host.disk_us = 3 * SECOND
    cluster.start_all()
    agrees_on(cluster, "box1", within_s=10)
    cluster.run(10 * SECOND)
    since_us = cluster.now_us
    cluster.run(20 * SECOND)
    assert disturbed(cluster, since_us) == []
    cluster.crash(cluster.hosts[0])
    assert leaderless_us(cluster, 5 * SECOND) < 2 * SECOND  # the ceiling was raised ahead


@pytest.mark.parametrize("seed", SEEDS)
def test_086_disk_that_cannot_be_written(seed: int) -> None:
    cluster = settled(100, 90, 80, seed=seed)
    leader = cluster.hosts[0]
    cluster.enter(leader, lambda core: core.set_unfit(Ineligible.STATE_NOT_WRITABLE, now_us=cluster.now_us))
    agrees_on(cluster, "box2", within_s=2)
    cluster.run(10 * SECOND)
    assert leader.role is Role.FOLLOWER
    cluster.enter(leader, lambda core: core.set_unfit(Ineligible.STATE_NOT_WRITABLE, until_us=0, now_us=cluster.now_us))
    agrees_on(cluster, "box1", within_s=5)


@pytest.mark.parametrize("who", [0, 1])
@pytest.mark.parametrize("seed", SEEDS)
def test_091_suspend(seed: int, who: int) -> None:
    """Minutes asleep (the clock counts them): not known at the first step, and then as everybody says."""
    cluster = settled(100, 90, 80, seed=seed)
    host = cluster.hosts[who]
    cluster.pause(host, until_us=cluster.now_us + 300 * SECOND)
    cluster.run(300 * SECOND - 1)
    others = [other for other in cluster.hosts if other is not host]
    assert cluster.agreed(others) == ("box2" if who == 0 else "box1")
    assert host.core is not None
    assert host.core.status(cluster.now_us + 1).leader is None
    agrees_on(cluster, "box1", within_s=5)


@pytest.mark.parametrize("seed", SEEDS)
def test_099_replay_all(seed: int) -> None:
    """A minute of everybody's traffic, replayed to all, and to one that has just started and knows nothing."""
    cluster = cold(100, 90, 80, 70, seed=seed)
    cluster.mail.record = []
    for host in cluster.hosts[:3]:
        cluster.start(host)
    cluster.run(20 * SECOND)
    cluster.crash(cluster.hosts[0])
    cluster.run(20 * SECOND)
    recorded, cluster.mail.record = cluster.mail.record, None
    fresh = cluster.hosts[3]
    cluster.start(fresh)
    cluster.run(100 * MS)
    since_us, before = cluster.now_us, term(cluster)
    for number, (source, target, data) in enumerate(recorded):
        for receiver in {target, fresh.index}:
            cluster.network.send(data, source=source, target=receiver, multicast=True, now_us=cluster.now_us)
        if number % 20 == 0:
            cluster.run(2 * MS)
    cluster.run(SECOND)
    assert disturbed(cluster, since_us, among=cluster.hosts[1:3]) == []
    assert (cluster.agreed(), term(cluster)) == ("box2", before)
    assert [event.leader.name for event in told(fresh) if event.leader] == ["box2"]


@pytest.mark.parametrize("seed", SEEDS)
def test_100_old_session_after_a_restart(seed: int) -> None:
    """What a host said before it was restarted, replayed: probes, few of them, and nothing else."""
    cluster = settled(100, 90, 80, seed=seed)
    cluster.mail.record = []
    cluster.run(5 * SECOND)
    recorded, cluster.mail.record = cluster.mail.record, []
    cluster.crash(cluster.hosts[0])
    cluster.run(SECOND)
    cluster.start(cluster.hosts[0])
    agrees_on(cluster, "box1", within_s=4)
    cluster.run(SECOND)
    since_us = cluster.now_us
    cluster.mail.record = []
    for source, target, data in recorded:
        if source == 0 and target == 1:
            cluster.network.send(data, source=source, target=target, multicast=False, now_us=cluster.now_us)
            cluster.run(10 * MS)
    probes = [data for source, target, data in cluster.mail.record if (source, target) == (1, 0) and data[3] == 3]
    assert len(probes) <= (cluster.now_us - since_us) / (200 * MS) + 1
    assert disturbed(cluster, since_us) == []


@pytest.mark.parametrize("seed", SEEDS)
def test_097_survey_names_the_dead(seed: int) -> None:
    cluster = settled(*[100 + n for n in range(20)], seed=seed)
    asker = cluster.hosts[0]
    for host in cluster.hosts[5:8]:
        cluster.crash(host)
    cluster.run(2 * SECOND)
    cluster.enter(asker, lambda core: core.survey(1, now_us=cluster.now_us))
    assert cluster.run_until(lambda: bool(asker.surveys), SECOND)
    rows = asker.surveys[0].rows
    assert len(rows) == 20
    assert {row.name for row in rows if not row.ok} == {"box6", "box7", "box8"}
    assert {row.leader_name for row in rows if row.ok} == {"box20"}


@pytest.mark.parametrize("seed", SEEDS)
def test_058_everybody_restarts_at_random(seed: int) -> None:
    cluster = settled(10, 20, 30, seed=seed)
    for _ in range(40):
        host = cluster.rng.choice(cluster.hosts)
        if host.core is None:
            cluster.start(host)
        else:
            cluster.crash(host)
        cluster.run(cluster.rng.randrange(2 * SECOND))
    for host in cluster.hosts:
        if host.core is None:
            cluster.start(host)
    agrees_on(cluster, "box3", within_s=5)
    never_two_leaders(cluster, 5 * SECOND)
