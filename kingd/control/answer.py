"""Read the daemon's answers with types. A field that is missing or of another kind is a `BadAnswer` that names it:
kingctl and the daemon may be of different versions for as long as an upgrade takes.
"""

from __future__ import annotations

from kingd.control.client import BadAnswer, JsonObject


def section(answer: JsonObject, key: str) -> JsonObject:
    value = answer.get(key)
    if not isinstance(value, dict):
        raise _bad(key, value)
    return value


def section_or_none(answer: JsonObject, key: str) -> JsonObject | None:
    return None if answer.get(key) is None else section(answer, key)


def rows(answer: JsonObject, key: str) -> list[JsonObject]:
    value = answer.get(key)
    if not isinstance(value, list) or not all(isinstance(row, dict) for row in value):
        raise _bad(key, value)
    return value


def texts(answer: JsonObject, key: str) -> list[str]:
    value = answer.get(key)
    if not isinstance(value, list):
        raise _bad(key, value)
    return [str(each) for each in value]


def text(answer: JsonObject, key: str) -> str:
    value = answer.get(key)
    if not isinstance(value, str):
        raise _bad(key, value)
    return value


def number(answer: JsonObject, key: str) -> int:
    value = answer.get(key)
    if not isinstance(value, int):
        raise _bad(key, value)
    return value


def number_or_none(answer: JsonObject, key: str) -> int | float | None:
    value = answer.get(key)
    if value is not None and not isinstance(value, int | float):
        raise _bad(key, value)
    return value


def flag(answer: JsonObject, key: str) -> bool:
    value = answer.get(key)
    if not isinstance(value, bool):
        raise _bad(key, value)
    return value


def _bad(key: str, value: object) -> BadAnswer:
    shown = "an object" if isinstance(value, dict) else "a list" if isinstance(value, list) else repr(value)[:80]
    return BadAnswer(
        f"the daemon's answer is not understood: {key} is {shown}; are kingctl and kingd of the same version?"
    )
