"""The members, a row each. Only the rows that are shown are made into text: there may be 450, twice a second."""

from collections.abc import Sequence
from dataclasses import dataclass

from rich.text import Text

from kingd.cli.text import age
from kingd.control.answer import flag, number_or_none, section, text
from kingd.control.client import JsonObject
from kingd.top.cells import Glyphs, bars, cut, padded, told, width_of
from kingd.top.model import Instant, Model

# What gives way where the window is too narrow, the first one first.
_SPARE = ("VERSION", "RTT", "ADDRESS", "PRIO", "FOLLOWS", "MAY LEAD", "HEARD")
_KEYS = ("name", "role", "state", "address", "version", "id")  # that a filter looks at
_ROLE_STYLES = {"leader": "bold green", "candidate": "yellow", "joining": "yellow"}
_STATE_STYLES = {"dead": "bold red", "left": "dim"}


@dataclass(frozen=True, slots=True)
class Rows:
    """The members that match, in the order in which they are shown."""

    shown: Sequence[JsonObject]
    total: int


def arranged(model: Model, wanted: str, room: int) -> Rows:
    """In rank; where not all have room, first those that a person looks for: the leader, this node, and what is wrong."""
    words = wanted.casefold().split()
    found = [member for member in model.members if _matches(member, words)]
    if len(found) > room:
        found.sort(key=lambda member: _urgency(model, member))  # stable: in rank otherwise
    return Rows(found, len(model.members))


def _matches(member: JsonObject, words: list[str]) -> bool:
    said = " ".join(str(member.get(key)) for key in _KEYS).casefold()
    return all(word in said for word in words)


def _urgency(model: Model, member: JsonObject) -> int:
    if member.get("state") == "left":
        return 5
    if member.get("role") == "leader":
        return 0
    if _is_here(model, member):
        return 1
    if member.get("state") != "alive" or _differs(model, member):
        return 2
    return 4 if member.get("eligible") else 3


def table(
    model: Model, members: Sequence[JsonObject], now: Instant, *, width: int, glyphs: Glyphs, is_live: bool = True
) -> list[Text]:
    """The line of titles, and a line for each of `members`. `is_live`: there may be a minute to look back on."""
    columns = {title: [told(title, "bold"), *cells] for title, cells in _columns(model, members, now, width, glyphs)}
    if not is_live:
        del columns["LAST MINUTE"]
    widths = {title: max(map(width_of, cells)) for title, cells in columns.items()}
    most = max(12, width // 5)
    widths |= {title: min(widths[title], most) for title in ("NAME", "FOLLOWS", "MAY LEAD") if title in widths}
    for title in _SPARE:
        if sum(widths.values()) + 2 * (len(widths) - 1) <= width:
            break
        widths.pop(title, None)
    return [
        cut(Text("  ").join(padded(columns[title][i], widths[title], glyphs) for title in widths), width, glyphs)
        for i in range(len(members) + 1)
    ]


def _columns(
    model: Model, members: Sequence[JsonObject], now: Instant, width: int, glyphs: Glyphs
) -> list[tuple[str, list[Text]]]:
    cells = 12 if width < 120 else 30 if width < 180 else 60
    found = [
        ("NAME", [_name(model, member) for member in members]),
        ("PRIO", [told(member.get("priority")) for member in members]),
        ("ROLE", [_styled(member.get("role"), _ROLE_STYLES) for member in members]),
        ("STATE", [_styled(member.get("state"), _STATE_STYLES) for member in members]),
        ("HEARD", [_heard(model, member) for member in members]),
        ("LAST MINUTE", [_minute(model, member, now, cells, glyphs) for member in members]),
        ("MAY LEAD", [_may_lead(model, member) for member in members]),
    ]
    if model.survey is not None:
        found += [
            ("FOLLOWS", [_follows(model, member) for member in members]),
            ("RTT", [_round_trip(model, member) for member in members]),
        ]
    return [
        *found,
        ("ADDRESS", [told(member.get("address")) for member in members]),
        ("VERSION", [told(member.get("version")) for member in members]),
    ]


def _styled(word: object, styles: dict[str, str]) -> Text:
    return told(word, styles.get(str(word), ""))


def _is_here(model: Model, member: JsonObject) -> bool:
    return model.status is not None and section(model.status, "node").get("id") == member.get("id")


def _name(model: Model, member: JsonObject) -> Text:
    return told(member.get("name"), "bold" if _is_here(model, member) else "")


def _heard(model: Model, member: JsonObject) -> Text:
    if _is_here(model, member):
        return told("here", "dim")
    return told(age(number_or_none(member, "last_heard_ms")))


def _minute(model: Model, member: JsonObject, now: Instant, cells: int, glyphs: Glyphs) -> Text:
    if _is_here(model, member):
        return Text()
    return bars(model.heard(text(member, "id")).levels(now.s, cells), glyphs)


def _may_lead(model: Model, member: JsonObject) -> Text:
    if member.get("state") != "alive":
        return told(None)
    if flag(member, "eligible"):
        return told("yes")
    # Only this node's own reason is told by every daemon; one of another version may tell the others' too.
    here = section(model.status, "node") if model.status is not None and _is_here(model, member) else member
    return told(here.get("ineligible_reason") or member.get("ineligible_reason") or "no", "yellow")


def _follows(model: Model, member: JsonObject) -> Text:
    view = model.views.get(text(member, "id"))
    if view is None:
        return told(None)
    if not flag(view, "ok"):
        return told("! no answer", "red")
    named = view.get("leader")
    return told(f"! {named or 'nobody'}", "bold red") if _differs(model, member) else told(named)


def _differs(model: Model, member: JsonObject) -> bool:
    """Asked live, it named another leader than this node does."""
    view = model.views.get(text(member, "id"))
    if view is None or not view.get("ok") or model.status is None:
        return False
    known = model.status.get("leader")
    return view.get("leader") != (known.get("name") if isinstance(known, dict) else None)


def _round_trip(model: Model, member: JsonObject) -> Text:
    view = model.views.get(text(member, "id"))
    rtt_ms = None if view is None else number_or_none(view, "rtt_ms")
    return told(None if rtt_ms is None else f"{rtt_ms:.1f} ms")
