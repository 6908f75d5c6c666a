"""`--detach`: leave the terminal, on hosts without systemd. What the daemon logs goes to a file in its state folder.

Who was called stays until the daemon says, over a pipe, that it is up, or why it is not, and ends with what it said: daemon(7).
What excludes a second daemon is the lock of the state folder and that of the socket, as without `--detach`. The log is opened
for what it is, never through a link that somebody put there; folders in which others could do worse are refused before
(foreign.py)."""

import os
import signal
import stat
import sys
from contextlib import suppress
from pathlib import Path
from typing import NoReturn, TextIO

from kingd.daemon.folder_lock import FolderLock
from kingd.daemon.guardian import Guardian
from kingd.daemon.options import Options
from kingd.daemon.pid_file import PidFile, PidFileRefused


class Background:
    """The daemon, which has left the terminal and is not up yet."""

    def __init__(self, tell: int) -> None:
        self._tell = tell
        self._pid_file: PidFile | None = None

    def take(self, pid_file: Path) -> None:
        """PidFileRefused: that was told, and is the end."""
        try:
            self._pid_file = PidFile(pid_file)
        except PidFileRefused as error:
            self.failed(os.EX_CANTCREAT, str(error))
            raise

    def is_up(self) -> None:
        self._say(0, "")

    def failed(self, code: int, sentence: str) -> None:
        self._say(code, sentence)

    def end(self) -> None:
        if self._pid_file is not None:
            self._pid_file.remove()

    def _say(self, code: int, sentence: str) -> None:
        with suppress(OSError):  # who waited has been ended
            os.write(self._tell, f"{code}\n{sentence}".encode(errors="replace"))
        os.close(self._tell)


def leave_terminal(options: Options, guardian: Guardian | None) -> Background:
    """In the daemon; the process that was called ends in here. StateBusy, OSError, PidFileRefused: it may not start."""
    import daemon

    lock = FolderLock(options.state_dir)
    with suppress(OSError):  # the daemon says what is wrong with it
        lock.take()
    lock.release()
    file = options.state_dir / "kingd.log"
    log = _open_log(file)
    told, tell = os.pipe()
    if os.fork() != 0:
        os.close(tell)
        _end_as_told(told, file)
    daemon.DaemonContext(
        detach_process=True,  # also where the shell is process 1, as in a container
        working_directory="/", umask=0o022, stdout=log, stderr=log, signal_map={},
        files_preserve=[tell, *(() if guardian is None else (guardian.pipe,))],
    ).open()  # fmt: skip
    background = Background(tell)
    if options.pid_file is not None:
        background.take(options.pid_file)
    return background


def _end_as_told(told: int, log: Path) -> NoReturn:
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_DFL)  # ended before it is known: no success
    with open(told, encoding="utf-8") as pipe:
        code, _, sentence = pipe.read().partition("\n")
    if not code:
        code, sentence = str(os.EX_SOFTWARE), f"the daemon ended before it was up: {log} says why"
    if sentence:
        with suppress(OSError):
            sys.stderr.write(f"kingd: {sentence}\n")
            sys.stderr.flush()
    os._exit(int(code))


def _open_log(file: Path) -> TextIO:
    handle = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, 0o644)
    found = os.fstat(handle)
    if not stat.S_ISREG(found.st_mode) or found.st_nlink != 1 or found.st_uid != os.geteuid():
        os.close(handle)
        raise PermissionError(
            f"{file} is not a file of this user's alone: remove it, kingd makes a new one for its log"
        )
    return os.fdopen(handle, "a", encoding="utf-8")
