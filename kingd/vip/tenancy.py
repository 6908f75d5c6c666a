"""Whether this host leads, until when that is sure, and whether another one led before: as the daemon says by itself.

`turn` when there is news (`fileno`), and at `next_us` at the latest. The times are those of `acting/hold.py`; what is done here
takes no time to end, so there is nothing to be done before the last of them."""

from contextlib import suppress

from kingd.acting.hearing import Hearing, Said
from kingd.acting.hold import NEVER_US, Hold, Leadership
from kingd.control.answer import rows
from kingd.control.client import DaemonNotRunning, JsonObject, KingdError, Line
from kingd.daemon.clock import now_us
from kingd.vip.carriers import GOOD_FOR_MS
from kingd.vip.floating import KNOWN_US

_SECOND = 1_000_000
NAME = "kingd-vip.service"  # to the daemon, which waits for us before it hands over
_PATIENCE_US = 500_000  # for one answer: addresses are to be refreshed
_CONNECT_US = 50_000
_GONE_AGAIN_US = 200_000


class Tenancy:
    """`succeeds`: another host led shortly before the present leadership; `is_draining`: it is to be handed over."""

    def __init__(self, socket: str) -> None:
        self._line = Line(socket)
        self._hearing = Hearing(socket, NAME)
        self._hold: Hold | None = None
        self._known_us = -KNOWN_US  # until then another host was known to lead; NEVER_US: one is
        self.succeeds = self.is_draining = False
        self.is_known = False  # the daemon has spoken, or there is none

    def close(self) -> None:
        """Nothing is heard any more: a hand-over does not wait for us, nor does one of which we have not heard yet."""
        may_be_owed = (self._hearing.is_connected or self.is_draining) and not self.why_alone
        self._hearing.close()
        if may_be_owed:
            self.say_drained()
        self._line.close()

    def fileno(self) -> int:
        return self._hearing.fileno()

    @property
    def next_us(self) -> int:
        return min(self._hearing.next_us, NEVER_US if self._hold is None else self._hold.kill_us)

    @property
    def other_leads(self) -> bool:
        """Another host is known to."""
        return self._known_us == NEVER_US

    @property
    def why_alone(self) -> str:
        """Why a hand-over does not wait for us; "" = it does."""
        return self._hearing.why_alone

    @property
    def leadership(self) -> Leadership | None:
        """None: this host does not lead, or nobody can say so."""
        hold = self._hold
        return hold.pinned if hold is not None and now_us() < hold.kill_us else None

    def turn(self) -> None:
        try:
            for said in self._hearing.hear(patience_us=_CONNECT_US):
                self._note(said)
        except DaemonNotRunning:
            self._hold, self.is_draining, self.is_known = None, False, True
            self._remember(is_known=False)
            self._hearing.why_alone = ""  # the next daemon may think otherwise
            self._hearing.rest(now_us() + _GONE_AGAIN_US)
        except KingdError:
            pass  # it may say more, in time or not
        if self._hold is not None and now_us() >= self._hold.kill_us:
            self._hold = None

    def _note(self, said: Said) -> None:
        self.is_draining, self.is_known = said.draining, True
        if self._hold is not None:
            self._hold.note(said.found, told_us=said.told_us, valid_us=said.valid_us)
            if self._hold.lost:
                self._hold = None
        if self._hold is None and isinstance(said.found, Leadership):
            self.succeeds = said.told_us < self._known_us + KNOWN_US
            self._hold = Hold(said.found, told_us=said.told_us, valid_us=said.valid_us)
        self._remember(is_known=said.other_leads)

    def _remember(self, *, is_known: bool) -> None:
        if is_known:
            self._known_us = NEVER_US
        elif self._known_us == NEVER_US:
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
        """Their addresses, without port; none if the daemon does not say at once."""
        answer: JsonObject = {"members": []}
        with suppress(KingdError):
            answer = self._line.call("Members", timeout_s=_CONNECT_US / _SECOND)
        found = [row["address"] for row in rows(answer, "members")]
        return [each.rpartition(":")[0].strip("[]").partition("%")[0] for each in found if isinstance(each, str)]
