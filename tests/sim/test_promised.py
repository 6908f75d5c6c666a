"""What the simulator demands of the second phase, and does to the voters in the first: no more than what is promised."""

from dataclasses import replace

import pytest

from kingd.core.message import Term
from kingd.core.timing import MS, SECOND
from kingd.sim.cluster import Cluster, hosts
from kingd.sim.faults import Faults
from kingd.sim.host import Clock
from kingd.sim.liveness import is_electable
from kingd.sim.network import Weather
from kingd.sim.options import Options, draw
from kingd.sim.outcome import Outcome
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
def test_first_start_that_counts_on_a_dead_voter_need_not_elect(met: bool) -> None:
    """Of five voters three are there. One of them may begin with one that has died, and the others may not."""
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
    assert is_electable([box1, box3, box4]) is not met


@pytest.mark.parametrize("taken", [False, True])
def test_voter_loses_its_state_only_where_each_list_in_use_remembers_it(taken: bool) -> None:
    """The list that is to come has another voter, who knows. The present one may have none."""
    options = quiet(100, 100, voters=("box1", "box2"))
    cluster = Cluster(options.settings(), seed=1)
    box1, box2 = cluster.hosts
    box1.ceiling = box2.ceiling = Term(4)
    if not taken:
        box1.settings = replace(box1.settings, voters=("box2",))
    assert Faults(cluster, options)._may_forget(box2) is taken  # noqa: SLF001 - no run shows it for sure
