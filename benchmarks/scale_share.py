"""How much of a processor a cluster of N takes at rest: counts of simulated.json, costs of costs.json."""

from collections.abc import Mapping, Sequence

from benchmarks.costs import KERNEL, Costs
from benchmarks.simulated import Row
from kingd.core.timing import SECOND

WOKEN, BURST, SENT = "received, one that wakes the process", "received, one of a burst", "sent"
_GROUP = "sent to the group"


def by_part(rows: Sequence[Row], part: str) -> dict[int, Row]:
    return {row.nodes: row for row in rows if row.part == part}


def sizes_of(known: Mapping[str, Costs]) -> list[str]:
    return sorted((name for name in known if name != KERNEL), key=int)


def share(row: Row, known: Mapping[str, Costs], *, leads: bool) -> float:
    """Of one processor, at rest: what `row` counts, each as long as measured."""
    size = min(sizes_of(known), key=lambda name: abs(int(name) - row.nodes))
    of, kernel = known[size], known[KERNEL]
    who = "leader" if leads else "follower"
    received, sent = (row.leader_in, row.leader_out) if leads else (row.follower_in, row.follower_out)
    us = 0.0
    for kind, rate in received.items():
        exact = next((cost for name, cost in of.items() if name.startswith(f"{who}: {kind} received")), None)
        us += rate * (kernel[WOKEN] + (of[f"{who}: Announce received"] if exact is None else exact))
    for kind, rate in sent.items():
        by_timer = of.get(f"{who}: {kind} sent")  # what answers a datagram is encoded with it
        us += rate * (kernel[SENT] if by_timer is None else kernel[WOKEN] + by_timer + kernel[_GROUP])
    return us / SECOND
