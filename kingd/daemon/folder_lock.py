"""One state folder belongs to one daemon, by a lock that the kernel drops when the process ends, however it ends.

In: a folder. Out: whether it is ours. It may be removed under a running daemon: then the lock that is held protects
nothing any more, and has to be taken again where the folder is made again."""

import contextlib
import errno
import fcntl
import os
from pathlib import Path


class StateBusy(Exception):
    """Another daemon works with this folder."""


class FolderLock:
    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._file = folder / "lock"  # what is locked
        self._handle: int | None = None

    @property
    def is_held(self) -> bool:
        return self._handle is not None

    def is_in_place(self) -> bool:
        """Whether another daemon that looks for the lock would find ours."""
        if self._handle is None:
            return False
        try:
            return os.path.samestat(self._file.lstat(), os.fstat(self._handle))
        except OSError:
            return False

    def take(self) -> None:
        """Makes the folder. StateBusy: another daemon has it; OSError: it cannot be locked, EROFS and the like: nor shared."""
        with contextlib.suppress(OSError):  # what matters about the failure is found when writing
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        file, handle = self._open()
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(handle)
            if not isinstance(error, BlockingIOError):
                raise OSError(errno.ENOLCK, error.strerror) from None
            raise StateBusy(
                f"{self._folder} is in use by another kingd{self._holder()}: stop that one, or give this one a folder of its "
                "own with --state-dir"
            ) from None
        self.release()
        self._file, self._handle = file, handle
        with contextlib.suppress(OSError):  # the number is only for the sentence above
            os.truncate(handle, 0)
            os.pwrite(handle, f"{os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        """The process's end does the same."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None

    def _open(self) -> tuple[Path, int]:
        file = self._folder / "lock"
        try:
            return file, os.open(file, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        except OSError:
            # Read-only: two daemons with one identity are as wrong there, and a folder can be locked as well.
            return self._folder, os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)

    def _holder(self) -> str:
        try:
            pid = (self._folder / "lock").read_bytes()[:32].decode("ascii").strip()
        except (OSError, ValueError):
            return ""
        return f" (pid {pid})" if pid.isdigit() else ""
