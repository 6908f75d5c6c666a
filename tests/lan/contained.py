"""A long run of faults, of which nothing is left however it ends: in a process namespace and a tmpfs of its own.

Processes that were stopped, or have lost their parent, hear nothing and outlive whoever started them. With the first process
of a namespace the kernel kills all the others."""

import ctypes
import os
import signal
import sys
import tempfile
from collections.abc import Callable
from contextlib import suppress

from kingd.acting.linux import die_with_parent

_CLONE_NEWNS, _CLONE_NEWPID = 0x00020000, 0x20000000
_MS_REC, _MS_PRIVATE = 0x4000, 1 << 18
_ENDING = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
_FOLDER = "/tmp/kingd-contained"

_libc = ctypes.CDLL(None, use_errno=True)


def contained(work: Callable[[], int]) -> int:
    """What `work` returns. It ends, with all that it has started, by SIGTERM, SIGINT and SIGHUP, and with our parent."""
    die_with_parent(signal.SIGTERM)
    os.makedirs(_FOLDER, exist_ok=True)  # noqa: PTH103 - where the tmpfs is seen from inside; from outside it is empty
    _checked(_libc.unshare(_CLONE_NEWPID | _CLONE_NEWNS))
    first = os.fork()
    if first == 0:
        die_with_parent(signal.SIGKILL)
        os._exit(_first(work))

    def end(number: int, frame: object) -> None:
        os.kill(first, signal.SIGKILL)
        sys.exit(128 + number)

    for number in _ENDING:
        signal.signal(number, end)
    return os.waitstatus_to_exitcode(os.waitpid(first, 0)[1])


def _first(work: Callable[[], int]) -> int:
    """The namespace's first process, to which come all that have lost their parent."""
    _checked(_libc.mount(None, b"/", None, _MS_REC | _MS_PRIVATE, None))
    _checked(_libc.mount(b"proc", b"/proc", b"proc", 0, None))
    _checked(_libc.mount(b"tmpfs", _FOLDER.encode(), b"tmpfs", 0, None))
    tempfile.tempdir = _FOLDER
    worker = os.fork()
    if worker == 0:
        return work()
    while True:
        pid, status = os.wait()
        if pid == worker:
            with suppress(OSError):
                sys.stdout.flush()
            return os.waitstatus_to_exitcode(status) & 0xFF


def _checked(result: int) -> None:
    if result:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
