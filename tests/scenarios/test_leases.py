"""Leases that a reload changes, lists that change, and disks that are slow, while voters lose their state: at most one leader.

An adversary found these histories by hand, when the core had not the rules yet that are taken out here. docs/quorum.md."""

import itertools
from collections.abc import Callable
from functools import partial

import pytest

from kingd.core.timing import MS, SECOND, Timing
from kingd.core.wire.message import Role
from kingd.sim.cluster import Cluster
from kingd.sim.host import Host
from kingd.sim.outcome import SafetyError
from tests.model import forgetful
from tests.model.explored import Mutant
from tests.scenarios import test_recovering
from tests.scenarios.test_quorum import FIVE, THREE, say_that_they_lead
from tests.scenarios.test_recovering import WIFI, linked
from tests.scenarios.world import agrees_on, settled, term

FAST = Timing(heartbeat_us=20 * MS, leader_timeout_us=60 * MS)


def start_with(cluster: Cluster, host: Host, timing: Timing) -> None:
    cluster.crash(host)
    cluster.set_timing(host, timing)
    cluster.start(host)


def lose(cluster: Cluster, host: Host) -> None:
    """It is set up anew."""
    cluster.crash(host)
    cluster.forget(host)
    cluster.start(host)


def has_recovered(host: Host) -> bool:
    return host.core is not None and not host.core.node.is_recovering


def have_list(names: tuple[str, ...], among: list[Host]) -> bool:
    return all(host.core is not None and host.core.node.voters.names == names for host in among)


def is_by_list(host: Host) -> bool:
    return host.core is not None and host.core.node.is_by_list


def set_lists(cluster: Cluster, names: tuple[str, ...]) -> None:
    for host in cluster.hosts:
        cluster.set_voters(host, names)


def led_by_some(*elected: int, timing: Timing, voters: tuple[str, ...] = FIVE) -> Cluster:
    """box6 leads five that only vote, with this timing, for long. Those who elected it are box1 and others;
    the rest has not heard of it."""
    cluster = settled(0, 0, 0, 0, 0, 40, voters=voters)
    box6 = cluster.hosts[5]
    cluster.crash(box6)
    cluster.run(2 * SECOND)
    apart = [host for i, host in enumerate(cluster.hosts, 1) if i not in (*elected, 6)]
    by = [host for host in cluster.hosts if host not in apart]
    cluster.partition(apart, by)
    start_with(cluster, box6, timing)
    agrees_on(cluster, "box6", within_s=20, among=by)
    cluster.run(2 * timing.lease_us + SECOND)
    return cluster


def reload_that_only_pongs_tell() -> None:
    """box1 leads with 1 s, and is told to lead with 10 s. box2 grants that; box3 hears no claim, and no multicast: it polls.
    Then box1 leads by box3, until box2 is free again."""
    cluster = settled(30, 0, 0, voters=THREE)
    box1, box2, box3 = cluster.hosts
    cluster.network.multicast_cuts.add((box1.index, box3.index))
    cluster.cut(box1, box3)
    cluster.set_timing(box1, WIFI)
    cluster.run(300 * MS)
    cluster.network.cuts.clear()
    cluster.cut(box1, box2)
    cluster.run(9 * SECOND)
    assert say_that_they_lead(cluster) == ["box1"]
    cluster.partition([box1], [box2, box3])
    cluster.set_priority(box2, 20)
    agrees_on(cluster, "box2", within_s=15, among=[box2, box3])


def reload_that_two_forget() -> None:
    """box6 leads with 3 s, and is told to lead with 10 s. box2 hears that, and loses its state; it asks box1 and others before
    box1 and box3 hear it. Then box1 loses its own, and asks box4 and box5 before they hear it, and box2."""
    cluster = settled(0, 0, 0, 0, 0, 40, voters=FIVE)
    box1, box2, box3, box4, box5, box6 = cluster.hosts
    start_with(cluster, box6, Timing(leader_timeout_us=1500 * MS))
    agrees_on(cluster, "box6", within_s=10)
    cluster.run(5 * SECOND)

    def link(*pairs: tuple[Host, Host], ms: int) -> None:
        linked(cluster, *pairs)
        cluster.run(ms * MS)

    linked(cluster, (box6, box2))
    cluster.set_timing(box6, Timing(leader_timeout_us=5 * SECOND))
    cluster.run(60 * MS)
    cluster.set_timing(box2, FAST)
    lose(cluster, box2)
    link(*[(box2, host) for host in (box1, box3, box4, box5)], ms=700)
    link((box6, box1), (box6, box3), (box2, box5), ms=250)
    cluster.set_timing(box1, FAST)
    lose(cluster, box1)
    link((box6, box3), (box2, box4), (box2, box5), (box1, box4), (box1, box5), ms=600)
    linked(cluster, (box6, box3), (box6, box4), (box2, box5), (box1, box5), (box1, box2))
    cluster.run_until(lambda: has_recovered(box2), 5 * SECOND)
    cluster.run_until(lambda: has_recovered(box1), 5 * SECOND)
    cluster.set_priority(box5, 30)
    linked(cluster, *itertools.combinations([box1, box2, box5], 2))
    agrees_on(cluster, "box5", within_s=20, among=[box1, box2, box5])


def two_lists_within_a_former_lease() -> None:
    """box6 leads with 10 s, by box1, box2 and box5, and is told to lead with 1 s. Then box5 is removed, and box1."""
    cluster = led_by_some(1, 2, 5, timing=WIFI)
    box1, box2, box3, box4, box5, box6 = cluster.hosts
    cluster.set_timing(box6, Timing())
    remove_two(cluster)
    cluster.partition([box1, box2, box5, box6], [box3, box4])
    cluster.set_priority(box3, 20)
    agrees_on(cluster, "box3", within_s=20, among=[box3, box4])


def remove_two(cluster: Cluster) -> None:
    """Of the voters: box5, and box1 as soon as may be. box3 and box4 are back by then."""
    cluster.run(30 * MS)
    cluster.network.cuts.clear()
    four, three = FIVE[:4], FIVE[1:4]
    set_lists(cluster, four)
    assert cluster.run_until(lambda: have_list(four, cluster.hosts), 4 * SECOND)
    set_lists(cluster, three)
    assert cluster.run_until(lambda: have_list(three, cluster.hosts[2:4]), 25 * SECOND)


def recovery_that_the_disk_forgets() -> None:
    """box4 leads by box1 and box2. box2 loses its state, and its disk is slow; when it says that it has recovered, box1 loses
    its own. box2 starts again: its disk has all that was written."""
    cluster = settled(0, 0, 0, 40, voters=THREE)
    box1, box2, box3, box4 = cluster.hosts
    cluster.partition([box3], [box1, box2, box4])
    for _ in range(3):
        cluster.crash(box4)
        cluster.start(box4)
        agrees_on(cluster, "box4", within_s=6, among=[box1, box2, box4])
    led = term(cluster)
    cluster.crash(box4)
    cluster.network.cuts.clear()
    cluster.partition([box1], [box3])
    box2.disk_us = 1500 * MS
    lose(cluster, box2)
    assert cluster.run_until(lambda: has_recovered(box2), 4 * SECOND)
    cluster.network.cuts.clear()
    cluster.partition([box1], [box2], [box3])
    lose(cluster, box1)
    cluster.run(700 * MS)
    cluster.crash(box2)
    cluster.start(box2)
    cluster.network.cuts.clear()
    cluster.set_priority(box3, 20)
    agrees_on(cluster, "box3", within_s=10, among=[box1, box2, box3])
    assert term(cluster) > led


def list_while_a_voter_recovers() -> None:
    """box6 leads by box1, box2 and box3, and hears box4 and box5, which do not hear it. box1 loses its state, and box3 is to be
    removed: of the four that are left two that know are enough to tell box1, and box4 and box5 know of nobody."""
    cluster = led_by_some(1, 2, 3, timing=WIFI, voters=(*FIVE, "box6"))
    box1, box2, box3, box4, box5, box6 = cluster.hosts
    four = [box1, box2, box4, box5]
    names = tuple(host.name for host in four)
    for host in cluster.hosts:
        cluster.set_voters(host, names if host in (box4, box5) else FIVE)
    assert cluster.run_until(lambda: have_list(FIVE, [box6]) and is_by_list(box6), 25 * SECOND)
    cluster.network.cuts.clear()
    cluster.run(SECOND)
    cluster.partition([box1, box2, box3, box6], [box4, box5])
    for host in (box4, box5):
        cluster.network.cuts.discard((host.index, box6.index))
    cluster.run(12 * SECOND)
    lose(cluster, box1)
    cluster.run(100 * MS)
    set_lists(cluster, names)
    cluster.run(100 * MS)
    linked(cluster, (box6, box2), (box6, box3), (box2, box3), *itertools.combinations([box1, box4, box5], 2))
    cluster.set_priority(box1, 20)
    cluster.run(5 * SECOND)
    assert say_that_they_lead(cluster) == ["box6"]
    cluster.network.cuts.clear()
    for wanted in (FIVE, names):  # as the obstacle says
        set_lists(cluster, wanted)
        assert cluster.run_until(partial(have_list, wanted, four), 40 * SECOND)


def fork_that_is_left_again() -> None:
    """box4 makes `box1 box3` alone. box5 leads by box1 and box2 when box2, which hears it no more, takes that from box4: a port
    that refuses frees it. Then box5 makes the present list anew, and box2 is a voter within the lease for which it voted."""
    cluster = settled(0, 0, 10, 40, 30, seed=2, voters=THREE)
    box1, box2, box3, box4, box5 = cluster.hosts
    fork = (box1.name, box3.name)
    for host in (box1, box3, box4):
        cluster.set_voters(host, fork)
    assert cluster.run_until(lambda: have_list(fork, [box4]), 3 * SECOND)
    cluster.partition([box4], [box1, box2, box5], [box3])
    set_lists(cluster, THREE)
    agrees_on(cluster, "box5", within_s=10, among=[box1, box2, box5])
    cluster.run(4 * SECOND)
    linked(cluster, (box1, box5), (box2, box4), (box2, box5))
    cluster.cut(box5, box2, one_way=True)
    cluster.set_voters(box2, fork)
    assert cluster.run_until(lambda: have_list(fork, [box2]), SECOND)
    assert box2.core is not None
    cluster.run_until(lambda: box2.role is not Role.FOLLOWER, 200 * MS)
    for _ in range(2):
        cluster.enter(box2, lambda core: core.refused(box5.endpoint, now_us=cluster.local_us(box2)))
        cluster.run(2 * MS)
    cluster.set_voters(box2, THREE)
    linked(cluster, (box1, box5), (box1, box2), (box2, box3), (box2, box5))
    cluster.cut(box5, box2, one_way=True)
    assert cluster.run_until(lambda: have_list(THREE, [box2]), SECOND)
    linked(cluster, (box2, box3))
    agrees_on(cluster, "box3", within_s=20, among=[box2, box3])


def name_that_is_there_twice() -> None:
    test_recovering.test_voter_that_loses_its_state_twice_is_one_voter(WIFI, moves=True)


History = Callable[[], None]

# what was found -> the history, the rule that is taken out, and what is broken without it
FOUND: dict[str, tuple[History, Mutant, str]] = {
    "a PONG names no lease": (reload_that_only_pongs_tell, forgetful.pong_names_no_lease, "Q1"),
    "a longer lease at once": (reload_that_two_forget, forgetful.longer_lease_counts_at_once, "Q1"),
    "a lease by the list before": (two_lists_within_a_former_lease, forgetful.who_leads_leads_by_the_list, "Q1"),
    "recovered before the disk knows": (
        recovery_that_the_disk_forgets,
        forgetful.recovered_before_the_disk_knows,
        "Q2",
    ),
    "a name is counted twice": (name_that_is_there_twice, forgetful.two_hosts_of_a_name_are_two_voters, "Q1"),
    "who is left out is free": (fork_that_is_left_again, forgetful.who_is_left_out_is_free, "Q1"),
    "a list waits for nobody": (list_while_a_voter_recovers, forgetful.list_waits_for_nobody, "Q1"),
}


@pytest.mark.parametrize("row", FOUND)
def test_there_is_one_leader(row: str) -> None:
    history, _, _ = FOUND[row]
    history()


@pytest.mark.parametrize("row", FOUND)
def test_rule_is_needed(row: str) -> None:
    history, mutant, broken = FOUND[row]
    with mutant(), pytest.raises(SafetyError, match=broken):
        history()
