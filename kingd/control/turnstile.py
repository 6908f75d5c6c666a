"""Who is served next, and when it is enough: processor time is the one thing that all clients share with the election.

In: who waits, and two clocks. Out: calls of `serve`. All clients together may use `SLICE_US` at once, and one part in
`SHARE` of the time: whatever they ask, the daemon sleeps most of the time, and a host that is busy with them runs it
before them when a datagram comes. Knows no socket, no loop and no message.
"""

from collections import deque
from collections.abc import Callable, Iterator
from itertools import count
from typing import Generic, Protocol, TypeVar

SLICE_US = 1000  # the fast profile has a heartbeat every 10 ms
SHARE = 5
_UIDS_MAX = 1024  # that are remembered; whoever is forgotten has waited longest


class Guest(Protocol):
    uid: int
    served: int

    @property
    def is_privileged(self) -> bool: ...

    def serve(self) -> None:
        """A step of what it wants, as short as it can be."""


G = TypeVar("G", bound=Guest)


class Turnstile(Generic[G]):
    def __init__(self, *, now_us: Callable[[], int], used_us: Callable[[], int]) -> None:
        """`used_us`: processor time of this thread. Preemption by others is not held against anybody."""
        self._now_us = now_us
        self._used_us = used_us
        self._left_us = SLICE_US
        self._filled_us = now_us()
        self._numbers = count(1)
        self._served: dict[int, int] = {}  # by uid, the longest ago first

    def turn(self, door: Callable[[], None], waiting: list[G]) -> int:
        """The door first, then guests until the slice is used up, and at least one. For how many microseconds nobody is to
        be served now; 0: come again at once."""
        self._refill()
        began_us = self._used_us()
        door()
        for guest in self._in_turn(waiting):
            guest.serve()
            self._note(guest)
            if self._used_us() - began_us >= self._left_us:
                break
        self._left_us -= self._used_us() - began_us
        return 0 if self._left_us > 0 else (SLICE_US - self._left_us) * SHARE

    def _refill(self) -> None:
        now_us = self._now_us()
        self._left_us = min(SLICE_US, self._left_us + (now_us - self._filled_us) // SHARE)
        self._filled_us = now_us

    def _in_turn(self, waiting: list[G]) -> Iterator[G]:
        """The privileged before all others; among these one of each uid, and so on, whoever waited longest first."""
        lines: dict[tuple[bool, int], deque[G]] = {}
        for guest in sorted(waiting, key=lambda guest: guest.served):
            lines.setdefault((not guest.is_privileged, guest.uid), deque()).append(guest)
        for unprivileged in (False, True):
            left = [lines[key] for key in sorted(lines, key=self._age) if key[0] is unprivileged]
            while left:
                for line in left:
                    yield line.popleft()
                left = [line for line in left if line]

    def _age(self, key: tuple[bool, int]) -> int:
        return self._served.get(key[1], 0)

    def _note(self, guest: G) -> None:
        guest.served = next(self._numbers)
        self._served.pop(guest.uid, None)
        self._served[guest.uid] = guest.served
        if len(self._served) > _UIDS_MAX:
            del self._served[next(iter(self._served))]
