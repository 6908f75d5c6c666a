"""One leadership, pinned, and until when it is sure, from what the daemon said and when. No clock.

An answer of leadership that was asked for at A and is good for V gives the times of what follows, as parts of V:

    A ----------- 1/3 ------------ 2/3 ------- 9/10 --- V
    asked         asked again      TERM        KILL     another host may lead

The last part is for the kernel, to end what was killed. Every further yes moves all of them. Nothing here comes from the
configuration: hosts whose timing differs, or changes, keep their promise all the same."""

from dataclasses import dataclass
from enum import Enum

from kingd.control.answer import number, section, text
from kingd.control.validity import Answer

_SOONEST_US = 5_000  # an answer that is nearly over is no reason to ask without pause


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


def leadership(answer: Answer) -> Leadership | None:
    """That of the host that was asked; None: it does not lead."""
    if not answer.is_me:
        return None
    return Leadership(number(answer.status, "term"), text(section(answer.status, "node"), "id"))


class Hold:
    def __init__(self, pinned: Leadership, *, asked_us: int, valid_us: int) -> None:
        self.pinned = pinned
        self.lost = ""  # why; "" = not lost
        self._lasts(asked_us, valid_us)

    def _lasts(self, asked_us: int, valid_us: int) -> None:
        self.ask_us = asked_us + max(valid_us // 3, _SOONEST_US)
        self.doubt_us = asked_us + valid_us * 2 // 3
        self.kill_us = asked_us + valid_us * 9 // 10

    def note(self, found: Leadership | View, *, asked_us: int, valid_us: int = 0) -> None:
        """`found`: the leadership that the daemon has told of, or what else it was."""
        if found == self.pinned:
            self._lasts(asked_us, valid_us)
        elif found is View.UNSURE:
            self.ask_us = max(self.ask_us, asked_us) + max((self.kill_us - self.doubt_us) // 4, _SOONEST_US)
        elif found is View.GONE:
            self.lost = "the daemon of this host does not run any more"
        elif isinstance(found, Leadership):
            self.lost = f"this host leads anew, in term {found.term} and no more in term {self.pinned.term}"
        else:
            self.lost = "this host does not lead any more"

    def doubt(self, *, now_us: int) -> str:
        """Why what runs is to end; "" = it is not."""
        if not self.lost and now_us >= self.doubt_us:
            return "the daemon does not answer in time, so this host may soon not lead any more"
        return self.lost
