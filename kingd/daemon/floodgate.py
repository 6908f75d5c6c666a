"""Is this a flood? Counts what is refused, and says when the kernel's filter should go up and come down; and how much
processor time goes to those whom nobody knows.

Off, every refusal is seen and counted. Above `_FLOOD_PER_S` of them in a second (so many a host can count that has a
fifth of a processor left) the filter goes up; then only a sample arrives, and when that has been quiet for `_QUIET_US`,
the filter comes down.

A datagram of a living session costs what its MACs cost, if they are wrong: whoever forges its header, and the source
address, takes nothing from the member. All others share a part of each slice of time, a small one in a flood: beyond
it they are not even read. A source address plays no part, for anybody can write one."""

_FLOOD_PER_S = 2_000
_CROWD_PER_S = 5_000  # of strangers that were not read: they may be a large cluster after a power cut
_SAMPLE_PER_S = 4  # one in 64 arrives: 256 a second at least were sent
_COPIES_PER_S = 300  # the network makes some, of what everybody says by IPv4 and IPv6
_QUIET_US = 10_000_000
_SECOND_US = 1_000_000
_SLICE_US = 100_000
# Of processor time, in each slice. Not more, for on a busy host there may be no more: then nothing would ever be refused.
_STRANGERS_NS, _STRANGERS_IN_FLOOD_NS = 20_000_000, 5_000_000


class Floodgate:
    def __init__(self) -> None:
        self.closed = False
        self._second_us = 0
        self._count = self._copies = self._crowd = 0
        self._last_flood_us = 0
        self._slice_us = 0
        self._left_ns = _STRANGERS_NS

    def refused(self, now_us: int) -> bool:
        """One more. True if `closed` has just changed."""
        self._begin_second(now_us)
        self._count += 1
        return self._judge(self._count >= (_SAMPLE_PER_S if self.closed else _FLOOD_PER_S), now_us)

    def turned_away(self, now_us: int) -> bool:
        """One more stranger for whom there was no time. True if `closed` has just changed."""
        self._begin_second(now_us)
        self._crowd += 1
        return self._judge(self._crowd >= (_SAMPLE_PER_S if self.closed else _CROWD_PER_S), now_us)

    def copied(self, now_us: int) -> bool:
        """One more that came twice, which is no fault unless there are many. True if `closed` has just changed."""
        self._begin_second(now_us)
        self._copies += 1
        return self._judge(self._copies >= (_COPIES_PER_S if self.closed else _CROWD_PER_S), now_us)

    def _begin_second(self, now_us: int) -> None:
        if now_us - self._second_us >= _SECOND_US:
            self._second_us, self._count, self._copies, self._crowd = now_us, 0, 0, 0

    def _judge(self, is_flood: bool, now_us: int) -> bool:
        if is_flood:
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

    def admits_stranger(self, now_us: int) -> bool:
        """Whether there is time left for one more."""
        if now_us - self._slice_us >= _SLICE_US:
            self._slice_us = now_us
            self._left_ns = _STRANGERS_IN_FLOOD_NS if self.closed else _STRANGERS_NS
        return self._left_ns > 0

    def spend(self, time_ns: int) -> None:
        """So much of the processor's time went to a stranger."""
        self._left_ns -= time_ns
