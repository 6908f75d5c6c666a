"""Numbers, what they should be, and how they are shown."""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Measured:
    """Several measurements of one thing. `bar`: what the `judged` one of min, median, p95 and max must stay below."""

    what: str
    unit: str
    values: Sequence[float]
    bar: float = math.inf
    judged: str = "median"

    @property
    def statistics(self) -> dict[str, float]:
        ordered = sorted(self.values)
        return {
            "min": ordered[0],
            "median": statistics.median(ordered),
            "p95": ordered[math.ceil(0.95 * len(ordered)) - 1],  # nearest rank
            "max": ordered[-1],
        }

    @property
    def value(self) -> float:
        return self.statistics[self.judged]

    @property
    def is_met(self) -> bool:
        return self.value < self.bar


def table(results: Sequence[Measured]) -> str:
    width = max(len(result.what) for result in results)
    header = f"{'':{width}}  {'n':>3} {'min':>8} {'median':>8} {'p95':>8} {'max':>8}  unit  bar"
    return "\n".join([header, *(_row(result, width) for result in results)])


def _row(result: Measured, width: int) -> str:
    numbers = " ".join(f"{value:8.1f}" for value in result.statistics.values())
    verdict = "ok" if result.is_met else "MISSED"
    bar = "-" if result.bar == math.inf else f"{result.judged} < {result.bar:.0f}: {verdict}"
    return f"{result.what:{width}}  {len(result.values):3} {numbers}  {result.unit:4}  {bar}"
