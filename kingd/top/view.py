"""What is known, as lines for a window of some size. Pure: the same in, the same out; nothing is drawn here.

From top to bottom: the head (header.py), the members (table.py), who led and what happened (story.py), and a line for keys and
questions. Where the window is low, events give way first, then the strip of terms, then the head."""

from dataclasses import dataclass

from rich.text import Text

from kingd.cli.text import clean
from kingd.top import story
from kingd.top.cells import Glyphs, cut, joined, padded, told, width_of, wrapped
from kingd.top.controls import Controls
from kingd.top.header import header
from kingd.top.model import Instant, Model
from kingd.top.table import Rows, arranged, table

WIDTH_MIN, HEIGHT_MIN = 20, 6
_EVENTS_MIN = 4  # lines with their title, where there is room for the rest


@dataclass(frozen=True, slots=True)
class Picture:
    """`rows`: members that match; `page`: how many of them there is room for."""

    lines: list[Text]
    rows: int
    page: int


def picture(model: Model, now: Instant, controls: Controls, *, width: int, height: int, glyphs: Glyphs) -> Picture:
    """At most `height` lines of at most `width` cells."""
    if width < WIDTH_MIN or height < HEIGHT_MIN:
        line = cut(Text(f"too small: {WIDTH_MIN}x{HEIGHT_MIN} is needed"), width, glyphs)
        return Picture([line][:height], controls.rows, 1)
    foot = _foot(controls, width, glyphs)
    room = height - len(foot)
    head = header(
        model, now, is_paused=controls.is_paused, width=width, lines_max=max(2, min(room // 2, room - 3)), glyphs=glyphs
    )
    room -= len(head)
    has_strip = room >= 5
    has_events = room - has_strip >= _EVENTS_MIN + 4 and bool(model.events)
    spared = has_strip + has_events * min(_EVENTS_MIN, 1 + len(model.events))
    page = max(1, room - spared - 2)  # the line above the members, and their titles
    found = arranged(model, controls.filter, page)
    first = max(0, min(controls.first, len(found.shown) - page))
    members = found.shown[first : first + page]
    lines = [*head, _rule(_members_title(found, first, len(members), controls, glyphs), width, glyphs)]
    lines += table(model, members, now, width=width, glyphs=glyphs)
    if has_strip:
        lines.append(story.strip(model, now, width=width, glyphs=glyphs))
    if has_events:
        lines.append(_rule(Text("events, the newest first"), width, glyphs))
        lines += story.events(model, height - len(lines) - len(foot), width=width, glyphs=glyphs)
    lines = [cut(line, width, glyphs) for line in lines[: height - len(foot)]]
    if model.silent_s(now) is not None:
        lines = [line if "reverse" in str(line.style) else Text(line.plain, "dim") for line in lines]
    lines += [Text()] * (height - len(lines) - len(foot))
    return Picture([_harmless(line) for line in (*lines, *foot)], len(found.shown), page)


def whole(model: Model, now: Instant, *, width: int, glyphs: Glyphs) -> list[Text]:
    """Everything, for a printer and not for a window: every member, and the last events."""
    head = header(model, now, is_paused=False, width=width, lines_max=99, glyphs=glyphs)
    lines = [*head, Text(), *table(model, model.members, now, width=width, glyphs=glyphs, is_live=False), Text()]
    lines += [story.strip(model, now, width=width, glyphs=glyphs), *story.events(model, 10, width=width, glyphs=glyphs)]
    return [_harmless(cut(line, width, glyphs)) for line in lines]


def _harmless(line: Text) -> Text:
    """All words went through `clean` before; this is the last door to the terminal."""
    assert line.plain == clean(line.plain)
    return line


def _members_title(found: Rows, first: int, shown: int, controls: Controls, glyphs: Glyphs) -> Text:
    if not controls.filter and shown == found.total:
        return Text("members")
    count = f"members {min(first + 1, len(found.shown))}-{first + shown} of {len(found.shown)}"
    if not controls.filter:
        return Text(count)
    return Text(f"{count} {glyphs.dot} {found.total} in all, filter: ").append_text(told(controls.filter, "bold"))


def _rule(title: Text, width: int, glyphs: Glyphs) -> Text:
    line = cut(Text(glyphs.rule * 2 + " ", "dim").append_text(title).append(" "), width, glyphs)
    return line.append(glyphs.rule * (width - width_of(line)), "dim")


def _foot(controls: Controls, width: int, glyphs: Glyphs) -> list[Text]:
    if controls.question is not None:
        return [padded(Text(line, "reverse"), width, glyphs) for line in wrapped(controls.question, width, 3, glyphs)]
    if controls.is_typing:
        return [
            Text("filter: ")
            .append_text(told(controls.filter or " ", "bold"))
            .append("_  (Enter keeps it, Esc ends it)")
        ]
    if controls.note:
        return [Text(line, "bold") for line in wrapped(clean(controls.note), width, 3, glyphs)]
    keys = (("q", "quit"), ("s", "survey"), ("d", "step down"), ("m", "maintenance"), ("/", "filter"), ("p", "pause"))
    named = [Text.assemble((key, "bold"), f" {what}") for key, what in keys]
    return [cut(joined([*named, Text(f"{glyphs.arrows} PgUp PgDn")]), width, glyphs)]
