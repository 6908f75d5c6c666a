"""`kingctl leader` goes into prompts and before cron jobs: how long it takes, beside a Python that does nothing."""

import subprocess
import sys
import time
from collections.abc import Sequence

from benchmarks.measured import Measured
from tests.lan.network import Lan

RUNS = 20


def leader() -> list[Measured]:
    """In turns, so that whatever else the machine does hits both."""
    nothing: list[float] = []
    asked: list[float] = []
    with Lan() as lan:
        _, _, c = lan.trio()
        ours = [sys.executable.rpartition("/")[0] + "/kingctl", "--socket", str(c.socket), "leader"]
        for _ in range(RUNS):
            nothing.append(_wall_ms([sys.executable, "-c", "pass"]))
            asked.append(_wall_ms(ours))
    python = Measured(what="python3 -c pass", unit="ms", values=nothing)
    return [python, Measured(what="kingctl leader", unit="ms", values=asked, bar=2 * python.value + 40)]


def _wall_ms(command: Sequence[str]) -> float:
    start = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return (time.perf_counter() - start) * 1e3
