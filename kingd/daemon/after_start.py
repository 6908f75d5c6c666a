"""What no start waits for: the modules that the first datagram does not need, what makes objects quickly, and the garbage
collector.

Modules are loaded when the start is over, one a turn, for the election goes on meanwhile; and not when they are wanted, for by
then the package may have been replaced, and what is new would be loaded into what is old. docs/loop.md."""

import gc
from collections.abc import Sequence
from functools import partial

from kingd import records
from kingd.loop import Loop

MODULES = ("json", "kingd.control.connection", "kingd.daemon.asides")

_STARTED_AFTER_S = 0.05


def load(loop: Loop) -> None:
    loop.call_later(_STARTED_AFTER_S, partial(_load, loop, MODULES))


def _load(loop: Loop, modules: Sequence[str]) -> None:
    if modules:
        __import__(modules[0])
        loop.call_soon(partial(_load, loop, modules[1:]))
    elif records.compile_one():  # a failover makes one of each of many kinds: now, then, and not in its course
        loop.call_soon(partial(_load, loop, modules))
    else:
        gc.freeze()  # what has been made so far stays
        gc.enable()
