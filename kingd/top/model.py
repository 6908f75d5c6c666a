"""What top knows: the daemon's answers and events, and when they came.

Pure: no clock, no socket. Times are an `Instant`, given by the caller; its `s` is CLOCK_MONOTONIC, which is the clock of the
events' `monotonic_ns` too, as the daemon runs on this host.

Nothing is made up. Without an answer the last one stays, and `silent_s` says for how long: the view greys it."""

from collections import deque
from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

from kingd.control.answer import number, number_or_none, rows, section, section_or_none, text
from kingd.control.client import JsonObject
from kingd.top.heard import Heard
from kingd.top.reigns import Mark, Reign, mark_of, reigns

EVENTS_MAX = 256  # as many as the daemon itself keeps
SILENT_S = 2.0  # it is asked twice a second
_SAME_NS = 50_000_000  # times of the wall are told in milliseconds, and the wall clock may step


class Instant(NamedTuple):
    """One moment on two clocks."""

    s: float  # CLOCK_MONOTONIC
    wall_s: float  # since the epoch


class Model:
    """Told by `answered`, `failed`, `happened` and `surveyed`; everything else reads."""

    def __init__(self) -> None:
        self.status: JsonObject | None = None
        self.members: list[JsonObject] = []
        self.survey: JsonObject | None = None
        self.surveyed_at: Instant | None = None
        self.views: dict[str, JsonObject] = {}  # what each member said then, by its id
        self.answered_at: Instant | None = None
        self.failure: str | None = None  # why there is no answer
        self.valid_ms_max = 0  # the most that an answer of this leadership was good for
        self._heard: dict[str, Heard] = {}
        self._events: dict[
            tuple[int, int], JsonObject
        ] = {}  # by time and number: History and Watch tell of the same ones
        self._first: Mark | None = None  # by the first answer
        self._marks: deque[Mark] = deque(maxlen=EVENTS_MAX)  # where this node fell silent, and what it said afterwards

    def answered(self, status: JsonObject, members: JsonObject | None, now: Instant) -> None:
        """`members`: None where only `Status` was asked. `BadAnswer`: the daemon is of a version that is not understood, and
        nothing has changed here."""
        known, term = section_or_none(status, "leader"), number(status, "term")
        valid_ms = number_or_none(status, "valid_ms") or 0
        listed = None if members is None else rows(members, "members")
        section(status, "node")
        before = None if self.status is None else _leadership(self.status)
        if before != _leadership(status):
            self.survey = self.surveyed_at = None  # it tells of another time
            self.views = {}
            self.valid_ms_max = 0
        self.valid_ms_max = max(self.valid_ms_max, int(valid_ms))
        mark = Mark(int(now.s * 1e9), None if known is None else text(known, "name"), term)
        if self.answered_at is None:
            self._first = mark._replace(at_ns=_since_ns(status, now))
        elif self.failure is not None or (before == _leadership(status) and self._is_untold(mark)):
            self._marks.append(mark)
        self.status, self.answered_at, self.failure = status, now, None
        if listed is not None:
            self._take_members(listed, now)

    def failed(self, why: str) -> None:
        """There was no answer."""
        if self.failure is None and self.answered_at is not None:
            self._marks.append(Mark(int(self.answered_at.s * 1e9), None, None))
        self.failure = why

    def happened(self, events: Iterable[JsonObject]) -> None:
        """Changes, in any order, told once or more often."""
        for event in events:
            if not event.get("initial"):  # that is how things are, and no change
                self._events[number(event, "monotonic_ns"), number(event, "seq")] = event
        for key in sorted(self._events)[:-EVENTS_MAX]:
            del self._events[key]

    def surveyed(self, answer: JsonObject, now: Instant) -> None:
        self.views = {text(node, "id"): node for node in rows(answer, "nodes")}
        self.survey, self.surveyed_at = answer, now

    @property
    def events(self) -> list[JsonObject]:
        """The last ones, oldest first."""
        return [self._events[key] for key in sorted(self._events)]

    @property
    def reigns(self) -> list[Reign]:
        """Who led, one after the other, oldest first."""
        told = [*filter(None, map(mark_of, self.events))]
        first = self._first
        # A large cluster's comings and goings push the event out that the first answer tells of; else it says it better.
        is_needed = first is not None and not any(mark.at_ns <= first.at_ns + _SAME_NS for mark in told)
        return reigns([*([first] if first is not None and is_needed else []), *self._marks, *told])

    def heard(self, member: str) -> Heard:
        return self._heard.get(member) or Heard()

    def silent_s(self, now: Instant) -> float | None:
        """For how long there has been no answer; None: there is one."""
        if self.answered_at is None:
            return None
        silent_s = now.s - self.answered_at.s
        return silent_s if self.failure is not None or silent_s > SILENT_S else None

    def _is_untold(self, mark: Mark) -> bool:
        """No event tells of what has been so for two answers: a leader that stalled goes on in a higher term of its own."""
        last = self.reigns[-1:]
        return bool(last) and mark.leader is not None and (last[0].leader, last[0].term) != (mark.leader, mark.term)

    def _take_members(self, listed: list[JsonObject], now: Instant) -> None:
        kept: dict[str, Heard] = {}
        for member in listed:
            node = text(member, "id")
            kept[node] = self._heard.get(node) or Heard()
            kept[node].note(now.s, number_or_none(member, "last_heard_ms"), state=text(member, "state"))
        self.members, self._heard = listed, kept


def _leadership(status: JsonObject) -> tuple[object, int]:
    known = section_or_none(status, "leader")
    return None if known is None else known.get("id"), number(status, "term")


def _since_ns(status: JsonObject, now: Instant) -> int:
    """When what is said began."""
    since = status.get("since")
    try:
        began_s = datetime.fromisoformat(since).timestamp() if isinstance(since, str) else now.wall_s
    except ValueError:
        began_s = now.wall_s
    return int((now.s - max(0.0, now.wall_s - began_s)) * 1e9)
