"""What a run is about, as both of its processes know it."""

import select
import signal
from contextlib import suppress

from kingd.acting.run.ledger import Entry, Ledger
from kingd.cli.exits import say
from kingd.control.client import KingdError, call
from kingd.records import dataclass

_STDERR = 2
_DRAINED_S = 1.0


def tell(sentence: str) -> None:
    """On standard error, if it can be: a command is not ended because nobody reads what we say, and its end waits for no reader
    (a terminal after ^S, a pipe that is full)."""
    with suppress(OSError, UnicodeEncodeError):
        if select.select([], [_STDERR], [], 0)[1]:
            say(sentence)


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """`name`: of this run, for the daemon; `terminal`: where the command reads, and has at once what `group`, that of the
    front, has; `ignored`: signals that the command ignores."""

    argv: tuple[str, ...]
    socket: str
    timeout_s: float
    name: str
    terminal: int | None
    group: int
    ignored: frozenset[signal.Signals]

    def say_drained(self, ledger: Ledger) -> None:
        """Nothing of it runs any more. Who was told is owed for, so this is said whether somebody asks or not."""
        if ledger[Entry.DRAINS]:
            with suppress(KingdError):
                call(self.socket, "Drained", {"name": self.name}, timeout_s=_DRAINED_S)
