"""Keeps a leadership confirmed, for who runs something because of it: hears what the daemon says by itself (hearing.py), and
says when all is to end and when it is killed. docs/run.md has the times.

`take` pins one leadership; `turn` is called whenever there is news (`fileno`) and at `next_us` at the latest. The daemon's word
comes with the time from which it counts."""

from collections.abc import Callable

from kingd.acting.hearing import Hearing, Said
from kingd.acting.hold import DRAIN_KILL_US, NEVER_US, Hold, Leadership, View
from kingd.control.client import CallTimedOut, DaemonNotRunning, KingdError
from kingd.control.validity import now_us

_SECOND = 1_000_000
_CONNECT_US = 50_000  # for a call, while something runs
_SILENT = "kingd did not say in time whether this host leads; is it stopped, or the machine overloaded?"


class Claim:
    def __init__(self, socket: str, name: str, *, timeout_s: float) -> None:
        """`name`: who is told to end what he runs, before a hand-over; `timeout_s`: until the daemon says something."""
        self._hearing = Hearing(socket, name)
        self._timeout_s = timeout_s
        self._said: Said | None = None
        self._hold: Hold | None = None
        self._drain_kill_us = NEVER_US
        self.why = ""  # all is to end; "" = it is not

    def fileno(self) -> int:
        return self._hearing.fileno()

    def close(self) -> None:
        """For good: the daemon tells us nothing any more."""
        self._hearing.close()

    @property
    def why_alone(self) -> str:
        """Why a hand-over will not wait for us; "" = it will, or may have waited."""
        return self._hearing.why_alone

    @property
    def hold(self) -> Hold:
        assert self._hold is not None
        return self._hold

    @property
    def kill_us(self) -> int:
        return min(self.hold.kill_us, self._drain_kill_us)

    @property
    def next_us(self) -> int:
        return self.kill_us if self._hearing.is_over else min(self.kill_us, self.hold.doubt_us, self._hearing.next_us)

    def take(self, *, pause: Callable[[int], None]) -> bool:
        """Whether this host leads, and is not about to hand over. `pause`: until there is news or that moment has come.
        KingdError: the daemon says nothing, or nothing that is still good when it comes."""
        end_us = now_us() + min(round(self._timeout_s * _SECOND), NEVER_US // 2)
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
            pause(min(end_us, self._hearing.next_us))

    def turn(self) -> None:
        try:
            self._hear(patience_us=min(_CONNECT_US, max(self.hold.doubt_us - now_us(), 1000)))
        except DaemonNotRunning:
            self.hold.note(View.GONE)
        except KingdError:
            pass  # it may say more, in time or not
        doubt = self.hold.doubt(now_us=now_us())
        if doubt:
            self.give_up(doubt)

    def give_up(self, why: str) -> None:
        """Nothing counts any more: what was known last has an end."""
        self._hearing.is_over = True
        self.why = self.why or why

    def _hear(self, *, patience_us: int) -> None:
        for said in self._hearing.hear(patience_us=patience_us):
            self._said = said
            if self._hold is not None and not self._hearing.is_over:
                self._note(said, self._hold)

    def _note(self, said: Said, hold: Hold) -> None:
        if said.draining:
            self._drain_kill_us = min(self._drain_kill_us, now_us() + DRAIN_KILL_US)
            self.why = self.why or "leadership is to be handed over"
        hold.note(said.found, told_us=said.told_us, valid_us=said.valid_us)
