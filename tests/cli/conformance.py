"""Is an answer what org.kingd.varlink says? Judged by the types that the PyPI client reads from the description."""

import inspect
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

import kingd.control

varlink = pytest.importorskip("varlink")

FOLDER = Path(inspect.getfile(kingd.control)).parent


def interface(name: str) -> Any:
    return varlink.Interface((FOLDER / f"{name}.varlink").read_text())


def mistakes(types: Any, shape: Any, value: Any, where: str = "reply") -> list[str]:
    """Where `value` is not what the interface says. Nothing may be missing, and nothing there that it does not name."""

    def within(inner: Any, pairs: Iterable[tuple[object, object]]) -> list[str]:
        return [each for key, item in pairs for each in mistakes(types, inner, item, f"{where}.{key}")]

    match type(shape).__name__, value:
        case "_CustomType", _:
            return mistakes(types, types.members[shape.name].type, value, where)
        case "_Maybe", _:
            return [] if value is None else mistakes(types, shape.element_type, value, where)
        case "_Array", list():
            return within(shape.element_type, enumerate(value))
        case "_Dict", dict():
            return within(shape.element_type, value.items())
        case "_Enum", _ if value in shape.fields:
            return []
        case "_Struct", dict():
            stray = [f"{where}.{key}: not in the interface" for key in value if key not in shape.fields]
            return stray + [
                each
                for key, kind in shape.fields.items()
                for each in mistakes(types, kind, value.get(key), f"{where}.{key}")
            ]
        case ("bool" | "int" | "float" | "str") as name, _ if type(value).__name__ in (
            name,
            {"float": "int"}.get(name),
        ):
            return []
        case name, _:
            return [f"{where}: {value!r} is no {name.strip('_').lower()}"]


def reply_mistakes(method: str, reply: object) -> list[str]:
    types = interface("org.kingd")
    return mistakes(types, types.get_method(method).out_type, reply)
