"""The foot of the screen: who led, one after the other, and what happened, with reasons."""

from rich.text import Text

from kingd.cli.events import evidence, label, sentence
from kingd.cli.text import age, clock
from kingd.control.answer import number, text
from kingd.control.client import JsonObject
from kingd.top.cells import Glyphs, cut, told, width_of
from kingd.top.model import Instant, Model
from kingd.top.reigns import Reign

_TITLE = "terms   "
_COLOURS = ("green", "cyan", "magenta", "blue", "yellow")
_NAME_MAX = 24


def strip(model: Model, now: Instant, *, width: int, glyphs: Glyphs) -> Text:
    """Leaderships, the present one last; older ones are left out where there is no room."""
    found: list[Text] = []
    room = width - len(_TITLE) - 2
    reigns = model.reigns
    for reign in reversed(reigns):
        shown = _reign(reign, now, glyphs)
        room -= width_of(shown) + 3
        if room < -3 and found:
            break
        found.append(shown)
    line = Text(_TITLE)
    if len(found) < len(reigns):
        line.append(f"{glyphs.more} ")
    return cut(line.append_text(Text(f" {glyphs.wall} ").join(reversed(found))), width, glyphs)


def _reign(reign: Reign, now: Instant, glyphs: Glyphs) -> Text:
    until_s = now.s if reign.until_ns is None else reign.until_ns / 1e9
    lasted = age(max(0.0, 1000 * (until_s - reign.from_ns / 1e9)))
    if reign.term is None:
        return Text(f"not known {lasted}", "dim")
    if reign.leader is None:
        return Text(f"no leader {lasted}", "bold red")
    name = cut(told(reign.leader), _NAME_MAX, glyphs)
    name.stylize(f"bold {_COLOURS[sum(map(ord, reign.leader)) % len(_COLOURS)]}")
    return name.append(f" t{reign.term} {lasted}")


def events(model: Model, lines_max: int, *, width: int, glyphs: Glyphs) -> list[Text]:
    """The newest first: that is what one looks for."""
    return [_event(each, width, glyphs) for each in reversed(model.events[-lines_max:])] if lines_max > 0 else []


def _event(event: JsonObject, width: int, glyphs: Glyphs) -> Text:
    day, _, time = clock(text(event, "time")).partition(" ")
    when = f"{day} {time}" if width >= 120 else time
    proof = evidence(event)
    words = told(f"{sentence(event)} ({event.get('reason')}{f': {proof}' if proof else ''})")
    kind = f"{label(event):<16} " if width >= 120 else ""
    return cut(told(f"{when}  t{number(event, 'term')}  {kind}").append_text(words), width, glyphs)
