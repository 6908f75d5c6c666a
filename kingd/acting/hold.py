"""One leadership, pinned, and until when it is sure, from what the daemon said and when. No clock.

What is told of a leadership at A, and is good for V, gives the times of what follows, as parts of V:

    A ---------------------------- 2/3 ------- 9/10 --- V
    told                           TERM        KILL     another host may lead

The last part is for the kernel, to end what was killed. Where less than GRACE_US would be left between TERM and KILL (a short
leader timeout), nobody could use it: both come at 9/10 then. Every further yes moves all of them; one that lasts as long as
is known already moves none, for the last part would shrink with it. Nothing here comes from the configuration: hosts
whose timing differs, or changes, keep their promise all the same."""

from enum import Enum

from kingd.records import dataclass

NEVER_US = 1 << 62
GRACE_US = 10_000
DRAIN_KILL_US = 25_000_000
"""Of the 30 s that the daemon gives a planned hand-over (DRAIN_US_MAX in kingd/core/timing.py)."""


@dataclass(frozen=True, slots=True)
class Leadership:
    """Which one: of all that there ever are, no two have both in common."""

    term: int
    node_id: str


class View(Enum):
    """What else the daemon may say."""

    LEADS_NOT = "it does not lead"
    UNSURE = "no clear answer"
    GONE = "nobody answers"


class Hold:
    def __init__(self, pinned: Leadership, *, told_us: int, valid_us: int) -> None:
        self.pinned = pinned
        self.lost = ""  # why; "" = not lost
        self.doubt_us = self.kill_us = self._until_us = 0
        self._lasts(told_us, valid_us)

    def _lasts(self, told_us: int, valid_us: int) -> None:
        until_us = told_us + valid_us
        if until_us == self._until_us:
            return
        doubt_us, kill_us = told_us + valid_us * 2 // 3, told_us + valid_us * 9 // 10
        if kill_us - doubt_us < GRACE_US:
            doubt_us = kill_us
        if until_us < self._until_us:
            doubt_us, kill_us = min(doubt_us, self.doubt_us), min(kill_us, self.kill_us)
        self.doubt_us, self.kill_us, self._until_us = doubt_us, kill_us, until_us

    def note(self, found: Leadership | View, *, told_us: int = 0, valid_us: int = 0) -> None:
        """`found`: the leadership that the daemon has told of, or what else it was."""
        if found == self.pinned:
            self._lasts(told_us, valid_us)
        elif found is View.GONE:
            self.lost = "the daemon of this host does not run any more"
        elif isinstance(found, Leadership):
            self.lost = f"this host leads anew, in term {found.term} and no more in term {self.pinned.term}"
        elif found is View.LEADS_NOT:
            self.lost = "this host does not lead any more"

    def doubt(self, *, now_us: int) -> str:
        """Why what runs is to end; "" = it is not."""
        if not self.lost and now_us >= self.doubt_us:
            return "the daemon does not say in time that this host leads, so it may soon not lead any more"
        return self.lost
