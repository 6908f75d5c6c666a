"""Is this a flood? Counts what is refused, and says when the kernel's filter should go up and come down.

Off, every refusal is seen and counted. Above `_FLOOD_PER_S` of them in a second the filter goes up; then only a
sample arrives, and when that has been quiet for `_QUIET_US`, the filter comes down."""

_FLOOD_PER_S = 5_000
_SAMPLE_PER_S = 4  # one in 64 arrives: 256 a second at least were sent
_QUIET_US = 10_000_000
_SECOND_US = 1_000_000


class Floodgate:
    def __init__(self) -> None:
        self.closed = False
        self._second_us = 0
        self._count = 0
        self._last_flood_us = 0

    def refused(self, now_us: int) -> bool:
        """One more. True if `closed` has just changed."""
        if now_us - self._second_us >= _SECOND_US:
            self._second_us, self._count = now_us, 0
        self._count += 1
        if self._count >= (_SAMPLE_PER_S if self.closed else _FLOOD_PER_S):
            self._last_flood_us = now_us
            if not self.closed:
                self.closed = True
                return True
        return False

    def rest(self, now_us: int) -> bool:
        """To be called now and then. True if `closed` has just changed."""
        if self.closed and now_us - self._last_flood_us > _QUIET_US:
            self.closed = False
            return True
        return False
