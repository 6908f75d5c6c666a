"""Random clusters under random faults: 2,000 of them are safe and heal, and each can be replayed."""

import os
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from kingd.core.election import Core
from kingd.core.timing import SECOND
from kingd.sim.__main__ import replay
from kingd.sim.cluster import Cluster, hosts
from kingd.sim.hunt import Totals, one, results
from kingd.sim.liveness import LEADERSHIP
from kingd.sim.network import Weather
from kingd.sim.options import Mode, draw
from kingd.sim.schedule import FORK, KINDS, LOSS, LOSSES, ON_LEADER, TIMING
from kingd.sim.swarm import run

pytestmark = pytest.mark.sim

TOP = Path(__file__).parents[2]
SEEDS = range(2_000)


@pytest.mark.timeout(2400)
@pytest.mark.parametrize("mode", list(Mode))
def test_058_swarm_is_safe_and_heals(mode: Mode) -> None:
    """Every schedule of the mode, and each kind of fault that any of them has."""
    drawn = [options for options in map(draw, SEEDS) if options.is_of(mode)]
    totals = Totals()
    for result in results(SEEDS, jobs=os.cpu_count() or 1, mode=mode):
        totals.add(result)
        if result.outcome:
            pytest.fail(
                f"seed {result.seed}: {result.outcome.name} {result.message}\n  replay: {replay(result.seed)}",
                pytrace=False,
            )
    assert totals.seeds == len(drawn) > 100
    kinds = {fault.kind for options in drawn for fault in options.faults}
    assert set(totals.faults) == kinds - ({"voters"} if mode is Mode.AVAILABILITY else set())


def test_swarm_draws_every_size_and_fault() -> None:
    drawn = [draw(seed) for seed in SEEDS]
    assert {len(options.priorities) for options in drawn} == set(range(1, 10))
    assert {fault.kind for options in drawn for fault in options.faults} == {
        *KINDS,
        TIMING,
        LOSS,
        FORK,
        *ON_LEADER,
        *LOSSES,
    }
    assert any(options.preempts_always for options in drawn)
    assert any(None in options.preempts for options in drawn)
    assert max(options.weather.loss_rate for options in drawn) > 0.25
    rates = [clock.rate_ppm for options in drawn for clock in options.clocks]
    assert (min(rates), max(rates)) == (-10_000, 10_000)


def test_heartbeats_that_are_not_decoded_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The short way of a repeated heartbeat and the long one lead to the same cluster."""
    options = [replace(draw(seed), encodes=True) for seed in range(20)]
    short = [run(each) for each in options]
    monkeypatch.setattr(Core, "repeat", lambda *_args, **_kwargs: False)
    assert [run(each) for each in options] == short


@pytest.mark.parametrize("seed", [3, 14, 58])
def test_seed_reproduces_a_run_exactly(seed: int) -> None:
    """In another process, and whatever order its sets and hashes are in."""
    command = [sys.executable, "-m", "kingd.sim", "--seed", str(seed), "--datagrams"]
    outputs = {
        subprocess.run(
            command,
            cwd=TOP,
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for hash_seed in ("1", "2", "random")
    }
    assert len(outputs) == 1
    assert f"digest {one(seed).digest:08x}" in outputs.pop()


def changes_under_loss(seed: int) -> list[str]:
    """Whom users were told of after the first agreement, in a minute of nothing but bad weather."""
    weather = Weather(delay_max_us=5_000, slow_rate=0.02, loss_rate=0.05 + 0.15 * (seed % 4) / 3, duplicate_rate=0.05)
    cluster = Cluster(hosts(*range(100, 100 - 10 * (3 + seed % 5), -10)), seed=seed, weather=weather)
    cluster.start_all()
    assert cluster.run_until(lambda: cluster.agreed() == "box1", 30 * SECOND)
    agreed_us = cluster.now_us
    cluster.run(60 * SECOND)
    return [
        f"seed {seed} at {at_us / SECOND:.3f}: {host.name} {event.kind} {event.reason.word}"
        for host in cluster.hosts
        for at_us, event in host.events
        if at_us > agreed_us and event.kind in LEADERSHIP
    ]


@pytest.mark.timeout(600)
def test_021_loss_alone_changes_no_leader() -> None:
    """AV3, no theft: 5 to 20 % loss, 3 to 7 nodes, a minute each."""
    with ProcessPoolExecutor() as pool:
        changes = [change for found in pool.map(changes_under_loss, range(100), chunksize=5) for change in found]
    assert changes == []
