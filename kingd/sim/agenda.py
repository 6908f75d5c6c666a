"""Which simulated host has something to do next if nothing arrives: a timer, its disk, or what has piled up at its socket."""

import heapq

from kingd.core.timing import NEVER
from kingd.sim.host import Host


class Agenda:
    def __init__(self, hosts: list[Host]) -> None:
        self._hosts = hosts
        self._due: list[tuple[int, int]] = []  # a heap of (when, which host): at most one of each host counts

    def put(self, host: Host, *, now_us: int) -> None:
        """It was entered, or something about it has changed."""
        if host.core is None:
            host.due_us = NEVER
            return
        due_us = host.clock.when(host.core.deadline_us)
        if host.pending_disk:
            due_us = min(due_us, host.pending_disk[0][0])
        if host.backlog:
            due_us = now_us
        host.due_us = max(due_us, host.paused_until_us, host.busy_until_us)
        if host.due_us < host.queued_us:
            host.queued_us = host.due_us
            heapq.heappush(self._due, (host.due_us, host.index))

    def next(self) -> Host | None:
        """Who is due first. A deadline that was put off (as by each heartbeat) is looked at when it would have been due."""
        while self._due:
            at_us, index = self._due[0]
            host = self._hosts[index]
            if at_us == host.due_us:
                return host
            if at_us != host.queued_us or host.due_us == NEVER:  # it got an earlier one since, or has nothing to do
                heapq.heappop(self._due)
                if at_us == host.queued_us:
                    host.queued_us = NEVER
            else:
                heapq.heapreplace(self._due, (host.due_us, index))
                host.queued_us = host.due_us
        return None
