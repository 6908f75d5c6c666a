"""What a long run of the compiled simulator says of a seed is what the sources say of it."""

import os
import subprocess
import sys

import pytest

from kingd.sim.hunt import one
from tests.sim.compiled import build

pytestmark = pytest.mark.sim

SEEDS = (0, 1, 3, 14, 58)
_SHOW = """
import sys
from kingd.core import election
from kingd.sim.hunt import one
print(election.__file__.rpartition(".")[2])
for seed in sys.argv[1:]:
    print(one(int(seed)))
"""


@pytest.mark.timeout(1200)
def test_compiled_runs_are_the_same() -> None:
    command = [sys.executable, "-P", "-c", _SHOW, *map(str, SEEDS)]
    environment = {**os.environ, "PYTHONPATH": str(build(optimized=False))}
    said = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout.splitlines()
    assert said == ["so", *(str(one(seed)) for seed in SEEDS)]
