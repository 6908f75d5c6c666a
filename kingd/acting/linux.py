"""What Linux can do and Python 3.11 does not offer: two settings of prctl(2), and a timer by CLOCK_BOOTTIME, which fires at
once when a machine wakes for which its time has passed in its sleep. OSError where the kernel says no."""

import ctypes
import os
import struct

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_CLOCK_BOOTTIME = 7
_TFD_TIMER_ABSTIME = 1
_SECOND = 1_000_000

_libc = ctypes.CDLL(None, use_errno=True)


def adopt_orphans() -> None:
    """Whatever this process, or one below it, starts and leaves behind becomes a child of this process, and not of init."""
    _checked(_libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0))


def die_with_parent(signal: int) -> None:
    """Until this process executes a program that changes its user."""
    _checked(_libc.prctl(_PR_SET_PDEATHSIG, int(signal), 0, 0, 0))


class BootTimer:
    """Readable from a moment of CLOCK_BOOTTIME on."""

    def __init__(self) -> None:
        self._fd: int = _checked(_libc.timerfd_create(_CLOCK_BOOTTIME, os.O_CLOEXEC | os.O_NONBLOCK))

    def fileno(self) -> int:
        return self._fd

    def set(self, at_us: int) -> None:
        seconds, rest_us = divmod(max(at_us, 1), _SECOND)
        value = struct.pack("@4l", 0, 0, seconds, rest_us * 1000)
        _checked(_libc.timerfd_settime(self._fd, _TFD_TIMER_ABSTIME, value, None))


def _checked(result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result
