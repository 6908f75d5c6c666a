"""Keeps a leadership confirmed, for who runs something because of it: hears what the daemon says by itself (`Hold`), and
says when all is to end and when it is killed. docs/run.md has the times.

`take` pins one leadership; `turn` is called whenever there is news (`fileno`) and at `next_us` at the latest. Nothing is
asked, and no thread waits: the daemon's word comes with the time from which it counts."""

import select
from collections.abc import Callable
from dataclasses import dataclass

from kingd.acting.hold import DRAIN_KILL_US, Hold, Leadership, View
from kingd.control.answer import flag, number, text
from kingd.control.client import BadAnswer, CallFailed, CallTimedOut, DaemonNotRunning, Feed, JsonObject, KingdError
from kingd.control.validity import now_us

_SECOND = 1_000_000
_CONNECT_US = 50_000  # for a call, while something runs
_AGAIN_US = 50_000  # after one that failed
_NEVER_US = 1 << 62
_SILENT = "kingd did not say in time whether this host leads; is it stopped, or the machine overloaded?"
_NOT_AUTHORIZED = "org.kingd.NotAuthorized"


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """One reply of `Hold`. `told_us`: when the daemon made it, by CLOCK_BOOTTIME."""

    found: Leadership | View
    told_us: int
    valid_us: int
    draining: bool


class Claim:
    def __init__(self, socket: str, name: str, *, timeout_s: float) -> None:
        """`name`: who is told to end what he runs, before a hand-over; `timeout_s`: until the daemon says something."""
        self._socket = socket
        self._name = name
        self._timeout_s = timeout_s
        self._feed: Feed | None = None
        self._feeds = select.epoll()  # one descriptor to wait on, whichever connection there is
        self._again_us = 0  # when the next one is tried
        self._said: Said | None = None
        self._hold: Hold | None = None
        self._drain_kill_us = _NEVER_US
        self._is_given_up = False
        self.why = ""  # all is to end; "" = it is not
        self.why_alone = ""  # why a hand-over will not wait for us; "" = it will

    def fileno(self) -> int:
        return self._feeds.fileno()

    def close(self) -> None:
        """For good: the daemon tells us nothing any more."""
        self._hang_up()
        self._feeds.close()

    @property
    def is_waited_for(self) -> bool:
        """A hand-over waits, or may have waited, for us."""
        return not self.why_alone

    @property
    def hold(self) -> Hold:
        assert self._hold is not None
        return self._hold

    @property
    def kill_us(self) -> int:
        return min(self.hold.kill_us, self._drain_kill_us)

    @property
    def next_us(self) -> int:
        again_us = _NEVER_US if self._feed is not None else self._again_us
        return self.kill_us if self._is_given_up else min(self.kill_us, self.hold.doubt_us, again_us)

    def take(self, *, pause: Callable[[int], None]) -> bool:
        """Whether this host leads, and is not about to hand over. `pause`: until there is news or that moment has come.
        KingdError: the daemon says nothing, or nothing that is still good when it comes."""
        end_us = now_us() + min(round(self._timeout_s * _SECOND), _NEVER_US // 2)
        while True:
            self._hear(patience_us=end_us - now_us())
            said = self._said
            if said is not None and (said.draining or said.found is View.LEADS_NOT):
                return False
            if said is not None and isinstance(said.found, Leadership):
                hold = Hold(said.found, told_us=said.told_us, valid_us=said.valid_us)
                if not hold.doubt(now_us=now_us()):  # else it came late: the next one is on its way
                    self._hold = hold
                    return True
            if now_us() >= end_us:
                raise CallTimedOut(_SILENT)
            pause(end_us if self._feed is not None else min(end_us, self._again_us))

    def turn(self) -> None:
        try:
            self._hear(patience_us=min(_CONNECT_US, max(self.hold.doubt_us - now_us(), 1000)))
        except DaemonNotRunning:
            self._note(Said(found=View.GONE, told_us=0, valid_us=0, draining=False))
        except KingdError:  # it may say more, in time or not
            self._again_us = now_us() + _AGAIN_US
        doubt = self.hold.doubt(now_us=now_us())
        if doubt:
            self.give_up(doubt)

    def give_up(self, why: str) -> None:
        """Nothing counts any more: what was known last has an end."""
        self._is_given_up = True
        self.why = self.why or why

    # -- what is heard -------------------------------------------------------------------------------------------------

    def _hear(self, *, patience_us: int) -> None:
        """All that there is. A connection that has ended is made again at once: that the daemon has gone is what the next one
        shows. KingdError: there is none now."""
        for _ in range(3):
            if self._feed is None and (self._is_given_up or now_us() < self._again_us):
                return
            try:
                if self._feed is None:
                    self._call(patience_us)
                assert self._feed is not None
                for reply in self._feed.read():
                    self._note(_said(reply))
                return
            except CallFailed as error:
                self._hang_up()
                if error.name != _NOT_AUTHORIZED or self.why_alone:
                    raise
                self.why_alone = str(error)  # without a name, then
            except DaemonNotRunning:
                if self._feed is None:
                    raise
                self._hang_up()
            except KingdError:
                self._hang_up()
                raise
        self._again_us = now_us() + _AGAIN_US  # it takes the call, and ends it

    def _call(self, patience_us: int) -> None:
        name = None if self.why_alone else self._name
        self._feed = Feed(self._socket, "Hold", {"name": name}, timeout_s=max(patience_us, 1000) / _SECOND)
        self._feeds.register(self._feed, select.EPOLLIN)

    def _hang_up(self) -> None:
        if self._feed is not None:
            self._feeds.unregister(self._feed)  # `close` alone does not, where a child that was forked still has it
            self._feed.close()
            self._feed = None

    def _note(self, said: Said) -> None:
        self._said = said
        if self._hold is None or self._is_given_up:
            return
        if said.draining:
            self._drain_kill_us = min(self._drain_kill_us, now_us() + DRAIN_KILL_US)
            self.why = self.why or "leadership is to be handed over"
        self._hold.note(said.found, told_us=said.told_us, valid_us=said.valid_us)


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
    return Said(found=found, told_us=told_us, valid_us=valid_us, draining=flag(reply, "draining"))
