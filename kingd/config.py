"""TOML and command line in, one frozen `Config` out; every rule about keys is checked here, once.

The dataclasses below are the one table of all keys: each field holds the default, and in its metadata what is allowed,
whether a reload applies it (`live`) or only a restart (`fixed`), and a sentence for people. `KEYS` is read off them;
loading is driven by it, and the man page and `--check-config` can be. Durations are ints of microseconds: TOML's
`timing.heartbeat = "100ms"` is `config.timing.heartbeat_us` here.

All mistakes are found in one go and raised as one `ConfigError`, a sentence each. Nothing here knows whether an
interface exists or a port is free.
"""

import os
import re
import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import Field, dataclass, field, fields, replace
from pathlib import Path
from typing import NamedTuple

COMMAND_LINE = "command line"
DEFAULT_FILE = Path("/etc/kingd/kingd.toml")
# timing.profile -> heartbeat and leader_timeout, in microseconds
PROFILES = {"lan": (100_000, 500_000), "fast": (10_000, 30_000), "wifi": (1_000_000, 5_000_000)}
_HEARTBEATS_MIN = 3  # one lost datagram and some jitter must never look like a dead leader
_TAGS_MAX = 8  # they must fit in one announcement
_FILE_SIZE_MAX = 1 << 20  # a device or a pipe by mistake must end in an error, not in all memory used
_UNITS_US = {"us": 1, "ms": 1_000, "s": 1_000_000, "m": 60_000_000, "h": 3_600_000_000}


class ConfigError(Exception):
    """What the operator must correct: one sentence for each mistake. kingd exits 78, a reload changes nothing."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


@dataclass(frozen=True, slots=True)
class Preempt:
    """Whether a better node that returns takes over, and after which wait."""

    enabled: bool
    wait_us: int


class Kind(NamedTuple):
    """How a value is read: `read` raises ValueError (with more words if it has any) on what is not `allowed`."""

    allowed: str
    read: Callable[[object], object]


class Key(NamedTuple):
    """All that is to be told about one key."""

    path: str  # "timing.heartbeat"
    field: str  # "heartbeat_us"
    kind: Kind
    default: str  # as one would write it in TOML
    needs_restart: bool
    doc: str


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


def text(allowed: str, pattern: str) -> Kind:
    return _that(allowed, lambda value: isinstance(value, str) and re.fullmatch(pattern, value) is not None)


def duration(low: str, high: str) -> Kind:
    low_us, high_us = duration_us(low), duration_us(high)

    def read(value: object) -> int:
        us = duration_us(value)
        if not low_us <= us <= high_us:
            raise ValueError
        return us

    return Kind(f'a duration from "{low}" to "{high}" (units us, ms, s, m, h)', read)


def strings(item: Kind, *, most: int, unique: bool = True) -> Kind:
    def read(value: object) -> tuple[object, ...]:
        if not isinstance(value, list | tuple) or len(value) > most:
            raise ValueError
        items = tuple(item.read(one) for one in value)
        if unique and len(set(items)) < len(items):
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


def file_path(allowed: str, *, size_max: int = 4095, optional: bool = False) -> Kind:
    def read(value: object) -> Path | None:
        if value == "" and optional:
            return None
        if not isinstance(value, str | Path) or "\0" in str(value) or not 1 <= len(os.fsencode(value)) <= size_max:
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
    from kingd.net.seeds import parse_seed  # costs asyncio: only who has peers pays for it

    if not isinstance(value, str):
        raise ValueError
    parse_seed(value, 1)
    return value


def _is_tag(value: object) -> bool:
    # Printable, for it is shown in other people's terminals.
    return isinstance(value, str) and value.isprintable() and len(value.encode()) <= 64


def host_name() -> str:
    """The host's short name made to fit, for a host without configuration must start whatever it is called."""
    short = socket.gethostname().split(".")[0]
    return re.sub(r"[^A-Za-z0-9_-]", "-", short)[:63].strip("-") or "localhost"


def live(kind: Kind, doc: str) -> dict[str, object]:
    return {"kind": kind, "doc": doc, "needs_restart": False}


def fixed(kind: Kind, doc: str) -> dict[str, object]:
    return {"kind": kind, "doc": doc, "needs_restart": True}


NAME = text("1 to 63 of a-z A-Z 0-9 . _ -", r"[A-Za-z0-9._-]{1,63}")
INTERFACE = text("an interface's name of 1 to 15 characters", r"(?!\.\.?$)[^\s/:\0]{1,15}")
PEER = Kind('"HOST", "HOST:PORT" or "[IPV6]:PORT"', _peer)
PREEMPT = Kind('"always", "never" or a duration up to "24h" (units us, ms, s, m, h)', _preempt)
GROUP4 = group(socket.AF_INET, range(224, 240), "an IPv4 multicast address, 224.0.0.0 to 239.255.255.255")
GROUP6 = group(socket.AF_INET6, range(255, 256), "an IPv6 multicast address, ff00::/8, without a scope")
FLAG = _that("true or false", lambda value: isinstance(value, bool))
ARGUMENT = text("a string without NUL", r"[^\0]*")
# A socket's address has 108 bytes, the last of them NUL: unix(7).
SOCKET = file_path("a path of at most 107 bytes", size_max=107)
GROUP_NAME = text("a group's name, or empty", r"[A-Za-z0-9._-]{0,32}")
TAG = _that("a string of printable characters, at most 64 bytes", _is_tag)
TAG_NAME = re.compile(r"[A-Za-z0-9._-]{1,32}")


# fmt: off
@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    interfaces: tuple[str, ...] = field(default=(), metadata=fixed(strings(INTERFACE, most=32),
        "Names of the interfaces to use, empty = every one that is up, can multicast and is not loopback; one too few "
        "and the nodes behind it are not seen, one too many and strangers see this node."))
    port: int = field(default=5466, metadata=fixed(whole(1, 65535),
        "UDP port of the group, and of this daemon's own address where it is free; nodes with another one never meet."))
    group4: str = field(default="239.255.54.66", metadata=fixed(GROUP4,
        "IPv4 multicast group; nodes with another one meet only by IPv6, broadcast or peers."))
    group6: str = field(default="ff12::5466", metadata=fixed(GROUP6,
        "IPv6 multicast group on each interface; nodes with another one meet only by IPv4 or peers, and a wider scope "
        "than the link's (ff12) reaches no further, for the hop limit is 1."))
    peers: tuple[str, ...] = field(default=(), metadata=fixed(strings(PEER, most=64),
        "Nodes to greet by unicast where multicast does not pass; one that answers is enough, each silent one costs a "
        "datagram now and then."))
    broadcast: bool = field(default=True, metadata=fixed(FLAG,
        "Whether to announce by IPv4 broadcast too while no member is known; without it a LAN that filters multicast "
        "needs peers."))


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    profile: str = field(default="lan", metadata=live(choice(*PROFILES),
        "Presets of heartbeat and leader_timeout: lan 100ms and 500ms, fast 10ms and 30ms (too short for all but an "
        "idle wired network), wifi 1s and 5s."))
    heartbeat_us: int = field(default=PROFILES["lan"][0], metadata=live(duration("5ms", "10s"),
        "How often the leader says that it leads; too short costs packets and processor time, too long delays every "
        "detection."))
    leader_timeout_us: int = field(default=PROFILES["lan"][1], metadata=live(duration("15ms", "1m"),
        "Silence after which the leader counts as dead, at least 3 heartbeats; too short and a stalled machine looks "
        "dead, too long and nobody leads for as long after a power cut."))


@dataclass(frozen=True, slots=True, kw_only=True)
class Quorum:
    voters: tuple[str, ...] = field(default=(), metadata=fixed(strings(NAME, most=64),
        "Names of the hosts that vote, the same list on each; empty = availability mode, in which each part of a "
        "split network has a leader of its own."))


@dataclass(frozen=True, slots=True, kw_only=True)
class Security:
    key_file: Path | None = field(default=None, metadata=live(file_path("a path, or empty", optional=True),
        "File with the cluster's key; empty = /etc/kingd/cluster.key, or the systemd credential cluster.key, if there "
        "is one."))
    mode: str = field(default="auto", metadata=live(choice("auto", "off", "permissive", "enforce"),
        "Whether datagrams are signed: auto = enforce when a key exists, permissive = sign but accept unsigned ones, "
        "with which anybody on the LAN can still take part."))


@dataclass(frozen=True, slots=True, kw_only=True)
class Hooks:
    dir: Path = field(default=Path("/etc/kingd/hooks.d"), metadata=live(file_path("a path"),
        "Folder of the executables that are run at each change of leadership."))
    timeout_us: int = field(default=duration_us("30s"), metadata=live(duration("100ms", "1h"),
        "How long one hook may run before it is stopped; too short kills it in the middle of its work, too long "
        "delays the hooks of the next change."))


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    command: tuple[str, ...] = field(default=(), metadata=live(strings(ARGUMENT, most=64, unique=False),
        "Command with its arguments that exits 0 while this host is fit to lead; empty = always fit."))
    interval_us: int = field(default=duration_us("5s"), metadata=live(duration("100ms", "1h"),
        "How often the command is run; too short costs processor time, too long leaves an unfit leader in place."))
    timeout_us: int = field(default=duration_us("2s"), metadata=live(duration("10ms", "10m"),
        "How long the command may run before it counts as failed; too short fails on a busy host, too long delays the "
        "verdict."))
    rise: int = field(default=2, metadata=live(whole(1, 100),
        "Successes in a row after which an unfit host is fit again; too few and it flaps, too many and it stays out "
        "for long."))
    fall: int = field(default=3, metadata=live(whole(1, 100),
        "Failures in a row after which the host is unfit; too few and one hiccup costs leadership, too many and an "
        "unfit host leads for long."))


@dataclass(frozen=True, slots=True, kw_only=True)
class Control:
    socket: Path = field(default=Path("/run/kingd/control.sock"), metadata=fixed(SOCKET,
        "Unix socket that kingctl talks to; at another place kingctl needs --socket."))
    group: str = field(default="kingd", metadata=fixed(GROUP_NAME,
        "Group whose members may change things through the socket; empty = only root and the daemon's own user."))


@dataclass(frozen=True, slots=True, kw_only=True)
class Log:
    level: str = field(default="info", metadata=live(choice("debug", "info", "warning", "error"),
        "Least important messages that are logged; debug has a line for every datagram."))
    format: str = field(default="auto", metadata=live(choice("auto", "json"),
        "auto = for the journal under systemd and for people elsewhere, json = one object a line."))


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    cluster: str = field(default="default", metadata=fixed(NAME,
        "Name of the cluster; nodes with another one do not take part and are listed as strangers."))
    name: str = field(default_factory=host_name, metadata=fixed(NAME,
        "Name of this node, as every answer shows it; two nodes with the same one are told apart only by their ids."))
    priority: int = field(default=100, metadata=live(whole(0, 65535),
        "Who leads: the highest; 0 = never (an observer that still votes)."))
    preempt: Preempt = field(default=Preempt(enabled=True, wait_us=0), metadata=live(PREEMPT,
        "Whether a node of higher priority that returns takes over, or after which wait; too short a wait and a node "
        "that flaps takes leadership along, too long and the worse node leads for so long."))
    network: Network = field(default_factory=Network)
    timing: Timing = field(default_factory=Timing)
    quorum: Quorum = field(default_factory=Quorum)
    security: Security = field(default_factory=Security)
    hooks: Hooks = field(default_factory=Hooks)
    check: Check = field(default_factory=Check)
    control: Control = field(default_factory=Control)
    log: Log = field(default_factory=Log)
    tags: tuple[tuple[str, str], ...] = field(default=(), metadata=live(TAG,
        "At most 8 short strings that every node can read: url, port, role ...; each makes every announcement longer."))
# fmt: on


# What is part of the contract but not of this version: an honest no, instead of a key that does nothing. Each row goes
# when its feature comes.
_NOT_SIGNED = "this version does not sign datagrams yet"
_NOT_YET: tuple[tuple[str, Callable[[object], bool], str], ...] = (
    ("security.mode", lambda mode: mode in ("permissive", "enforce"), f'{_NOT_SIGNED}; only "auto" and "off" work'),
    ("security.key_file", lambda file: file is not None, f"{_NOT_SIGNED}; leave it empty"),
    ("quorum.voters", bool, "this version has only the availability mode; leave the list empty"),
    ("check.command", bool, "this version does not check health yet; leave the list empty"),
)


def load(*, main: Path | None, explicit: bool, overrides: Mapping[str, object]) -> Config:
    """The main file, then its drop-ins in lexical order, then the command line; the later wins, key by key.

    The drop-ins of `DIR/kingd.toml` are `DIR/conf.d/*.toml`; those of any other `DIR/NAME.toml` are
    `DIR/NAME.toml.d/*.toml`, so that an instance (kingd@NAME) never reads what was meant for the default one. Hidden
    files are left out. A missing main file is a mistake only if it was asked for (`explicit`). `overrides` has dotted
    keys and values as in TOML (tuples and paths too); None = not given.
    """
    reading = _Reading()
    if main is not None:
        reading.read_file(main, must_exist=explicit)
        for file in reading.drop_ins(main):
            reading.read_file(file, must_exist=True)
    for path, value in overrides.items():
        if value is not None:
            reading.take(COMMAND_LINE, path, value)
    return reading.result()


def changed_keys(old: Config, new: Config) -> list[str]:
    """Dotted names of the keys that differ, in the order of the table."""
    before, after = _values(old), _values(new)
    return [path for path in KEYS if before[path] != after[path]]


def needs_restart(key: str) -> bool:
    return _key(key).needs_restart


def apply_live(old: Config, new: Config) -> Config:
    """What is in force after a reload: `new` where that works live, else `old`."""
    before, after = _values(old), _values(new)
    return _config({path: (before if KEYS[path].needs_restart else after)[path] for path in KEYS})


class _Reading:
    """Collects values, where each came from, and every mistake on the way."""

    def __init__(self) -> None:
        self._values: dict[str, object] = {}
        self._sources: dict[str, str] = {}
        self._tags: dict[str, object] = {}
        self._problems: list[str] = []
        self._refused: set[str] = set()

    def read_file(self, file: Path, *, must_exist: bool) -> None:
        try:
            with file.open("rb") as stream:
                data = stream.read(_FILE_SIZE_MAX + 1)
        except OSError as error:
            if must_exist or not isinstance(error, FileNotFoundError):
                self._problems.append(f"{file}: cannot be read: {error.strerror}")
            return
        try:
            text, document = _parsed(data)
        except UnicodeDecodeError as error:
            line = data.count(b"\n", 0, error.start) + 1
            self._problems.append(f"{file}: is not UTF-8 text (at line {line})")
        except (ValueError, RecursionError) as error:  # RecursionError: a thousand brackets
            self._problems.append(f"{file}: is not TOML: {error}")
        else:
            lines = _line_numbers(text)
            for path, raw in _flat(document):
                self.take(f"{file}:{lines[path]}" if path in lines else str(file), path, raw)

    def drop_ins(self, main: Path) -> list[Path]:
        folder = main.parent / ("conf.d" if main.name == "kingd.toml" else f"{main.name}.d")
        try:
            files = sorted(folder.iterdir())
        except FileNotFoundError:
            return []
        except OSError as error:
            self._problems.append(f"{folder}: cannot be read: {error.strerror}")
            return []
        return [file for file in files if file.suffix == ".toml" and not file.name.startswith(".")]

    def take(self, source: str, path: str, raw: object) -> None:
        key = KEYS.get(_table_path(path))
        if key is None or path == "tags" or (key.path == "tags" and not TAG_NAME.fullmatch(path.removeprefix("tags."))):
            self._refuse(source, path, _unknown(path, raw))
            return
        try:
            value = key.kind.read(raw)
        except ValueError as error:
            why = f" ({error})" if str(error) else ""
            self._refuse(source, path, f"{path} = {_toml(raw)} is not allowed: it must be {key.kind.allowed}{why}")
            return
        self._sources[path] = source
        if key.path == "tags":
            self._tags[path.removeprefix("tags.")] = value
        else:
            self._values[path] = value

    def result(self) -> Config:
        if self._tags:
            self._values["tags"] = tuple(sorted(self._tags.items()))
        heartbeat_us, leader_timeout_us = PROFILES[str(self._values.get("timing.profile", "lan"))]
        self._values.setdefault("timing.heartbeat", heartbeat_us)
        self._values.setdefault("timing.leader_timeout", leader_timeout_us)
        config = _config(self._values)
        self._check_timing(config.timing)
        self._check_tags()
        self._check_not_yet()
        if self._problems:
            raise ConfigError(self._problems)
        return config

    def _refuse(self, source: str, path: str, sentence: str) -> None:
        self._problems.append(f"{source}: {sentence}")
        self._refused.add(path)

    def _check_timing(self, timing: Timing) -> None:
        if self._refused & {"timing.profile", "timing.heartbeat", "timing.leader_timeout"}:
            return  # it would be judged against a value that nobody asked for
        least_us = _HEARTBEATS_MIN * timing.heartbeat_us
        if timing.leader_timeout_us < least_us:
            # One of the two was set, for every profile keeps the rule.
            source = self._sources.get("timing.leader_timeout") or self._sources["timing.heartbeat"]
            self._problems.append(
                f'{source}: timing.leader_timeout = "{duration_text(timing.leader_timeout_us)}" is not allowed: with '
                f'timing.heartbeat = "{duration_text(timing.heartbeat_us)}" it must be "{duration_text(least_us)}" or '
                f"more, {_HEARTBEATS_MIN} heartbeats"
            )

    def _check_tags(self) -> None:
        if len(self._tags) > _TAGS_MAX:
            first = list(self._tags)[_TAGS_MAX]
            what = f"tags.{first} = {_toml(self._tags[first])}"
            why = f"there may be at most {_TAGS_MAX} tags, and these are {len(self._tags)}"
            self._problems.append(f"{self._sources[f'tags.{first}']}: {what} is not allowed: {why}")

    def _check_not_yet(self) -> None:
        for path, asked_for, sentence in _NOT_YET:
            if path in self._values and asked_for(self._values[path]):
                wish = f"{path} = {_toml(self._values[path])}"
                self._problems.append(f"{self._sources[path]}: {wish} is not possible: {sentence}")


def _parsed(data: bytes) -> tuple[str, dict[str, object]]:
    import tomllib  # 12 ms and 2.6 MB: only who has a file pays for it

    if len(data) > _FILE_SIZE_MAX:
        raise ValueError(f"it is longer than {_FILE_SIZE_MAX} bytes")
    text = data.decode()
    return text, tomllib.loads(text)


def _flat(document: Mapping[str, object]) -> Iterator[tuple[str, object]]:
    """Dotted paths and their values; what should be a table but is none is handed on under the table's name."""
    for name, value in document.items():
        if name in _TABLES and isinstance(value, Mapping):
            yield from ((f"{name}.{below}", inner) for below, inner in value.items())
        else:
            # Quoted, it is a key of its own to TOML: "network.port" is not port in [network].
            yield f'"{name}"' if "." in name else name, value


def _line_numbers(text: str) -> dict[str, int]:
    """Where each key stands, by the look of the lines; good enough for a message, and tomllib does not tell."""
    numbers: dict[str, int] = {}
    table = ""
    for number, line in enumerate(text.splitlines(), 1):
        if header := re.match(r"\s*\[\s*([\w.-]+)\s*\]", line):
            table = header[1] + "."
        elif key := re.match(r"""\s*["']?([\w.-]+)["']?\s*=""", line):
            numbers.setdefault(table + key[1], number)
    return numbers


def _unknown(path: str, raw: object) -> str:
    """The sentence about a key that does not exist."""
    table, _, name = path.rpartition(".")
    if path in _TABLES:
        return f"{path} = {_toml(raw)} is not allowed: it must be a table, [{path}]"
    if table.partition(".")[0] == "tags":
        return f"{path} = {_toml(raw)} is not allowed: a tag's name must be 1 to 32 of a-z A-Z 0-9 . _ -"
    near = _nearest(path, name)
    if near:
        return f"{path} = {_toml(raw)} is not a key of kingd: did you mean {near}?"
    known = [key for key in KEYS if key.rpartition(".")[0] == table and key != "tags"]
    if not table or not known:
        known += [f"[{name}]" for name in _TABLES]
    return f"{path} = {_toml(raw)} is not a key of kingd: there are {', '.join(known)}"


def _nearest(path: str, name: str) -> str:
    """The key that was probably meant: the same word in another table, else one that is a slip away."""
    import difflib  # only who makes a mistake pays for it

    names = {key.rpartition(".")[2]: key for key in reversed(KEYS)} | {table: f"[{table}]" for table in _TABLES}
    if name in names:
        return names[name]
    names |= {key: key for key in KEYS}
    near = difflib.get_close_matches(path, names, 1, 0.7) or difflib.get_close_matches(name, names, 1, 0.7)
    return names[near[0]] if near else ""


def _toml(value: object) -> str:
    """A value as one writes it in TOML, on one line and not too long."""
    match value:
        case bool():
            shown = str(value).lower()
        case None:
            shown = '""'
        case Preempt():
            return _toml(duration_text(value.wait_us) if value.wait_us else "always" if value.enabled else "never")
        case str() | Path():
            shown = f'"{value}"' if str(value).isprintable() else repr(str(value))
        case list() | tuple():
            shown = f"[{', '.join(_toml(item) for item in value)}]"
        case Mapping():
            return "(a table)"
        case int() if abs(value) >= 1 << 64:
            shown = "(a very large number)"  # Python refuses to print some of them
        case _:
            shown = str(value)
    return shown if len(shown) <= 100 else f"{shown[:97]}..."


def _table_path(path: str) -> str:
    return "tags" if path.startswith("tags.") else path


def _key(path: str) -> Key:
    return KEYS[_table_path(path)]


def _keys() -> Iterator[Key]:
    """The table, read off the dataclasses."""
    defaults = Config()
    for outer in fields(defaults):
        if outer.metadata:
            yield _row(outer.name, outer, getattr(defaults, outer.name))
        else:
            section = getattr(defaults, outer.name)
            for inner in fields(section):
                yield _row(f"{outer.name}.{inner.name}", inner, getattr(section, inner.name))


def _row(path: str, row: Field[object], default: object) -> Key:
    if isinstance(default, int) and path.endswith("_us"):
        default = duration_text(default)
    shown = "the host's short name" if path == "name" else _toml(default)
    return Key(path.removesuffix("_us"), row.name, default=shown, **row.metadata)


def _values(config: Config) -> dict[str, object]:
    return {path: getattr(_section(config, path), key.field) for path, key in KEYS.items()}


def _section(config: Config, path: str) -> object:
    table = path.rpartition(".")[0]
    return getattr(config, table) if table else config


def _config(values: Mapping[str, object]) -> Config:
    """These values, by dotted path, and the defaults for the rest."""
    sections: dict[str, dict[str, object]] = {"": {}}
    for path, value in values.items():
        sections.setdefault(path.rpartition(".")[0], {})[KEYS[path].field] = value
    top = sections.pop("")
    defaults = Config()
    top |= {name: replace(getattr(defaults, name), **part) for name, part in sections.items()}
    make: Callable[..., Config] = Config  # the types were seen to by the reader of each key
    return make(**top)


KEYS = {key.path: key for key in _keys()}
_TABLES = [*dict.fromkeys(path.partition(".")[0] for path in KEYS if "." in path), "tags"]
