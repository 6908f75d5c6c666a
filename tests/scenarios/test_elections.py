"""Who is elected, and who is left alone."""

import pytest

from kingd.core.timing import MS, SECOND
from kingd.core.wire.codec import encode
from kingd.core.wire.message import NO_BALLOT, Claim, Role, Term
from kingd.core.wire.seal import Seal
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
    roles,
    settled,
    term,
    told,
)
from tests.unit.scripted import Peer


@pytest.mark.parametrize("seed", SEEDS)
def test_001_leader_election(seed: int) -> None:
    """Whoever can be reached elects the best of them: all five, four, or two."""
    for running in (5, 4, 2):
        cluster = cold(10, 20, 30, 40, 50, seed=seed)
        started = cluster.hosts[:running]
        for host in started:
            cluster.start(host)
        agrees_on(cluster, best(started).name, within_s=2)


@pytest.mark.parametrize("seed", SEEDS)
def test_002_leader_cycle(seed: int) -> None:
    """Each leads in its turn when the one before it has left; the terms rise."""
    cluster = settled(50, 40, 30, 20, seed=seed)
    terms = [term(cluster)]
    for leader, heir in zip(cluster.hosts, cluster.hosts[1:], strict=False):
        cluster.stop(leader)
        agrees_on(cluster, heir.name, within_s=1)
        terms.append(term(cluster))
    assert terms == sorted(set(terms))


@pytest.mark.parametrize("seed", SEEDS)
def test_004_dueling_candidates(seed: int) -> None:
    """Two claim at once; a third, which claimed alone for a while, comes to them and disturbs nobody."""
    cluster = cold(100, 90, 80, seed=seed)
    box1, box2, box3 = cluster.hosts
    cluster.partition([box1, box2], [box3])
    cluster.start_all()
    agrees_on(cluster, "box1", within_s=3, among=[box1, box2])
    agrees_on(cluster, "box3", within_s=3, among=[box3])
    for _ in range(5):  # it climbs
        cluster.crash(box3)
        cluster.start(box3)
        cluster.run(2 * SECOND)
    since_us = cluster.now_us
    cluster.network.heal()
    agrees_on(cluster, "box1", within_s=3)
    cluster.run(5 * SECOND)
    assert disturbed(cluster, since_us, among=[box1, box2]) == []


@pytest.mark.parametrize("seed", SEEDS)
def test_005_dueling_preparations(seed: int) -> None:
    """Two outrank the leader at the same time: one hand-over, one term more."""
    cluster = settled(10, 5, 1, seed=seed)
    before = term(cluster)
    for host, priority in zip(cluster.hosts[1:], (50, 40), strict=True):
        cluster.set_priority(host, priority)
    agrees_on(cluster, "box2", within_s=3)
    cluster.run(5 * SECOND)
    assert cluster.agreed() == "box2"
    assert term(cluster) <= before + 2


@pytest.mark.parametrize("seed", SEEDS)
def test_007_single_node(seed: int) -> None:
    """Alone it leads when the join wait is over, and does not flap."""
    cluster = settled(100, seed=seed)
    cluster.run(120 * SECOND)
    assert len(told(cluster.hosts[0])) == 1


@pytest.mark.parametrize("seed", SEEDS)
def test_008_old_messages(seed: int) -> None:
    """All that was sent in the last minute comes again: nothing changes anywhere."""
    cluster = cold(100, 90, 80, seed=seed)
    cluster.mail.record = []
    cluster.start_all()
    cluster.run(10 * SECOND)
    cluster.stop(cluster.hosts[0])
    agrees_on(cluster, "box2", within_s=2)
    cluster.run(10 * SECOND)
    since_us, before = cluster.now_us, term(cluster)
    recorded, cluster.mail.record = cluster.mail.record, None
    for number, (source, target, data) in enumerate(recorded):
        cluster.network.send(data, source=source, target=target, multicast=False, now_us=cluster.now_us)
        if number % 50 == 0:
            cluster.run(5 * MS)
    cluster.run(5 * SECOND)
    assert disturbed(cluster, since_us) == []
    assert (cluster.agreed(), term(cluster)) == ("box2", before)


FORBIDDEN = {
    (Role.JOINING, Role.LEADER),
    (Role.FOLLOWER, Role.LEADER),
    (Role.LEADER, Role.CANDIDATE),
}


@pytest.mark.parametrize("seed", SEEDS)
def test_010_state_transition(seed: int) -> None:
    """Nobody leads without a claim; nobody who leads is a candidate (it raises its term and leads on)."""
    cluster = cold(100, 90, 80, seed=seed, weather=Weather(loss_rate=0.1))
    seen = set()
    last = list(roles(cluster))

    def watch() -> bool:
        for index, role in enumerate(roles(cluster)):
            if role is not last[index]:
                seen.add((last[index], role))
                last[index] = role
        return False

    cluster.start_all()
    for victim in (0, 1, 0, 2):
        cluster.run_until(watch, 4 * SECOND)
        cluster.partition([cluster.hosts[victim]], [h for h in cluster.hosts if h.index != victim])
        cluster.run_until(watch, 4 * SECOND)
        cluster.network.heal()
    cluster.run_until(watch, 10 * SECOND)
    assert len(seen) > 5
    assert not seen & FORBIDDEN


@pytest.mark.parametrize("seed", SEEDS)
def test_012_candidate_reset_by_heartbeat(seed: int) -> None:
    """A node that claimed ever higher on its own comes back: it follows, and the leader leads on under a term above."""
    cluster = settled(100, 90, 80, seed=seed)
    lost = cluster.hosts[2]
    cluster.cut(cluster.hosts[0], lost)
    cluster.cut(cluster.hosts[1], lost)
    cluster.run(30 * SECOND)
    since_us = cluster.now_us
    cluster.network.heal()
    agrees_on(cluster, "box1", within_s=3)
    assert disturbed(cluster, since_us, among=[cluster.hosts[0], cluster.hosts[1]]) == []


@pytest.mark.parametrize("seed", SEEDS)
def test_019_free_stuck_candidate(seed: int) -> None:
    """One whose promises went far ahead is freed by a raise; nobody loses leadership; the token has risen."""
    cluster = settled(100, 90, 80, seed=seed)
    stuck, before = cluster.hosts[2], term(cluster)
    cluster.crash(stuck)
    stuck.ceiling = Term(1000)
    cluster.start(stuck)
    cluster.cut(cluster.hosts[0], stuck)
    cluster.cut(cluster.hosts[1], stuck)
    cluster.run(5 * SECOND)
    since_us = cluster.now_us
    cluster.network.heal()
    agrees_on(cluster, "box1", within_s=3)
    assert term(cluster) > max(before, 1000)
    assert disturbed(cluster, since_us, among=[cluster.hosts[0], cluster.hosts[1]]) == []


@pytest.mark.parametrize("seed", SEEDS)
def test_021_disruptive_follower(seed: int) -> None:
    """It hears nothing of the leader, and suspects it: nobody grants, and the leader is not disturbed."""
    cluster = settled(100, 90, 80, seed=seed)
    leader, others, follower = cluster.hosts[0], cluster.hosts[1], cluster.hosts[2]
    before, since_us = term(cluster), cluster.now_us
    cluster.cut(leader, follower, one_way=True)
    cluster.run(20 * SECOND)
    assert disturbed(cluster, since_us, among=[leader, others]) == []
    assert term(cluster) == before
    cluster.network.heal()
    agrees_on(cluster, "box1", within_s=3)


@pytest.mark.parametrize("seed", SEEDS)
def test_022_disruptive_follower_returns(seed: int) -> None:
    """A follower is cut off for less than it takes to be suspected of anything: the term stays."""
    cluster = settled(100, 90, 80, seed=seed)
    before, since_us = term(cluster), cluster.now_us
    for _ in range(10):
        cluster.partition([cluster.hosts[2]], cluster.hosts[:2])
        cluster.run(350 * MS)
        cluster.network.heal()
        cluster.run(SECOND)
    assert disturbed(cluster, since_us) == []
    assert term(cluster) == before


@pytest.mark.parametrize("seed", SEEDS)
def test_033_smaller_term_completes(seed: int) -> None:
    """The only one left knows lower terms than the two that are gone: it leads all the same."""
    cluster = settled(50, 90, 100, seed=seed)
    box1, box2, box3 = cluster.hosts
    cluster.partition([box1], [box2, box3])
    for _ in range(3):
        cluster.crash(box3)
        cluster.run(2 * SECOND)
        cluster.start(box3)
        cluster.run(2 * SECOND)
    cluster.network.heal()
    cluster.crash(box3)
    agrees_on(cluster, "box2", within_s=5)
    cluster.crash(box2)
    agrees_on(cluster, "box1", within_s=2)


@pytest.mark.parametrize("seed", range(8))
def test_034_split_votes(seed: int) -> None:
    """Two of four candidates got a grant each while the leader's host died: one retry by rank, not a standstill."""
    cluster = settled(100, 90, 90, 90, 90, seed=seed, weather=Weather(delay_max_us=20_000))
    cluster.crash(cluster.hosts[0])
    assert leaderless_us(cluster, 3 * SECOND, among=cluster.hosts[1:]) < 2 * SECOND
    assert cluster.agreed() == best(cluster.hosts[1:]).name


@pytest.mark.parametrize("seed", SEEDS)
def test_036_learner(seed: int) -> None:
    """Priority 0 never claims, not even as the last one; it grants and follows."""
    cluster = settled(100, 90, 0, seed=seed)
    cluster.crash(cluster.hosts[0])
    agrees_on(cluster, "box2", within_s=2)
    cluster.crash(cluster.hosts[1])
    cluster.run(60 * SECOND)
    assert cluster.view(cluster.hosts[2]) is None
    assert Role.LEADER not in roles(cluster)


def test_040_one_round() -> None:
    """Messages of one election with N others: N claims, N grants, and the heartbeats."""
    cluster = settled(100, 90, 80, 70, 60)
    cluster.stop(cluster.hosts[4])
    cluster.run(SECOND)
    cluster.mail.record = []
    cluster.crash(cluster.hosts[0])
    agrees_on(cluster, "box2", within_s=2)
    kinds = [data[3] for _, _, data in cluster.mail.record]
    assert kinds.count(5) <= 3 * 4  # claims: the dead one is asked four times
    assert kinds.count(6) == 2
    assert kinds.count(7) == kinds.count(8) == 0  # no refusal, no resignation


@pytest.mark.parametrize("seed", SEEDS)
def test_044_node_that_stalls_again_and_again_suspects_nobody(seed: int) -> None:
    cluster = settled(100, 90, 80, seed=seed)
    since_us, before = cluster.now_us, term(cluster)
    for _ in range(20):
        cluster.pause(cluster.hosts[2], until_us=cluster.now_us + 1_500 * MS)
        cluster.run(2_500 * MS)
    assert disturbed(cluster, since_us) == []
    assert term(cluster) == before


@pytest.mark.parametrize("seed", SEEDS)
def test_057_incremental_join(seed: int) -> None:
    """Grown one at a time: never two, and who joins does not elect itself while a leader is audible."""
    cluster = cold(10, 20, 30, 40, 50, 60, seed=seed)
    cluster.start(cluster.hosts[0])
    agrees_on(cluster, "box1", within_s=2)
    for host in cluster.hosts[1:]:
        cluster.start(host)
        never_two_leaders(cluster, 3 * SECOND)
        assert cluster.agreed() == host.name
        assert told(host)[0].kind == "leader-changed"


@pytest.mark.parametrize("seed", SEEDS)
def test_059_higher_node_comes_to_a_full_house(seed: int) -> None:
    cluster = cold(10, 20, 30, 40, seed=seed)
    for host in cluster.hosts[:3]:
        cluster.start(host)
    agrees_on(cluster, "box3", within_s=3)
    cluster.start(cluster.hosts[3])
    agrees_on(cluster, "box4", within_s=2)


@pytest.mark.parametrize("seed", SEEDS)
def test_062_first_two_die_together(seed: int) -> None:
    """The third claims one slot later, and there is no duel."""
    cluster = settled(100, 90, 80, 70, seed=seed)
    cluster.mail.record = []
    cluster.crash(cluster.hosts[0])
    cluster.crash(cluster.hosts[1])
    agrees_on(cluster, "box3", within_s=2)
    assert {source for source, _, data in cluster.mail.record if data[3] == 5} == {2}


@pytest.mark.parametrize("seed", SEEDS)
def test_081_power_off_two(seed: int) -> None:
    """Leader and its heir cut at once: a timeout, a slot and a claim."""
    cluster = settled(100, 90, 80, 70, seed=seed)
    cluster.crash(cluster.hosts[0])
    cluster.crash(cluster.hosts[1])
    assert leaderless_us(cluster, 3 * SECOND) <= (500 + 150 + 250 + 150) * MS


@pytest.mark.parametrize("seed", SEEDS)
def test_084_restart_inside_a_promise(seed: int) -> None:
    """A voter dies just after its grant and is back at once: still one leader."""
    cluster = settled(100, 90, 80, seed=seed)
    voter = cluster.hosts[2]
    cluster.crash(cluster.hosts[0])
    assert cluster.run_until(lambda: has_promised_to_a_candidate(voter), 2 * SECOND)
    cluster.crash(voter)
    cluster.run(50 * MS)
    cluster.start(voter)
    never_two_leaders(cluster, 5 * SECOND)
    assert cluster.agreed() == "box2"


def has_promised_to_a_candidate(host: Host) -> bool:
    assert host.core is not None
    promise = host.core.node.promise
    return promise.led == NO_BALLOT and promise.until_us > 0


def test_claims_are_what_byte_3_says() -> None:
    """The tests above, and those of test_many.py, count kinds by the type byte of the header."""
    assert encode(Peer(node=1).says(Claim(term=Term(1), attempt=1)), Seal())[3] == 5
