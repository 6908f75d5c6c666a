"""The part of the fuzzing that every run of the tests does; docs/evidence.md has what was done once."""

import pytest

from tests.fuzz import TARGETS, fuzz

INPUTS = {
    "codec": 100_000,
    "election": 20_000,
    "calls": 20_000,
    "clients": 400,
    "config": 1_000,
    "keys": 20_000,
    "state": 300,
}


@pytest.mark.parametrize("name", TARGETS)
def test_052_damaged_inputs_are_refused_and_break_nothing(name: str) -> None:
    outcomes = fuzz(name, inputs=INPUTS[name], seed=0)
    assert outcomes.total() == INPUTS[name]
    assert len(outcomes) > 1 or name == "clients"  # some were read, some were refused: else it tests nothing
