"""Text as it stands in the cells of a terminal. Whatever another host could have written is made harmless here, before its
width is measured; a wide character takes two cells."""

from dataclasses import dataclass

from rich.cells import cell_len, set_cell_size
from rich.text import Text

from kingd.cli.text import clean
from kingd.top.heard import BARS, GONE


@dataclass(frozen=True, slots=True)
class Glyphs:
    """What is drawn with. `bars`: from lowest to highest."""

    bars: str
    full: str
    empty: str
    rule: str
    wall: str
    dot: str
    more: str
    arrows: str


FULL = Glyphs("▁▂▃▄▅▆▇█", "■", "·", "─", "│", "·", "…", "↑ ↓")
ASCII = Glyphs("_.:-=+*#", "#", ".", "-", "|", "-", "~", "Up Down")
assert len(FULL.bars) == len(ASCII.bars) == BARS


def told(value: object, style: str = "") -> Text:
    """One value in words; None is a dash."""
    return Text("-" if value is None or value == "" else clean(value), style=style)


def width_of(text: Text) -> int:
    return cell_len(text.plain)


def cut(text: Text, width: int, glyphs: Glyphs) -> Text:
    """The text, or as much of it as has room, with a sign that there is more."""
    if width_of(text) <= width:
        return text
    shown = text.copy()
    kept, cells = 0, 0
    for character in text.plain:
        cells += cell_len(character)
        if cells > width - 1:
            break
        kept += 1
    shown.right_crop(len(text.plain) - kept)
    return shown.append(glyphs.more) if width > 0 else Text()


def padded(text: Text, width: int, glyphs: Glyphs) -> Text:
    shown = cut(text, width, glyphs).copy()
    return shown.append(" " * (width - width_of(shown)))


def joined(parts: list[Text], between: str = "  ") -> Text:
    return Text(between).join(part for part in parts if part.plain)


def wrapped(words: str, width: int, lines_max: int, glyphs: Glyphs) -> list[str]:
    """The words on lines of this width, and the sign for more where they do not fit on `lines_max`."""
    lines = [""]
    for word in words.split():
        longer = f"{lines[-1]} {word}".strip()
        if cell_len(longer) <= width or not lines[-1]:
            lines[-1] = longer
        else:
            lines.append(word)
    if len(lines) > lines_max:
        lines = [*lines[: lines_max - 1], " ".join(lines[lines_max - 1 :])]
    return [line if cell_len(line) <= width else set_cell_size(line, width - 1) + glyphs.more for line in lines]


def bars(levels: list[int], glyphs: Glyphs) -> Text:
    """A line of bars (heard.py)."""
    shown = Text()
    for level in levels:
        if level == GONE:
            shown.append("x", "red")
        else:
            style = "" if level < BARS // 2 else "yellow" if level < BARS - 2 else "red"
            shown.append(glyphs.bars[level] if level >= 0 else " ", style)
    return shown
