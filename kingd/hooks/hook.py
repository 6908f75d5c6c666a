"""One run of one file: it is started, its words are taken, and it has an end.

It begins clean: an environment and arguments of its own, its input a file in memory (one that is not read disturbs nobody), no
other descriptors, no signal blocked or ignored, a session of its own, the folder /."""

import os
import select
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from kingd.hooks import descendants
from kingd.hooks.output import Output
from kingd.records import dataclass

_READ_SIZE = 65536


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What is to be started, and what it is given."""

    file: Path
    arguments: Sequence[str]
    environment: Mapping[str, str]
    standard_input: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """`code`: None if it did not end by itself; below 0: the signal. `had_left`: how many processes were there still, and were
    ended; `remain`: process ids that even SIGKILL did not end. `why_not`: it was not started."""

    code: int | None = None
    had_left: int = 0
    remain: tuple[int, ...] = ()
    why_not: str = ""


def carry_out(run: Run, *, woken: int, limit_s: Callable[[], float], output: Output) -> Ended:
    """Returns when it has ended, with all that it has started. `limit_s`: until when it may run (time.monotonic), asked again
    whenever something can be read from `woken`; that is its caller's to read."""
    reader, writer = os.pipe()
    try:
        pid = _start(run, writer)
    except (OSError, ValueError) as error:  # ValueError: a zero byte, or what is no text, among what it is to be told
        os.close(reader)
        return Ended(why_not=getattr(error, "strerror", None) or str(error))
    finally:
        os.close(writer)
    os.set_blocking(reader, False)
    try:
        code = _attend(pid, reader, woken=woken, limit_s=limit_s, output=output)
        left = descendants.living()
        remain = descendants.end_all()
        _take_all(reader, output)
        output.end()
    finally:
        os.close(reader)
    return Ended(code=code, had_left=len(left), remain=tuple(remain))


def _start(run: Run, writer: int) -> int:
    said = os.memfd_create("event")
    try:
        os.write(said, run.standard_input)
        os.lseek(said, 0, os.SEEK_SET)
        return os.posix_spawn(
            run.file,
            [str(run.file), *run.arguments],
            run.environment,
            file_actions=[(os.POSIX_SPAWN_DUP2, said, 0), *((os.POSIX_SPAWN_DUP2, writer, to) for to in (1, 2))],
            setsid=True,
            setsigmask=[],
            setsigdef=signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP},
        )
    finally:
        os.close(said)


def _attend(pid: int, reader: int, *, woken: int, limit_s: Callable[[], float], output: Output) -> int | None:
    """Its exit code; None: its time was up. It is what counts, and not the end of its output, which others may hold open."""
    ended = os.pidfd_open(pid)
    poll = select.poll()
    for descriptor in (ended, reader, woken):
        poll.register(descriptor, select.POLLIN)
    try:
        while (left_s := limit_s() - time.monotonic()) > 0:
            ready = {descriptor for descriptor, _ in poll.poll(left_s * 1000 + 1)}
            if reader in ready and not _take_some(reader, output):
                poll.unregister(reader)
            if ended in ready:
                return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        return None
    finally:
        os.close(ended)


def _take_some(reader: int, output: Output) -> bool:
    """Whether there may be more."""
    try:
        data = os.read(reader, _READ_SIZE)
    except BlockingIOError:
        return True
    output.take(data)
    return bool(data)


def _take_all(reader: int, output: Output) -> None:
    """What is there. All that could write more has ended, unless even the kernel could not end it."""
    try:
        while data := os.read(reader, _READ_SIZE):
            output.take(data)
    except BlockingIOError:
        return
