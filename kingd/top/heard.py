"""When a member was last heard, over the last minute, and its line of bars.

A bar stands for the longest silence in its part of the minute. The scale is fixed and not even, so that bars of different
members, clusters and days can be compared: what is usual is low, whatever `[timing]` says."""

from bisect import bisect_left
from collections import deque
from dataclasses import dataclass

SPAN_S = 60
_STEPS_MS = (100, 250, 500, 1000, 2500, 5000, 10_000)  # up to here the first bar, the second ...; beyond, the eighth
BARS = len(_STEPS_MS) + 1
NOTHING, GONE = -1, -2  # no answer in that time; said to be dead, or gone


@dataclass(slots=True)
class _Second:
    second: int
    level: int


class Heard:
    """One member's last minute, a second at a time."""

    def __init__(self) -> None:
        self._seconds: deque[_Second] = deque(maxlen=SPAN_S)

    def note(self, now_s: float, silent_ms: float | None, *, state: str) -> None:
        """`silent_ms`: how long ago it was heard; None = never."""
        is_gone = state != "alive" or silent_ms is None
        level = GONE if is_gone or silent_ms is None else bisect_left(_STEPS_MS, silent_ms)
        last = self._seconds[-1] if self._seconds else None
        if last is not None and last.second == int(now_s):
            last.level = _worse(last.level, level)
        else:
            self._seconds.append(_Second(int(now_s), level))

    def levels(self, now_s: float, cells: int) -> list[int]:
        """The minute in so many parts, the newest last: 0 .. BARS - 1, or NOTHING, or GONE."""
        found = [NOTHING] * cells
        for each in self._seconds:
            cell = cells - 1 - (int(now_s) - each.second) * cells // SPAN_S
            if 0 <= cell < cells:
                found[cell] = _worse(found[cell], each.level)
        return found


def _worse(one: int, other: int) -> int:
    return GONE if GONE in (one, other) else max(one, other)
