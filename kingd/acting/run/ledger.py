"""What the two processes of a run know together: some numbers in memory that they share. Each has one writer, and is written
in one piece."""

import mmap
from enum import IntEnum

from kingd.acting.hold import NEVER_US


class Entry(IntEnum):
    """The keeper writes all but ASIDE, which is the front's, and BEGUN, which is the command's."""

    KILL_US = 0  # by CLOCK_BOOTTIME: all that runs is killed, by whichever of the two gets to it
    GROUP = 1  # the command's process group; 0 = none now
    STARTED = 2  # the command was executed
    STOPS = 3  # how often the command was stopped, as by ^Z
    STOP_SIGNAL = 4  # by what, the last time
    DRAINS = 5  # a hand-over waits, or may have waited, for us
    ENDED = 6  # the command was told to end
    ASIDE = 7  # the front stops itself on purpose, because the command was stopped
    BEGUN = 8  # the command is being executed
    DOUBT_US = 9  # by CLOCK_BOOTTIME: nothing is executed from then on
    LAST_GROUP = 10  # the command's process group, also after its end


class Ledger:
    def __init__(self) -> None:
        self._numbers = memoryview(mmap.mmap(-1, 8 * len(Entry))).cast("q")
        self[Entry.KILL_US] = NEVER_US

    def __getitem__(self, entry: Entry) -> int:
        return int(self._numbers[entry])

    def __setitem__(self, entry: Entry, value: int) -> None:
        self._numbers[entry] = value
