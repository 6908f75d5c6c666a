"""The plot of docs/scale.md."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib as mpl
from matplotlib import pyplot
from matplotlib.axes import Axes

from benchmarks.costs import Costs
from benchmarks.scale_share import by_part, share
from benchmarks.simulated import BUSY, FAILOVER, REST, Row
from kingd.core.scale import MEMBERS_MAX, announce_us, reading_us
from kingd.core.timing import MS, SECOND, Timing

_OURS, _LEADER, _LIMIT = "#0b6e4f", "#9a3b3b", "#777777"
_SIZES = [3, 10, 32, 50, 100, 150, 300, 450, 1_000, 1_300, 2_000, 4_096, 10_000]


def draw(rows: Sequence[Row], known: Mapping[str, Costs], file: Path) -> None:
    mpl.rcParams.update({"svg.hashsalt": "kingd", "font.size": 8, "svg.fonttype": "none"})
    figure, grid = pyplot.subplots(2, 2, figsize=(10, 6.4))
    rest = [row for _, row in sorted(by_part(rows, REST).items())]
    _rates(grid[0][0], rest)
    _shares(grid[0][1], rest, known)
    _failovers(grid[1][0], rows)
    _ages(grid[1][1])
    for axes in grid.flat:
        axes.set_xscale("log")
        axes.set_xlabel("hosts")
        axes.grid(alpha=0.3)
        axes.axvline(MEMBERS_MAX, color=_LIMIT, linestyle=":", linewidth=1)
        axes.legend(fontsize=7)
    figure.tight_layout()
    figure.savefig(file, metadata={"Date": None})
    pyplot.close(figure)


def _rates(axes: Axes, rest: Sequence[Row]) -> None:
    sizes = [row.nodes for row in rest]
    axes.plot(sizes, [row.received for row in rest], "o-", color=_OURS, label="received by a node")
    axes.plot(sizes, [row.sent for row in rest], "s--", color=_OURS, label="sent by a node")
    axes.plot(sizes, [sum(row.leader_out.values()) for row in rest], "^-", color=_LEADER, label="sent by the leader")
    axes.set_yscale("log")
    axes.set_title("at rest, datagrams a second (simulated)")


def _shares(axes: Axes, rest: Sequence[Row], known: Mapping[str, Costs]) -> None:
    sizes = [row.nodes for row in rest]
    axes.plot(sizes, [100 * share(row, known, leads=False) for row in rest], "o-", color=_OURS, label="a follower")
    axes.plot(sizes, [100 * share(row, known, leads=True) for row in rest], "^-", color=_LEADER, label="the leader")
    axes.set_ylim(bottom=0)
    axes.set_title("at rest, % of a processor (simulated x measured)")


def _failovers(axes: Axes, rows: Sequence[Row]) -> None:
    for part, style, label in (
        (FAILOVER, "o-", "agreed, simulated"),
        (BUSY, "s--", "agreed, with processors that take time"),
    ):
        found = sorted(by_part(rows, part).items())
        axes.plot([n for n, _ in found], [row.agreed_ms or 0 for _, row in found], style, color=_OURS, label=label)
    timing, sizes = Timing(), [min(size, MEMBERS_MAX) for size in _SIZES]
    claims = [(timing.claim_timeout_us + reading_us(size)) / MS for size in sizes]
    holds = [(timing.grant_us + reading_us(size)) / MS for size in sizes]
    axes.plot(_SIZES, claims, ":", color=_LEADER, label="a claim's time")
    axes.plot(_SIZES, holds, "-", color=_LIMIT, linewidth=1, label="a promise to a candidate")
    axes.set_ylim(bottom=0)
    axes.set_title("failover without a last will, ms")


def _ages(axes: Axes) -> None:
    intervals_s = [announce_us(min(size, MEMBERS_MAX)) / SECOND for size in _SIZES]
    axes.plot(_SIZES, intervals_s, "o-", color=_OURS, label="announced every")
    axes.plot(
        _SIZES,
        [5 * interval_s for interval_s in intervals_s],
        "--",
        color=_LEADER,
        label="a silent death is noticed after",
    )
    axes.set_yscale("log")
    axes.set_title("what is heard of others, age in s (computed)")
