"""An event of `watch` and `history` in words, and one story of what all hosts told (docs/history.md)."""

from collections.abc import Sequence

from kingd.cli.text import clean, clock, table
from kingd.control.answer import flag, number, section_or_none, text
from kingd.control.client import JsonObject

HEADER = ("TIME", "TERM", "EVENT", "WHAT", "WHY", "EVIDENCE")
# (over, on)
_ELIGIBILITY = {
    "maintenance": ("is out of maintenance", "is in maintenance"),
    "check-failed": ("is fit to lead again", "is not fit to lead"),
}
SPARE = ("EVENT", "TERM")  # WHAT says the first in words
_INDENT = " " * 4


def row(event: JsonObject) -> list[object]:
    return [
        clock(text(event, "time")),
        number(event, "term"),
        label(event),
        sentence(event),
        event.get("reason"),
        evidence(event),
    ]


def evidence(event: JsonObject) -> str:
    """For the reason; and how often this was so of late. An older daemon says neither."""
    found, repeat = event.get("evidence"), event.get("repeat")
    said = [text(found, "words")] if isinstance(found, dict) else []
    often = [f"{repeat} times within the hour"] if isinstance(repeat, int) and repeat > 1 else []
    return "; ".join([*said, *often])


def listed(
    header: Sequence[str], rows: Sequence[Sequence[object]], *, spare: Sequence[str], width: int | None = None
) -> str:
    """A table whose last column, the evidence, goes on a line of its own where there is no room for it beside the others."""
    whole = table(header, rows)
    if width is None or max(map(len, whole.splitlines())) <= width:
        return whole
    import textwrap

    head, *shown = table(header[:-1], [each[:-1] for each in rows], spare=spare, width=width).splitlines()
    lines = [head]
    for line, each in zip(shown, rows, strict=True):
        room = max(width - len(_INDENT), 20)
        lines += [line, *(_INDENT + part for part in textwrap.wrap(clean(each[-1] or ""), room))]
    return "\n".join(lines)


def line(event: JsonObject) -> str:
    """The same on one line of its own, for a stream whose widths are not known in advance."""
    time, term, what, words, reason, proof = row(event)
    return clean(f"{time}  term {term}  {what!s:<16}  {words} ({reason}{f': {proof}' if proof else ''})")


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
    """As this host tells it, or by name only, as another one does."""
    if isinstance(named := event.get(key), str):
        return named
    node = section_or_none(event, key)
    return None if node is None else text(node, "name")
