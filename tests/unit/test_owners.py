"""Each field of what a node knows is written by one module: its own, or that of the one topic that it is about."""

import ast
from collections.abc import Iterator
from dataclasses import fields
from typing import get_type_hints

import pytest

from kingd.core.state.node import Node
from kingd.core.state.roles import CHANGES
from tests.unit.test_layering import SOURCES

FIELDS_MAX = 25
HINTS = get_type_hints(Node)
OWNERS = {n: k for n, k in HINTS.items() if isinstance(k, type) and k.__module__.startswith("kingd.core.state.")}
ROLES = {role.__name__ for role in CHANGES}
OF_ROLES = {field.name for role in CHANGES for field in fields(role)}


def writers(sources: dict[str, str]) -> dict[str, set[str]]:
    """class.field -> the modules that assign to it after it was made. In: module -> its text."""
    found: dict[str, set[str]] = {}
    for module, text in sources.items():
        for top in ast.parse(text).body:
            inside = top.name if isinstance(top, ast.ClassDef) else ""
            for target in _targets(top):
                name = _field(target, inside)
                if name is not None:
                    found.setdefault(name, set()).add(module)
    return found


def _targets(top: ast.stmt) -> Iterator[ast.Attribute]:
    for statement in ast.walk(top):
        match statement:
            case ast.Assign(targets=targets):
                pass
            case ast.AugAssign(target=target) | ast.AnnAssign(target=target):
                targets = [target]
            case _:
                continue
        each = [inner for target in targets for inner in (target.elts if isinstance(target, ast.Tuple) else [target])]
        yield from (target for target in each if isinstance(target, ast.Attribute))


def _field(target: ast.Attribute, inside: str) -> str | None:
    match target.value:
        case ast.Name(id="self"):
            return f"{'role' if inside in ROLES else inside}.{target.attr}"
        case ast.Name(id="node") | ast.Attribute(attr="node"):
            return f"Node.{target.attr}"
        case ast.Attribute(attr=owner) if owner in OWNERS:
            return f"{OWNERS[owner].__name__}.{target.attr}"
        case ast.Name(id="member"):
            return None
        case _:
            return f"role.{target.attr}" if target.attr in OF_ROLES else None


def shared(sources: dict[str, str]) -> dict[str, list[str]]:
    """Fields of a node, its owners and its roles that more than one module writes."""
    kinds = {"Node", "role", *(kind.__name__ for kind in OWNERS.values())}
    return {
        name: sorted(modules)
        for name, modules in writers(sources).items()
        if len(modules) > 1 and name.partition(".")[0] in kinds
    }


def core() -> dict[str, str]:
    return {module: path.read_text() for module, path in SOURCES.items() if module.startswith("kingd.core.")}


def test_each_field_has_one_writing_module() -> None:
    assert shared(core()) == {}


@pytest.mark.parametrize(
    ("statement", "field"),
    [
        ("node.term_seen = 1", "Node.term_seen"),
        ("node.orders.stop_at_us = 1", "Orders.stop_at_us"),
        ("node.rounds.announced, x = 0, 1", "Rounds.announced"),
        ("state.seek_at_us += 1", "role.seek_at_us"),
        ("node.state.ballot = x", "role.ballot"),
    ],
)
def test_second_writer_is_found(statement: str, field: str) -> None:
    assert list(shared(core() | {"other": f"def f(node, state, x):\n    {statement}"})) == [field]


def test_node_is_a_handful_of_owners() -> None:
    assert len(fields(Node)) <= FIELDS_MAX
