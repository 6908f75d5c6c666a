"""Cuts of every shape, and what is left when they heal."""

import itertools

import pytest

from kingd.core.effect import EventKind
from kingd.core.timing import MS, SECOND
from kingd.core.wire.message import Role
from kingd.sim.cluster import Cluster
from kingd.sim.host import Host
from kingd.sim.network import Weather
from tests.scenarios.world import (
    SEEDS,
    agrees_on,
    best,
    cold,
    disturbed,
    leaderless_us,
    never_two_leaders,
    problems,
    roles,
    settled,
    term,
    told,
)


@pytest.mark.parametrize("seed", SEEDS)
def test_055_netsplit_heal_2(seed: int) -> None:
    """One against one: each leads alone; healed, one does, at once, under a term above both."""
    cluster = settled(100, 90, seed=seed)
    cluster.partition([cluster.hosts[0]], [cluster.hosts[1]])
    cluster.run(10 * SECOND)
    assert roles(cluster) == (Role.LEADER, Role.LEADER)
    terms = [host.core.node.ballot.term for host in cluster.hosts if host.core]
    since_us = cluster.now_us
    cluster.network.heal()
    agrees_on(cluster, "box1", within_s=1)
    assert term(cluster) > max(terms)
    cluster.run(5 * SECOND)
    assert disturbed(cluster, since_us, among=cluster.hosts[:1]) == []
    assert EventKind.OVERLAP_RESOLVED in [e.kind for _, e in cluster.hosts[0].events]


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("sides", [2, 3, 5])
def test_056_netsplit_heal_n(seed: int, sides: int) -> None:
    cluster = settled(50, 60, 70, 80, 90, seed=seed)
    parts = [cluster.hosts[n::sides] for n in range(sides)]
    cluster.partition(*parts)
    for part in parts:
        agrees_on(cluster, best(part).name, within_s=5, among=part)
    cluster.run(5 * SECOND)
    cluster.network.heal()
    agrees_on(cluster, "box5", within_s=3)
    cluster.run(SECOND)
    ballots = {host.core.node.leader for host in cluster.hosts if host.core}
    assert len(ballots) == 1


@pytest.mark.parametrize("seed", SEEDS)
def test_058_random_netsplits(seed: int) -> None:
    """Cut and heal at random for a minute; the invariants are checked after every effect; then all agree."""
    cluster = settled(10, 20, 30, 40, seed=seed)
    rng = cluster.rng
    for _ in range(60):
        if rng.random() < 0.4:
            cluster.network.heal()
        else:
            a, b = rng.sample(cluster.hosts, 2)
            cluster.cut(a, b, one_way=rng.random() < 0.5)
        cluster.run(rng.randrange(SECOND * 2))
    cluster.network.heal()
    agrees_on(cluster, "box4", within_s=5)


# -- one-way links


@pytest.mark.parametrize("seed", SEEDS)
def test_068_abdicate(seed: int) -> None:
    """A leader goes deaf: the others elect another one, and it, which cannot know, leads nobody and does not flap."""
    cluster = settled(100, 90, 80, seed=seed)
    deaf, others = cluster.hosts[0], cluster.hosts[1:]
    for other in others:
        cluster.cut(other, deaf, one_way=True)
    agrees_on(cluster, "box2", within_s=4, among=others)
    since_us = cluster.now_us
    cluster.run(60 * SECOND)
    assert disturbed(cluster, since_us) == []
    cluster.network.heal()
    agrees_on(cluster, "box1", within_s=5)


@pytest.mark.parametrize("seed", SEEDS)
def test_068_only_follower_of_a_deaf_leader_does_not_lead_beside_it(seed: int) -> None:
    """It hears that leader, and nobody grants it anything: one leader is left."""
    cluster = settled(100, 90, seed=seed)
    deaf, other = cluster.hosts
    cluster.cut(other, deaf, one_way=True)
    never_two_leaders(cluster, 60 * SECOND)
    assert deaf.role is Role.LEADER
    assert len(told(deaf)) == 1
    cluster.network.heal()
    agrees_on(cluster, "box1", within_s=5)


@pytest.mark.parametrize("seed", SEEDS)
def test_068_mute_leader_is_replaced_and_does_not_come_back_before_it_is_heard(seed: int) -> None:
    cluster = settled(100, 90, 80, seed=seed)
    leader, others = cluster.hosts[0], cluster.hosts[1:]
    for other in others:
        cluster.cut(leader, other, one_way=True)
    agrees_on(cluster, "box2", within_s=2, among=others)
    cluster.run(5 * SECOND)
    assert leader.role is not Role.LEADER  # it hears another one, and has no round trip with anybody
    since_us = cluster.now_us
    cluster.run(60 * SECOND)
    assert disturbed(cluster, since_us) == []
    cluster.network.heal()
    agrees_on(cluster, "box1", within_s=5)


LINKS = [(a, b) for a in range(3) for b in range(3) if a != b]
MATRICES = [frozenset(cut) for size in range(7) for cut in itertools.combinations(LINKS, size)]


def has_mutual_link(host: Host, cuts: frozenset[tuple[int, int]]) -> bool:
    return any((host.index, n) not in cuts and (n, host.index) not in cuts for n in range(3) if n != host.index)


@pytest.mark.slow
@pytest.mark.parametrize("start", ["healthy", "cold"])
def test_069_one_way_matrix(start: str) -> None:
    """All 64 matrices of three nodes: nobody with a mutual link is tossed about, and all heal to the top."""
    for cuts in MATRICES:
        cluster = settled(100, 90, 80) if start == "healthy" else cold(100, 90, 80)
        cluster.network.cuts |= cuts
        if start == "cold":
            cluster.start_all()
        cluster.run(12 * SECOND)
        settled_us = cluster.now_us
        cluster.run(12 * SECOND)
        linked = [host for host in cluster.hosts if has_mutual_link(host, cuts)]
        assert disturbed(cluster, settled_us, among=linked) == [], sorted(cuts)
        cluster.network.heal()
        agrees_on(cluster, "box1", within_s=10)


@pytest.mark.parametrize("one_way", [False, True])
@pytest.mark.parametrize("pair", list(itertools.combinations(range(5), 2)))
def test_070_asymmetric_mesh(pair: tuple[int, int], one_way: bool) -> None:
    """Five nodes with one dead or one-way link: it comes to rest, and no third node loses its leader meanwhile."""
    cluster = settled(100, 90, 80, 70, 60)
    cluster.cut(cluster.hosts[pair[0]], cluster.hosts[pair[1]], one_way=one_way)
    cluster.run(5 * SECOND)
    since_us = cluster.now_us
    cluster.run(20 * SECOND)
    assert disturbed(cluster, since_us) == []
    reach_box1 = [host for host in cluster.hosts if 0 not in pair or host.index not in pair or host.index == 0]
    assert cluster.agreed(reach_box1) == "box1"


@pytest.mark.parametrize("seed", SEEDS)
def test_073_chained(seed: int) -> None:
    """A - B - C: the ends do not hear each other. One of them or the middle leads, and it stays so."""
    for priorities in ((100, 90, 80), (90, 100, 80), (80, 90, 100)):
        cluster = cold(*priorities, seed=seed)
        cluster.cut(cluster.hosts[0], cluster.hosts[2])
        cluster.start_all()
        cluster.run(15 * SECOND)
        since_us, before = cluster.now_us, [h.core.node.term_seen for h in cluster.hosts if h.core]
        cluster.run(60 * SECOND)
        assert disturbed(cluster, since_us) == []
        middle = cluster.hosts[1]
        assert cluster.view(middle) is not None
        assert max(h.core.node.term_seen for h in cluster.hosts if h.core) <= max(before) + 60


@pytest.mark.parametrize("seed", SEEDS)
def test_074_hub_livelock(seed: int) -> None:
    """Five nodes, 4-2 and 5-3 dead, box4 leads: it is not disturbed."""
    cluster = settled(10, 20, 30, 100, 50, seed=seed)
    since_us, before = cluster.now_us, term(cluster)
    cluster.cut(cluster.hosts[3], cluster.hosts[1])
    cluster.cut(cluster.hosts[4], cluster.hosts[2])
    cluster.run(60 * SECOND)
    linked = [host for host in cluster.hosts if host.name != "box2"]
    assert disturbed(cluster, since_us, among=linked) == []
    assert term(cluster) == before
    cluster.network.heal()
    agrees_on(cluster, "box4", within_s=5)


@pytest.mark.parametrize("seed", SEEDS)
def test_103_merge_tokens(seed: int) -> None:
    """The side that loses has seen far higher terms: nobody follows the winner before its token is above them."""
    cluster = settled(100, 90, 80, 70, seed=seed)
    winners, losers = cluster.hosts[:2], cluster.hosts[2:]
    cluster.partition(winners, losers)
    cluster.run(2 * SECOND)
    for _ in range(6):
        cluster.crash(losers[0])
        cluster.run(1_500 * MS)
        cluster.start(losers[0])
        cluster.run(2_500 * MS)
    highest = max(h.core.node.leader.term for h in losers if h.core)
    assert highest > term_of(winners[0])
    shown: list[int] = []
    cluster.network.heal()
    assert cluster.run_until(lambda: note_term_of_box1(cluster, losers[1], shown), 5 * SECOND)
    assert shown[0] > highest
    agrees_on(cluster, "box1", within_s=2)


def note_term_of_box1(cluster: Cluster, host: Host, terms: list[int]) -> bool:
    """The terms under which this host's users see box1 lead."""
    assert host.core is not None
    facts = host.core.status(cluster.now_us)
    if facts.leader is not None and facts.leader.name == "box1":
        terms.append(facts.ballot.term)
    return bool(terms)


def term_of(host: Host) -> int:
    assert host.core is not None
    return host.core.node.leader.term


@pytest.mark.parametrize("seed", SEEDS)
def test_104_mutual_drain(seed: int) -> None:
    """Priorities are exchanged while two leaders merge: there is one leader a moment later; the better one at the latest when
    the other, who may have given it a ticket in vain, offers it leadership again (protocol.md 4.5: after 10 s)."""
    for delay_us in range(0, 6_000, 500):
        cluster = settled(100, 90, 80, seed=seed)
        box1, box2, box3 = cluster.hosts
        cluster.partition([box1], [box2, box3])
        cluster.run(5 * SECOND)
        cluster.network.heal()
        run_until_one_has_resigned(cluster)
        cluster.run(delay_us)
        cluster.set_priority(box1, 90)
        cluster.set_priority(box2, 100)
        assert cluster.run_until(lambda: cluster.agreed() is not None, 3 * SECOND)  # noqa: B023 - called at once
        agrees_on(cluster, "box2", within_s=12)


def run_until_one_has_resigned(cluster: Cluster) -> None:
    assert cluster.run_until(lambda: len(cluster.leaders()) < 2, 2 * SECOND)


@pytest.mark.parametrize("seed", SEEDS)
def test_105_orphan_ring(seed: int) -> None:
    """An odd one-way ring: retries become rare, and any mutual link ends it."""
    cluster = cold(100, 90, 80, seed=seed)
    cluster.network.cuts |= {(1, 0), (2, 1), (0, 2)}  # 0 -> 1 -> 2 -> 0 is left
    cluster.start_all()
    cluster.run(120 * SECOND)
    since_us = cluster.now_us
    cluster.run(120 * SECOND)
    assert len(disturbed(cluster, since_us)) <= 3 * 12
    cluster.network.cuts.discard((1, 0))
    cluster.run(70 * SECOND)
    since_us = cluster.now_us
    cluster.run(60 * SECOND)
    assert disturbed(cluster, since_us, among=cluster.hosts[:2]) == []
    assert cluster.agreed(cluster.hosts[:2]) is not None


# -- multicast and unicast apart


@pytest.mark.parametrize("seed", SEEDS)
def test_093_mcast_ageout(seed: int) -> None:
    """The switch stops forwarding multicast to everybody: polled by unicast, no election, and status says so."""
    cluster = settled(100, 90, 80, 70, seed=seed)
    since_us = cluster.now_us
    for a, b in itertools.permutations(range(4), 2):
        cluster.network.multicast_cuts.add((a, b))
    cluster.run(60 * SECOND)
    assert disturbed(cluster, since_us) == []
    for host in cluster.hosts[1:]:
        assert any("does not arrive" in sentence for sentence in problems(host, cluster.now_us))
    cluster.crash(cluster.hosts[0])
    assert leaderless_us(cluster, 3 * SECOND) < 2 * SECOND


@pytest.mark.parametrize("seed", SEEDS)
def test_094_ucast_blocked(seed: int) -> None:
    """Multicast passes, unicast does not: never a member, never anybody's leader, and status says why."""
    cluster = cold(100, 90, 80, seed=seed)
    walled = cluster.hosts[0]
    for other in cluster.hosts[1:]:
        cluster.network.unicast_cuts |= {(0, other.index), (other.index, 0)}
    cluster.start_all()
    agrees_on(cluster, "box2", within_s=5, among=cluster.hosts[1:])
    cluster.run(10 * SECOND)
    since_us = cluster.now_us
    cluster.run(30 * SECOND)
    assert disturbed(cluster, since_us, among=cluster.hosts[1:]) == []
    assert walled.role is not Role.LEADER
    assert any("does not answer" in sentence for sentence in problems(walled, cluster.now_us))
    cluster.network.heal()
    agrees_on(cluster, "box1", within_s=10)


@pytest.mark.parametrize("seed", SEEDS)
def test_021_twenty_percent_loss_for_a_minute(seed: int) -> None:
    cluster = settled(100, 90, 80, seed=seed)
    since_us = cluster.now_us
    cluster.network.weather = Weather(loss_rate=0.2, duplicate_rate=0.05, slow_rate=0.05)
    cluster.run(60 * SECOND)
    assert disturbed(cluster, since_us) == []


@pytest.mark.parametrize("seed", SEEDS)
def test_095_renumber(seed: int) -> None:
    """The leader's cable is out for a moment: nothing happens. For longer: one change there, and one back."""
    cluster = settled(100, 90, 80, seed=seed)
    leader = cluster.hosts[0]
    since_us = cluster.now_us
    cluster.unplug(leader)
    cluster.run(200 * MS)
    cluster.plug(leader)
    cluster.run(5 * SECOND)
    assert disturbed(cluster, since_us) == []
    cluster.unplug(leader)
    cluster.run(3 * SECOND)
    assert (cluster.view(leader), cluster.agreed(cluster.hosts[1:])) == (None, "box2")
    cluster.plug(leader)
    agrees_on(cluster, "box1", within_s=3)
    kinds = [event.kind for event in told(cluster.hosts[2], since_us)]
    assert kinds == [EventKind.LEADER_LOST, EventKind.LEADER_CHANGED, EventKind.LEADER_CHANGED]


def test_worlds_are_reproducible() -> None:
    def run() -> Cluster:
        cluster = settled(100, 90, 80, seed=7, weather=Weather(loss_rate=0.1))
        cluster.crash(cluster.hosts[0])
        cluster.run(5 * SECOND)
        return cluster

    assert run().driver.digest == run().driver.digest
