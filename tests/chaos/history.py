"""What a run of the nemesis was, as JSON lines: what was done to the hosts, and what they said meanwhile.

Everything that the checker judges and the picture shows is in here and nowhere else, so a history that was kept can be
judged again. Times are nanoseconds of CLOCK_MONOTONIC, which all namespaces of a machine share.
"""

import json
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

Bracket = tuple[int, int]
"""Just before the question and just after the answer: what it says was true at some instant in between."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """The first line: what ran."""

    at: int
    seed: int
    mode: str  # availability or quorum
    hosts: tuple[str, ...]
    voters: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """A row of equal answers to `Status`, one after the other, none of them slow but the first."""

    host: str
    pid: int  # of the daemon that answered: one process is one session
    node: str  # its id
    role: str
    leader: str | None  # the id of whom it calls leader
    term: int
    first: Bracket
    last: Bracket
    count: int

    @property
    def at(self) -> int:
        return self.first[1]

    @property
    def leads(self) -> bool:
        return self.role == "leader"


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """An event that the daemon told those who `Watch`."""

    host: str
    pid: int
    at: int
    event: str
    term: int
    role: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    what: str  # "loss 20 %", "split a b | c d e"
    hosts: tuple[str, ...]  # whom it is about; () = the network
    at: int
    end: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Life:
    """Of a daemon's process. It surely runs nothing from `paused` until `resumed`."""

    host: str
    pid: int
    what: str  # started, ended, paused, resumed
    at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Quiet:
    """Nothing is broken: all daemons answered before the network was healed, which is when it begins."""

    at: int
    end: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Complaint:
    """What no daemon may ever do, whatever happens to it: end by itself, or find a mistake of its own."""

    host: str
    at: int
    text: str


Record = Setting | Answers | Told | Fault | Life | Quiet | Complaint
_KINDS: dict[str, Callable[..., Record]] = {
    kind.__name__.lower(): kind for kind in (Setting, Answers, Told, Fault, Life, Quiet, Complaint)
}


def line(record: Record) -> str:
    return json.dumps({"kind": type(record).__name__.lower(), **asdict(record)})


def parse(text: str) -> Record:
    raw: dict[str, Any] = json.loads(text)
    kind = _KINDS[raw.pop("kind")]
    return kind(**{name: tuple(value) if isinstance(value, list) else value for name, value in raw.items()})


def save(path: Path, records: Iterable[Record]) -> None:
    path.write_text("".join(f"{line(record)}\n" for record in records), encoding="utf-8")


def load(path: Path) -> list[Record]:
    return [parse(text) for text in path.read_text(encoding="utf-8").splitlines()]


@dataclass(slots=True)
class History:
    """The records by kind, each in the order of time."""

    setting: Setting
    answers: list[Answers]
    told: list[Told]
    faults: list[Fault]
    lives: list[Life]
    quiets: list[Quiet]
    complaints: list[Complaint]

    @classmethod
    def of(cls, records: Iterable[Record]) -> "History":
        ordered = sorted(records, key=lambda record: record.at)
        return cls(
            setting=next(record for record in ordered if isinstance(record, Setting)),
            answers=[record for record in ordered if isinstance(record, Answers)],
            told=[record for record in ordered if isinstance(record, Told)],
            faults=[record for record in ordered if isinstance(record, Fault)],
            lives=[record for record in ordered if isinstance(record, Life)],
            quiets=[record for record in ordered if isinstance(record, Quiet)],
            complaints=[record for record in ordered if isinstance(record, Complaint)],
        )

    def records(self) -> list[Record]:
        found: list[Record] = [record for field in fields(self)[1:] for record in getattr(self, field.name)]
        return [self.setting, *sorted(found, key=lambda record: record.at)]

    @property
    def end(self) -> int:
        ends = [self.setting.at, *(a.last[1] for a in self.answers), *(q.end for q in self.quiets)]
        return max([*ends, *(f.end for f in self.faults)])
