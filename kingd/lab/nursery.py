"""The warm parent of a lab's daemons: `python -P -m kingd.lab.nursery FOLDER < names`.

It imports what a daemon needs once, and each daemon is a fork of that (mother.py): 450 of them share that memory, and none
pays for the imports. One JSON array of [name, argv] comes in on stdin; each daemon is remembered in FOLDER/NAME/lab.pid before
the next one is born, and only so many at a time have not found their leader yet as the machine can bear (pace.py). A line with
how many have found it goes to stdout now and then. Then the parent ends, and nothing but the daemons is left.

What is frozen (gc.freeze) is never looked at by a child's garbage collector, which would write to its pages and so
copy them."""

import gc
import importlib
import json
import os
import signal
import sys
import time
from collections import deque
from pathlib import Path
from typing import NoReturn

from kingd.control.client import KingdError, call
from kingd.daemon import after_start
from kingd.daemon.lean import be_lean
from kingd.lab.mother import Mother
from kingd.lab.pace import Pace
from kingd.lab.process import load, of_child
from kingd.records import compile_one

_WORDS = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}
_PATIENCE_S = 60.0
_ASK_EVERY_S = 0.02
_ANSWER_S = 5.0
# What a daemon imports late, because other commands must not pay for it.
_WARM = (
    "kingd.daemon.main",
    "tomllib",
    "kingd.control.listener",
    "kingd.daemon.keys",
    "kingd.daemon.runtime",
    "kingd.daemon.store",
    "encodings.idna",
    *after_start.MODULES,
)


def main() -> int:
    folder = Path(sys.argv[1])
    wanted: list[tuple[str, list[str]]] = json.load(sys.stdin)
    be_lean()
    for module in _WARM:
        importlib.import_module(module)
    while compile_one():  # else each of hundreds does it for itself, after its start, and has it for itself
        pass
    gc.collect()
    gc.freeze()
    signal.pthread_sigmask(signal.SIG_BLOCK, _WORDS)
    mother = Mother(lambda number: _become_daemon(folder / wanted[number][0], wanted[number][1]))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _WORDS)
    pace = Pace(processors=len(os.sched_getaffinity(0)))
    looking: deque[tuple[Path, float]] = deque()  # who has not been seen to have a leader, and since when it lives
    for position, (name, _) in enumerate(wanted):
        while len(looking) >= pace.at_once:
            newcomer, born_s = looking.popleft()
            _until_it_has_a_leader(newcomer)
            pace.found(time.monotonic() - born_s)
            print(position - len(looking), flush=True)
        looking.append((folder / name, time.monotonic()))
        # Not between the birth and the remembering: that would leave a process that nobody knows.
        signal.pthread_sigmask(signal.SIG_BLOCK, _WORDS)
        of_child(mother.bear(position)).save(folder / name / "lab.pid")
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _WORDS)
    return 0


def _until_it_has_a_leader(folder: Path) -> None:
    """Or ended, or takes very long: who started us will find that out."""
    process = load(folder / "lab.pid")
    end_s = time.monotonic() + _PATIENCE_S
    while process is not None and process.is_running and time.monotonic() < end_s:
        try:
            if call(str(folder / "control.sock"), "Status", timeout_s=_ANSWER_S)["leader"] is not None:
                return
        except KingdError:
            pass  # it does not listen yet
        time.sleep(_ASK_EVERY_S)


def _become_daemon(folder: Path, argv: list[str]) -> NoReturn:
    from kingd.daemon.guardian import Guardian
    from kingd.daemon.main import main as kingd

    guardian = Guardian.fork()  # before all else: it would have a copy of what was written to by then
    os.setsid()
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _WORDS)
    output = os.open(folder / "log", os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.close(output)
    os.dup2(os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC), 0)
    try:
        kingd(argv, guardian=guardian)  # ends the process itself
    finally:
        os._exit(1)  # whatever came of it: never back into the parent's loop


if __name__ == "__main__":
    sys.exit(main())
