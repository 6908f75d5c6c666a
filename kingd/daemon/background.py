"""`--detach`: leave the terminal, on hosts without systemd. What the daemon logs goes to a file in its state folder.

What excludes a second daemon is the lock of the state folder, which ends with its process. A pid file does not: one that
a killed daemon left is replaced. Both files are opened for what they are, never through a link that somebody put there;
folders in which others could do worse are refused before (foreign.py)."""

import contextlib
import os
import stat
from pathlib import Path
from typing import TextIO

from kingd.daemon.folder_lock import FolderLock
from kingd.daemon.guardian import Guardian
from kingd.daemon.options import Options


def leave_terminal(options: Options, guardian: Guardian | None) -> None:
    """StateBusy, OSError: it cannot, and this is still the foreground, where somebody can be told."""
    import daemon

    lock = FolderLock(options.state_dir)
    with contextlib.suppress(OSError):  # the daemon says what is wrong with it
        lock.take()
    lock.release()
    log = _open_log(options.state_dir / "kingd.log")
    pid_file = None if options.pid_file is None else _make_pid_file(options.pid_file)
    kept = [*(() if guardian is None else (guardian.pipe,)), *(() if pid_file is None else (pid_file,))]
    daemon.DaemonContext(
        detach_process=True,  # also where the shell is process 1, as in a container
        working_directory="/", umask=0o022, stdout=log, stderr=log, signal_map={}, files_preserve=kept,
    ).open()  # fmt: skip
    if pid_file is not None:
        with pid_file:
            pid_file.write(f"{os.getpid()}\n")


def _open_log(file: Path) -> TextIO:
    handle = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, 0o644)
    found = os.fstat(handle)
    if not stat.S_ISREG(found.st_mode) or found.st_nlink != 1 or found.st_uid != os.geteuid():
        os.close(handle)
        raise PermissionError(
            f"{file} is not a file of this user's alone: remove it, kingd makes a new one for its log"
        )
    return os.fdopen(handle, "a", encoding="utf-8")


def _make_pid_file(file: Path) -> TextIO:
    file.unlink(missing_ok=True)
    return os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644), "w")
