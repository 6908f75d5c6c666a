"""What a long run of the compiled simulator says of a seed is what the sources say of it."""

import os
import subprocess
import sys

import pytest

from kingd.sim.hunt import one
from tests.sim.compiled import build

pytestmark = pytest.mark.sim

SEEDS = range(60)  # two of the processes' chunks
_SHOW = f"""
from kingd.core import election
from kingd.sim.hunt import results
print(election.__file__.rpartition(".")[2])
for result in results({SEEDS}, jobs=2):
    print(result)
"""


@pytest.mark.timeout(3600)
def test_compiled_runs_are_the_same() -> None:
    environment = {**os.environ, "PYTHONPATH": str(build(optimized=False))}
    command = [sys.executable, "-P", "-c", _SHOW]
    said = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout.splitlines()
    assert said == ["so", *(str(one(seed)) for seed in SEEDS)]
