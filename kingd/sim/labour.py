"""Processors that take time, for runs that ask what a cluster costs its hosts: what is done when, by whom."""

import heapq
from dataclasses import dataclass

from kingd.sim.host import Host


@dataclass(frozen=True, slots=True, kw_only=True)
class Labour:
    """What a host's processor takes, in microseconds: to wake for a datagram, to read one, to read one that only repeats
    the leader's heartbeat, and to send one. `shared`: so many processors for all hosts; 0: each has its own."""

    woken_us: int
    received_us: int
    repeated_us: int
    sent_us: int
    shared: int = 0


class Processors:
    def __init__(self, labour: Labour, *, now_us: int) -> None:
        self._labour = labour
        self._free_us = [now_us] * labour.shared  # a heap: when each of those that all hosts share is free

    def read(self, host: Host, *, repeated: bool, now_us: int) -> None:
        """A datagram that has arrived; `repeated`: it only repeats the last heartbeat."""
        labour = self._labour
        woken_us = labour.woken_us if now_us > host.busy_until_us else 0
        self._work(host, woken_us + (labour.repeated_us if repeated else labour.received_us), now_us)

    def send(self, host: Host, *, now_us: int) -> None:
        self._work(host, self._labour.sent_us, now_us)

    def _work(self, host: Host, duration_us: int, now_us: int) -> None:
        """It is busy until it has done that, too."""
        begins_us = max(host.busy_until_us, now_us)
        if self._free_us:
            begins_us = max(begins_us, heapq.heappop(self._free_us))
            heapq.heappush(self._free_us, begins_us + duration_us)
        host.busy_until_us = begins_us + duration_us
