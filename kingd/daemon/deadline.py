"""The core's deadline on the loop: its only timer."""

import asyncio
from collections.abc import Callable

from kingd.daemon.clock import now_us


class Deadline:
    def __init__(self, on_due: Callable[[int], None]) -> None:
        """`on_due`: with how late it is, in us."""
        self._on_due = on_due
        self._at_us: int | None = None
        self._timer: asyncio.TimerHandle | None = None

    def set(self, at_us: int) -> None:
        """Each heartbeat puts it off. To put off the timer too costs much less than a wake-up for nothing."""
        if at_us == self._at_us:
            return
        self.cancel()
        self._at_us = at_us
        self._timer = asyncio.get_running_loop().call_later(max(0, at_us - now_us()) / 1e6, self._fire)

    def cancel(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _fire(self) -> None:
        assert self._at_us is not None
        late_us = now_us() - self._at_us
        self._at_us = None
        self._on_due(late_us)
