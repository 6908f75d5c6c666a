"""A core as an immutable value, and back: equal states are equal tuples, however they were reached.

`freeze` turns objects that change (dataclasses, dicts, sets, lists, deques) into tuples that begin with their type, and
leaves all else as it is: messages, settings and numbers are shared between states. An object that is met a second time
(a hand-over's successor is a member of the table) becomes a reference to the first, so that `thaw` keeps
identities. It knows no class of the core by name: a field that is added is part of the state at once."""

from collections import deque
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from enum import Enum
from operator import attrgetter
from random import Random
from typing import Any, NamedTuple

from kingd.core.wire.message import Ballot

# What stands for an object: any value that hashes. `Any`, because this module is about all types at once.
Frozen = Any

_ATOMS = frozenset({int, str, bytes, bool, float, type(None), frozenset, Ballot})


class _Again(NamedTuple):
    """The n-th object that was met."""

    n: int


def freeze(value: Any) -> Frozen:  # Any: whatever a core holds
    return _freeze(value, {})


def thaw(frozen: Frozen) -> Any:  # Any: what was frozen
    return _thaw(frozen, [])


def _freeze(value: Any, met: dict[int, int]) -> Frozen:
    kind = type(value)
    if kind in _ATOMS or not _is_mutable(kind):
        return value
    if kind is dict:
        return (dict, *((k, _freeze(v, met)) for k, v in value.items()))
    if kind is set:
        return (set, frozenset(value))
    if kind is list:
        return (list, *(_freeze(v, met) for v in value))
    if kind is deque:
        return (deque, value.maxlen, *(_freeze(v, met) for v in value))
    if id(value) in met:
        return _Again(met[id(value)])
    met[id(value)] = len(met)
    return (kind, *[v if type(v) in _ATOMS else _freeze(v, met) for v in _read(value)])


def _thaw(frozen: Frozen, met: list[Any]) -> Any:
    if type(frozen) is _Again:
        return met[frozen.n]
    if type(frozen) is not tuple or not frozen or type(frozen[0]) is not type:
        return frozen
    kind = frozen[0]
    if kind is dict:
        return {k: _thaw(v, met) for k, v in frozen[1:]}
    if kind is set:
        return set(frozen[1])
    if kind is list:
        return [_thaw(v, met) for v in frozen[1:]]
    if kind is deque:
        return deque((_thaw(v, met) for v in frozen[2:]), frozen[1])
    thing: Any = object.__new__(kind)
    met.append(thing)
    for name, value in zip(_NAMES[kind], frozen[1:], strict=True):
        setattr(thing, name, value if type(value) in _ATOMS else _thaw(value, met))
    return thing


def _is_mutable(kind: type) -> bool:
    if kind in (dict, set, list, deque):
        return True
    if issubclass(kind, (tuple, Enum, Random)) or not kind.__module__.startswith("kingd."):
        return False
    return not (is_dataclass(kind) and kind.__dataclass_params__.frozen)  # type: ignore[attr-defined] # of a dataclass


def _read(thing: Any) -> tuple[Any, ...]:
    kind = type(thing)
    read = _READERS.get(kind)
    if read is None:
        names = _NAMES[kind] = _attributes(thing)
        read = _READERS[kind] = attrgetter(*names) if len(names) > 1 else lambda it: (getattr(it, names[0]),)
    assert not hasattr(thing, "__dict__") or len(_NAMES[kind]) == len(vars(thing)), f"{kind} has got a new attribute"
    return read(thing)


def _attributes(thing: Any) -> tuple[str, ...]:
    if is_dataclass(thing):
        return tuple(field.name for field in fields(thing))
    return tuple(vars(thing)) if hasattr(thing, "__dict__") else tuple(type(thing).__slots__)


_READERS: dict[type, Callable[[Any], tuple[Any, ...]]] = {}  # class -> their values
_NAMES: dict[type, tuple[str, ...]] = {}  # class -> its attributes, in the order in which they are frozen
