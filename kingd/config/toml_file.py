"""A TOML file, read: its text and what is in it, or a sentence on why not. Who might change it is warned of."""

import os
import re
import stat
from collections.abc import Sequence
from pathlib import Path

from kingd.log import Logger

_FILE_SIZE_MAX = 1 << 20  # a device or a pipe by mistake must end in an error, not in all memory used
_log = Logger("kingd.config")


class ConfigError(Exception):
    """What the operator must correct: one sentence for each mistake. kingd exits 78, a reload changes nothing."""

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(map(_printable, problems))
        super().__init__("\n".join(self.problems))


def read_toml(file: Path, *, decides: str) -> tuple[str, dict[str, object]]:
    """FileNotFoundError, or ConfigError. `decides`: what who can write it decides."""
    try:
        # Not blocking: to open a pipe that nobody writes to would last for ever, in a reload too.
        with open(file, "rb", opener=lambda path, flags: os.open(path, flags | os.O_NONBLOCK)) as stream:
            os.set_blocking(stream.fileno(), True)
            found = os.fstat(stream.fileno())
            _warn_of_writers(file, found, decides)
            data = stream.read(_FILE_SIZE_MAX + 1)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise ConfigError([unreadable(file, error)]) from None
    if not data and stat.S_ISFIFO(found.st_mode):
        raise ConfigError([f"{file}: is a pipe to which nobody writes: put a file there, or name another one"])
    try:
        return _parsed(data)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ConfigError([f"{file}: is not UTF-8 text (at line {line})"]) from None
    except (ValueError, RecursionError) as error:  # RecursionError: a thousand brackets
        raise ConfigError([f"{file}: is not TOML: {error}"]) from None


def _printable(sentence: str) -> str:
    """Keys, values and paths may have anything in them: nothing of it moves a cursor, or looks like a sentence of its own."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in sentence)


def unreadable(path: Path, error: OSError) -> str:
    """A file or a folder; nothing in them is secret."""
    what = f"{path}: cannot be read: {error.strerror}"
    if not isinstance(error, PermissionError):
        return what
    closed = next((folder for folder in reversed(path.parents) if not os.access(folder, os.X_OK)), None)
    return f"{what}: `chmod o+rX {closed or path}` lets the daemon's user read it"


def _warn_of_writers(file: Path, found: os.stat_result, decides: str) -> None:
    """Who can write the configuration decides what it says. The group is as trusted as its owner made it. A warning and no
    refusal: a host that elects is worth more than a mode that is mended."""
    if not stat.S_ISREG(found.st_mode):
        return  # a pipe from who starts us
    if found.st_mode & stat.S_IWOTH:
        _log.warning(
            "%s: everybody on this host may change it (mode %04o), and with it %s: `chmod o-w %s` mends it",
            file, stat.S_IMODE(found.st_mode), decides, file,
        )  # fmt: skip
    if found.st_uid not in (0, os.geteuid()):
        _log.warning(
            "%s: belongs to uid %d, who may change it, and with it %s: `chown root %s` mends it",
            file,
            found.st_uid,
            decides,
            file,
        )


def _parsed(data: bytes) -> tuple[str, dict[str, object]]:
    if len(data) > _FILE_SIZE_MAX:
        raise ValueError(f"it is longer than {_FILE_SIZE_MAX} bytes")
    if b"\0" in data:  # every other byte of it, in plain letters
        raise ValueError("it is UTF-16 (or not text at all): save it as UTF-8")
    text = data.decode("utf-8-sig")  # some editors begin a file with a byte-order mark, and none shows it
    if all(not line or line.startswith("#") for line in map(str.strip, text.splitlines())):
        return text, {}
    import tomllib  # 12 ms and 2.6 MB: only who has something in the file pays for it

    try:
        return text, tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ValueError(_named(str(error), text)) from None


def _named(why: str, text: str) -> str:
    """Of a key that is there twice tomllib tells neither name nor line, only where its value ends."""
    if not why.startswith("Cannot overwrite a value"):
        return why
    at = re.search(r"line ([0-9]+)", why)
    lines = text.rstrip().splitlines()[: int(at[1]) if at else None]
    for number, line in reversed([*enumerate(lines, 1)]):
        key, equals, _ = line.partition("=")
        if equals:
            return f"{key.strip()} is there twice (at line {number})"
    return why
