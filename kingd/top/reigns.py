"""Who led, one after the other: told from events and from what the daemon said after a silence. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from kingd.control.answer import number, section_or_none, text
from kingd.control.client import JsonObject


class Mark(NamedTuple):
    """From here on this node called `leader` its leader (None: nobody), in `term` (None: it cannot be known)."""

    at_ns: int  # CLOCK_MONOTONIC
    leader: str | None
    term: int | None


@dataclass(frozen=True, slots=True)
class Reign:
    """A leadership, or a time without one (`leader` is None), or a time of which nothing is known (`term` is None)."""

    leader: str | None
    term: int | None
    from_ns: int
    until_ns: int | None  # None: it lasts


def mark_of(event: JsonObject) -> Mark | None:
    """None: the event is about a member, and not about who leads."""
    kind, leader = text(event, "event"), section_or_none(event, "leader")
    if kind in ("maintenance", "check-failed") or kind.startswith("member-"):
        return None
    at_ns, term = number(event, "monotonic_ns"), number(event, "term")
    if kind == "stopping" or (leader is None and event.get("role") == "joining"):
        return Mark(at_ns, None, None)
    return Mark(at_ns, None if leader is None else text(leader, "name"), term)


def reigns(marks: Iterable[Mark]) -> list[Reign]:
    found: list[Reign] = []
    for mark in sorted(marks, key=lambda each: each.at_ns):
        last = found[-1] if found else None
        if last is not None and _is_same(last, mark):
            continue
        if last is not None:
            found[-1] = Reign(last.leader, last.term, last.from_ns, mark.at_ns)
        found.append(Reign(mark.leader, mark.term, mark.at_ns, None))
    return found


def _is_same(last: Reign, mark: Mark) -> bool:
    if last.term is None or mark.term is None:
        return last.term is mark.term
    return last.leader == mark.leader and (last.term == mark.term or mark.leader is None)
