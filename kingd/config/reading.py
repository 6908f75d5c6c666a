"""From files and command line to values by dotted path, with each mistake named by file, line, key, value and what is
allowed."""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from kingd.config.keys import KEYS, PROFILES, Config, Timing, as_toml, config_of, key_of, table_path, values_of
from kingd.config.kinds import duration_text
from kingd.config.toml_file import ConfigError, read_toml, unreadable
from kingd.core.wire.grammar import TAG_NAME, TAG_NAME_IN_WORDS

COMMAND_LINE = "command line"
DEFAULT_FILE = Path("/etc/kingd/kingd.toml")
_HEARTBEATS_MIN = 3  # one lost datagram and some jitter must never look like a dead leader
_TAGS_MAX = 8  # they must fit in one announcement
_WORD = r"""(?:[\w-]+|"[^"]*"|'[^']*')"""  # of a dotted key


_TABLES = [*dict.fromkeys(path.partition(".")[0] for path in KEYS if "." in path), "tags"]


def load(*, main: Path | None, explicit: bool, overrides: Mapping[str, object], instance: str | None = None) -> Config:
    """The main file, then its drop-ins in lexical order, then the command line; the later wins, key by key.

    The drop-ins of `DIR/kingd.toml` are `DIR/conf.d/*.toml`; those of any other `DIR/NAME.toml` are
    `DIR/NAME.toml.d/*.toml`, so that an instance (kingd@NAME) never reads what was meant for the default one.
    Hidden files are left out. A missing main file is a mistake only if it was asked for (`explicit`). `overrides`
    has dotted keys and values as in TOML (tuples and paths too); None = not given. An `instance` is in the cluster of its own
    name, unless one is named: it runs beside the default one, and two members of one cluster on a host are never wanted."""
    return _read(main, explicit, overrides, instance).result()


def source_of(
    key: str, *, main: Path | None, explicit: bool, overrides: Mapping[str, object], instance: str | None = None
) -> str:
    """Where that key was set, as mistakes name it (FILE:LINE); "" = nowhere. It reads all files again."""
    return _read(main, explicit, overrides, instance).source_of(key)


def _read(main: Path | None, explicit: bool, overrides: Mapping[str, object], instance: str | None) -> "_Reading":
    reading = _Reading()
    if main is not None:
        reading.read_file(main, must_exist=explicit)
        for file in reading.drop_ins(main):
            reading.read_file(file, must_exist=True)
    for path, value in overrides.items():
        if value is not None:
            reading.take(COMMAND_LINE, path, value)
    if instance is not None and not reading.names("cluster"):
        reading.take(f"kingd@{instance}", "cluster", instance)
    return reading


def changed_keys(old: Config, new: Config) -> list[str]:
    """Dotted names of the keys that differ, in the order of the table."""
    before, after = values_of(old), values_of(new)
    return [path for path in KEYS if before[path] != after[path]]


def needs_restart(key: str) -> bool:
    return key_of(key).needs_restart


def apply_live(old: Config, new: Config) -> Config:
    """What is in force after a reload: `new` where that works live, else `old`."""
    before, after = values_of(old), values_of(new)
    return config_of({path: (before if KEYS[path].needs_restart else after)[path] for path in KEYS})


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
            text, document = read_toml(file, decides="who leads")
        except FileNotFoundError as error:
            if must_exist:
                self._problems.append(unreadable(file, error))
        except ConfigError as error:
            self._problems += error.problems
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
            self._problems.append(unreadable(folder, error))
            return []
        return [file for file in files if file.suffix == ".toml" and not file.name.startswith(".")]

    def take(self, source: str, path: str, raw: object) -> None:
        key = KEYS.get(table_path(path))
        if key is None or path == "tags" or (key.path == "tags" and not TAG_NAME.fullmatch(path.removeprefix("tags."))):
            self._refuse(source, path, _unknown(path, raw))
            return
        try:
            value = key.kind.read(raw)
        except ValueError as error:
            why = f" ({error})" if str(error) else ""
            self._refuse(source, path, f"{path} = {as_toml(raw)} is not allowed: it must be {key.kind.allowed}{why}")
            return
        self._sources[path] = source
        if key.path == "tags":
            self._tags[path.removeprefix("tags.")] = value
        else:
            self._values[path] = value

    def source_of(self, path: str) -> str:
        return self._sources.get(path, "")

    def names(self, path: str) -> bool:
        return path in self._values or path in self._refused

    def result(self) -> Config:
        if self._tags:
            self._values["tags"] = tuple(sorted(self._tags.items()))
        heartbeat_us, leader_timeout_us = PROFILES[str(self._values.get("timing.profile", "lan"))]
        self._values.setdefault("timing.heartbeat", heartbeat_us)
        self._values.setdefault("timing.leader_timeout", leader_timeout_us)
        config = config_of(self._values)
        self._check_timing(config.timing)
        self._check_tags()
        self._check_exclusive(config)
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
            what = f"tags.{first} = {as_toml(self._tags[first])}"
            why = f"there may be at most {_TAGS_MAX} tags, and these are {len(self._tags)}"
            self._problems.append(f"{self._sources[f'tags.{first}']}: {what} is not allowed: {why}")

    def _check_exclusive(self, config: Config) -> None:
        if config.target.exclusive and not config.quorum.voters and "quorum.voters" not in self._refused:
            self._problems.append(
                f"{self._sources['target.exclusive']}: target.exclusive = true needs quorum.voters: without a list of "
                "voters two hosts may lead at once, and each starts the units; name the hosts that vote, or leave it out"
            )


def _flat(document: Mapping[str, object]) -> Iterator[tuple[str, object]]:
    """Dotted paths and their values; what should be a table but is none is handed on under the table's name."""
    for name, value in document.items():
        if name in _TABLES and isinstance(value, Mapping):
            yield from ((f"{name}.{below}", inner) for below, inner in value.items())
        else:
            yield _dotted([name]), value


def _line_numbers(text: str) -> dict[str, int]:
    """Where each key and each table stands first, by the look of the lines; good enough for a message, and tomllib does not
    tell."""
    numbers: dict[str, int] = {}
    table: list[str] = []
    for number, line in enumerate(text.splitlines(), 1):
        found = re.match(rf"\s*(\[{{1,2}})?\s*({_WORD}(?:\s*\.\s*{_WORD})*)\s*[\]=]", line)
        if found is None:
            continue
        words = [word.strip("\"'") for word in re.findall(_WORD, found[2])]
        words = words if found[1] else table + words
        table = words if found[1] else table
        for length in range(1, len(words) + 1):
            numbers.setdefault(_dotted(words[:length]), number)
    return numbers


def _dotted(words: Sequence[str]) -> str:
    # Quoted, it is a key of its own to TOML: "network.port" is not port in [network].
    return ".".join([f'"{words[0]}"' if "." in words[0] else words[0], *words[1:]])


def _unknown(path: str, raw: object) -> str:
    """The sentence about a key, or a table, that does not exist."""
    table, _, name = path.rpartition(".")
    if path in _TABLES:
        return f"{path} = {as_toml(raw)} is not allowed: it must be a table, [{path}]"
    if table.partition(".")[0] == "tags":
        return f"{path} = {as_toml(raw)} is not allowed: a tag's name must be {TAG_NAME_IN_WORDS}"
    is_section = isinstance(raw, Mapping) and not table
    wrong = f"[{path}] is not a section of kingd" if is_section else f"{path} = {as_toml(raw)} is not a key of kingd"
    near = _nearest(path, name)
    if near:
        return f"{wrong}: did you mean {near}?"
    known = [] if is_section else [key for key in KEYS if key.rpartition(".")[0] == table and key != "tags"]
    if not table or not known:
        known += [f"[{section}]" for section in _TABLES]
    return f"{wrong}: there are {', '.join(known)}"


def _nearest(path: str, name: str) -> str:
    """The key that was probably meant: the same word in another table, else one that is a slip away."""
    import difflib  # only who makes a mistake pays for it

    path, name = path.lower(), name.lower()

    names = {key.rpartition(".")[2]: key for key in reversed(KEYS)} | {table: f"[{table}]" for table in _TABLES}
    if name in names:
        return names[name]
    names |= {key: key for key in KEYS}
    near = difflib.get_close_matches(path, names, 1, 0.7) or difflib.get_close_matches(name, names, 1, 0.7)
    return names[near[0]] if near else ""
