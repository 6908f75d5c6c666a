"""`python -m benchmarks.page`: from docs/results/bench.json to the tables and plots of docs/performance.md.

What stands between `<!-- NAME -->` and `<!-- end -->` is written by this; the prose around it by people."""

import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.compared import COMPARED, FAILOVER, QUORUM, REST
from benchmarks.measured import Measured, load, machine_of
from benchmarks.systems.catalogue import SYSTEMS

PAGE = Path(__file__).parents[1] / "docs" / "performance.md"
RESULTS = PAGE.parent / "results" / "bench.json"
ADDRESS = RESULTS.with_name("vip.json")  # by benchmarks.vip
CALM = "changes of leader under load"
_FRAMES = "idle: frames sent, all three"
# What is fair to compare: default with default, and the same heartbeat with three missed.
_PAIRS = (
    ("kingd", "keepalived"), ("kingd", "ucarp"), ("kingd", "corosync"), ("kingd", "etcd"),
    ("kingd-100ms-x3", "keepalived-0.1"), ("kingd-fast", "keepalived-0.01"),
)  # fmt: skip


def render(text: str, results: Sequence[Measured], machine: str) -> str:
    """The page with its generated parts made anew."""
    parts: dict[str, Callable[[], str]] = {
        "machine": lambda: machine,
        "failover": lambda: _matrix(results, FAILOVER, COMPARED),
        "pairs": lambda: _pairs(results),
        "rest": lambda: _matrix(results, REST, COMPARED),
        "quorum": lambda: _matrix(results, FAILOVER, QUORUM),
        "calm": lambda: _calm(results),
        "address": lambda: _address(load(ADDRESS)),
        "bars": lambda: _bars(results),
        "all": lambda: _all(results),
    }
    for name, part in parts.items():
        between = re.compile(rf"(<!-- {name} -->\n).*?(<!-- end -->)", re.DOTALL)
        text, count = between.subn(lambda found, part=part: f"{found[1]}{part()}\n{found[2]}", text)  # type: ignore[misc]
        assert count == 1, f"docs/performance.md has {count} places for {name!r}"
    return text


def _matrix(results: Sequence[Measured], rows: Sequence[str], among: Sequence[str]) -> str:
    """Medians, a line for each row and a column for each system."""
    found = {(of.system, of.row): of for of in results}
    systems = [name for name in among if any((name, row) in found for row in rows)]
    rows = [row for row in rows if any((name, row) in found for name in systems)]
    lines = [f"| | {' | '.join(systems)} |", f"|---|{'---:|' * len(systems)}"]
    for row in rows:
        cells = [
            _short(found[system, row].statistics["median"]) if (system, row) in found else "" for system in systems
        ]
        unit = next((of.unit for of in results if of.row == row), "")
        lines.append(f"| {row.removeprefix('idle: ')}, {unit} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _pairs(results: Sequence[Measured]) -> str:
    """How many times the peer's median is kingd's; of the frames at rest the other way round, for there less is better too."""
    median = {(of.system, of.row): of.statistics["median"] for of in results}
    lines = [f"| | {' | '.join(f'{ours} / {theirs}' for ours, theirs in _PAIRS)} |", f"|---|{'---:|' * len(_PAIRS)}"]
    for row in (*FAILOVER, _FRAMES):
        cells = []
        for ours, theirs in _PAIRS:
            if (ours, row) not in median or (theirs, row) not in median:
                cells.append("")
                continue
            ratio = median[theirs, row] / median[ours, row]
            shown = (
                f"{1 / ratio:.2g}x as many" if row == _FRAMES else f"{ratio:.0f}x" if ratio >= 10 else f"{ratio:.2g}x"
            )
            cells.append(shown if ratio > 1 or row == _FRAMES else f"**{shown}**")
        lines.append(f"| {row.removeprefix('idle: ')} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _calm(results: Sequence[Measured]) -> str:
    lines = ["| | changes told | length of each run |", "|---|---|---|"]
    runs = [of for of in results if of.row == CALM]
    lines += [
        f"| {of.system} | {', '.join(f'{n:g}' for n in of.values)} | {of.unit.removeprefix('in ')} |" for of in runs
    ]
    return "\n".join(lines)


def _address(results: Sequence[Measured]) -> str:
    if not results:
        return "Not measured on this machine yet."
    rows = list(dict.fromkeys(of.row for of in results))
    systems = list(dict.fromkeys(of.system for of in results))
    bars = f"\n\n{_bars(results)}" if any(of.bar is not None for of in results) else ""
    return _matrix(results, rows, systems) + bars


def _short(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def _bars(results: Sequence[Measured]) -> str:
    lines = ["| | measured | bar | |", "|---|---:|---:|---|"]
    for of in results:
        if of.bar is not None:
            met = "yes" if of.is_met else "**no**"
            lines.append(
                f"| {of.system}: {of.row} | {_short(of.value)} {of.unit} ({of.judged}) | {of.bar:.4g} {of.unit} | {met} |"
            )
    return "\n".join(lines)


def _all(results: Sequence[Measured]) -> str:
    lines = [
        "| system | row | n | min | median | p95 | max | unit | on |",
        "|---|---|---:|---:|---:|---:|---:|---|---|",
    ]
    order = list(SYSTEMS)
    for of in sorted(results, key=lambda of: order.index(of.system) if of.system in order else -1):
        numbers = " | ".join(_short(value) for value in of.statistics.values())
        lines.append(f"| {of.system} | {of.row} | {len(of.values)} | {numbers} | {of.unit} | {of.when} |")
    return "\n".join(lines)


def main() -> int:
    results = load(RESULTS)
    PAGE.write_text(render(PAGE.read_text(encoding="utf-8"), results, machine_of(RESULTS)), encoding="utf-8")
    try:
        from benchmarks import plots
    except ImportError as error:
        print(f"{error}: the plots stay as they are. `pip install matplotlib` brings it.", file=sys.stderr)
        return 1
    plots.draw(results, RESULTS.parent)
    return 0


if __name__ == "__main__":
    sys.exit(main())
