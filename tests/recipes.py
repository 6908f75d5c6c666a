"""The blocks of docs/recipes.md, for tests that execute them as they stand there."""

import re
from pathlib import Path
from typing import NamedTuple

PAGE = Path(__file__).parents[1] / "docs" / "recipes.md"
_BLOCK = re.compile(r"^```(\w+)(?: (/\S+))?\n(.*?)^```$", re.DOTALL | re.MULTILINE)


class Block(NamedTuple):
    """`path`: the file that it is; "" = it is typed, or something else than a file."""

    language: str
    path: str
    text: str

    @property
    def mode(self) -> int:
        return 0o755 if "/bin/" in self.path or "/hooks.d/" in self.path else 0o644


def titles() -> list[str]:
    return re.findall(r"^## (.+)$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)


def recipe(title: str) -> list[Block]:
    """In the order of the page. KeyError: there is no such recipe."""
    parts = re.split(r"^## (.+)\n", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    text = dict(zip(parts[1::2], parts[2::2], strict=True))[title]
    return [Block(*found) for found in _BLOCK.findall(text)]
