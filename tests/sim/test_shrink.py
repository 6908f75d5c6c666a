"""A run that fails says how by its exit code, and shrinks to a short story that one command replays."""

import pytest

from kingd.core.rules import voting
from kingd.core.wire.message import Claim, Grant
from kingd.sim import __main__ as command
from kingd.sim.host import Clock
from kingd.sim.hunt import one
from kingd.sim.options import draw
from kingd.sim.outcome import Outcome
from kingd.sim.shrink import Shrinker

pytestmark = pytest.mark.sim


@pytest.fixture
def forgetful(monkeypatch: pytest.MonkeyPatch) -> None:
    """A core whose voters grant whatever they are asked."""

    def judge(_node: object, _claimant: object, claim: Claim) -> Grant:
        return Grant(term=claim.term, attempt=claim.attempt, pre_vote=claim.pre_vote)

    monkeypatch.setattr(voting, "_judge", judge)


def first_failure() -> int:
    return next(seed for seed in range(200) if one(seed).outcome)


@pytest.mark.usefixtures("forgetful")
def test_failure_shrinks_to_a_short_story_that_is_replayed(capsys: pytest.CaptureFixture[str]) -> None:
    seed = min((s for s in range(60) if one(s).outcome), key=lambda s: one(s).entries)  # the quickest
    shrinker = Shrinker(seed, runs_max=60, smaller=lambda _: None)
    verdict = shrinker.result.verdict
    shrinker.shrink()
    assert shrinker.result.verdict == verdict
    assert shrinker.cut.keep is not None
    assert len(shrinker.cut.keep) < len(draw(seed).faults)
    arguments = shrinker.cut.arguments().split()
    assert command.main(["--seed", str(seed), "--trace", *arguments]) == shrinker.result.outcome
    assert shrinker.result.message.splitlines()[0] in capsys.readouterr().out


@pytest.mark.usefixtures("forgetful")
def test_hunt_ends_at_the_first_failure_and_says_how_to_replay_it(capsys: pytest.CaptureFixture[str]) -> None:
    seed = first_failure()
    assert command.main(["--seeds", "200", "--jobs", "1"]) == one(seed).outcome
    printed = capsys.readouterr().out
    assert f"\nseed {seed}: " in printed
    assert f"python -m kingd.sim --seed {seed} --trace" in printed
    assert f"python -m kingd.sim --shrink {seed}" in printed


@pytest.mark.parametrize("jobs", ["1", "2"])
@pytest.mark.usefixtures("forgetful")
def test_hunt_that_goes_on_tells_each_failure_in_a_line(jobs: str, capsys: pytest.CaptureFixture[str]) -> None:
    failed = {seed: result.outcome for seed in range(30) if (result := one(seed)).outcome}
    assert len(failed) > 1
    assert command.main(["--seeds", "30", "--keep-going", "--jobs", jobs]) == min(failed.values())
    printed = capsys.readouterr().out.splitlines()
    told = [" ".join(line.split()[:3]) for line in printed if line.startswith("seed ")]
    assert told == [f"seed {seed}: {outcome.name}" for seed, outcome in failed.items()]
    assert printed[len(failed)].startswith("30 seeds in ")


def test_exit_codes_tell_crash_safety_and_liveness_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    def crash(*_: object) -> None:
        raise KeyError

    monkeypatch.setattr(voting, "on_claim", crash)
    seed = first_failure()
    assert one(seed).outcome is Outcome.CRASH
    assert command.main(["--seed", str(seed)]) == 1
    monkeypatch.setattr(voting, "on_claim", lambda *_: None)
    seed = first_failure()
    assert one(seed).outcome is Outcome.LIVENESS
    assert command.main(["--seed", str(seed)]) == 4
    with pytest.raises(SystemExit, match="2"):
        command.main(["--seeds", "many"])


def test_hunt_in_two_processes_finds_what_one_finds(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["--seeds", "60", "--mode", "availability", "--jobs", "1"]) == 0
    alone = capsys.readouterr().out.splitlines()
    assert command.main(["--seeds", "60", "--mode", "availability", "--jobs", "2"]) == 0
    assert capsys.readouterr().out.splitlines()[1:] == alone[1:]


@pytest.mark.parametrize("rate_ppm", [-10_000, -3, 0, 7, 10_000])
def test_clock_reaches_each_of_its_instants_at_the_first_real_one(rate_ppm: int) -> None:
    clock = Clock(123_456_789, rate_ppm)
    for local_us in range(clock.read(10**9), clock.read(10**9) + 300):
        real_us = clock.when(local_us)
        assert clock.read(real_us) >= local_us > clock.read(real_us - 1)
