"""`python -m benchmarks.scale_page`: from docs/results to the tables and the plot of docs/scale.md.

The files are simulated.json and costs.json.
What stands between `<!-- NAME -->` and `<!-- end -->` is written by this; the prose around it by people."""

import re
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from benchmarks import costs, simulated
from benchmarks.costs import KERNEL, Costs
from benchmarks.scale_share import BURST, SENT, by_part, share, sizes_of
from benchmarks.simulated import BUSY, FAILOVER, REST, START, Row
from kingd.core.scale import MEMBERS_MAX, announce_us, reading_us
from kingd.core.timing import MS, SECOND, Timing

PAGE = Path(__file__).parent.parent / "docs" / "scale.md"
_PAD = "&nbsp;"


def render(text: str, rows: Sequence[Row], known: Mapping[str, Costs], machine: str) -> str:
    """The page with its generated parts made anew."""
    parts: dict[str, Callable[[], str]] = {
        "machine": lambda: machine,
        "rest": lambda: _rest(rows),
        "failover": lambda: _failover(rows),
        "costs": lambda: _costs(known),
        "kernel": lambda: _kernel(known),
        "share": lambda: _share(rows, known),
        "constants": lambda: _constants(rows),
    }
    for name, part in parts.items():
        between = re.compile(rf"(<!-- {name} -->\n).*?(<!-- end -->)", re.DOTALL)
        text, count = between.subn(lambda found, part=part: f"{found[1]}{part()}\n{found[2]}", text)  # type: ignore[misc]
        assert count == 1, f"docs/scale.md has {count} places for {name!r}"
    return text


def _table(header: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    return "\n".join(
        [f"| {' | '.join(header)} |", "|" + "---:|" * len(header), *(f"| {' | '.join(cells)} |" for cells in lines)]
    )


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def _rest(rows: Sequence[Row]) -> str:
    starts = by_part(rows, START)
    lines = []
    for nodes, row in sorted(by_part(rows, REST).items()):
        started = starts.get(nodes)
        cells = [
            _number(started.sent) if started else "",
            _number(row.sent),
            _number(row.received),
            _number(sum(row.leader_out.values())),
            _number(sum(row.leader_in.values())),
            f"{row.virtual_s:.0f}",
            f"{row.took_s:.0f}",
            f"{row.memory_mib:,}",
        ]
        lines.append([f"{nodes:,}", *cells])
    header = (
        "N", "start: sent a node", "rest: sent /s a node", "received /s a node", "leader: sent /s", "leader: received /s",
        "simulated, s", "in, s", "MiB",
    )  # fmt: skip
    return _table(header, lines)


def _failover(rows: Sequence[Row]) -> str:
    busy = by_part(rows, BUSY)
    lines = []
    for nodes, row in sorted(by_part(rows, FAILOVER).items()):
        slow = busy.get(nodes)
        lines.append(
            [
                f"{nodes:,}",
                *_outcome(row),
                *(_outcome(slow) if slow else ("", "")),
                f"{row.trials}",
                f"{row.took_s:.0f}",
            ]
        )
    header = (
        "N",
        "sent",
        "agreed after, ms",
        "with processors: sent",
        "agreed after, ms",
        "trials",
        "one simulated in, s",
    )
    return _table(header, lines)


def _outcome(row: Row) -> tuple[str, str]:
    """Median, and the worst."""
    assert row.agreed_ms is not None
    if row.trials == 1:
        return f"{row.sent:.1f} N", f"{row.agreed_ms:.0f}"
    return f"{row.sent:.1f} N ({row.sent_max:.1f} N)", f"{row.agreed_ms:.0f} ({row.agreed_ms_max:.0f})"


def _costs(known: Mapping[str, Costs]) -> str:
    sizes = sizes_of(known)
    kinds = list(known[sizes[0]])
    lines = [[kind, *(f"{known[size][kind]:,.0f}" for size in sizes)] for kind in kinds]
    table = _table(["N", *(f"{int(size):,}" for size in sizes)], lines)
    return table.replace("|---:|", "|---|---:|"[:5], 1)


def _kernel(known: Mapping[str, Costs]) -> str:
    return ", ".join(f"{row} {us:.0f} us" for row, us in known[KERNEL].items())


def _share(rows: Sequence[Row], known: Mapping[str, Costs]) -> str:
    lines = []
    failovers = by_part(rows, FAILOVER)
    for nodes, row in sorted(by_part(rows, REST).items()):
        size = min(sizes_of(known), key=lambda name: abs(int(name) - nodes))
        of, kernel = known[size], known[KERNEL]
        over = failovers[nodes]
        claims_ms = over.leader_out.get("Claim", 0) * (of["candidate: Claim sent"] + kernel[SENT]) / MS
        grants_ms = over.leader_in.get("Grant", 0) * (of["candidate: Grant received"] + kernel[BURST]) / MS
        cells = [f"{100 * share(row, known, leads=False):.2f}", f"{100 * share(row, known, leads=True):.2f}"]
        lines.append([f"{nodes:,}", *cells, _number(claims_ms), _number(grants_ms)])
    header = ("N", "rest: a follower, %", "rest: the leader, %", "failover: claims sent, ms", "grants received, ms")
    return _table(header, lines)


def _constants(rows: Sequence[Row]) -> str:
    timing = Timing()
    lines = []
    for nodes in sorted(by_part(rows, REST)):
        known = min(nodes, MEMBERS_MAX)
        reading_ms = reading_us(known) / MS
        interval_s = announce_us(known) / SECOND
        lines.append(
            [
                f"{nodes:,}",
                f"{known:,}" if known == nodes else f"**{known:,}**",
                f"{interval_s:,.0f}",
                f"{5 * interval_s / 60:,.0f}",
                f"{timing.claim_timeout_us / MS + reading_ms:,.0f}",
                f"{timing.grant_us / MS + reading_ms:,.0f}",
            ]
        )
    header = (
        "N", "in a table", "announced every, s", "a silent death is noticed after, min", "a claim lasts, ms", "a promise, ms",
    )  # fmt: skip
    return _table(header, lines)


def main() -> int:
    rows, known = simulated.load(simulated.RESULTS), costs.load(costs.RESULTS)
    text = render(PAGE.read_text(encoding="utf-8"), rows, known, costs.machine_of(costs.RESULTS))
    PAGE.write_text(text, encoding="utf-8")
    try:
        from benchmarks import scale_plot
    except ImportError as error:
        print(f"{error}: the plot stays as it is. `pip install matplotlib` brings it.", file=sys.stderr)
        return 1
    scale_plot.draw(rows, known, PAGE.parent / "results" / "scale.svg")
    return 0


if __name__ == "__main__":
    sys.exit(main())
