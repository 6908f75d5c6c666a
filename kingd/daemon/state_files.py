"""One small file of the state folder: read whole or not believed, and replaced whole. Blocking (fsync): for a worker thread.

What somebody else may have written is not believed. Nothing here knows what is in a file."""

import contextlib
import os
import stat
from pathlib import Path

_SIZE_MAX = 64 << 10  # of a file that is read; ours are far smaller


class Foreign(OSError):
    """Somebody else may have written the file."""

    def __init__(self, why: str, remedy: str) -> None:
        super().__init__(why)
        self.remedy = remedy


def read(file: Path) -> bytes:
    """OSError, among them `Foreign`."""
    with file.open("rb") as stream:
        found = os.fstat(stream.fileno())
        if found.st_uid not in (0, os.geteuid()):
            raise Foreign(f"it belongs to uid {found.st_uid}", f"`chown {os.geteuid()} {file}`")
        if found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            raise Foreign(f"others may write it (mode {stat.S_IMODE(found.st_mode):04o})", f"`chmod 0600 {file}`")
        return stream.read(_SIZE_MAX)


def replace(file: Path, data: bytes, *, durable: bool) -> None:
    """The file holds either the old bytes or the new ones, whenever the power fails."""
    new = file.with_name(f"{file.name}.new")
    try:
        with open(new, "wb", opener=_private) as stream:
            stream.write(data)
            stream.flush()
            if durable:
                os.fsync(stream.fileno())
        new.replace(file)
    except OSError:
        with contextlib.suppress(OSError):
            new.unlink()
        raise
    if durable:
        _keep_names(file.parent)


def remove(file: Path) -> None:
    """It is gone, or was not there, whenever the power fails."""
    file.unlink(missing_ok=True)
    _keep_names(file.parent)


def _keep_names(folder: Path) -> None:
    """A name is on disk only when its folder is."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW, 0o600)
