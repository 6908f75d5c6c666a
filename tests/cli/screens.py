"""`kingctl top` on a terminal of its own, and what a person at it would see and do."""

import contextlib
import fcntl
import os
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time

from tests.cli.runs import LIMIT_S

# The terminal becomes that of the new session, so that it sends ^C, ^Z and changes of its size.
PROGRAM = """
import fcntl, signal, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
if sys.argv.pop(1) == "nohup":
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
from kingd.cli.main import main
sys.exit(main())
"""
_MOVES = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")


class Screen:
    def __init__(self, *argv: str, width: int = 80, height: int = 24, nohup: bool = False, **environment: str) -> None:
        self._own, self._other = os.openpty()
        self.resize(width, height)
        self.before = termios.tcgetattr(self._other)
        self.output = ""
        self._seen = 0
        self.process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, "nohup" if nohup else "", "top", *argv],
            stdin=self._other,
            stdout=self._other,
            stderr=self._other,
            start_new_session=True,
            env={**os.environ, "TERM": "xterm-256color", "LC_ALL": "C.UTF-8", **environment},
        )

    def resize(self, width: int, height: int) -> None:
        fcntl.ioctl(self._own, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))

    def types(self, keys: str) -> None:
        """And forgets what was shown before."""
        self._read(0)
        self._seen = len(self.output)
        os.write(self._own, keys.encode())

    def until(self, words: str) -> None:
        """They are shown, after what was waited for or typed before."""
        end_s = time.monotonic() + LIMIT_S
        while words not in (text := self.text):
            assert time.monotonic() < end_s, f"{words!r} is not shown, but {text!r}"
            assert self._read(0.1) or self.process.poll() is None, f"it has ended without {words!r}: {text!r}"
        self._seen = len(self.output)

    @property
    def text(self) -> str:
        """What was shown lately, without where and in which colour."""
        return _MOVES.sub("", self.output[self._seen :])

    def end(self) -> int:
        """Its exit code, when it has ended by itself. What it writes at its end is read meanwhile."""
        end_s = time.monotonic() + LIMIT_S
        while self.process.poll() is None:
            assert time.monotonic() < end_s, f"it does not end: {self.output[-2000:]!r}"
            self._read(0.1)
        while self._read(0):
            pass
        return self.process.returncode

    def is_as_before(self) -> bool:
        """Echo and lines again, the cursor, and the screen on which the shell was."""
        left = self.output.rpartition("\x1b[?1049l")
        entered = self.output.rpartition("\x1b[?1049h")
        shown = self.output.rpartition("\x1b[?25h")
        hidden = self.output.rpartition("\x1b[?25l")
        are_last = len(left[0]) > len(entered[0]) and len(shown[0]) > len(hidden[0])
        return are_last and termios.tcgetattr(self._other) == self.before

    def hang_up(self) -> None:
        """The window is closed, or the connection is gone."""
        os.close(self._other)
        os.close(self._own)
        self._own = self._other = -1

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.kill()
        self.process.wait(LIMIT_S)
        for each in (self._own, self._other):
            if each >= 0:
                os.close(each)

    def _read(self, timeout_s: float) -> bool:
        if self._own < 0 or not select.select([self._own], [], [], timeout_s)[0]:
            if self._own < 0:
                time.sleep(timeout_s)
            return False
        with contextlib.suppress(OSError):
            self.output += os.read(self._own, 65536).decode(errors="replace")
        return True
