"""Lists of voters that an adversary with time on its hands brought about. docs/quorum.md 8.

A violation of Q1 is raised by the cluster's own checker, at any instant of a run."""

from dataclasses import replace
from itertools import permutations

import pytest

from kingd.core.settings import Voters
from kingd.core.timing import MS, SECOND
from kingd.sim.cluster import Cluster, hosts
from kingd.sim.exclusion import says_it_leads
from kingd.sim.host import Host
from kingd.sim.outcome import SafetyError
from tests.model import lists
from tests.scenarios.world import agrees_on, problems, settled

ONE_TWO = ("box1", "box2")
THREE = (*ONE_TWO, "box3")
FOUR = (*THREE, "box4")
MISTYPED = (*THREE, "box33")


def wants(host: Host, cluster: Cluster, *names: str) -> None:
    """As `kingctl reload` does."""
    assert host.core is not None
    assert host.core.refusal(names) is None
    cluster.set_voters(host, names)


def give(cluster: Cluster, names: tuple[str, ...]) -> None:
    for host in cluster.hosts:
        cluster.set_voters(host, names)


def in_force(host: Host) -> tuple[str, ...]:
    assert host.core is not None
    return host.core.node.voters.names


def test_088_list_of_long_ago_that_somebody_still_shows_is_not_opened() -> None:
    """One host took it alone, with no majority and no leader by it: two leaders when the LAN was cut."""
    cluster = settled(40, 30, 20, 10, voters=ONE_TWO)
    box1, box2, box3, box4 = cluster.hosts
    cluster.set_priority(box1, 1)
    cluster.run(5 * SECOND)
    for names in (THREE, ("box2", "box3"), ("box2", "box3", "box4")):
        for host in cluster.hosts:
            wants(host, cluster, *names)
        cluster.run(8 * SECOND)
    cluster.crash(box1)
    box1.voters = Voters(ONE_TWO)  # replaced long ago, it comes back as it was
    box1.settings = replace(box1.settings, voters=ONE_TWO)
    cluster.start(box1)
    cluster.run(5 * SECOND)
    cluster.set_voters(box2, ONE_TWO)
    cluster.partition([box1, box2], [box3, box4])
    cluster.run(10 * SECOND)
    assert in_force(box2) == ("box2", "box3", "box4")


def test_088_list_is_not_opened_beside_a_newer_one() -> None:
    """Of two voters box1 took (box1), unheard; both were told to want (box2) then, and each led alone."""
    cluster = settled(10, 20, voters=ONE_TWO)
    box1, box2 = cluster.hosts
    cluster.cut(box1, box2, one_way=True)
    for host in (box2, box1):
        wants(host, cluster, "box1")
        cluster.run(5 * MS)
    for host in (box2, box1):
        wants(host, cluster, "box2")
    cluster.network.cuts = {(box2.index, box1.index)}
    cluster.run(700 * MS)
    cluster.partition([box1], [box2])
    cluster.run(10 * SECOND)


def test_088_removed_voter_comes_back_when_its_former_promise_is_over() -> None:
    """While it is no voter a refused port frees its promise."""
    cluster = settled(30, 20, 10, voters=THREE)
    box1, box2, box3 = cluster.hosts
    give(cluster, ONE_TWO)
    cluster.run_until(lambda: in_force(box3) == ONE_TWO, SECOND)
    cluster.partition([box2], [box1, box3])
    cluster.run(60 * MS)
    cluster.partition([box1], [box3])
    for _ in range(2):
        cluster.enter(box3, lambda core: core.refused(box1.endpoint, now_us=cluster.local_us(box3)))
        cluster.run(20 * MS)
    give(cluster, THREE)
    cluster.network.cuts -= {(box2.index, box3.index), (box3.index, box2.index)}
    cluster.run(2 * SECOND)
    cluster.network.cuts.clear()
    agrees_on(cluster, "box1", within_s=6)
    assert cluster.run_until(lambda: {in_force(host) for host in cluster.hosts} == {THREE}, 6 * SECOND)


def forks() -> None:
    """Of four box1 takes `box1 box2 box3` alone, and is gone. The others take that back, elect, and remove box1, which box2
    does not see. box2 is given the list of box1, and meets it. (Ongaro, raft-dev 2015: bug in single-server changes.)"""
    cluster = settled(40, 30, 20, 10, voters=FOUR)
    box1, box2, box3, box4 = cluster.hosts
    give(cluster, THREE)
    assert cluster.run_until(lambda: in_force(box1) == THREE, 3 * SECOND)
    cluster.partition([box1], [box2, box3, box4])
    assert [in_force(host) for host in cluster.hosts[1:]] == [FOUR] * 3
    for host in cluster.hosts[1:]:
        cluster.set_voters(host, FOUR)
    cluster.set_priority(box2, 5)
    agrees_on(cluster, "box3", within_s=6, among=[box2, box3, box4])
    for host in cluster.hosts[1:]:
        cluster.set_voters(host, FOUR[1:])
    node = box3.core.node if box3.core else None
    assert node
    assert cluster.run_until(lambda: node.voters.generation.term == node.leader.term, 3 * SECOND)
    if in_force(box3) == FOUR:
        assert cluster.run_until(lambda: node.is_by_list, 3 * SECOND)
    cluster.partition([box1], [box2], [box3, box4])
    cluster.run(SECOND)
    assert [in_force(host) for host in cluster.hosts] == [THREE, FOUR, FOUR[1:], FOUR[1:]]
    cluster.set_voters(box2, THREE)
    cluster.network.cuts -= {(box1.index, box2.index), (box2.index, box1.index)}
    cluster.run(10 * SECOND)
    assert says_it_leads(box3, cluster.now_us)
    assert in_force(box2) == FOUR
    cluster.network.cuts.clear()
    give(cluster, FOUR[1:])
    assert cluster.run_until(lambda: {in_force(host) for host in cluster.hosts} == {FOUR[1:]}, 6 * SECOND)


def test_088_list_that_needs_who_does_not_answer_waits() -> None:
    """box2 had wanted it, and was off: the leader had no majority by it, nor any way back, as long as that lasted."""
    cluster = settled(40, 10, 20, voters=THREE)
    box1, box2, box3 = cluster.hosts
    wants(box2, cluster, *ONE_TWO)
    cluster.run(SECOND)
    cluster.crash(box2)
    cluster.run(SECOND)
    for host in (box3, box1):
        wants(host, cluster, *ONE_TWO)
    cluster.run(8 * SECOND)
    assert says_it_leads(box1, cluster.now_us)
    assert box1.core is not None
    assert box1.core.obstacle is not None
    cluster.start(box2)
    assert cluster.run_until(lambda: {in_force(host) for host in cluster.hosts} == {ONE_TWO}, 10 * SECOND)


def test_088_two_lists_after_one_elect_one_leader() -> None:
    forks()


def test_088_leader_makes_the_present_list_anew_before_the_next_one() -> None:
    with lists.leader_makes_the_next_list_at_once(), pytest.raises(SafetyError, match="Q1"):
        forks()


def test_088_voter_that_was_not_heard_when_a_list_was_taken_back_is_not_left_behind() -> None:
    cluster = settled(30, 20, 10, 5, voters=THREE)
    box3 = cluster.hosts[2]
    for host in cluster.hosts:
        if host is not box3:
            cluster.cut(box3, host, one_way=True)
    for host in cluster.hosts:
        wants(host, cluster, *MISTYPED)
    cluster.run(300 * MS)
    for host in cluster.hosts:
        wants(host, cluster, *THREE)
    cluster.run(100 * MS)
    cluster.network.cuts.clear()
    cluster.run(10 * SECOND)
    assert [in_force(host) for host in cluster.hosts] == [THREE] * 4
    cluster.crash(cluster.hosts[1])
    agrees_on(cluster, "box1", within_s=6, among=[cluster.hosts[0], *cluster.hosts[2:]])


@pytest.mark.parametrize("after_ms", [0, 900])
@pytest.mark.parametrize("order", list(permutations(range(3))))
@pytest.mark.parametrize("wanted", [ONE_TWO, (*THREE, "box4")])
def test_088_list_that_is_changed_just_after_a_restart_costs_no_quorum(
    wanted: tuple[str, ...], order: tuple[int, ...], after_ms: int
) -> None:
    """0.9 s after it had a leader again the first host refused the list, for nobody had led by the present one for long
    enough, and the others took it: neither list had a majority, for 5 s."""
    cluster = settled(30, 20, 10, voters=THREE)
    for host in cluster.hosts:
        cluster.crash(host)
    cluster.start_all()
    agrees_on(cluster, "box1", within_s=2)
    cluster.run(after_ms * MS)
    for index in order:
        wants(cluster.hosts[index], cluster, *wanted)
        assert not cluster.run_until(lambda: not says_it_leads(cluster.hosts[0], cluster.now_us), 100 * MS)
    assert not cluster.run_until(lambda: not says_it_leads(cluster.hosts[0], cluster.now_us), 5 * SECOND)
    assert [in_force(host) for host in cluster.hosts] == [wanted] * 3
    assert not any(problems(host, cluster.now_us) for host in cluster.hosts)


def test_088_mistyped_list_on_a_leader_that_does_not_vote_changes_nothing() -> None:
    cluster = settled(30, 20, 10, 40, voters=THREE)
    box4 = cluster.hosts[3]
    wants(box4, cluster, *MISTYPED)
    cluster.run(3 * SECOND)
    assert in_force(box4) == THREE
    assert says_it_leads(box4, cluster.now_us)


def test_088_list_mistyped_at_the_first_start_is_put_right_without_the_remembered_ones() -> None:
    """It was durable before anybody had voted by it. No reload changes it, as no host can know that nobody has."""
    mistyped = ("box1", "bos2")
    settings = [replace(s, voters=names) for s, names in zip(hosts(20, 10), (ONE_TWO, mistyped), strict=True)]
    cluster = Cluster(settings, seed=1)
    cluster.start_all()
    cluster.run(5 * SECOND)
    box2 = cluster.hosts[1]
    assert not cluster.leaders()
    cluster.set_voters(box2, ONE_TWO)
    cluster.run(5 * SECOND)
    assert not cluster.leaders()
    for host in cluster.hosts:
        cluster.crash(host)
        host.voters = None  # kingd(8): voters.json is removed
        cluster.start(host)
    agrees_on(cluster, "box1", within_s=6)
    assert [in_force(host) for host in cluster.hosts] == [ONE_TWO] * 2


def test_088_hosts_that_never_voted_do_not_take_another_list_beside_a_leader_that_they_do_not_hear() -> None:
    """An adversary's: a voter is replaced in one step, while the others' leader is out of hearing."""
    replaced = ("box1", "box3", "box4")
    settings = [
        replace(s, voters=names) for s, names in zip(hosts(40, 30, 20, 10), (THREE,) * 3 + (replaced,), strict=True)
    ]
    cluster = Cluster(settings, seed=1)
    box1, box2, box3, box4 = cluster.hosts
    cluster.partition([box1, box2], [box3, box4])
    cluster.start_all()
    cluster.run(6 * SECOND)
    assert says_it_leads(box1, cluster.now_us)
    assert box3.core is not None
    assert box3.core.refusal(replaced) is not None
    cluster.set_voters(box3, replaced)
    cluster.run(10 * SECOND)
    assert in_force(box3) == THREE


def test_088_hosts_that_never_voted_do_not_leave_a_list_by_which_others_may_elect() -> None:
    """An adversary's: five names reach three of five hosts in the first moments, and then the LAN is cut."""
    five = (*THREE, "box4", "box5")
    for at_ms in range(0, 600, 60):
        cluster = Cluster([replace(s, voters=THREE) for s in hosts(50, 40, 30, 20, 10)], seed=at_ms)
        cluster.start_all()
        cluster.run(at_ms * MS)
        for host in cluster.hosts[2:]:
            cluster.set_voters(host, five)
            cluster.run(MS)
        cluster.run(60 * MS)
        cluster.partition(cluster.hosts[:2], cluster.hosts[2:])
        cluster.run(6 * SECOND)
        assert in_force(cluster.hosts[2]) == THREE


def test_088_removed_voter_does_not_go_back_to_a_list_of_long_ago_by_one_that_was_off() -> None:
    """It is a voter no more, and meets one that was off since the same list had an older generation: from there it would
    go on to a list by which it had voted, and which it had left; two leaders after a cut."""
    first = ("box2", "box3", "box4")
    more, most = ("box1", *first), ("box1", *first, "box5")
    cluster = settled(10, 10, 10, 10, 10, 40, voters=first)
    box1, box2, box3, box4, box5, box6 = cluster.hosts
    cluster.run(10 * SECOND)
    cluster.crash(box4)
    for names in (more, most, more, first):
        for host in (box1, box2, box3, box5, box6):
            cluster.set_voters(host, names)
        cluster.run(20 * SECOND)
        assert {in_force(host) for host in cluster.hosts if host.core} == {names}
        if names == most:
            cluster.crash(box5)
    cluster.partition([box2, box3, box6], [box1, box4, box5])
    cluster.start(box4)
    cluster.run(12 * SECOND)
    cluster.start(box5)
    cluster.run(3 * SECOND)
    for host in (box1, box4):
        cluster.set_voters(host, most)
        cluster.run(100 * MS)
    cluster.run(10 * SECOND)
    assert box1.core is not None
    assert box1.core.node.voters.names == first
    assert [host.name for host in cluster.hosts if says_it_leads(host, cluster.now_us)] == ["box6"]


def test_voter_set_up_anew_with_the_list_that_is_to_come_is_told_how_it_gets_to_vote() -> None:
    """All configurations agree, and that list is never made, for the new voter votes by none. Nothing is said of firewalls."""
    cluster = settled(30, 20, 10, voters=THREE)
    box3 = cluster.hosts[2]
    cluster.crash(box3)
    cluster.forget(box3)
    wanted = ("box1", "box3")
    give(cluster, wanted)
    cluster.start(box3)
    cluster.run(30 * SECOND)
    here, there = (problems(host, cluster.local_us(host)) for host in (box3, cluster.hosts[0]))
    assert any("give this host alone that list, restart kingd here" in each for each in here), here
    assert any("box3 has no record of what it promised before" in each for each in there), there
    assert not [each for each in here + there if "does not answer" in each], (here, there)
    cluster.crash(box3)
    cluster.set_voters(box3, THREE)
    cluster.start(box3)
    cluster.run(6 * SECOND)
    cluster.set_voters(box3, wanted)
    cluster.run(6 * SECOND)
    assert [in_force(host) for host in cluster.hosts] == [wanted] * 3
