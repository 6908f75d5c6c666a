"""Where the words of our processes go: to stderr, in one of three shapes.

Under systemd each line begins with its priority, as sd-daemon(3) has it, and the journal adds time and unit (what has fields
goes to it with them: journald.py); on a terminal or in a file it begins with the time; `json` is one object a line. A line of
ours is one line whatever is in it, for names and tags come from other hosts. `OncePer` keeps those hosts from filling the disk.

The standard library's logging does this and much more, for a tenth of the daemon's start and 1.5 MiB: hierarchies,
handlers, filters, locks. What we need of it is one writer, and a level."""

import os
import select
import sys
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping
from contextlib import suppress
from typing import NamedTuple, TextIO

DEBUG, INFO, WARNING, ERROR, CRITICAL = 10, 20, 30, 40, 50
_WORDS = {DEBUG: "debug", INFO: "info", WARNING: "warning", ERROR: "error", CRITICAL: "critical"}
_LEVELS = {word: level for level, word in _WORDS.items()}
_SYSLOG_PRIORITIES = {DEBUG: 7, INFO: 6, WARNING: 4, ERROR: 3, CRITICAL: 2}
# Control characters drive terminals and split lines; shown as in a Python string, tab included.
_ESCAPES = {code: repr(chr(code))[1:-1] for code in (*range(0x20), *range(0x7F, 0xA0), 0x2028, 0x2029)}


class Record(NamedTuple):
    """`trace`: what an exception says, "" = none. `fields`: the same for programs, `kingd_...`."""

    at_s: float  # since the epoch
    level: int
    logger: str
    message: str
    trace: str = ""
    fields: Mapping[str, object] = {}


Write = Callable[[Record], None]


class Logger:
    """Says things under its name: a format and its arguments, as the operator % has them."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name

    def debug(self, message: str, *args: object) -> None:
        self.log(DEBUG, message, *args)

    def info(self, message: str, *args: object, fields: Mapping[str, object] | None = None) -> None:
        self.log(INFO, message, *args, fields=fields)

    def warning(self, message: str, *args: object) -> None:
        self.log(WARNING, message, *args)

    def error(self, message: str, *args: object) -> None:
        self.log(ERROR, message, *args)

    def critical(self, message: str, *args: object, error: BaseException | None = None) -> None:
        self.log(CRITICAL, message, *args, error=error)

    def log(
        self,
        level: int,
        message: str,
        *args: object,
        error: BaseException | None = None,
        fields: Mapping[str, object] | None = None,
    ) -> None:
        if level >= _now.level:
            text = message % args if args else message
            _now.write(Record(time.time(), level, self.name, text, _trace(error) if error else "", fields or {}))


def set_up(level: str, format: str, stream: TextIO | None = None) -> None:
    """`log.level` and `log.format`; again after a reload."""
    where = stream or sys.stderr
    if format != "json" and _is_journal(where):
        write_to(_to_the_journal(where), level=_LEVELS[level])
        return
    write_to(_Lines(_json if format == "json" else _plain, where).write, level=_LEVELS[level])


def write_to(write: Write, *, level: int) -> None:
    """From now on, what is at least as important."""
    _now.write, _now.level = write, level


class _Now:
    """Where to, until `set_up` has said it: the words alone, if they matter."""

    def __init__(self) -> None:
        self.level = WARNING
        self.write: Write = lambda record: _print(_text(record.message), sys.stderr)


_now = _Now()


def _print(text: str, stream: TextIO) -> None:
    with suppress(OSError, ValueError):  # nobody reads it: no reason to stop an election
        stream.write(text + "\n")
        stream.flush()


class _Lines:
    """Whoever reads them is not waited for: `kingd 2>&1 | less`, left alone, must not stop an election. What finds no room is
    counted, and the count is told when there is room again."""

    def __init__(self, shape: Callable[[Record], str], stream: TextIO) -> None:
        self._shape = shape
        self._stream = stream
        self._unsent = b""  # one line at most, with the count before it: a line is whole or is not there
        self._left_out = 0
        self._lock = threading.RLock()  # held while nothing waits

    def write(self, record: Record) -> None:
        with self._lock, suppress(OSError, ValueError):  # there is no reader any more: no reason either
            self._send()
            if self._unsent:
                self._left_out += 1
                return
            if self._left_out:
                words = f"lines left out here, because nobody read them: {self._left_out}"
                self._add(Record(record.at_s, WARNING, "kingd.log", words))
                self._left_out = 0
            self._add(record)
            self._send()

    def _add(self, record: Record) -> None:
        self._unsent += f"{self._shape(record)}\n".encode(errors="backslashreplace")

    def _send(self) -> None:
        """As much as there is room for. A pipe with room takes PIPE_BUF bytes without waiting, pipe(7)."""
        number = self._stream.fileno()
        room = select.poll()
        room.register(number, select.POLLOUT)
        while self._unsent and room.poll(0):
            self._unsent = self._unsent[os.write(number, self._unsent[: select.PIPE_BUF]) :]


def _to_the_journal(stream: TextIO) -> Write:
    """What has fields by its socket, and by stderr like all others where nobody takes it."""
    from kingd import journald  # not for the many others who write a line

    lines = _Lines(_for_the_journal, stream)

    def write(record: Record) -> None:
        if not record.fields or not journald.takes(
            "\n".join(_lines(record)), _SYSLOG_PRIORITIES[record.level], record.fields
        ):
            lines.write(record)

    return write


def _for_the_journal(record: Record) -> str:
    """`<4>kingd.net: text`, each line of a traceback with the prefix: a line without it would count as info."""
    prefix = f"<{_SYSLOG_PRIORITIES[record.level]}>"
    return "\n".join(prefix + line for line in _lines(record))


def _plain(record: Record) -> str:
    """`2026-11-23 12:00:00.123 WARNING kingd.net: text`, in local time."""
    moment = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(record.at_s))
    first, *rest = _lines(record)
    return "\n".join([f"{moment}.{_ms(record):03} {_WORDS[record.level].upper()} {first}", *rest])


def _json(record: Record) -> str:
    """{"time", "level", "logger", "message"}, its fields, and "exception" if there is one."""
    import json  # only who asked for it pays for it

    moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.at_s))
    said: dict[str, object] = {
        "time": f"{moment}.{_ms(record):03}Z",
        "level": _WORDS[record.level],
        "logger": record.logger,
        "message": record.message,
    }
    said |= {name: value for name, value in record.fields.items() if value != ""}
    return json.dumps(said | ({"exception": record.trace} if record.trace else {}))


def _ms(record: Record) -> int:
    return int(record.at_s * 1000) % 1000


def _lines(record: Record) -> list[str]:
    return [f"{record.logger}: {_text(record.message)}", *map(_text, record.trace.splitlines())]


def _text(words: str) -> str:
    return words.translate(_ESCAPES)


def _trace(error: BaseException) -> str:
    import traceback  # seldom, and for once

    return "".join(traceback.format_exception(error)).rstrip("\n")


def _is_journal(stream: TextIO) -> bool:
    """systemd.exec(5): JOURNAL_STREAM is inherited by all, so only the same device and inode mean the journal."""
    try:
        status = os.fstat(stream.fileno())
    except (OSError, ValueError):  # no file behind it
        return False
    return os.environ.get("JOURNAL_STREAM") == f"{status.st_dev}:{status.st_ino}"


class OncePer:
    """Says a thing once per key and counts it after that: what a stranger can repeat must not fill the disk.

    The memory is bounded (the key that was silent longest is forgotten), and so are the lines: a stranger with ever new
    keys gets `lines_max` of them a minute, and then one that says how many more there were."""

    def __init__(self, logger: Logger, *, keys_max: int = 512, lines_max: int = 20) -> None:
        self._logger = logger
        self._keys_max = keys_max
        self._lines_max = lines_max
        self._counts: OrderedDict[Hashable, int] = OrderedDict()
        self._minute_began_us: int | None = None
        self._lines = 0
        self._dropped = 0

    def log(self, level: int, key: Hashable, message: str, *args: object, now_us: int) -> bool:
        """Whether the line was written."""
        if key in self._counts:
            self._counts[key] += 1
            self._counts.move_to_end(key)
            return False
        if self._minute_began_us is None or now_us - self._minute_began_us >= 60_000_000:
            self._begin_minute(level, now_us)
        if self._lines == self._lines_max:  # not remembered either: its turn may come in the next minute
            self._dropped += 1
            return False
        self._lines += 1
        self._counts[key] = 1
        if len(self._counts) > self._keys_max:
            self._counts.popitem(last=False)
        self._logger.log(level, message, *args)
        return True

    def counts(self) -> dict[Hashable, int]:
        """How often each remembered key came, the most recent last."""
        return dict(self._counts)

    def _begin_minute(self, level: int, now_us: int) -> None:
        if self._dropped:
            self._logger.log(level, "%d more messages of this kind were left out", self._dropped)
        self._minute_began_us, self._lines, self._dropped = now_us, 0, 0
