"""Measurements, what they should be, the file that keeps them, and the table on the terminal."""

import json
import math
import platform
import statistics
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Measured:
    """Several measurements of one thing. `bar`: what the `judged` one of min, median, p95 and max must not exceed."""

    system: str  # who was measured: "kingd", "keepalived-0.1"
    row: str  # what was measured
    unit: str
    values: Sequence[float]
    bar: float | None = None
    judged: str = "median"
    when: str = field(default_factory=lambda: time.strftime("%Y-%m-%d"))

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
        return self.bar is None or self.value <= self.bar

    @property
    def verdict(self) -> str:
        if self.bar is None:
            return "-"
        return f"{self.judged} <= {self.bar:g}: {'ok' if self.is_met else 'MISSED'}"


def table(results: Sequence[Measured]) -> str:
    """For a terminal."""
    names = [f"{result.system}: {result.row}" for result in results]
    width = max(len(name) for name in names)
    header = f"{'':{width}}  {'n':>3} {'min':>9} {'median':>9} {'p95':>9} {'max':>9}  unit  bar"
    return "\n".join([header, *(_line(name.ljust(width), result) for name, result in zip(names, results, strict=True))])


def _line(name: str, result: Measured) -> str:
    numbers = " ".join(f"{value:9.2f}" for value in result.statistics.values())
    return f"{name}  {len(result.values):3} {numbers}  {result.unit:4}  {result.verdict}"


def load(file: Path) -> list[Measured]:
    """[] if there is no such file yet."""
    if not file.exists():
        return []
    return [Measured(**entry) for entry in json.loads(file.read_text(encoding="utf-8"))["results"]]


def merge(file: Path, results: Iterable[Measured]) -> None:
    """What was measured again replaces what the file has; the rest stays."""
    kept = {(of.system, of.row): of for of in load(file)} | {(of.system, of.row): of for of in results}
    rows = ",\n".join(json.dumps(asdict(of) | {"values": [round(v, 3) for v in of.values]}) for of in kept.values())
    file.write_text(f'{{"machine": {json.dumps(machine())},\n"results": [\n{rows}\n]}}\n', encoding="utf-8")


def machine() -> str:
    """The processor and the system that the figures belong to."""
    lines = Path("/proc/cpuinfo").read_text(encoding="ascii").splitlines()
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    release = platform.freedesktop_os_release().get("PRETTY_NAME", "Linux")
    return f"{len(models)} cores ({models[0] if models else platform.machine()}), {release}, Linux {platform.release()}"


def machine_of(file: Path) -> str:
    found: str = json.loads(file.read_text(encoding="utf-8"))["machine"]
    return found
