"""What the simulator demands of the second phase, and does to the voters in the first: no more than what is promised."""

from dataclasses import replace

import pytest

from kingd.core.settings import Voters
from kingd.core.timing import MS, SECOND, Timing
from kingd.core.wire.message import Term
from kingd.core.wire.voter_list import Generation
from kingd.sim.cluster import Cluster, hosts
from kingd.sim.faults import Faults
from kingd.sim.host import Clock
from kingd.sim.lists import in_force, is_set_up_wrong
from kingd.sim.liveness import is_electable
from kingd.sim.network import Weather
from kingd.sim.options import Options, draw
from kingd.sim.outcome import Outcome, SafetyError
from kingd.sim.schedule import Fault
from kingd.sim.swarm import run

pytestmark = pytest.mark.sim


def quiet(*priorities: int, voters: tuple[str, ...], faults: tuple[Fault, ...] = ()) -> Options:
    """Three seconds of good weather; all survive."""
    count = len(priorities)
    return replace(
        draw(0),
        heartbeat_ms=100,
        leader_timeout_ms=500,
        priorities=priorities,
        voters=voters,
        preempts=(0,) * count,
        clocks=(Clock(),) * count,
        late_start_us=0,
        weather=Weather(),
        safety_us=3 * SECOND,
        survivors=tuple(range(count)),
        faults=faults,
    )


@pytest.mark.parametrize("luck", range(4))
def test_somebody_may_lead_in_the_second_phase(luck: int) -> None:
    """Whoever was given a priority, and restarted then for the list that it had not got yet, had priority 0 again."""
    change = Fault(at_us=SECOND, kind="voters", host=0, lasts_us=60 * SECOND, luck=luck)
    assert run(quiet(0, 0, 0, voters=("box1", "box2"), faults=(change,))).outcome is Outcome.OK


@pytest.mark.parametrize("met", [False, True])
def test_first_start_without_a_voter_that_died_in_it_elects(met: bool) -> None:
    """Of five voters three are there: who begins tells the others."""
    names = tuple(f"box{i}" for i in range(5))
    cluster = Cluster(hosts(100, 100, 100, 100, voters=names), seed=1)
    box1, box2, box3, box4 = cluster.hosts
    cluster.start(box4)
    if met:
        cluster.start(box2)
        cluster.run(100 * MS)
        cluster.crash(box2)
    cluster.start(box1)
    cluster.start(box3)
    assert is_electable([box1, box3, box4])
    assert cluster.run_until(lambda: cluster.leaders() != [], 6 * SECOND)


@pytest.mark.parametrize("luck", range(8))
def test_false_obituary_that_comes_late_is_waited_for(luck: int) -> None:
    """It was sent in the first phase, and lies before a link that is clogged until somewhere in the second one."""
    clog = Fault(at_us=2_500 * MS, kind="clog", host=0, lasts_us=2_800 * MS, luck=luck)
    rumour = Fault(at_us=2_600 * MS, kind="false_obituary", host=0, lasts_us=0, luck=0)
    result = run(quiet(100, 50, 20, voters=(), faults=(clog, rumour)))
    assert result.faults == {"clog": 1, "false_obituary": 1}
    assert result.outcome is Outcome.OK


@pytest.mark.parametrize(("taken", "elected"), [(False, False), (True, False), (True, True)])
def test_no_voter_loses_its_state_while_the_list_changes(taken: bool, elected: bool) -> None:
    """Who remembers what it promised may be no voter any more."""
    options = quiet(100, 50, 20, voters=("box1", "box2", "box3"))
    cluster = Cluster(options.settings(), seed=1)
    faults = Faults(cluster, replace(options, voters=("box2", "box3")))
    cluster.start_all()
    cluster.run(3 * SECOND)
    faults.counts["voters"] = 1
    if taken:
        for host in cluster.hosts:
            cluster.set_voters(host, ("box2", "box3"))
    cluster.run(5 * SECOND if elected else 0)
    assert faults.may_forget(cluster.hosts[1]) is elected


def test_host_without_state_is_set_up_with_no_list_of_its_own() -> None:
    """It would lead by that beside the others (simulator, seed 73229361)."""
    options = quiet(100, 50, voters=("box2",))
    cluster = Cluster(options.settings(), seed=1)
    box1, box2 = cluster.hosts
    faults = Faults(cluster, options)
    cluster.start(box2)
    cluster.run(3 * SECOND)
    faults.edit(box1, ("box1",))
    assert list(box1.settings.voters) == ["box2"]
    faults.edit(box1, ("box1", "box2"))
    assert box1.settings.voters == ("box1", "box2")


def test_voter_loses_its_state_only_where_another_one_remembers() -> None:
    options = quiet(100, 50, voters=("box1", "box2"))
    cluster = Cluster(options.settings(), seed=1)
    box1, box2 = cluster.hosts
    assert not Faults(cluster, options).may_forget(box2)
    box1.hold_us = SECOND
    assert Faults(cluster, options).may_forget(box2)


def test_first_start_in_which_a_voter_starts_again_elects() -> None:
    """Who has met its first session may not begin with it: others could not (simulator, seeds 8027057, 7118453)."""
    voters = tuple(f"box{i}" for i in range(5))
    cluster = Cluster([replace(s, voters=voters) for s in hosts(50, 0, 0, 0)], seed=1)
    cluster.start_all()
    cluster.run(200 * MS)
    assert is_electable(cluster.hosts)
    again = cluster.host("box2")
    cluster.crash(again)
    cluster.start(again)
    assert is_electable(cluster.hosts)
    assert cluster.run_until(lambda: cluster.leaders() != [], 6 * SECOND)


@pytest.mark.parametrize("priority", [0, 100])
def test_hosts_set_up_anew_need_not_elect_by_a_list_that_only_an_observer_knows(priority: int) -> None:
    """Its list comes from nowhere else, and a leader tells of it (simulator, seed 71154299)."""
    cluster = Cluster([replace(s, voters=("box3",)) for s in hosts(100, 50, priority)], seed=1)
    cluster.start_all()
    cluster.run(3 * SECOND)
    for host in cluster.hosts:
        if host.name != "box3":
            cluster.crash(host)
            cluster.forget(host)
        cluster.set_voters(host, ("box1", "box3"))
    for host in cluster.hosts:
        if host.core is None:
            cluster.start(host)
    assert is_electable(cluster.hosts) is (priority > 0)


def test_voter_more_patient_than_its_leaders_lease_may_grant_when_that_is_over() -> None:
    """It counts only until then on what it was promised, by its own timing (simulator, seed 73077103)."""
    voters = ("box1", "box2", "box3")
    fast, slow = Timing(heartbeat_us=10 * MS, leader_timeout_us=30 * MS), Timing()
    settings = [
        replace(s, voters=voters, timing=timing)
        for s, timing in zip(hosts(100, 50, 0), (fast, fast, slow), strict=True)
    ]
    cluster = Cluster(settings, seed=1)
    cluster.start_all()
    cluster.run(12 * SECOND)
    box1, box2, box3 = cluster.hosts
    assert cluster.leaders() == [box1]
    cluster.partition([box1], [box2, box3])
    cluster.run(50 * MS)
    cluster.pause(box3, until_us=cluster.now_us + 15 * MS)  # it finds both at one time: the claim, and the end
    cluster.run(400 * MS)
    assert cluster.leaders() == [box2]


def test_list_older_than_that_on_the_disk_is_found() -> None:
    cluster = Cluster(hosts(100, voters=("box1",)), seed=1)
    box1 = cluster.hosts[0]
    cluster.start(box1)
    cluster.run(SECOND)
    box1.voters = Voters(("box1",), Generation(Term(1), 0))
    with pytest.raises(SafetyError, match="LISTS"):
        cluster.run(SECOND)


def test_voter_that_knows_and_has_not_written_it_is_no_first_start() -> None:
    """It says so a moment later, when another one may be new again: two of three cannot tell (simulator, seed 130043353)."""
    cluster = Cluster([replace(s, voters=("box1", "box2", "box3")) for s in hosts(100, 50, 20)], seed=1)
    box1, box2, _ = cluster.hosts
    box2.disk_us = 3 * SECOND
    cluster.start(box2)
    cluster.run(100 * MS)
    cluster.start(box1)
    assert cluster.run_until(lambda: box2.core is not None and box2.core.node.quorum.knows, 3 * SECOND)
    assert is_electable([box1, box2])  # box1 knows as soon as it has been told
    cluster.crash(box1)
    cluster.forget(box1)
    cluster.start(box1)
    assert not is_electable([box1, box2])


def test_cluster_that_has_begun_with_voters_that_start_again_need_not_elect() -> None:
    """box1 recovers by what their former sessions said, and tells these (simulator, seed 130354790)."""
    names = ("box1", "box2", "box3", "box4")
    cluster = Cluster([replace(s, voters=names) for s in hosts(100, 50, 20, 10)], seed=1)
    box1, box2, box3, box4 = cluster.hosts
    cluster.start_all()
    cluster.run(200 * MS)
    assert is_electable([box1, box2, box3])
    assert cluster.run_until(lambda: box1.core is not None and box1.core.node.quorum.told_begun, SECOND)
    for host in (box2, box3, box4):
        cluster.crash(host)
    cluster.start(box2)
    cluster.start(box3)
    assert not is_electable([box1, box2, box3])


@pytest.mark.parametrize("seed", [160054023, 160081711, 160094264])
def test_first_start_in_which_those_that_begin_break_down_need_not_elect(seed: int) -> None:
    """One that was left out, or has begun with another one only, is stopped by who knows (quorum.md 5)."""
    assert run(draw(seed)).outcome is Outcome.OK


def test_first_start_in_which_one_has_long_broken_down_elects() -> None:
    """box1 has met it, and cannot have begun with it: it answered nothing that was asked after that."""
    cluster = Cluster(hosts(100, 50, 20, voters=("box1", "box2", "box3")), seed=1)
    box1, box2, box3 = cluster.hosts
    cluster.start(box2)
    cluster.run(300 * MS)
    cluster.start(box1)
    assert cluster.run_until(
        lambda: box1.core is not None and len(box1.core.members(box1.core.node.now_us)) == 2, SECOND
    )
    cluster.crash(box2)
    cluster.run(1500 * MS)
    assert box1.core is not None
    assert not box1.core.node.quorum.begun_with
    cluster.start(box3)
    assert is_electable([box1, box3])
    assert cluster.run_until(lambda: cluster.leaders() != [], 8 * SECOND)


@pytest.mark.parametrize("names", [("box1",), ("box1", "box2", "box3")])
def test_no_voter_of_the_list_in_force_loses_its_state_while_another_one_is_wanted(names: tuple[str, ...]) -> None:
    """Not even one that is to go: it may be needed for that (simulator, seed 130046008)."""
    options = quiet(100, 50, voters=("box1", "box2"))
    cluster = Cluster(options.settings(), seed=1)
    cluster.start_all()
    cluster.run(3 * SECOND)
    faults = Faults(cluster, replace(options, voters=names))
    faults.counts["voters"] = 1
    box1, box2 = cluster.hosts
    cluster.crash(box1)
    for host in cluster.hosts:
        cluster.set_voters(host, names)
    assert not faults.may_forget(box2)


@pytest.mark.parametrize("names", [("box1", "box3"), ("box1", "box2", "box3")])
def test_voter_that_was_set_up_with_another_list_ends_the_promise(names: tuple[str, ...]) -> None:
    """All may want that list: it waits for this voter, which votes by none (simulator, seeds 130037887, 130077025)."""
    voters = ("box1", "box2", "box3")
    cluster = Cluster(quiet(100, 50, 20, voters=voters).settings(), seed=1)
    cluster.start_all()
    cluster.run(3 * SECOND)
    assert not is_set_up_wrong(cluster.hosts)
    box3 = cluster.hosts[2]
    cluster.crash(box3)
    cluster.forget(box3)
    cluster.set_voters(box3, names)
    cluster.start(box3)
    assert is_set_up_wrong(cluster.hosts) is (names != voters)


def test_list_that_was_mistyped_for_a_host_without_state_is_not_in_force() -> None:
    """Simulator, seed 130077025."""
    cluster = Cluster(quiet(100, 50, 20, voters=("box1", "box2", "box3")).settings(), seed=1)
    cluster.start_all()
    cluster.run(3 * SECOND)
    box1 = cluster.hosts[0]
    cluster.set_voters(box1, ("box1", "box2"))
    cluster.crash(box1)
    cluster.forget(box1)
    assert in_force(cluster.hosts) == ("box1", "box2", "box3")
