"""All that a hook has started ends with it, whatever it did to get away: other sessions, double forks, ignored signals.

This process is the *subreaper* of all below it: who loses his parent becomes our child, so that all that lives below us belongs
to the one hook that runs, and can be found and ended."""

import ctypes
import os
import signal
import time
from contextlib import suppress
from pathlib import Path

_PR_SET_CHILD_SUBREAPER = 36  # prctl(2)
_GRACE_S = 1.0
_GIVE_UP_S = 5.0  # what SIGKILL has not ended by then is in the kernel's hands, and may be for ever
_LOOK_EVERY_S = 0.01


def adopt_orphans() -> None:
    """OSError: the kernel does not allow it."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_CHILD_SUBREAPER)")


def living() -> list[int]:
    """Process ids of all below us, after those that have ended were taken off the table."""
    _reap()
    found: list[int] = []
    waiting = _children(os.getpid())
    while waiting:
        pid = waiting.pop()
        found.append(pid)
        waiting += _children(pid)
    return found


def end_all() -> list[int]:
    """SIGTERM, a second to end, then SIGKILL until none is left. Who is, all the same."""
    _signal(living(), signal.SIGTERM)
    end_s = time.monotonic() + _GRACE_S
    while time.monotonic() < end_s:
        if not living():
            return []
        time.sleep(_LOOK_EVERY_S)
    end_s = time.monotonic() + _GIVE_UP_S
    while (left := living()) and time.monotonic() < end_s:
        _signal(left, signal.SIGKILL)  # again and again: one may have had children meanwhile
        time.sleep(_LOOK_EVERY_S / 10)
    return left


def _signal(pids: list[int], number: signal.Signals) -> None:
    for pid in pids:
        with suppress(ProcessLookupError, PermissionError):  # it became another user's, and we are not root
            os.kill(pid, number)


def _children(pid: int) -> list[int]:
    """Of each of its threads. None, if it has ended."""
    try:
        return [
            int(child)
            for thread in Path(f"/proc/{pid}/task").iterdir()
            for child in (thread / "children").read_text(encoding="ascii").split()
        ]
    except (FileNotFoundError, ProcessLookupError):
        return []


def _reap() -> None:
    with suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
