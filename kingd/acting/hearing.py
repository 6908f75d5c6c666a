"""What the daemon says by itself about the leadership of this host (`Hold` of the control socket), as it comes: on one
connection, made again when it has ended. Nothing is asked, and no thread waits."""

import select
from collections.abc import Iterator

from kingd.acting.hold import NEVER_US, Leadership, View
from kingd.control.answer import flag, number, text
from kingd.control.client import BadAnswer, CallFailed, DaemonNotRunning, Feed, JsonObject, KingdError
from kingd.control.validity import now_us
from kingd.records import dataclass

_SECOND = 1_000_000
_AGAIN_US = 50_000  # after a connection that failed
_NOT_AUTHORIZED = "org.kingd.NotAuthorized"


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """One reply of `Hold`. `told_us`: when the daemon made it, by CLOCK_BOOTTIME; `exclusive`: `target.exclusive`;
    `other_leads`: another host is known to."""

    found: Leadership | View
    told_us: int
    valid_us: int
    draining: bool
    exclusive: bool
    other_leads: bool


class Hearing:
    def __init__(self, socket: str, name: str) -> None:
        """`name`: who is told to end what he runs, before a hand-over."""
        self._socket = socket
        self._name = name
        self._feed: Feed | None = None
        self._feeds = select.epoll()  # one descriptor to wait on, whichever connection there is
        self._again_us = 0  # when the next one is tried
        self.is_over = False  # no further one is
        self.why_alone = ""  # why a hand-over will not wait for us; "" = it will

    def fileno(self) -> int:
        return self._feeds.fileno()

    @property
    def next_us(self) -> int:
        """`hear` then at the latest."""
        return NEVER_US if self._feed is not None or self.is_over else self._again_us

    @property
    def is_connected(self) -> bool:
        return self._feed is not None

    def close(self) -> None:
        """For good: the daemon tells us nothing any more."""
        self._hang_up()
        self._feeds.close()

    def rest(self, until_us: int) -> None:
        """No connection is tried before."""
        self._again_us = until_us

    def hear(self, *, patience_us: int) -> Iterator[Said]:
        """All that there is. A connection that has ended is made again at once: that the daemon has gone is what the next one
        shows. KingdError: there is none now."""
        for _ in range(3):
            if self._feed is None and (self.is_over or now_us() < self._again_us):
                return
            try:
                if self._feed is None:
                    self._call(patience_us)
                assert self._feed is not None
                for reply in self._feed.read():
                    yield _said(reply)
                return
            except CallFailed as error:
                self._hang_up()
                if error.name != _NOT_AUTHORIZED or self.why_alone:
                    self.rest(now_us() + _AGAIN_US)
                    raise
                self.why_alone = str(error)  # without a name, then
            except DaemonNotRunning:
                if self._feed is None:
                    self.rest(now_us() + _AGAIN_US)
                    raise
                self._hang_up()
            except KingdError:
                self._hang_up()
                self.rest(now_us() + _AGAIN_US)
                raise
        self.rest(now_us() + _AGAIN_US)  # it takes the call, and ends it

    def _call(self, patience_us: int) -> None:
        name = None if self.why_alone else self._name
        self._feed = Feed(self._socket, "Hold", {"name": name}, timeout_s=max(patience_us, 1000) / _SECOND)
        self._feeds.register(self._feed, select.EPOLLIN)

    def _hang_up(self) -> None:
        if self._feed is not None:
            self._feeds.unregister(self._feed)  # `close` alone does not, where a child that was forked still has it
            self._feed.close()
            self._feed = None


def _said(reply: JsonObject) -> Said:
    """BadAnswer: not understood, or by another clock."""
    found: Leadership | View = View.UNSURE
    told_us, valid_us = number(reply, "boottime_us"), 0
    if told_us > now_us():
        raise BadAnswer("the daemon counts time by another clock: is this another time namespace (unshare --time)?")
    if reply.get("leads") is not None:
        found = View.LEADS_NOT
        if flag(reply, "leads"):
            found = Leadership(number(reply, "term"), text(reply, "node_id"))
            valid_us = number(reply, "valid_us")
    other_leads = reply.get("leader_id") not in (None, text(reply, "node_id"))
    return Said(
        found=found,
        told_us=told_us,
        valid_us=valid_us,
        draining=flag(reply, "draining"),
        exclusive=flag(reply, "exclusive"),
        other_leads=other_leads,
    )
