"""`python -m tests.lines` counts what docs/architecture.md says of the size of the core, and what the tests hold bounded."""

import ast
import io
import sys
import tokenize
from collections.abc import Iterable
from dataclasses import fields
from pathlib import Path
from typing import TypeGuard

from kingd.core.state.node import Node
from tests.test_lint import LINES_MAX as FILE_LINES_MAX
from tests.unit.test_architecture import ELECTION, LINES_MAX, TOP, WORDS_MAX
from tests.unit.test_owners import FIELDS_MAX, core, shared

CORE = TOP / "kingd" / "core"
RULES = {
    "the election proper": ELECTION.split(),
    "the two modes": ["mode", "availability", "majority"],
    "who is here": ["contact", "challenging", "rosters", "namesakes", "line", "silence"],
}
_NO_CODE = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER}


def lines(paths: Iterable[Path]) -> int:
    return sum(len(path.read_text().splitlines()) for path in paths)


def code(path: Path) -> int:
    """Its lines without blank ones, imports, comments and docstrings."""
    text = path.read_text()
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    found = {at for token in tokens if token.type not in _NO_CODE for at in range(token.start[0], token.end[0] + 1)}
    for statement in ast.walk(ast.parse(text)):
        if isinstance(statement, ast.Import | ast.ImportFrom) or _is_text(statement):
            found -= set(range(statement.lineno, (statement.end_lineno or 0) + 1))
    return len(found)


def _is_text(node: ast.AST) -> TypeGuard[ast.Expr]:
    """A docstring, of whatever."""
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def rows() -> dict[str, list[Path]]:
    rules = sorted((CORE / "rules").glob("*.py"))
    named = {name for names in RULES.values() for name in names}
    return {
        "`wire/`": sorted((CORE / "wire").glob("*.py")),
        "`state/`": sorted((CORE / "state").glob("*.py")),
        **{f"`rules/`, {what}": [path for path in rules if path.stem in names] for what, names in RULES.items()},
        "`rules/`, all others": [path for path in rules if path.stem not in named],
        "the door": sorted(CORE.glob("*.py")),
        "all": sorted(CORE.rglob("*.py")),
    }


def report() -> list[str]:
    found = rows()
    longest = max((TOP / "kingd").rglob("*.py"), key=lambda path: lines([path]))
    return [
        *(f"| {what} | {lines(paths):,} | {sum(map(code, paths)):,} |" for what, paths in found.items()),
        f"the rules of the election proper: {lines(found['`rules/`, the election proper'])} of {LINES_MAX} lines",
        f"the longest file, {longest.relative_to(TOP)}: {lines([longest])} of {FILE_LINES_MAX} lines",
        f"a node's fields: {len(fields(Node))} of {FIELDS_MAX}; those that two modules write: {len(shared(core()))}",
        f"docs/protocol.md: {len((TOP / 'docs' / 'protocol.md').read_text().split())} of {WORDS_MAX} words",
    ]


if __name__ == "__main__":
    sys.stdout.write("\n".join([*report(), ""]))
