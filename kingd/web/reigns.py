"""Who led from when to when, as all hosts told it, and where two did at one time. Pure; docs/page.md.

In: events with `host`, in the order of time (kingd/cli/story.py). Out: `Reign`s and overlaps, in milliseconds since 1970 by the
clock of the host that was asked."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from kingd.control.answer import number, text
from kingd.control.client import JsonObject

APART_MS = 50.0  # two hosts' times are right to within a round trip, and a hand-over is no overlap
_ENDS = ("deposed", "leader-lost", "stopping", "started")


@dataclass(slots=True)
class Reign:
    """`to_ms` None: it goes on."""

    leader: str
    term: int
    from_ms: float
    to_ms: float | None = None

    def ends_ms(self, now_ms: float) -> float:
        return now_ms if self.to_ms is None else self.to_ms


def reigns(events: Sequence[JsonObject]) -> list[Reign]:
    """Where the leader itself was asked its word counts; else that of who followed it longest."""
    seen: dict[tuple[str, int], dict[str, Reign]] = {}
    following: dict[str, Reign] = {}
    for event in events:
        host, at_ms, leader = text(event, "host"), moment_ms(text(event, "time")), event.get("leader")
        kind, term = text(event, "event"), number(event, "term")
        present = following.get(host)
        if present is not None and (kind in _ENDS or (leader is not None and leader != present.leader)):
            present.to_ms = at_ms
            del following[host]
            present = None
        if isinstance(leader, str) and present is None and kind not in ("stopping", "started"):
            reign = following[host] = Reign(leader, term, at_ms)
            seen.setdefault((leader, term), {})[host] = reign
    return sorted((_merged(leader, by) for (leader, _), by in seen.items()), key=lambda reign: reign.from_ms)


def _merged(leader: str, by: dict[str, Reign]) -> Reign:
    first = min(by.values(), key=lambda reign: reign.from_ms)
    own = by.get(leader)
    if own is not None:
        return Reign(leader, own.term, min(own.from_ms, first.from_ms), own.to_ms)
    ends = [reign.to_ms for reign in by.values()]
    known = [each for each in ends if each is not None]
    return Reign(leader, first.term, first.from_ms, max(known) if len(known) == len(ends) else None)


def overlaps(found: Sequence[Reign], now_ms: float) -> list[tuple[float, float]]:
    """Where two hosts led at one time, for longer than their times may be wrong."""
    spans = [
        (max(one.from_ms, other.from_ms), min(one.ends_ms(now_ms), other.ends_ms(now_ms)))
        for at, one in enumerate(found)
        for other in found[at + 1 :]
        if one.leader != other.leader
    ]
    return list(_joined(sorted(span for span in spans if span[1] - span[0] >= APART_MS)))


def _joined(spans: Iterable[tuple[float, float]]) -> Iterable[tuple[float, float]]:
    last: tuple[float, float] | None = None
    for span in spans:
        if last is not None and span[0] <= last[1]:
            last = (last[0], max(last[1], span[1]))
            continue
        if last is not None:
            yield last
        last = span
    if last is not None:
        yield last


def moment_ms(time: str) -> float:
    return datetime.fromisoformat(time).timestamp() * 1000
