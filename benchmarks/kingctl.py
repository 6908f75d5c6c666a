"""`kingctl leader` goes into prompts and before cron jobs: how long it takes, beside a Python that does nothing."""

import subprocess
import sys
import time
from collections.abc import Sequence

from benchmarks.measured import Measured
from tests.lan.network import Lan


def kingctl(trials: int) -> list[Measured]:
    """In turns, so that whatever else the machine does hits all."""
    commands = {
        "python3 -c pass": [sys.executable, "-c", "pass"],
        "kingctl leader": ["leader"],
        "kingctl is-leader": ["is-leader"],
    }
    values: dict[str, list[float]] = {name: [] for name in commands}
    with Lan() as lan:
        a, _, _ = lan.trio()
        ours = [sys.executable.rpartition("/")[0] + "/kingctl", "--socket", str(a.socket)]
        for _ in range(trials):
            for name, command in commands.items():
                values[name].append(_wall_ms(command if len(command) > 1 else ours + command))
    python = Measured(system="kingctl", row="python3 -c pass", unit="ms", values=values.pop("python3 -c pass"))
    bar = 1.5 * python.value + 25
    return [
        python,
        *(Measured(system="kingctl", row=name, unit="ms", values=v, bar=bar) for name, v in values.items()),
    ]


def _wall_ms(command: Sequence[str]) -> float:
    start = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return (time.perf_counter() - start) * 1e3
