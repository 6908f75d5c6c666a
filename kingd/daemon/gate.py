"""Between the sockets and the core: what is read at all, and what the kernel drops before it wakes anybody.

In: each datagram, and what came of reading it. Out: whether to read it, and the filters of the sockets. In a flood
they let pass what is new of the sessions that the core knows, and of the rest a sample; they are made anew while it
lasts, for what was new a moment ago may be what is replayed now, and members come."""

import time
from collections.abc import Callable

from kingd.core.election import Core
from kingd.core.facts import Glance
from kingd.core.wire.codec import (
    DATAGRAM_SIZE_MAX,
    DATAGRAM_SIZE_MIN,
    DESTINATION_AT,
    SEQUENCE_AT,
    SESSION_AT,
    SOURCE_AT,
    prologue,
)
from kingd.daemon.clock import now_us
from kingd.daemon.floodgate import Floodgate
from kingd.daemon.refusals import Refusals
from kingd.log import Logger
from kingd.loop import Loop
from kingd.net.filter import Filter
from kingd.net.transport import Transport

_log = Logger("kingd")

_RENEW_S = 0.5


class Gate:
    def __init__(self, core: Core, refusals: Refusals) -> None:
        self._core = core
        self._refusals = refusals
        self._floodgate = Floodgate()
        self._transport: Transport | None = None
        self._loop: Loop | None = None

    def guard(self, transport: Transport, loop: Loop) -> None:
        self._transport, self._loop = transport, loop
        self._set_filters()

    def take(self, data: bytes, read: Callable[[], None], *, by_group: bool, now_us: int) -> None:
        """`read` it, if it may be of use and there is time for it."""
        match self._core.glance(data, by_group=by_group):
            case Glance.MEMBER:
                read()
            case Glance.STRANGER if self._floodgate.admits_stranger(now_us):
                began_ns = time.thread_time_ns()
                read()
                self._floodgate.spend(time.thread_time_ns() - began_ns)
            case Glance.STRANGER:
                self._refusals.count("flood")
                self._on_judged(self._floodgate.turned_away(now_us))
            case Glance.USELESS:
                self.refused(now_us)
            case Glance.COPY:
                self._on_judged(self._floodgate.copied(now_us))

    def refused(self, now_us: int) -> None:
        """One was not believed."""
        self._on_judged(self._floodgate.refused(now_us))

    def watch(self) -> None:
        """To be called now and then."""
        self._on_judged(self._floodgate.rest(now_us()))

    def _on_judged(self, changed: bool) -> None:
        if not changed:
            return
        if self._floodgate.closed:
            self._renew()
            _log.warning(
                "a flood of foreign datagrams: the kernel drops them now, but for a sample (see kingctl status)"
            )
        else:
            self._set_filters()
            _log.info("the flood of foreign datagrams is over")

    def _renew(self) -> None:
        if self._floodgate.closed and self._loop is not None:
            self._set_filters()
            self._loop.call_later(_RENEW_S, self._renew)

    def _set_filters(self) -> None:
        """Each host that starts asks the group whether somebody has its id, and what we send to it comes back to us: the core
        would drop both, but a daemon that is woken for it costs a hundred times as much."""
        assert self._transport is not None
        core, flood = self._core, self._floodgate.closed
        fixed, size_min, size_max = prologue(core.settings.cluster), DATAGRAM_SIZE_MIN, DATAGRAM_SIZE_MAX
        own_id, own_session = core.id.to_bytes(8, "big"), core.session.to_bytes(8, "big")
        own = ((SOURCE_AT.start, own_id), (SESSION_AT.start, own_session))
        to = (DESTINATION_AT.start, own_id)
        news = [(session.to_bytes(8, "big"), newest) for session, newest in core.news()] if flood else []
        # The leader's is the first of them, for only so many fit into a filter.
        sessions = (SESSION_AT.start, SEQUENCE_AT.start, news) if flood else None
        self._transport.filter(
            Filter(fixed, size_min=size_min, size_max=size_max, samples=True, sessions=sessions) if flood else None,
            Filter(fixed, size_min=size_min, size_max=size_max, to=to, own=own, samples=flood, sessions=sessions),
        )
