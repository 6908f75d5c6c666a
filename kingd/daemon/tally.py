"""What leadership has been like since the start of the process, in numbers: from the events that users are told.

An overlap is told of when it has ended, and nobody says when it began: that is taken to be when this node last took one of the
members that are back for dead, or, where it had not known them, when it met them. No table grows with the LAN."""

from collections import OrderedDict
from typing import TypeVar

from kingd.control.service import JsonObject
from kingd.core.effect import Event, EventKind
from kingd.core.wire.message import NodeId, Reason

_BOUNDS_MS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 30_000)
_BACK_US = 10_000_000  # two leaders have met, and settled it, sooner than that
_REMEMBERED_MAX = 64

T = TypeVar("T")


class Tally:
    def __init__(self, *, now_us: int) -> None:
        self._changes = {reason.word: 0 for reason in Reason}
        self._changed_ms: int | None = None  # of the calendar
        self._none_since_us: int | None = now_us  # since when no leader is known
        self._took = [0] * (len(_BOUNDS_MS) + 1)
        self._took_us = 0
        self._led_since_us = now_us
        self._dead: OrderedDict[NodeId, int] = OrderedDict()  # since when
        # When; taken for dead, or met first, since when.
        self._back: OrderedDict[NodeId, tuple[int, int]] = OrderedDict()
        self._overlap_us = 0

    @property
    def remembered(self) -> int:
        """Members."""
        return len(self._dead) + len(self._back)

    def note(self, event: Event, *, wall_s: float) -> int:
        """How long the overlap lasted whose end it tells; 0: it tells none."""
        before_us = self._overlap_us
        self._note(event, wall_s)
        return self._overlap_us - before_us

    def _note(self, event: Event, wall_s: float) -> None:
        at_us = event.at_us
        match event.kind:
            case EventKind.ELECTED | EventKind.LEADER_CHANGED:
                self._note_leader(event, wall_s)
            case EventKind.DEPOSED | EventKind.LEADER_LOST:
                if event.leader is None:
                    self._none_since_us = at_us
                else:
                    self._note_leader(event, wall_s)
            case EventKind.OVERLAP_RESOLVED:
                self._overlap_us += max(1000, at_us - self._apart_since_us(at_us))
            case EventKind.MEMBER_DEAD if event.member is not None:
                _remember(self._dead, event.member.node, at_us)
            case EventKind.MEMBER_JOINED if event.member is not None:
                since_us = self._dead.pop(event.member.node, at_us)
                _remember(self._back, event.member.node, (at_us, since_us))

    def _note_leader(self, event: Event, wall_s: float) -> None:
        at_us = event.at_us
        self._changes[event.reason.word] += 1
        self._changed_ms = int(wall_s * 1000)
        took_us = 0 if self._none_since_us is None else at_us - self._none_since_us
        self._none_since_us = None
        self._took_us += took_us
        self._took[sum(took_us > bound_ms * 1000 for bound_ms in _BOUNDS_MS)] += 1
        if event.kind is EventKind.ELECTED:
            self._led_since_us = at_us

    def _apart_since_us(self, now_us: int) -> int:
        led_us = self._led_since_us
        recent = [since for at, since in self._back.values() if now_us - at <= _BACK_US and at > led_us]
        return max(led_us, *recent) if recent else now_us

    def told(self) -> JsonObject:
        return {
            "leader_changes": dict(self._changes),
            "last_leader_change_ms": self._changed_ms,
            "elections": {"bounds_ms": list(_BOUNDS_MS), "counts": list(self._took), "sum_us": self._took_us},
            "overlap_us": self._overlap_us,
        }


def _remember(table: OrderedDict[NodeId, T], node: NodeId, value: T) -> None:
    table.pop(node, None)
    table[node] = value
    if len(table) > _REMEMBERED_MAX:
        table.popitem(last=False)
