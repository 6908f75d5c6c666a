"""What Linux can do and Python 3.11 does not offer: two settings of prctl(2), and two timers by CLOCK_BOOTTIME, which fire at
once when a machine wakes for which their time has passed in its sleep. OSError where the kernel says no."""

import ctypes
import os
import signal
import struct

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_CLOCK_BOOTTIME = 7
_TIMER_ABSTIME = 1  # TFD_TIMER_ABSTIME too
_SIGEV_SIGNAL = 0
_SECOND = 1_000_000

_libc = ctypes.CDLL(None, use_errno=True)


def adopt_orphans() -> None:
    """Whatever this process, or one below it, starts and leaves behind becomes a child of this process, and not of init."""
    _checked(_libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0))


def die_with_parent(number: int) -> None:
    """Until this process executes a program that changes its user."""
    _checked(_libc.prctl(_PR_SET_PDEATHSIG, int(number), 0, 0, 0))


class BootTimer:
    """Readable from a moment of CLOCK_BOOTTIME on."""

    def __init__(self) -> None:
        self._fd: int = _checked(_libc.timerfd_create(_CLOCK_BOOTTIME, os.O_CLOEXEC | os.O_NONBLOCK))

    def fileno(self) -> int:
        return self._fd

    def set(self, at_us: int) -> None:
        _checked(_libc.timerfd_settime(self._fd, _TIMER_ABSTIME, _once(at_us), None))

    def close(self) -> None:
        os.close(self._fd)


class KillTimer:
    """The kernel kills this process at a moment of CLOCK_BOOTTIME, whatever its threads do. What it has forked lives on."""

    def __init__(self) -> None:
        event = struct.pack("@Pii48x", 0, signal.SIGKILL, _SIGEV_SIGNAL)  # sigevent(7)
        self._timer = ctypes.c_void_p()
        _checked(_libc.timer_create(_CLOCK_BOOTTIME, event, ctypes.byref(self._timer)))

    def set(self, at_us: int) -> None:
        _checked(_libc.timer_settime(self._timer, _TIMER_ABSTIME, _once(at_us), None))

    def close(self) -> None:
        """It kills nobody any more."""
        _checked(_libc.timer_delete(self._timer))


def _once(at_us: int) -> bytes:
    """An itimerspec(3type)."""
    seconds, rest_us = divmod(max(at_us, 1), _SECOND)
    return struct.pack("@4l", 0, 0, seconds, rest_us * 1000)


def _checked(result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result
