"""How kingctl writes for people: tables, ages, times, and nothing that another host could have sent to the terminal."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence


def clean(value: object) -> str:
    """Names, tags and sentences come from other hosts: no escape sequence of theirs reaches a terminal."""
    text = str(value)
    return text if text.isprintable() else "".join(c if c.isprintable() else "\ufffd" for c in text)


def table(
    header: Sequence[str], rows: Sequence[Sequence[object]], *, spare: Sequence[str] = (), width: int | None = None
) -> str:
    """Left-aligned columns; None is a dash. Where `width` is too narrow, the columns `spare` give way, the first one first."""
    cells = [list(header), *([_cell(value) for value in row] for row in rows)]
    widths = [max(len(row[i]) for row in cells) for i in range(len(header))]
    shown = list(range(len(header)))
    for name in spare:
        if width is None or sum(widths[i] + 2 for i in shown) - 2 <= width:
            break
        shown.remove(header.index(name))
    return "\n".join("  ".join(row[i].ljust(widths[i]) for i in shown).rstrip() for row in cells)


def facts(pairs: Sequence[tuple[str, str]], *, width: int | None = None) -> str:
    """One fact a line, under each other; what is longer than `width` goes on below itself."""
    names = max(len(name) for name, _ in pairs) + 2
    return "\n".join(
        f"{(name if i == 0 else '').ljust(names)}{line}"
        for name, value in pairs
        for i, line in enumerate(_wrapped(clean(value), width and max(width - names, 20)))
    )


def _wrapped(text: str, width: int | None) -> list[str]:
    if width is None or len(text) <= width:
        return [text]
    import textwrap

    return textwrap.wrap(text, width, break_long_words=False, break_on_hyphens=False)


def terminal_width() -> int | None:
    """None: it is no terminal that reads this, and nothing is left out."""
    import shutil
    import sys

    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def age(ms: float | None) -> str:
    """37 ms, 1.2 s, 3 min 2 s, 2 h 5 min, 9 d 3 h."""
    if ms is None:
        return "-"
    if ms < 1000:
        return f"{ms:.0f} ms"
    if ms < 60_000:
        return f"{ms / 1000:.1f} s"
    for big, small, size_s in (("d", "h", 86400), ("h", "min", 3600), ("min", "s", 60)):
        whole, rest = divmod(int(ms) // 1000, size_s)
        if whole:
            return f"{whole} {big} {rest // {'h': 3600, 'min': 60, 's': 1}[small]} {small}"
    raise AssertionError(ms)


def clock(time: str) -> str:
    """2026-11-23T12:00:00.000Z -> 2026-11-23 12:00:00.000Z"""
    return clean(time).replace("T", " ")


def _cell(value: object) -> str:
    return "-" if value is None or value == "" else clean(value)
