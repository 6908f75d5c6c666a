"""The terminal while top has it: the other screen, without a cursor and without echo, and back again whatever happens.

Ends by a signal are an exception (`Ended`) in the main thread, so that they leave by the same way as everything else."""

import codecs
import contextlib
import io
import os
import select
import signal
import sys
import termios
import tty
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from rich.console import Console, Group
from rich.text import Text

from kingd.output import forget_unwritten
from kingd.top.cells import ASCII, FULL, Glyphs
from kingd.top.keys import keys

_ESCAPE_S = 0.1  # what follows an ESC within it belongs to it, over ssh too
_ENDS = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGQUIT)


class Ended(BaseException):
    """A signal, or the terminal is gone (SIGHUP, then). `number`: of the signal."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


def why_not() -> str | None:
    """Why there can be no whole screen here; None: there can."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        return "it needs a terminal"
    name = os.environ.get("TERM", "")
    return f"this terminal cannot do it (TERM={name})" if name in ("", "dumb", "unknown") else None


def glyphs() -> Glyphs:
    """The console of Linux has no bars of eight heights in its font."""
    is_full = (sys.stdout.encoding or "").lower().startswith("utf") and os.environ.get("TERM") != "linux"
    return FULL if is_full else ASCII


class Terminal:
    """Use as a context manager, in the main thread. Another thread calls `wake` when there is something to see."""

    def __init__(self) -> None:
        self._in, self._out = sys.stdin.fileno(), sys.stdout.fileno()
        self._console = Console(file=sys.stdout, force_terminal=True, highlight=False, markup=False, emoji=False)
        self._before = termios.tcgetattr(self._in)
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        self._typed = ""
        self._woken, self._wake = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._is_entered = self._is_to_stop = False

    def __enter__(self) -> "Terminal":
        replace_what_it_cannot_show()
        for number in _ENDS:
            if signal.getsignal(number) is not signal.SIG_IGN:  # nohup
                signal.signal(number, _end)
        signal.signal(signal.SIGTSTP, self._stop)
        signal.signal(signal.SIGWINCH, lambda _number, _frame: None)  # the wake-up is enough
        signal.set_wakeup_fd(self._wake, warn_on_full_buffer=False)
        try:
            self._enter()
        except BaseException:
            self._leave()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._leave()

    def wake(self) -> None:
        with contextlib.suppress(BlockingIOError):  # it is full: so it will wake
            os.write(self._wake, b"\0")

    @property
    def size(self) -> tuple[int, int]:
        """Columns and lines, as they are now; not what the environment says they were."""
        with self._or_gone():
            size = os.get_terminal_size(self._out)
        return size.columns or 80, size.lines or 24

    def draw(self, lines: list[Text], *, afresh: bool = False) -> None:
        width, height = self.size
        options = self._console.options.update_dimensions(width, height)
        self._console.size = options.size
        with self._or_gone():
            if afresh:
                self._console.clear()
            self._console.update_screen(Group(*(_one_line(line) for line in lines)), options=options)
            sys.stdout.flush()

    def pressed(self, timeout_s: float) -> list[str]:
        """Keys, after `timeout_s` at most; none: woken, or nothing happened."""
        if self._is_to_stop:
            self._pause()
            return ["ctrl-l"]
        ready, _, _ = select.select([self._in, self._woken], [], [], _ESCAPE_S if self._typed else timeout_s)
        if self._woken in ready:
            with contextlib.suppress(BlockingIOError):
                while len(os.read(self._woken, 4096)) == 4096:
                    pass
        if self._in in ready:
            with self._or_gone():
                data = os.read(self._in, 1024)
            if not data:
                raise Ended(signal.SIGHUP)
            self._typed += self._decoder.decode(data)
        found, self._typed = keys(self._typed, is_all=not ready)
        return found

    def _enter(self) -> None:
        self._is_entered = True
        with self._or_gone():
            tty.setcbreak(self._in, termios.TCSANOW)
            self._console.set_alt_screen(True)
            self._console.show_cursor(False)
            sys.stdout.flush()

    def _leave(self) -> None:
        """As it was before. A terminal that is gone needs nothing any more."""
        if not self._is_entered:
            return
        self._is_entered = False
        try:
            self._console.show_cursor(True)
            self._console.set_alt_screen(False)
            sys.stdout.flush()
        except (OSError, ValueError):
            forget_unwritten()
        with contextlib.suppress(termios.error):
            termios.tcsetattr(self._in, termios.TCSANOW, self._before)
            termios.tcflush(self._in, termios.TCIFLUSH)  # what was typed was for us, and not for the shell

    def _stop(self, _number: int, _frame: FrameType | None) -> None:
        self._is_to_stop = True

    def _pause(self) -> None:
        """Ctrl-Z: the shell gets its terminal back, until `fg`."""
        self._is_to_stop = False
        # A shell that has it already (our parent was quicker) must not stop us half-way, or `fg` finds us before SIGSTOP.
        signal.signal(signal.SIGTTOU, signal.SIG_IGN)
        self._leave()
        os.kill(os.getpid(), signal.SIGSTOP)
        signal.signal(signal.SIGTTOU, signal.SIG_DFL)
        self._enter()

    @contextmanager
    def _or_gone(self) -> Iterator[None]:
        try:
            yield
        except (OSError, termios.error):  # EIO, EPIPE: nobody is there to see it
            raise Ended(signal.SIGHUP) from None


def replace_what_it_cannot_show() -> None:
    """A name may have letters that this terminal's encoding has not."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")


def _end(number: int, _frame: FrameType | None) -> None:
    for each in _ENDS:  # a second one finds nobody who waits for a terminal that takes nothing
        signal.signal(each, signal.SIG_DFL)
    raise Ended(number)


def _one_line(line: Text) -> Text:
    shown = line.copy()
    shown.no_wrap, shown.overflow = True, "crop"
    return shown
