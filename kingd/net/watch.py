"""When to look at the interfaces again, and the looking.

In: netlink wake-ups, a period, a request to hurry. Out: `on_links` with each list of links, `on_period` once a
period.

Invariants: at most one scan runs at a time, and a change that arrives while one runs leads to another. The first
scan is done in the caller's thread, so that a daemon knows its links when it starts; later ones in a worker thread,
because netifaces needs 1 ms per interface on a host with a hundred of them (containers): too long a silence for a
leader. Nothing here judges what is found."""

import socket
from collections.abc import Callable, Sequence
from functools import partial

from kingd.loop import Loop, Timer
from kingd.net import links, netlink
from kingd.net.links import Link
from kingd.net.problems import Operation

# Changes come in bursts (an address, its route, its duplicate check); one scan serves them all.
SETTLE_S = 0.02
PERIOD_S = 30.0  # in case the kernel told of a change and this host did not get it
PERIOD_BLIND_S = 5.0  # where the kernel tells nothing
PERIOD_TROUBLED_S = 1.0


class Watch:
    def __init__(
        self,
        interfaces: Sequence[str],
        *,
        on_links: Callable[[list[Link]], None],
        on_period: Callable[[], bool],
        on_failed: Callable[[OSError, Operation], None],
    ) -> None:
        """`on_period` returns whether something is wrong and the next period shall be short."""
        self._interfaces = tuple(interfaces)
        self._on_links = on_links
        self._on_period = on_period
        self._on_failed = on_failed
        self._loop: Loop | None = None
        self._netlink: socket.socket | None = None
        self._settling: Timer | None = None
        self._period: Timer | None = None
        self._troubled = False
        self._is_scanning = False
        self._scan_again = False

    def start(self, loop: Loop) -> None:
        """Scans at once, and calls `on_links` before it returns."""
        self._loop = loop
        self._open_netlink(loop)
        failure: OSError | None = None
        found: list[Link] = []
        try:
            found = links.scan(self._interfaces)
        except OSError as error:
            failure = error
        self._on_links(found)
        if failure is not None:  # after on_links, which takes its list for a scan that worked
            self._on_failed(failure, Operation.SCAN)
        self._begin_period(loop)

    def hurry(self) -> None:
        """Something went wrong: look again soon."""
        if self._loop is not None and not self._troubled:
            self._troubled = True
            self._begin_period(self._loop)

    def close(self) -> None:
        for timer in (self._settling, self._period):
            if timer is not None:
                timer.cancel()
        if self._netlink is not None and self._loop is not None:
            self._loop.remove_reader(self._netlink)
            self._netlink.close()
        self._loop = self._netlink = None

    def _open_netlink(self, loop: Loop) -> None:
        try:
            self._netlink = netlink.open_netlink()
        except OSError as error:
            self._on_failed(error, Operation.NETLINK)
        else:
            loop.add_reader(self._netlink, self._on_netlink)

    def _on_netlink(self) -> None:
        assert self._netlink is not None
        assert self._loop is not None
        if netlink.drain(self._netlink) and self._settling is None:
            # Not put off by the next event: a host where something always changes must get on.
            self._settling = self._loop.call_later(SETTLE_S, self._on_settled)

    def _on_settled(self) -> None:
        self._settling = None
        self._look()

    def _begin_period(self, loop: Loop) -> None:
        if self._period is not None:
            self._period.cancel()
        quiet_s = PERIOD_S if self._netlink is not None else PERIOD_BLIND_S
        self._period = loop.call_later(PERIOD_TROUBLED_S if self._troubled else quiet_s, self._on_period_over)

    def _on_period_over(self) -> None:
        assert self._loop is not None
        self._troubled = self._on_period()
        self._begin_period(self._loop)
        self._look()

    def _look(self) -> None:
        if self._loop is None:
            return
        if self._is_scanning:
            self._scan_again = True
            return
        self._is_scanning = True
        self._loop.in_thread(partial(links.scan, self._interfaces), self._on_scanned)

    def _on_scanned(self, found: list[Link] | OSError) -> None:
        self._is_scanning = False
        if self._loop is None:
            return
        if isinstance(found, OSError):
            self._on_failed(found, Operation.SCAN)
        else:
            self._on_links(found)
        if self._scan_again:
            self._scan_again = False
            self._look()
