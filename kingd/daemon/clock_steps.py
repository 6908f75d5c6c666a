"""What has happened to this host's clocks: somebody set the time, or the machine was suspended. Looked at every few seconds."""

import time
from collections import deque

from kingd.control.service import JsonObject
from kingd.daemon.clock import now_us

_STEP_US = 500_000  # between two looks; who disciplines the clock slowly stays far below
_KEPT_MAX = 8


class ClockSteps:
    def __init__(self) -> None:
        self._offsets: tuple[int, int] | None = None
        self._found: deque[tuple[str, int, int]] = deque(maxlen=_KEPT_MAX)

    def look(self) -> None:
        boot_us = now_us()
        self.compare(
            boot_us=boot_us,
            wall_us=time.clock_gettime_ns(time.CLOCK_REALTIME) // 1000,
            running_us=time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000,
        )

    def compare(self, *, boot_us: int, wall_us: int, running_us: int) -> None:
        offsets = wall_us - boot_us, boot_us - running_us
        if self._offsets is not None:
            for kind, now, before in zip(("clock-step", "suspend"), offsets, self._offsets, strict=True):
                if abs(now - before) > _STEP_US:
                    self._found.append((kind, now - before, boot_us))
        self._offsets = offsets

    def told(self, boot_us: int) -> list[JsonObject]:
        """The last ones, with how long ago."""
        return [
            {"kind": kind, "by_ms": by_us // 1000, "ago_ms": (boot_us - at_us) // 1000}
            for kind, by_us, at_us in self._found
        ]
