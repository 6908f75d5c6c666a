"""Standard output and standard error that cannot be written to: for both commands, whatever they had to say."""

from __future__ import annotations

import errno
import os
import sys


def occupy_closed_streams() -> None:
    """A stream that was closed (`>&-`) is None to Python: what is printed there goes nowhere and looks written, and the next
    socket gets its number. A descriptor that cannot be written to takes its place, so that writing fails."""
    for number, name in ((1, "stdout"), (2, "stderr")):
        if getattr(sys, name) is None:
            nowhere = os.open(os.devnull, os.O_RDONLY)
            if nowhere != number:
                os.dup2(nowhere, number)
                os.close(nowhere)
            setattr(sys, name, open(number, "w", buffering=1, closefd=False))  # noqa: SIM115


def unwritten(error: OSError | UnicodeEncodeError, *, program: str) -> int:
    """The exit code when an answer, or its explanation, was not written: none that is an answer may follow."""
    import contextlib

    with contextlib.suppress(OSError):  # it may be stderr that fails
        sys.stderr.write(f"{program}: {_what_failed(error)}\n")
    forget_unwritten()
    return os.EX_IOERR


def forget_unwritten() -> None:
    """It is still in Python's buffer, which fails once more when it is flushed at the end."""
    for number in (1, 2):
        os.dup2(os.open(os.devnull, os.O_WRONLY), number)


def _what_failed(error: OSError | UnicodeEncodeError) -> str:
    if isinstance(error, UnicodeEncodeError):
        return f"the answer cannot be written in {error.encoding}: use a UTF-8 locale, such as LC_ALL=C.UTF-8"
    if error.filename is not None:
        return f"{error.filename}: {error.strerror}"
    why = "it is closed" if error.errno == errno.EBADF else error.strerror
    return f"the answer could not be written to standard output: {why}"
