"""Keeps a leadership confirmed, for somebody who runs something because of it: asks in time, listens for what the daemon
says by itself, and says when all is to end and when it is killed. docs/run.md has the times.

`take` pins one leadership; `turn` is called whenever there is news (`fileno`) and at `next_us` at the latest."""

from collections.abc import Callable

from kingd.acting.hold import Hold, View, leadership
from kingd.acting.news import News
from kingd.control.client import BadAnswer, CallFailed, CallTimedOut, KingdError, Line
from kingd.control.validity import Answer, is_stalled
from kingd.daemon.clock import now_us
from kingd.daemon.tenure import DRAIN_KILL_US

_SECOND = 1_000_000
_REFUSED_AGAIN_S = 5.0
_HEAR_US = 5 * _SECOND
_NEVER_US = 1 << 62


class Claim:
    def __init__(self, socket: str, name: str, *, timeout_s: float) -> None:
        """`name`: who is told to end what he runs, before a hand-over; `timeout_s`: for the first answer."""
        self._line = Line(socket)
        self._news = News(socket, name, refused_again_s=_REFUSED_AGAIN_S)
        self._timeout_s = timeout_s
        self._hold: Hold | None = None
        self._drain_kill_us = _NEVER_US
        self._is_given_up = False
        self.why = ""  # all is to end; "" = it is not
        self.is_waited_for = False  # a hand-over waits, or has waited, for us

    def fileno(self) -> int:
        return self._news.fileno()

    @property
    def hold(self) -> Hold:
        assert self._hold is not None
        return self._hold

    @property
    def kill_us(self) -> int:
        return min(self.hold.kill_us, self._drain_kill_us)

    @property
    def next_us(self) -> int:
        return self.kill_us if self._is_given_up else min(self.kill_us, self.hold.ask_us, self.hold.doubt_us)

    @property
    def why_alone(self) -> str:
        """Why a hand-over will not wait for us; "" = it will, or nobody has said so (the daemon starts again, say)."""
        why_not = self._news.why_not
        return str(why_not) if self._news.told is None and isinstance(why_not, CallFailed) else ""

    def take(self, *, pause: Callable[[int], None]) -> bool:
        """Whether this host leads, and is not about to hand over. First the daemon says whether it waits for us: an order to
        hand over could come between. `pause`: until there is news or that moment has come. KingdError: no answer."""
        self._news.start()
        end_us = now_us() + _HEAR_US
        while self._news.told is None and self._news.why_not is None and now_us() < end_us:
            pause(end_us)
            self._news.clear()
        while not self._is_draining():
            answer = Answer(self._line, timeout_s=self._timeout_s)
            found = leadership(answer)
            if found is None:
                return False
            if not answer.is_over:
                self._hold = Hold(found, asked_us=answer.asked_ns // 1000, valid_us=answer.valid_ms * 1000)
                return True
        return False

    def turn(self) -> None:
        has_news = self._news.clear()
        if self._is_draining():
            self._drain_kill_us = min(self._drain_kill_us, now_us() + DRAIN_KILL_US)
            self.why = self.why or "leadership is to be handed over"
        if not self._is_given_up and (has_news or now_us() >= self.hold.ask_us):
            self._ask()
        doubt = self.hold.doubt(now_us=now_us())
        if doubt:
            self.give_up(doubt)

    def give_up(self, why: str) -> None:
        """Nothing is asked any more: what was known last has an end."""
        self._is_given_up = True
        self.why = self.why or why

    def _is_draining(self) -> bool:
        told = self._news.told
        self.is_waited_for = self.is_waited_for or told is not None
        return told is not None and told.draining

    def _ask(self) -> None:
        asked_us = now_us()
        left_us = max(self.hold.doubt_us - asked_us, 1000)
        try:
            answer = Answer(self._line, timeout_s=left_us / _SECOND)
        except (CallTimedOut, CallFailed, BadAnswer):
            self.hold.note(View.UNSURE, asked_us=asked_us)
        except KingdError:  # it can be asked no more
            self.hold.note(View.GONE, asked_us=asked_us)
        else:
            found = View.UNSURE if is_stalled(answer.status) else leadership(answer) or View.LEADS_NOT
            self.hold.note(found, asked_us=answer.asked_ns // 1000, valid_us=answer.valid_ms * 1000)
