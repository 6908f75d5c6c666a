"""When kingd-leader.target is to be up, and when what is left of it is killed, from what the daemon said and when. No clock.

Every time follows from what the daemon said last (`valid_ms`) and from the constants below. None of them comes from the
configuration: it may change while all runs, and another host may have another one.

The margin between two hosts, in quorum mode. Let E be the end of the last validity that this host holds. Nobody else is
elected before E by any two clocks within 1 % (docs/quorum.md 9), and a new leader leads for SETTLE_US before it starts its
units. So here all is told to stop at E or LEAST_US after the last yes, whichever is later, and with `exclusive` what is
left is killed KILL_AFTER_US after E: what remains until SETTLE_US (less 2 % for the clocks) is for the kernel to end it.

A "no" comes with less: this host may have resigned right after its last yes, so E is that moment then."""

from enum import Enum

from kingd.records import dataclass

_MS = 1_000
_SECOND = 1_000_000

SETTLE_US = 1500 * _MS  # of uninterrupted leadership before the target is started
KILL_AFTER_US = 750 * _MS
DEAD_BY_US = SETTLE_US * 99 // 101  # after E: then another host may start its own


class View(Enum):
    """What the daemon says when it is asked."""

    LEADS = "this host leads"
    FOLLOWS = "this host does not lead"
    UNSURE = "the daemon gave no clear answer"
    GONE = "the daemon is not running"


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """One answer. `valid_us`: counted from the question; 0 without leadership."""

    view: View
    valid_us: int = 0
    quorum: bool = False

    @property
    def least_us(self) -> int:
        """How long a yes counts at least: a moment in which the daemon does not run, or does not answer, stops no units. In
        availability mode that is longer than its validity: after it somebody else may lead, but need not."""
        return 250 * _MS if self.quorum else _SECOND


class Tenure:
    """`asked_us` is when a question went out, for its answer is as old as that; `now_us` when the answer was there."""

    def __init__(self) -> None:
        self._since_us: int | None = None  # this host leads at least since then
        self._confirmed_us = 0
        self._until_us = 0
        self._valid_until_us = 0
        self._settled = False
        self.ended_us = 0  # when the last leadership ended at the earliest: E above

    @property
    def is_leading(self) -> bool:
        return self._since_us is not None

    def note(self, said: Said, *, asked_us: int, now_us: int) -> None:
        self.expire(now_us=asked_us)
        if said.view is View.LEADS:
            self._since_us = now_us if self._since_us is None else self._since_us
            self._confirmed_us = asked_us
            self._valid_until_us = asked_us + said.valid_us
            self._until_us = asked_us + max(said.valid_us, said.least_us)
            self._settled = self._settled or asked_us - self._since_us >= SETTLE_US
        elif said.view is not View.UNSURE and self.is_leading:
            self._end(self._confirmed_us)

    def expire(self, *, now_us: int) -> None:
        if self.is_leading and now_us >= self._until_us:
            self._end(self._valid_until_us)

    def _end(self, ended_us: int) -> None:
        self._since_us, self._settled, self.ended_us = None, False, ended_us

    def is_up(self, *, now_us: int) -> bool:
        self.expire(now_us=now_us)
        return self._settled

    @property
    def sure_until_us(self) -> int:
        """E: of this leadership as far as it is known, or of the last one."""
        return self._valid_until_us if self.is_leading else self.ended_us

    def left_us(self, *, now_us: int) -> int:
        """How long an answer may take before it makes no difference any more, while this host leads."""
        return max(self._until_us - now_us, 1 * _MS)
