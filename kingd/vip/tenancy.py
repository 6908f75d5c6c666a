"""Whether this host leads, until when that is sure, and whether another one led before: kept by asking the daemon in time.

`turn` when there is news (`fileno`), and at `next_us` at the latest. The times are those of `acting/hold.py`; what is done here
takes no time to end, so there is nothing to be done before the last of them."""

from contextlib import suppress

from kingd.acting.hold import Hold, Leadership, View
from kingd.acting.news import News
from kingd.control.answer import number, rows, section, text
from kingd.control.client import BadAnswer, CallFailed, CallTimedOut, JsonObject, KingdError, Line
from kingd.control.validity import Answer, is_stalled
from kingd.daemon.clock import now_us
from kingd.vip.carriers import GOOD_FOR_MS
from kingd.vip.floating import KNOWN_US

_SECOND = 1_000_000
NAME = "kingd-vip.service"  # to the daemon, which waits for us before it hands over
_REFUSED_AGAIN_S = 5.0
_PATIENCE_US = 500_000  # for one answer: addresses are to be refreshed
_ASKED_AGAIN_US = 1 * _SECOND  # though nothing was told: a leader that did not run for a moment leads on without a word
_UNSURE_AGAIN_US = 100_000
_SOONEST_US = 5_000
_NEVER_US = 1 << 62


class Tenancy:
    """`succeeds`: of the present leadership, whether another host led shortly before. `is_draining`: it is to be handed over,
    as the daemon told before it was asked last. Not after: that this is over, and who leads since, come on two connections."""

    def __init__(self, socket: str) -> None:
        self._line = Line(socket)
        self.news = News(socket, NAME, refused_again_s=_REFUSED_AGAIN_S)
        self._hold: Hold | None = None
        self._known_us = -KNOWN_US  # until then another host was known to lead; _NEVER_US: one is
        self._ask_us = 0
        self.succeeds = self.is_draining = False

    def close(self) -> None:
        """Nothing is asked any more."""
        self._line.close()

    def fileno(self) -> int:
        return self.news.fileno()

    @property
    def next_us(self) -> int:
        return self._ask_us if self._hold is None else min(self._ask_us, self._hold.kill_us)

    @property
    def leadership(self) -> Leadership | None:
        """None: this host does not lead, or nobody can say so."""
        hold = self._hold
        return hold.pinned if hold is not None and now_us() < hold.kill_us else None

    def turn(self) -> None:
        has_news = self.news.clear()
        told, was_draining = self.news.told, self.is_draining
        self.is_draining = told is not None and told.draining
        if has_news or now_us() >= self._ask_us or self.is_draining != was_draining:
            self._ask()
        if self._hold is not None and now_us() >= self._hold.kill_us:
            self._hold = None
            self._ask_us = now_us()

    def _ask(self) -> None:
        asked_us = now_us()
        left_us = _PATIENCE_US if self._hold is None else max(self._hold.kill_us - asked_us, 1000)
        try:
            answer = Answer(self._line, timeout_s=min(left_us, _PATIENCE_US) / _SECOND)
        except (CallTimedOut, CallFailed, BadAnswer):
            self._note(View.UNSURE, asked_us=asked_us)
        except KingdError:  # it can be asked no more
            self._note(View.GONE, asked_us=asked_us)
        else:
            found = View.UNSURE if is_stalled(answer.status) else _leadership(answer) or View.LEADS_NOT
            self._note(found, asked_us=answer.asked_ns // 1000, valid_us=answer.valid_ms * 1000)
            self._remember(is_known=answer.leader is not None and not answer.is_me)

    def _note(self, found: Leadership | View, *, asked_us: int, valid_us: int = 0) -> None:
        self._ask_us = asked_us + self._again_us(found, valid_us)
        if self._hold is not None:
            self._hold.note(found, told_us=asked_us, valid_us=valid_us)
            if self._hold.lost:
                self._hold = None
        if self._hold is None and isinstance(found, Leadership):
            self.succeeds = asked_us < self._known_us + KNOWN_US
            self._hold = Hold(found, told_us=asked_us, valid_us=valid_us)
        if found is View.GONE:
            self._remember(is_known=False)

    def _again_us(self, found: Leadership | View, valid_us: int) -> int:
        """In time: three questions fit into what an answer is good for, and more once one was in vain."""
        if isinstance(found, Leadership):
            return min(max(valid_us // 3, _SOONEST_US), _ASKED_AGAIN_US)
        if found is not View.UNSURE:
            return _ASKED_AGAIN_US
        if self._hold is None:
            return _UNSURE_AGAIN_US
        return min(max((self._hold.kill_us - self._hold.doubt_us) // 4, _SOONEST_US), _UNSURE_AGAIN_US)

    def _remember(self, *, is_known: bool) -> None:
        if is_known:
            self._known_us = _NEVER_US
        elif self._known_us == _NEVER_US:
            self._known_us = now_us()

    def say_drained(self) -> KingdError | None:
        """Why the daemon has not heard it. It may hear it twice."""
        try:
            self._line.call("Drained", {"name": NAME}, timeout_s=_PATIENCE_US / _SECOND)
        except KingdError as error:
            return error
        return None

    def say_fitness(self, why_not: str) -> None:
        """ "" = this host is fit to lead. What the daemon did not hear is said again soon, or forgotten there."""
        word = {"name": NAME, "unfit": why_not or None, "for_ms": GOOD_FOR_MS}
        with suppress(KingdError):
            self._line.call("SetFitness", word, timeout_s=_PATIENCE_US / _SECOND)

    def members(self) -> list[str]:
        """Their addresses, without port."""
        answer: JsonObject = {"members": []}
        with suppress(KingdError):
            answer = self._line.call("Members", timeout_s=_PATIENCE_US / _SECOND)
        found = [row["address"] for row in rows(answer, "members")]
        return [each.rpartition(":")[0].strip("[]").partition("%")[0] for each in found if isinstance(each, str)]


def _leadership(answer: Answer) -> Leadership | None:
    """That of the host that was asked; None: it does not lead."""
    if not answer.is_me:
        return None
    return Leadership(number(answer.status, "term"), text(section(answer.status, "node"), "id"))
