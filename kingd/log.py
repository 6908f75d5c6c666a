"""Where the words of the daemon go: the standard library's logging, to stderr, in one of three shapes.

Under systemd each line begins with its priority, as sd-daemon(3) has it, and the journal adds time and unit; on a
terminal or in a file it begins with the time; `json` is one object a line. A line of ours is one line whatever is in
it, for names and tags come from other hosts. `OncePer` keeps those hosts from filling the disk.
"""

import logging
import os
import sys
import time
from collections import OrderedDict
from collections.abc import Hashable
from typing import TextIO

_SYSLOG_PRIORITIES = ((logging.CRITICAL, 2), (logging.ERROR, 3), (logging.WARNING, 4), (logging.INFO, 6))
_DEBUG_PRIORITY = 7
# Control characters drive terminals and split lines; shown as in a Python string, tab included.
_ESCAPES = {code: repr(chr(code))[1:-1] for code in (*range(0x20), *range(0x7F, 0xA0), 0x2028, 0x2029)}
_RECORD_FIELDS = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}


def set_up(level: str, format: str, stream: TextIO | None = None) -> None:
    """`log.level` and `log.format`; again after a reload. All loggers of the process end up here."""
    stream = stream or sys.stderr
    handler = logging.StreamHandler(stream)
    handler.setFormatter(_formatter(format, stream))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())


class JournalFormatter(logging.Formatter):
    """`<4>kingd.net: text`, each line of a traceback with the prefix: a line without it would count as info."""

    def format(self, record: logging.LogRecord) -> str:
        prefix = f"<{_priority(record.levelno)}>"
        return "\n".join(prefix + line for line in _lines(self, record))


class PlainFormatter(logging.Formatter):
    """`2026-11-23 12:00:00.123 WARNING kingd.net: text`, in local time."""

    def format(self, record: logging.LogRecord) -> str:
        moment = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(record.created))
        first, *rest = _lines(self, record)
        return "\n".join([f"{moment}.{int(record.msecs):03} {record.levelname} {first}", *rest])


class JsonFormatter(logging.Formatter):
    """{"time", "level", "logger", "message"}, "exception" if there is one, and whatever came in `extra`."""

    def format(self, record: logging.LogRecord) -> str:
        import json  # only who asked for it pays for it

        moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        own: dict[str, object] = {
            "time": f"{moment}.{int(record.msecs):03}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if trace := _trace(self, record):
            own["exception"] = trace
        extra = {name: value for name, value in record.__dict__.items() if name not in _RECORD_FIELDS | own.keys()}
        return json.dumps(own | extra, default=str)


class OncePer:
    """Says a thing once per key and counts it after that: what a stranger can repeat must not fill the disk.

    The memory is bounded (the key that was silent longest is forgotten), and so are the lines: a stranger with ever new
    keys gets `lines_max` of them a minute, and then one that says how many more there were."""

    def __init__(self, logger: logging.Logger, *, keys_max: int = 512, lines_max: int = 20) -> None:
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


def _formatter(format: str, stream: TextIO) -> logging.Formatter:
    if format == "json":
        return JsonFormatter()
    return JournalFormatter() if _is_journal(stream) else PlainFormatter()


def _is_journal(stream: TextIO) -> bool:
    """systemd.exec(5): JOURNAL_STREAM is inherited by all, so only the same device and inode mean the journal."""
    try:
        status = os.fstat(stream.fileno())
    except (OSError, ValueError):  # no file behind it
        return False
    return os.environ.get("JOURNAL_STREAM") == f"{status.st_dev}:{status.st_ino}"


def _priority(level: int) -> int:
    return next((priority for at_least, priority in _SYSLOG_PRIORITIES if level >= at_least), _DEBUG_PRIORITY)


def _lines(formatter: logging.Formatter, record: logging.LogRecord) -> list[str]:
    text = f"{record.name}: {record.getMessage().translate(_ESCAPES)}"
    trace = _trace(formatter, record)
    return [text, *(line.translate(_ESCAPES) for line in trace.splitlines())]


def _trace(formatter: logging.Formatter, record: logging.LogRecord) -> str:
    parts = []
    if record.exc_info:
        parts.append(formatter.formatException(record.exc_info))
    if record.stack_info:
        parts.append(formatter.formatStack(record.stack_info))
    return "\n".join(parts)
