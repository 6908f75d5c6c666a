"""One process that the lab started: remembered by pid and start time, so that it is never mistaken for another one.

A pid alone is not enough to send a signal to: the process may have ended, and its number may belong to somebody's
editor by now. The kernel's start time of the pid tells them apart, and a pidfd holds on to the one that was looked
at.
"""

import json
import os
import select
import signal
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple


class Process(NamedTuple):
    pid: int
    start_ticks: int  # field 22 of /proc/PID/stat, since the boot

    @property
    def is_running(self) -> bool:
        return _start_ticks(self.pid) == self.start_ticks

    def signal(self, number: signal.Signals) -> None:
        """Nothing happens if it has ended."""
        with suppress(ProcessLookupError), _Pidfd(self.pid) as fd:
            if self.is_running:  # looked up after the fd was opened: they are the same process
                signal.pidfd_send_signal(fd, number)

    def wait(self, timeout_s: float) -> bool:
        """Whether it has ended, at the latest when the time is over."""
        ended = True
        with suppress(ProcessLookupError), _Pidfd(self.pid) as fd:
            if self.is_running:
                ended = bool(select.select([fd], [], [], timeout_s)[0])
        if ended:
            with suppress(ChildProcessError):
                os.waitpid(self.pid, os.WNOHANG)  # it may be a child of ours
        return ended

    def save(self, file: Path) -> None:
        file.write_text(json.dumps({"pid": self.pid, "start_ticks": self.start_ticks}))


class _Pidfd:
    def __init__(self, pid: int) -> None:
        self._fd = os.pidfd_open(pid)

    def __enter__(self) -> int:
        return self._fd

    def __exit__(self, *_: object) -> None:
        os.close(self._fd)


def of_child(pid: int) -> Process:
    """A child that was just born."""
    return Process(pid, _start_ticks(pid) or 0)


def load(file: Path) -> Process | None:
    """The process that was saved there, whether or not it still runs."""
    try:
        saved = json.loads(file.read_text())
        return Process(int(saved["pid"]), int(saved["start_ticks"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _start_ticks(pid: int) -> int | None:
    try:
        # The name in parentheses may hold anything, so count from the last one.
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in "ZX" else int(fields[19])  # a zombie has ended, and only waits to be noticed
