"""The whole of a run: wait if that is wanted, run, and wait again where leadership went before anything was executed."""

import os
import signal
import sys
import time
from types import FrameType

from kingd.acting.run import waiting
from kingd.acting.run.command import ignored_here
from kingd.acting.run.front import Front
from kingd.acting.run.job import Job
from kingd.acting.run.terminal import own_terminal
from kingd.cli.exits import NOT_LEADER, OK, say
from kingd.control.validity import now_us
from kingd.records import dataclass


@dataclass(frozen=True, slots=True)
class Outcome:
    """`is_own`: the exit code is the command's."""

    code: int
    is_own: bool


_AGAIN_S = 0.5
_ENDING = (signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGINT)


def run(argv: tuple[str, ...], *, socket: str, timeout_s: float, wait_s: float | None) -> Outcome:
    """`wait_s` None: not at all. KingdError: no answer, nothing was executed."""
    ignored = ignored_here()
    end_s = time.monotonic() + (wait_s or 0.0)
    while True:
        _end_by_signals(ignored)
        if wait_s is None:
            code = waiting.look(socket, timeout_s=timeout_s)
        else:
            code = waiting.wait(socket, timeout_s=timeout_s, end_s=end_s, total_s=wait_s)
        if code != OK:
            return Outcome(code, is_own=False)
        front = Front(_job(argv, socket, timeout_s, ignored))
        code = front.run()
        _end_by_signals(ignored)
        went_again = code == NOT_LEADER and not front.has_started
        if went_again and wait_s is None:
            say("this host does not lead any more, could not begin in time, or is about to hand over: nothing was run")
        if went_again and wait_s is not None:
            time.sleep(_AGAIN_S)  # it may lead until all else has ended here
        else:
            return Outcome(code, is_own=front.has_started and not front.has_ended_it)


def _job(argv: tuple[str, ...], socket: str, timeout_s: float, ignored: frozenset[signal.Signals]) -> Job:
    return Job(
        argv=argv,
        socket=socket,
        timeout_s=timeout_s,
        name=f"kingctl run {os.getpid()} {now_us():x}",  # no other one on this host, also in another container
        terminal=own_terminal(),
        group=os.getpgrp(),
        ignored=ignored,
    )


def _end_by_signals(ignored: frozenset[signal.Signals]) -> None:
    for number in set(_ENDING) - ignored:
        signal.signal(number, _end)


def _end(number: int, _frame: FrameType | None) -> None:
    """Nothing runs yet: that is all there is to do."""
    sys.exit(128 + number)
