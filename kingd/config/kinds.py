"""How the value of a key is read: a `Kind` is what is allowed, in words, and a reader that raises ValueError on all
else."""

import os
import re
import socket
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from kingd.core.wire import grammar
from kingd.records import dataclass

_UNITS_US = {"us": 1, "ms": 1_000, "s": 1_000_000, "m": 60_000_000, "h": 3_600_000_000}

_WORDS_MAX = 64


@dataclass(frozen=True, slots=True)
class Preempt:
    """Whether a better node that returns takes over, and after which wait."""

    enabled: bool
    wait_us: int


class Kind(NamedTuple):
    """How a value is read: `read` raises ValueError (with more words if it has any) on what is not `allowed`."""

    allowed: str
    read: Callable[[object], object]


def _that(allowed: str, holds: Callable[[object], bool]) -> Kind:
    """A kind whose values are taken as they are."""

    def read(value: object) -> object:
        if not holds(value):
            raise ValueError
        return value

    return Kind(allowed, read)


def whole(low: int, high: int) -> Kind:
    # `type`, for True is an int to isinstance.
    return _that(f"a whole number from {low} to {high}", lambda value: type(value) is int and low <= value <= high)


def choice(*words: str) -> Kind:
    return _that("one of " + ", ".join(f'"{word}"' for word in words), lambda value: value in words)


def text(allowed: str, pattern: str | re.Pattern[str]) -> Kind:
    return _that(allowed, lambda value: isinstance(value, str) and re.fullmatch(pattern, value) is not None)


def duration(low: str, high: str) -> Kind:
    low_us, high_us = duration_us(low), duration_us(high)

    def read(value: object) -> int:
        us = duration_us(value)
        if not low_us <= us <= high_us:
            raise ValueError
        return us

    return Kind(f'a duration from "{low}" to "{high}" (units us, ms, s, m, h)', read)


def strings(item: Kind, *, most: int) -> Kind:
    def read(value: object) -> tuple[object, ...]:
        if not isinstance(value, list | tuple) or len(value) > most:
            raise ValueError
        items = tuple(item.read(one) for one in value)
        if len(set(items)) < len(items):
            raise ValueError("one of them is there twice")
        return items

    return Kind(f"a list of at most {most} strings, each {item.allowed}", read)


def group(family: socket.AddressFamily, first_bytes: range, allowed: str) -> Kind:
    def read(value: object) -> str:
        try:
            packed = socket.inet_pton(family, value if isinstance(value, str) else "")
        except OSError:
            raise ValueError from None
        if packed[0] not in first_bytes:
            raise ValueError
        return socket.inet_ntop(family, packed)  # the one spelling that the kernel uses

    return Kind(allowed, read)


def file_path(allowed: str, *, size_max: int = 4095, optional: bool = False, absolute: bool = False) -> Kind:
    def read(value: object) -> Path | None:
        if value == "" and optional:
            return None
        if not isinstance(value, str | Path) or "\0" in str(value) or not 1 <= len(os.fsencode(value)) <= size_max:
            raise ValueError
        if absolute and not Path(value).is_absolute():
            raise ValueError
        return Path(value)

    return Kind(allowed, read)


def duration_us(value: object) -> int:
    """The microseconds of "200ms" or "1.5s"; ValueError if it is no duration."""
    match = re.fullmatch(r"([0-9]{1,9})(?:\.([0-9]{1,6}))?(us|ms|s|m|h)", value) if isinstance(value, str) else None
    if match is None:
        raise ValueError
    digits = match[2] or ""  # in integers, for "0.1s" must be exactly 100000
    us: int = int(match[1] + digits) * _UNITS_US[match[3]] // 10 ** len(digits)
    return us


def duration_text(us: int) -> str:
    """In the largest unit that keeps it whole: 1500000 -> "1500ms"."""
    unit = next(unit for unit in reversed(_UNITS_US) if us % _UNITS_US[unit] == 0)
    return f"{us // _UNITS_US[unit]}{unit}" if us else "0s"


def _preempt(value: object) -> Preempt:
    if value in ("always", "never"):
        return Preempt(enabled=value == "always", wait_us=0)
    wait_us = duration_us(value)
    if not 0 < wait_us <= duration_us("24h"):
        raise ValueError
    return Preempt(enabled=True, wait_us=wait_us)


def _peer(value: object) -> str:
    from kingd.net.seeds import parse_seed  # only who has peers pays for it

    if not isinstance(value, str):
        raise ValueError
    parse_seed(value, 1)
    return value


def _command(value: object) -> tuple[str, ...]:
    if not isinstance(value, list | tuple) or len(value) > _WORDS_MAX:
        raise ValueError
    if not all(isinstance(word, str) and "\0" not in word for word in value) or (value and not value[0]):
        raise ValueError
    return tuple(value)


COMMAND = Kind(f"a list of at most {_WORDS_MAX} strings: a program, then its arguments", _command)
NAME = text(grammar.NAME_IN_WORDS, grammar.NAME)
INTERFACE = text("an interface's name of 1 to 15 characters", r"(?!\.\.?$)[^\s/:\0]{1,15}")
PEER = Kind('"HOST", "HOST:PORT" or "[IPV6]:PORT"', _peer)
PREEMPT = Kind('"always", "never" or a duration up to "24h" (units us, ms, s, m, h)', _preempt)
GROUP4 = group(socket.AF_INET, range(224, 240), "an IPv4 multicast address, 224.0.0.0 to 239.255.255.255")
GROUP6 = group(socket.AF_INET6, range(255, 256), "an IPv6 multicast address, ff00::/8, without a scope")
FLAG = _that("true or false", lambda value: isinstance(value, bool))
# A socket's address has 108 bytes, the last of them NUL: unix(7).
SOCKET = file_path("a path of at most 107 bytes", size_max=107)
GROUP_NAME = text("a group's name, or empty", r"[A-Za-z0-9._-]{0,32}")
TAG = _that(grammar.TAG_IN_WORDS, lambda value: isinstance(value, str) and grammar.is_tag(value))
