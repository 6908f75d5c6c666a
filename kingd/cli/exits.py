"""kingctl's exit codes (INTERFACE.md 4), and how what went wrong becomes one. Never 255: ExecCondition= takes it for
a failure.
"""

from __future__ import annotations

import sys

from kingd.control.client import BadAnswer, CallFailed, DaemonNotRunning, DaemonUnreachable, KingdError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

OK = 0
NO = 1  # another leads; no leader; time ran out; views differ; refused
USAGE = 2
NOT_RUNNING = 3
UNKNOWN = 4  # joining, no quorum, isolated, stale: this node cannot say; or it runs and cannot be asked
NOT_LEADER = 75  # run: nothing was executed
LOST = 76  # run: what was executed was ended, because leadership was lost
SOFTWARE = 70  # a mistake of kingctl's own: 1 would be an answer
CONFIG = 78
INTERRUPTED = 130


def say(text: str) -> None:
    """The explanation. stdout is for the answer."""
    print(f"kingctl: {text}", file=sys.stderr)


def attempt(verb: Callable[[], int], *, otherwise: int = NO) -> int:
    """The verb's own code, or the code of what the daemon did instead of answering; `otherwise`: time ran out, or a
    refusal.
    """
    try:
        return verb()
    except KingdError as error:
        say(str(error))
        match error:
            case DaemonNotRunning():
                return NOT_RUNNING
            case BadAnswer() | DaemonUnreachable() | CallFailed(name="org.kingd.Busy"):
                return UNKNOWN
            case CallFailed(name="org.kingd.BadConfig"):
                return CONFIG
            case _:
                return otherwise
