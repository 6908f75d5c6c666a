"""An event of `watch` and `history` in words."""

from kingd.cli.text import clean, clock
from kingd.control.answer import flag, number, section_or_none, text
from kingd.control.client import JsonObject

HEADER = ("TIME", "TERM", "EVENT", "WHAT", "WHY")
# (over, on)
_ELIGIBILITY = {
    "maintenance": ("is out of maintenance", "is in maintenance"),
    "check-failed": ("is fit to lead again", "is not fit to lead"),
}
SPARE = ("EVENT", "TERM")  # WHAT says the first in words


def row(event: JsonObject) -> list[object]:
    return [clock(text(event, "time")), number(event, "term"), label(event), sentence(event), event.get("reason")]


def line(event: JsonObject) -> str:
    """The same on one line of its own, for a stream whose widths are not known in advance."""
    time, term, what, words, why = row(event)
    return clean(f"{time}  term {term}  {what!s:<16}  {words} ({why})")


def label(event: JsonObject) -> str:
    return "now" if event.get("initial") else text(event, "event")


def sentence(event: JsonObject) -> str:
    kind = text(event, "event")
    if kind.startswith("member-"):
        verb = {"member-joined": "joined", "member-left": "said goodbye"}.get(kind, "fell silent")
        return f"{_name(event, 'member') or 'a member'} {verb}"
    if kind in _ELIGIBILITY:
        return f"{_name(event, 'member') or 'a member'} {_ELIGIBILITY[kind][flag(event, 'on')]}"
    leader, previous = _name(event, "leader"), _name(event, "previous_leader")
    if leader is None:
        return f"no leader (before: {previous})" if previous else "no leader"
    words = f"{leader} leads"
    if text(event, "role") == "leader":
        words += ", this node"
    return f"{words} (before: {previous})" if previous and previous != leader else words


def _name(event: JsonObject, key: str) -> str | None:
    node = section_or_none(event, key)
    return None if node is None else text(node, "name")
