"""The core's deadline on the loop: its only timer, and how late it came of late."""

from collections.abc import Callable

from kingd.daemon.clock import now_us
from kingd.loop import Loop, Timer

_WINDOW_US = 30_000_000


class Lag:
    """The worst of the last minute or so."""

    def __init__(self) -> None:
        self._since_us = 0
        self._before_us = self._worst_us = 0

    def note(self, late_us: int, *, now_us: int) -> None:
        if now_us - self._since_us >= _WINDOW_US:
            self._since_us, self._before_us, self._worst_us = now_us, self._worst_us, 0
        self._worst_us = max(self._worst_us, late_us)

    @property
    def worst_us(self) -> int:
        return max(self._worst_us, self._before_us)


class Deadline:
    def __init__(
        self, loop: Loop, on_due: Callable[[int], None], *, on_late: Callable[[int], None] = lambda _late_us: None
    ) -> None:
        """`on_due`: with how late it is, in us. `on_late`: the same, after what was due is done, be it by `on_due` or by what
        came in meanwhile, which the loop does before its timers."""
        self._loop = loop
        self._on_due = on_due
        self._on_late = on_late
        self.lag = Lag()
        self._at_us: int | None = None
        self._set_us = 0
        self._timer: Timer | None = None

    def set(self, at_us: int) -> None:
        """Each heartbeat puts it off. To put off the timer too costs much less than a wake-up for nothing."""
        if at_us == self._at_us:
            return
        self.cancel()
        now, was_at_us, was_set_us = now_us(), self._at_us, self._set_us
        self._at_us, self._set_us = at_us, now
        self._timer = self._loop.call_later(max(0, at_us - now) / 1e6, self._fire)
        if was_at_us is not None and was_at_us < now:
            self._note(now - max(was_at_us, was_set_us), now)

    def cancel(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _fire(self) -> None:
        assert self._at_us is not None
        now = now_us()
        late_us = now - max(self._at_us, self._set_us)  # it may have been due when it was set
        self._at_us = None
        self._on_due(late_us)
        self._note(late_us, now)

    def _note(self, late_us: int, now: int) -> None:
        self.lag.note(late_us, now_us=now)
        self._on_late(late_us)
