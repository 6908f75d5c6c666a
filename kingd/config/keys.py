"""The one table of all keys: each field holds the default, and in its metadata what is allowed, whether a reload
applies it (`live`) or only a restart (`fixed`), and a sentence for people.

`KEYS` is read off it: loading is driven by it, and the man page comes from it. Durations are ints of microseconds:
TOML's `timing.heartbeat = "100ms"` is `config.timing.heartbeat_us` here."""

import re
import socket
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from kingd.config.kinds import (
    COMMAND,
    FLAG,
    GROUP4,
    GROUP6,
    GROUP_NAME,
    INTERFACE,
    NAME,
    PEER,
    PREEMPT,
    SOCKET,
    TAG,
    Kind,
    Preempt,
    choice,
    duration,
    duration_text,
    file_path,
    strings,
    whole,
)
from kingd.records import Field, dataclass, field, fields, replace

# timing.profile -> heartbeat and leader_timeout, in microseconds
PROFILES = {"lan": (100_000, 500_000), "fast": (10_000, 30_000), "wifi": (1_000_000, 5_000_000)}


class Key(NamedTuple):
    """All that is to be told about one key."""

    path: str  # "timing.heartbeat"
    field: str  # "heartbeat_us"
    kind: Kind
    default: str  # as one would write it in TOML
    needs_restart: bool
    doc: str


def host_name() -> str:
    """The host's short name made to fit, for a host without configuration must start whatever it is called."""
    short = socket.gethostname().split(".")[0]
    return re.sub(r"[^A-Za-z0-9_-]", "-", short)[:63].strip("-") or "localhost"


def live(kind: Kind, doc: str) -> dict[str, object]:
    return {"kind": kind, "doc": doc, "needs_restart": False}


def fixed(kind: Kind, doc: str) -> dict[str, object]:
    return {"kind": kind, "doc": doc, "needs_restart": True}


# fmt: off
@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """[network]: where this node is heard and hears."""

    interfaces: tuple[str, ...] = field(default=(), metadata=fixed(strings(INTERFACE, most=32),
        "Names of the interfaces to use, empty = every one that is up and is not loopback; one too few and the nodes "
        "behind it are not seen, one too many and strangers see this node. One without multicast (a VPN) needs peers."))
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
    """[timing]: how soon a dead leader is noticed."""

    profile: str = field(default="lan", metadata=live(choice(*PROFILES),
        "Presets of heartbeat and leader_timeout: lan 100ms and 500ms, fast 10ms and 30ms (wired networks; a "
        "host that may be busy must allow real-time priority, see FAST DETECTION in kingd(8)), wifi 1s and 5s."))
    heartbeat_us: int = field(default=PROFILES["lan"][0], metadata=live(duration("5ms", "10s"),
        "How often the leader says that it leads; too short costs packets and processor time, too long delays every "
        "detection."))
    leader_timeout_us: int = field(default=PROFILES["lan"][1], metadata=live(duration("15ms", "1m"),
        "Silence after which the leader counts as dead, at least 3 heartbeats; too short and a stalled machine looks "
        "dead, too long and nobody leads for as long after a power cut."))


@dataclass(frozen=True, slots=True, kw_only=True)
class Quorum:
    """[quorum]: who votes."""

    voters: tuple[str, ...] = field(default=(), metadata=live(strings(NAME, most=64),
        "Names of the hosts that vote, the same list on each; empty = availability mode, in which each part of a "
        "split network has a leader of its own. While kingd runs one name at a time may be added or removed."))


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """[target]: kingd-leader.target."""

    exclusive: bool = field(default=False, metadata=live(FLAG,
        "Whether what still runs in the units of kingd-leader.target 0.75 s after leadership has ended is killed, before "
        "another host may start its own; for quorum mode only, and a unit that needs longer to end cleanly does not get it."))


@dataclass(frozen=True, slots=True, kw_only=True)
class Security:
    """[security]: the cluster's key."""

    key_file: Path | None = field(default=None, metadata=live(file_path("a path, or empty", optional=True),
        "File with the cluster's key; empty = /etc/kingd/cluster.key, or the systemd credential cluster.key, if there "
        "is one. CLUSTER KEY in kingd(8) says how all hosts get it."))
    mode: str = field(default="auto", metadata=live(choice("auto", "off", "permissive", "enforce"),
        "Whether datagrams are signed: auto = enforce when a key exists, permissive = sign but accept unsigned ones, "
        "with which anybody on the LAN can still take part."))


@dataclass(frozen=True, slots=True, kw_only=True)
class Hooks:
    """[hooks]: programs that are told when leadership changes."""

    dir: Path = field(default=Path("/etc/kingd/hooks.d"), metadata=live(file_path("an absolute path", absolute=True),
        "Folder whose executables are run, in lexical order; kingd-hooks.path starts kingd-hooks.service when something comes "
        "into the default one, another one needs `systemctl start kingd-hooks`. HOOKS in kingd(8)."))
    timeout_us: int = field(default=30_000_000, metadata=live(duration("100ms", "1h"),
        "How long one of them may run before it is ended, with all that it has started; a planned hand-over waits as long for "
        "all of them together, 28s at most."))


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """[check]: whether this host is fit to lead."""

    command: tuple[str, ...] = field(default=(), metadata=live(COMMAND,
        "Program and arguments that say so by exit code 0, run by kingd-check.service, as root; empty = always fit. A host "
        "that is not fit gives leadership away, and does not claim it. FITNESS in kingd(8)."))
    interval_us: int = field(default=5_000_000, metadata=live(duration("100ms", "1h"),
        "From the begin of one run to that of the next; the longer, the later a failure is noticed."))
    timeout_us: int = field(default=2_000_000, metadata=live(duration("100ms", "10m"),
        "How long it may take; then it is ended, with all that it has started, and has failed."))
    rise: int = field(default=2, metadata=live(whole(1, 100),
        "So many times in a row it must succeed before a host that was not fit counts as fit."))
    fall: int = field(default=3, metadata=live(whole(1, 100),
        "So many times in a row it must fail before a host counts as not fit; with 1 every hiccup moves leadership."))


@dataclass(frozen=True, slots=True, kw_only=True)
class Control:
    """[control]: the socket of kingctl."""

    socket: Path = field(default=Path("/run/kingd/control.sock"), metadata=fixed(SOCKET,
        "Unix socket that kingctl talks to; at another place kingctl needs --socket."))
    group: str = field(default="kingd", metadata=fixed(GROUP_NAME,
        "Group whose members may change things through the socket; empty = only root and the daemon's own user."))


@dataclass(frozen=True, slots=True, kw_only=True)
class Log:
    """[log]: what is logged, and how."""

    level: str = field(default="info", metadata=live(choice("debug", "info", "warning", "error"),
        "Least important messages that are logged; debug has a line for every datagram."))
    format: str = field(default="auto", metadata=live(choice("auto", "json"),
        "auto = for the journal under systemd and for people elsewhere, json = one object a line."))


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """The whole configuration: every section, and the keys above them."""

    cluster: str = field(default="default", metadata=fixed(NAME,
        "Name of the cluster; nodes with another one do not take part and are listed as strangers. kingd@NAME.service is in "
        "the cluster NAME where none is named."))
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
    target: Target = field(default_factory=Target)
    security: Security = field(default_factory=Security)
    hooks: Hooks = field(default_factory=Hooks)
    check: Check = field(default_factory=Check)
    control: Control = field(default_factory=Control)
    log: Log = field(default_factory=Log)
    tags: tuple[tuple[str, str], ...] = field(default=(), metadata=live(TAG,
        "At most 8 short strings that every node can read: url, port, role ...; each makes every announcement longer."))
# fmt: on


def table_path(path: str) -> str:
    return "tags" if path.startswith("tags.") else path


def key_of(path: str) -> Key:
    return KEYS[table_path(path)]


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
    shown = "the host's short name" if path == "name" else as_toml(default)
    return Key(path.removesuffix("_us"), row.name, default=shown, **row.metadata)


def values_of(config: Config) -> dict[str, object]:
    return {path: getattr(_section(config, path), key.field) for path, key in KEYS.items()}


def _section(config: Config, path: str) -> object:
    table = path.rpartition(".")[0]
    return getattr(config, table) if table else config


def config_of(values: Mapping[str, object]) -> Config:
    """These values, by dotted path, and the defaults for the rest."""
    sections: dict[str, dict[str, object]] = {"": {}}
    for path, value in values.items():
        sections.setdefault(path.rpartition(".")[0], {})[KEYS[path].field] = value
    top = sections.pop("")
    defaults = Config()
    top |= {name: replace(getattr(defaults, name), **part) for name, part in sections.items()}
    make: Callable[..., Config] = Config  # the types were seen to by the reader of each key
    return make(**top)


def as_toml(value: object) -> str:
    """A value as one writes it in TOML, on one line and not too long."""
    match value:
        case bool():
            shown = str(value).lower()
        case None:
            shown = '""'
        case Preempt():
            return as_toml(duration_text(value.wait_us) if value.wait_us else "always" if value.enabled else "never")
        case str() | Path():
            shown = f'"{value}"' if str(value).isprintable() else repr(str(value))
        case list() | tuple():
            shown = f"[{', '.join(as_toml(item) for item in value)}]"
        case Mapping():
            return "(a table)"
        case int() if abs(value) >= 1 << 64:
            shown = "(a very large number)"  # Python refuses to print some of them
        case _:
            shown = str(value)
    return shown if len(shown) <= 100 else f"{shown[:97]}..."


KEYS = {key.path: key for key in _keys()}
