"""All that a hook has started ends with it, whatever it did to get away: other sessions, double forks, ignored signals.

This process adopts the orphans of all below it (kingd/acting), so what lives below us belongs to the one hook that runs. That
nothing does is certain when we have no child: who forks and ends all the time is in no list that is read in turn."""

import os
import signal
import time
from contextlib import suppress

from kingd.acting.tree import Tree, children

_GRACE_S = 1.0
_GIVE_UP_S = 5.0  # what SIGKILL has not ended by then is in the kernel's hands, and may be for ever
_LOOK_EVERY_S = 0.01

_tree = Tree(None)


def living() -> list[int]:
    """Process ids of all below us, after those that have ended were taken off the table."""
    return [] if _reap() else [each.pid for each in _tree.living()] or children(os.getpid())


def end_all() -> list[int]:
    """SIGTERM, a second to end, then SIGKILL until none is left. Who is, all the same."""
    _tree.signal(signal.SIGTERM)
    end_s = time.monotonic() + _GRACE_S
    while not (is_alone := _reap()) and time.monotonic() < end_s:
        time.sleep(_LOOK_EVERY_S)
    end_s = time.monotonic() + _GIVE_UP_S
    while not is_alone and time.monotonic() < end_s:
        _tree.kill()  # again and again: one may have had children meanwhile
        time.sleep(_LOOK_EVERY_S / 10)
        is_alone = _reap()
    return living()


def kill_again() -> list[int]:
    """What `end_all` could not end and is there still. At once: who is in the kernel's hands has the signal already."""
    if living():
        _tree.kill()
    return living()


def _reap() -> bool:
    """Whether there is no child."""
    with suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
        return False
    return True
