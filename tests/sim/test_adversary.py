"""The adversary without the key, and hosts whose timing differs: what they are for, and that they would tell.

An ACK of a former session renewed the lease of the present one (two leaders on real hosts, while a million schedules
with single replays found nothing); a voter that had lost its state waited for its own promise, and not for the leader's.
And what an adversary found beside them: the rules that came of that, one by one taken out."""

import pytest

from kingd.sim.options import Options, draw
from kingd.sim.outcome import Outcome
from kingd.sim.swarm import run
from tests.model import forgetful, lists, mutants
from tests.model.explored import Mutant

pytestmark = [pytest.mark.sim, pytest.mark.timeout(600)]

FOUND = {
    "answers bound to no session": (mutants.answers_are_bound_to_no_session, "adversary", (700712, 700925, 702901)),
    "another's longer promise forgotten": (mutants.voter_waits_for_its_own_promise_only, "timings_ms", (720638,)),
    "a told promise is not told on": (forgetful.told_promise_is_not_told_on, "timings_ms", (950851,)),
    "lists that fork": (lists.leader_makes_the_next_list_at_once, "timings_ms", (185, 723)),
    "a longer lease at once": (forgetful.longer_lease_counts_at_once, "timings_ms", (931899,)),
}


def options(seed: int, what: str) -> Options:
    drawn = draw(seed)
    assert drawn.voters
    assert getattr(drawn, what)
    return drawn


@pytest.mark.parametrize("row", FOUND)
def test_mutant_is_caught(row: str) -> None:
    mutant: Mutant
    mutant, what, seeds = FOUND[row]
    with mutant():
        found = [run(options(seed, what)) for seed in seeds]
    assert any(result.outcome is Outcome.SAFETY and result.verdict in ("SAFETY Q1", "SAFETY Q2") for result in found), (
        found
    )


@pytest.mark.parametrize("row", FOUND)
def test_the_core_passes_where_its_mutants_are_caught(row: str) -> None:
    _, what, seeds = FOUND[row]
    for seed in seeds:
        result = run(options(seed, what))
        assert result.outcome is Outcome.OK, result


@pytest.mark.parametrize("seed", [50022425, 50043393, 50092502, 50135754, 50253421, 74446993])
def test_found_beside_the_adversary(seed: int) -> None:
    """A host that became a voter while it followed, led or claimed learned a floor above its own, or never wrote its terms;
    and a voter that had lost its state took no generation of a list from another one that had. The last one: two leaders, by
    two voters that had lost their state and a third that had recovered (unit/test_core_recovering.py)."""
    result = run(draw(seed))
    assert result.outcome is Outcome.OK, result
