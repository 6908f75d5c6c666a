"""The warm parent of a lab's daemons: `python -P -m kingd.lab.nursery FOLDER < names`.

It imports what a daemon needs once, and each daemon is a fork of it: 450 of them share that memory, and none pays for
the imports. One JSON array of [name, argv] comes in on stdin; each daemon is remembered in FOLDER/NAME/lab.pid before
the next one is born. Then the parent ends, and nothing but the daemons is left.

Only a few at a time have not found their leader yet: each newcomer is work for all that are there, and a machine that
is given more of that than it can do has stalled leaders, elections, and ever more work.

What is frozen (gc.freeze) is never looked at by a child's garbage collector, which would write to its pages and so
copy them."""

import gc
import importlib
import json
import os
import signal
import sys
import time
from pathlib import Path

from kingd.control.client import KingdError, call
from kingd.daemon.lean import be_lean
from kingd.lab.process import load, of_child

_WORDS = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}
_AT_ONCE = 2 * (os.cpu_count() or 1)
_PATIENCE_S = 5.0
# What a daemon imports late, because other commands must not pay for it.
_WARM = (
    "kingd.daemon.main",
    "tomllib",
    "kingd.control.listener",
    "kingd.daemon.keys",
    "kingd.daemon.runtime",
    "kingd.daemon.store",
    "asyncio",
    "concurrent.futures.thread",
    "encodings.idna",
    "json",
)


def main() -> int:
    folder = Path(sys.argv[1])
    wanted: list[tuple[str, list[str]]] = json.load(sys.stdin)
    be_lean()
    for module in _WARM:
        importlib.import_module(module)
    gc.collect()
    gc.freeze()
    for position, (name, argv) in enumerate(wanted):
        if position >= _AT_ONCE:
            _until_it_has_a_leader(folder / wanted[position - _AT_ONCE][0])
        # Not between the birth and the remembering: that would leave a process that nobody knows.
        signal.pthread_sigmask(signal.SIG_BLOCK, _WORDS)
        pid = os.fork()
        if pid == 0:
            _become_daemon(folder / name, argv)
        of_child(pid).save(folder / name / "lab.pid")
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _WORDS)
    return 0


def _until_it_has_a_leader(folder: Path) -> None:
    """Or ended, or takes very long: who started us will find that out."""
    process = load(folder / "lab.pid")
    end_s = time.monotonic() + _PATIENCE_S
    while process is not None and process.is_running and time.monotonic() < end_s:
        try:
            if call(str(folder / "control.sock"), "Status", timeout_s=_PATIENCE_S)["leader"] is not None:
                return
        except KingdError:
            pass  # it does not listen yet
        time.sleep(0.01)


def _become_daemon(folder: Path, argv: list[str]) -> None:
    from kingd.daemon.guardian import Guardian
    from kingd.daemon.main import main as kingd

    os.setsid()
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _WORDS)
    output = os.open(folder / "log", os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.close(output)
    os.dup2(os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC), 0)
    try:
        kingd(argv, guardian=Guardian.fork())  # ends the process itself
    finally:
        os._exit(1)  # whatever came of it: never back into the parent's loop


if __name__ == "__main__":
    sys.exit(main())
