"""The socket in the file system: created so that it is never taken from a daemon that lives, removed only if it is
ours.

A lock beside it (`control.sock.lock`, held as long as we run, freed by the kernel when we die) decides between two
daemons that start at once. A socket on which nobody answers was left by a crash, and is replaced. The lock file
stays: removing it safely is harder than leaving it.
"""

import errno
import fcntl
import os
import socket
import stat
from pathlib import Path

BACKLOG = 128  # who comes last waits for all before it; who finds it full and has a time limit tries again
_PATH_SIZE_MAX = 107  # sockaddr_un


class SocketUnusable(Exception):
    """The socket cannot be made. The text is for the operator."""


class SocketBusy(SocketUnusable):
    """Somebody else answers there."""


class Listener:
    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = -1
        self._identity: tuple[int, int] | None = None

    def open(self) -> socket.socket:
        """A bound and listening socket, or `SocketUnusable`."""
        if len(os.fsencode(self.path)) > _PATH_SIZE_MAX:
            raise SocketUnusable(
                f"the control socket's path is longer than {_PATH_SIZE_MAX} bytes, choose a shorter one: {self.path}"
            )
        try:
            return self._make()
        except OSError as error:
            self.close()
            raise SocketUnusable(
                f"cannot create the control socket {self.path}: {error.strerror}; "
                "check the folder's owner, or choose another place with --socket"
            ) from error
        except SocketUnusable:
            self.close()
            raise

    def is_in_place(self) -> bool:
        """Whether who opens the path finds us."""
        return self._identity is not None and _identity(self.path) == self._identity

    def renew(self) -> socket.socket:
        """Another one in the place of one that was removed. `SocketUnusable`: not now."""
        try:
            return self._make()
        except OSError as error:
            raise SocketUnusable(
                f"cannot create {self.path}: {error.strerror}; restart kingd when its leadership may change"
            ) from error

    def _make(self) -> socket.socket:
        self.path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        self._take_lock()
        self._remove_stale()
        return self._bind()

    def close(self) -> None:
        """Remove the socket if the one at its path is still ours."""
        if self._identity is not None and _identity(self.path) == self._identity:
            self.path.unlink(missing_ok=True)
        self._identity = None
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def _take_lock(self) -> None:
        """The one at the path; one that we hold already may have been removed."""
        file = Path(f"{self.path}.lock")
        if self._lock >= 0 and _identity(file) == _identity(self._lock):
            return
        lock = os.open(file, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(lock)
            if isinstance(error, BlockingIOError):
                raise self._busy() from None
            raise
        if self._lock >= 0:
            os.close(self._lock)
        self._lock = lock

    def _remove_stale(self) -> None:
        try:
            mode = self.path.lstat().st_mode
        except FileNotFoundError:
            return
        if not stat.S_ISSOCK(mode):
            raise SocketUnusable(
                f"{self.path} exists and is not a socket; remove it, or choose another place with --socket"
            )
        if self._answers():
            raise self._busy()
        self.path.unlink(missing_ok=True)

    def _answers(self) -> bool:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            probe.setblocking(False)
            status = probe.connect_ex(str(self.path))
        # Anything but these two means that somebody is there: EAGAIN is a full queue, EACCES another user's daemon.
        return status not in (errno.ECONNREFUSED, errno.ENOENT)

    def _bind(self) -> socket.socket:
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        try:
            listener.bind(str(self.path))
            self._identity = _identity(self.path)
            self.path.chmod(0o666)  # anyone may read; what changes state is checked call by call
            listener.listen(BACKLOG)
        except OSError:
            listener.close()
            raise
        return listener

    def _busy(self) -> SocketBusy:
        return SocketBusy(
            f"another kingd already answers on {self.path}; stop it, or give this one its own --socket and --state-dir"
        )


def _identity(file: Path | int) -> tuple[int, int] | None:
    try:
        status = file.lstat() if isinstance(file, Path) else os.fstat(file)
    except OSError:
        return None
    return status.st_dev, status.st_ino
