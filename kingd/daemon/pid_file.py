"""The pid file of a daemon that detaches: its own for as long as it lives, by a lock that the kernel drops at its end.

One that a killed daemon left has no lock, and is replaced. It is never written through a link that somebody put there."""

import fcntl
import os
from pathlib import Path


class PidFileRefused(Exception):
    """It is another daemon's, or cannot be made. The words say what to do."""


class PidFile:
    def __init__(self, path: Path) -> None:
        """Written when this returns. PidFileRefused."""
        self._path = path
        try:
            self._handle = self._take()
            os.write(self._handle, f"{os.getpid()}\n".encode())
        except BlockingIOError:
            raise PidFileRefused(
                f"{path} is the pid file of another kingd, which runs{_pid_in(path)}: stop that one, or give this one a "
                "file of its own with --pid-file"
            ) from None
        except OSError as error:
            raise PidFileRefused(
                f"{path}: {error.strerror}: the pid file cannot be made; choose another place with --pid-file"
            ) from None

    def remove(self) -> None:
        """If the one at its path is still ours."""
        try:
            is_ours = os.path.samestat(self._path.lstat(), os.fstat(self._handle))
        except OSError:
            return
        if is_ours:
            self._path.unlink(missing_ok=True)

    def _take(self) -> int:
        """BlockingIOError: somebody has it. Of two who come at the same moment one has it in the end at most."""
        former = self._lock_former()
        try:
            self._path.unlink(missing_ok=True)
            handle = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        finally:
            if former is not None:
                os.close(former)
        return handle

    def _lock_former(self) -> int | None:
        """None: there is none that is to be respected."""
        try:
            handle = os.open(self._path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError:
            return None
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(handle)
            raise
        return handle


def _pid_in(path: Path) -> str:
    try:
        pid = path.read_bytes()[:32].decode("ascii").strip()
    except (OSError, ValueError):
        return ""
    return f" (pid {pid})" if pid.isdigit() else ""
