"""A voter that has lost its state votes when enough others have told it what it may have promised. docs/quorum.md 5."""

import itertools
from dataclasses import replace
from unittest.mock import patch

import pytest

from kingd.core.effect import EventKind
from kingd.core.rules import quorum
from kingd.core.rules.majority import majority
from kingd.core.settings import Voters
from kingd.core.state.members import Member
from kingd.core.state.node import Node
from kingd.core.timing import MS, SECOND, Timing
from kingd.core.wire.message import Term
from kingd.core.wire.voter_list import Generation
from kingd.sim.cluster import Cluster, hosts
from kingd.sim.host import Host
from kingd.sim.outcome import SafetyError
from tests.scenarios.test_quorum import FIVE, FOUR, THREE, run_with_one_leader, say_that_they_lead
from tests.scenarios.world import SEEDS, agrees_on, settled, term, told

WIFI = Timing(heartbeat_us=SECOND, leader_timeout_us=5 * SECOND)


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


@pytest.mark.parametrize("timing", [Timing(), Timing(leader_timeout_us=5 * SECOND)])
def test_host_that_voted_under_another_name_recovers(timing: Timing) -> None:
    """box1 leads by box3, which dies. The spare box4, which voted before it left the list, gets box3's name with its own state:
    it knew what box4 promised, and elected box2 beside box1."""
    cluster = settled(40, 0, 0, 0, voters=FOUR)
    box1, box2, box3, box4 = cluster.hosts
    for host in cluster.hosts:
        cluster.set_voters(host, THREE)
    cluster.run(4 * SECOND)
    cluster.stop(box4)
    cluster.partition([box1, box3], [box2])
    for _ in range(2):  # to a term above what box4 has seen
        cluster.crash(box1)
        box1.settings = replace(box1.settings, timing=timing)
        cluster.start(box1)
        agrees_on(cluster, "box1", within_s=40, among=[box1, box3])
    cluster.crash(box3)
    assert box4.hold_us > 0
    box4.settings = replace(box4.settings, name="box3")
    cluster.network.cuts.clear()
    cluster.partition([box1], [box2, box4])
    cluster.set_priority(box2, 20)
    cluster.start(box4)
    run_with_one_leader(cluster, 15 * SECOND)
    assert box4.core is not None
    assert box4.core.node.is_recovering
    cluster.network.cuts.clear()
    agrees_on(cluster, "box1", within_s=20, among=[box1, box2, box4])
    node = box4.core.node
    assert cluster.run_until(lambda: not node.is_recovering, SECOND)


@pytest.mark.parametrize("moves", [True, False])
@pytest.mark.parametrize("timing", [Timing(), WIFI])
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


def linked(cluster: Cluster, *pairs: tuple[Host, Host]) -> None:
    """Only these hear each other."""
    cluster.network.cuts.clear()
    links = [{a.index, b.index} for a, b in pairs]
    for a, b in itertools.combinations(cluster.hosts, 2):
        if {a.index, b.index} not in links:
            cluster.cut(a, b)


def led_by_an_observer() -> Cluster:
    """box4 leads three that only vote."""
    cluster = settled(0, 0, 0, 40, voters=THREE)
    assert say_that_they_lead(cluster) == ["box4"]
    return cluster


def test_longer_lease_counts_when_a_majority_tells_of_it() -> None:
    """box4's timing is reloaded while only box1 hears it, which then loses its state, and asks the others; box2 promises
    for longer only after that. The lease was of two votes, and box1 elected box3 meanwhile."""
    cluster = led_by_an_observer()
    box1, box2, box3, box4 = cluster.hosts
    cluster.partition([box4, box1], [box2, box3])
    cluster.set_timing(box4, replace(Timing(), leader_timeout_us=5 * SECOND))
    cluster.run(350 * MS)
    cluster.crash(box1)
    cluster.forget(box1)
    cluster.network.cuts.clear()
    cluster.partition([box4], [box1, box2, box3])
    cluster.start(box1)
    cluster.run(1200 * MS)  # it has asked
    cluster.network.cuts.clear()
    cluster.partition([box4, box2], [box1, box3])
    cluster.set_priority(box3, 30)
    run_with_one_leader(cluster, 15 * SECOND)
    cluster.network.cuts.clear()
    agrees_on(cluster, "box4", within_s=20)


def test_voter_that_recovers_tells_on_what_it_was_told() -> None:
    """box6 leads by box1 to box3, with a lease of 10 s. box2 loses its state, and asks box3; box1 loses its own later, and asks
    box2, box4 and box5: of those three only box2 knows of a promise of 10 s. box5 renews after it was asked."""
    cluster = settled(0, 0, 0, 0, 0, 40, voters=FIVE)
    box1, box2, box3, box4, box5, box6 = cluster.hosts
    cluster.partition([box4, box5], [box1, box2, box3, box6])
    cluster.crash(box6)
    box6.settings = replace(box6.settings, timing=Timing(leader_timeout_us=5 * SECOND))
    cluster.start(box6)
    agrees_on(cluster, "box6", within_s=20, among=[box1, box2, box3, box6])

    linked(cluster, *[(box6, box1), (box6, box3), *itertools.combinations([box2, box3, box4, box5], 2), (box1, box3)])
    cluster.crash(box2)
    cluster.forget(box2)
    cluster.start(box2)
    cluster.run(8 * SECOND)
    cluster.crash(box1)
    cluster.forget(box1)
    linked(
        cluster,
        *[(box6, box3), *itertools.combinations([box2, box3, box4, box5], 2), (box1, box2), (box1, box4), (box1, box5)],
    )
    cluster.start(box1)
    cluster.run(1300 * MS)
    linked(cluster, (box6, box3), (box6, box5), (box3, box5), (box1, box2), (box1, box4), (box2, box4))
    cluster.run(3 * SECOND)
    assert box2.core is not None
    assert box2.core.node.quorum.recovered
    assert box2.hold_us > 10 * SECOND
    cluster.set_priority(box4, 30)
    run_with_one_leader(cluster, 20 * SECOND)


def test_leader_keeps_its_lease_when_it_gets_longer() -> None:
    """Each vote counts for as long as before until a majority has given a longer one; it asks for the next ones at once."""
    cluster = led_by_an_observer()
    box4 = cluster.hosts[3]
    for heartbeat_ms, timeout_ms in ((10, 30), (100, 500), (1000, 5000), (100, 500)):
        since_us = cluster.now_us
        cluster.set_timing(box4, Timing(heartbeat_us=heartbeat_ms * MS, leader_timeout_us=timeout_ms * MS))
        cluster.run(12 * SECOND)
        assert [event for event in told(box4, since_us) if event.kind is EventKind.DEPOSED] == []
        assert say_that_they_lead(cluster) == ["box4"]
        assert box4.core is not None
        left_us = box4.core.node.lease_end_us - cluster.now_us
        assert left_us > box4.core.node.timing.lease_us // 2


def test_voter_that_recovers_knows_nothing_after_it_was_none_for_a_moment() -> None:
    """It wrote what it would promise, as who knows its past does, and knew it after its next start."""
    cluster = led_by_an_observer()
    box3 = cluster.hosts[2]
    cluster.partition([box3], cluster.hosts[:2] + cluster.hosts[3:])
    cluster.crash(box3)
    cluster.forget(box3)
    cluster.start(box3)
    assert box3.core is not None
    box3.core.node.quorum.take(Voters(("box1", "box2"), Generation(Term(1), 1)), bound_until_us=0)
    cluster.run(3 * SECOND)
    assert box3.hold_us == 0  # which is how its next start knows
    box3.core.node.quorum.take(Voters(THREE, Generation(Term(1), 2)), bound_until_us=0)
    assert box3.core.node.is_recovering
    cluster.network.cuts.clear()
    agrees_on(cluster, "box4", within_s=10)


def forget_by_turns(timing: Timing) -> None:
    """Never are more than two of five without state. box4 and box5 lose it; box5 recovers, and box4 hears only that. box1 leads
    anew, by box2 and box3. box3 loses its state, and hears only box4, which hears box5, too: both have said to it once that
    they recover. box2 loses its state as soon as it may, when box4 has recovered; box3 hears box4 and box2, and so on."""
    cluster = settled(40, 0, 0, 0, 0, voters=FIVE)
    box1, box2, box3, box4, box5 = cluster.hosts
    elected = list(itertools.combinations((box1, box2, box3), 2))

    def lose(*hosts: Host) -> None:
        for host in hosts:
            cluster.crash(host)
            cluster.forget(host)
            cluster.start(host)

    def recovers(host: Host) -> bool:
        return cluster.run_until(lambda: host.core is not None and not host.core.node.is_recovering, 5 * SECOND)

    linked(cluster, *elected, *[(box5, host) for host in (box1, box2, box3, box4)])
    lose(box4, box5)
    assert recovers(box5)
    linked(cluster, *elected, (box4, box5))
    for _ in range(2):
        cluster.crash(box1)
        cluster.set_timing(box1, timing)
        cluster.start(box1)
        agrees_on(cluster, "box1", within_s=20, among=[box1, box2, box3])
    linked(cluster, (box1, box2), (box4, box5), (box3, box4))
    lose(box3)
    if recovers(box4):
        linked(cluster, (box4, box5), (box3, box4), (box2, box3))
        lose(box2)
        recovers(box3)
    linked(cluster, *itertools.combinations((box2, box3, box4, box5), 2))
    cluster.set_priority(box5, 20)
    run_with_one_leader(cluster, 10 * SECOND)
    cluster.network.cuts.clear()
    agrees_on(cluster, "box1", within_s=20)


@pytest.mark.parametrize("timing", [Timing(), WIFI])
def test_voters_that_forget_by_turns_are_no_first_start(timing: Timing) -> None:
    forget_by_turns(timing)


@pytest.mark.parametrize(("timing", "broken"), [(Timing(), "Q2"), (WIFI, "Q1")])
def test_who_said_once_that_it_recovers_need_not_be_new(timing: Timing, broken: str) -> None:
    """A simpler rule for a first start, if it were enough: with fresh answers of all after the last was met (`recover`)."""

    def begins(node: Node, voters: list[Member]) -> bool:
        names = {node.settings.name, *(m.name for m in voters)}
        return len(names) >= majority(len(node.voters.names)) and all(m.new_us >= 0 for m in voters)

    with patch.object(quorum, "_begins", begins), pytest.raises(SafetyError, match=broken):
        forget_by_turns(timing)


@pytest.mark.parametrize("seed", SEEDS)
def test_word_of_a_new_voter_is_no_answer_to_what_it_may_have_promised(seed: int) -> None:
    """At a first start without box3, box1 starts again before box2 recovers, and answers a survey. box2 recovered by that, and
    never told the new session that the cluster begins: nobody led until box3 came (simulator, seed 130036352)."""
    cluster = Cluster([replace(s, voters=THREE) for s in hosts(30, 20, 10)], seed=seed)
    box1, box2, _ = cluster.hosts
    cluster.start(box1)
    cluster.start(box2)
    assert box2.core is not None
    cluster.run(box2.core.node.quorum.recover_from_us - cluster.local_us(box2) - MS)
    assert box2.core.node.quorum.told_begun
    cluster.crash(box1)
    cluster.run(5 * MS)
    cluster.start(box1)
    cluster.run(50 * MS)
    cluster.enter(box2, lambda core: core.survey(1, now_us=cluster.local_us(box2)))
    agrees_on(cluster, "box1", within_s=6, among=[box1, box2])
