"""Random clusters on which checks fail and hosts are in maintenance, beside all other faults: safe, and healed like any. Seeds
of its own, for the schedules of `draw` have none of that."""

import os
from collections import Counter

import pytest

from kingd.sim import fitness
from kingd.sim.options import draw
from kingd.sim.swarm import run

pytestmark = pytest.mark.sim

SEEDS = range(int(os.environ.get("KINGD_UNFIT_SEEDS", "60")))


def test_107_108_109_clusters_with_unfit_hosts_are_safe_and_heal() -> None:
    """KINGD_UNFIT_SEEDS=1000 is the long form."""
    counts: Counter[str] = Counter()
    for seed in SEEDS:
        result = run(fitness.scheduled(draw(seed)))
        assert not result.outcome, f"seed {seed}: {result.outcome.name} {result.message}"
        counts.update(result.faults)
    assert min(counts[fitness.UNFIT], counts[fitness.MAINTAIN]) > len(SEEDS)
