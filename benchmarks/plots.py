"""The plots of docs/performance.md: one dot a trial, so that what a median hides can be seen."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
from matplotlib import pyplot
from matplotlib.axes import Axes

from benchmarks.compared import COMPARED, FAILOVER
from benchmarks.measured import Measured

_OURS, _THEIRS = "#0b6e4f", "#9a3b3b"
_REST = ("idle: frames sent, all three", "idle: processor, leader", "idle: PSS")


def draw(results: Sequence[Measured], folder: Path) -> None:
    mpl.rcParams.update(
        {"svg.hashsalt": "kingd", "font.size": 8, "svg.fonttype": "none"}
    )  # the same bytes for the same data
    folder.mkdir(exist_ok=True)
    found = {(of.system, of.row): of for of in results}
    _figure(folder / "failover.svg", found, FAILOVER, scale="log")
    _figure(folder / "rest.svg", found, _REST, scale="linear")


def _figure(file: Path, found: dict[tuple[str, str], Measured], rows: Sequence[str], *, scale: str) -> None:
    across = 3
    rows = [row for row in rows if any((system, row) in found for system in COMPARED)]
    figure, grid = pyplot.subplots(
        -(-len(rows) // across), across, sharey=True, squeeze=False, figsize=(10, 2.3 * -(-len(rows) // across))
    )
    for axes, row in zip(grid.flat, rows, strict=False):
        _panel(axes, row, found, scale)
    for axes in grid.flat[len(rows) :]:
        axes.set_visible(False)
    figure.tight_layout()
    figure.savefig(file, metadata={"Date": None})
    pyplot.close(figure)


def _panel(axes: Axes, row: str, found: dict[tuple[str, str], Measured], scale: str) -> None:
    unit = ""
    for place, system in enumerate(COMPARED):
        if (measured := found.get((system, row))) is None:
            continue
        unit = measured.unit
        colour = _OURS if system.startswith("kingd") else _THEIRS
        axes.plot(measured.values, [place] * len(measured.values), "o", color=colour, alpha=0.35, markersize=3)
        axes.plot([measured.statistics["median"]], [place], "|", color=colour, markersize=11, markeredgewidth=2)
    axes.set_yticks(range(len(COMPARED)), COMPARED)
    axes.set_ylim(len(COMPARED) - 0.5, -0.5)
    axes.set_xscale(scale)
    if scale == "linear":
        axes.set_xlim(left=0)
    axes.grid(axis="x", alpha=0.3)
    axes.set_title(f"{row.removeprefix('idle: ')}, {unit}")
