"""`dataclass`, as the standard library's, for a process that starts often and lives long.

The standard library compiles six functions for each class when it is imported; 112 classes are a third of the daemon's start.
Here a class has its slots at once, shares what compares, hashes and shows its objects, and has an `__init__` compiled when
more than a few of them are made, or when there is nothing else to do (`compile_one`): of most a start makes one or none. To a
type checker it is the standard library's, and `dataclasses.fields`, `replace` and `asdict` work on its objects (what they need
is made when they ask).

What is left out: inheritance from another dataclass, `ClassVar`, `InitVar`, and a watch at run time over what is `frozen`,
which means here that it can be hashed, and that the type checker refuses to assign. Refused where the class is made: what
would be replaced or shared without a word."""

from collections.abc import Callable, Mapping
from operator import attrgetter
from typing import TYPE_CHECKING, Any, NamedTuple

_MADE_SLOWLY = 20
_OURS = frozenset(("__init__", "__repr__", "__eq__", "__hash__"))
_REQUIRED: Any = object()  # no default
_LATER: Any = object()  # in the place of a default that a factory makes
_slow: list[Any] = []  # classes whose `__init__` is not compiled yet, or by `_init` since


class _Field(NamedTuple):
    name: str = ""
    default: Any = _REQUIRED
    default_factory: Callable[[], Any] | None = None
    init: bool = True
    compare: bool = True
    metadata: Mapping[str, Any] = {}


class _Options(NamedTuple):
    fields: tuple[_Field, ...]
    frozen: bool
    kw_only: bool


def _field(**options: Any) -> Any:
    return _Field(**options)


def _dataclass(cls: Any = None, /, *, frozen: bool = False, slots: bool = False, kw_only: bool = False) -> Any:
    """`slots` is what a reader of the class is told; it has them in any case."""
    if cls is None:
        return lambda cls: _made(cls, frozen, kw_only)
    return _made(cls, frozen, kw_only)


def _fields(of: Any) -> tuple[_Field, ...]:
    options: _Options = of.__record__
    return options.fields


def _replace(thing: Any, **changes: Any) -> Any:
    for field in _fields(thing):
        if field.init and field.name not in changes:
            changes[field.name] = getattr(thing, field.name)
    return type(thing)(**changes)


def _made(cls: Any, frozen: bool, kw_only: bool) -> Any:
    namespace = dict(cls.__dict__)
    if not _OURS.isdisjoint(namespace):
        raise TypeError(
            f"{cls.__qualname__}: {', '.join(sorted(_OURS & namespace.keys()))} would be replaced; leave it out"
        )
    found = []
    for name in getattr(cls, "__annotations__", ()):
        default = namespace.pop(name, _REQUIRED)
        field = default._replace(name=name) if type(default) is _Field else _Field(name, default)
        if not field.init and field.default is not _REQUIRED:
            raise TypeError(f"{cls.__qualname__}.{name}: a default without init is never set; set it in __post_init__")
        if field.default.__class__.__hash__ is None:
            raise TypeError(f"{cls.__qualname__}.{name}: all objects would share this default; use default_factory")
        found.append(field)
    for name in ("__dict__", "__weakref__"):
        namespace.pop(name, None)
    names = [field.name for field in found]
    namespace["__slots__"] = tuple(names)
    namespace["__qualname__"] = cls.__qualname__
    namespace["__match_args__"] = () if kw_only else tuple(field.name for field in found if field.init)
    namespace["__made__"] = 0
    namespace["__record__"] = _Options(tuple(found), frozen, kw_only)
    namespace |= _AS_THE_STANDARD_LIBRARY_HAS_THEM
    namespace["__init__"] = _init
    namespace["__repr__"] = _repr
    _compare(namespace, [field.name for field in found if field.compare], frozen)
    made = type(cls)(cls.__name__, cls.__bases__, namespace)
    _slow.append(made)
    return made


def compile_one() -> bool:
    """Of the classes whose objects are still made slowly. False: there are none any more."""
    while _slow:
        cls = _slow.pop()
        if cls.__init__ is _init:
            cls.__init__ = _compiled(cls)
            return True
    return False


def _compare(namespace: dict[str, Any], names: list[str], frozen: bool) -> None:
    values: Any = attrgetter(*names) if names else lambda _: ()

    def equals(self: Any, other: Any) -> Any:
        return values(self) == values(other) if type(other) is type(self) else NotImplemented

    namespace["__eq__"] = equals
    namespace["__hash__"] = (lambda self: hash(values(self))) if frozen else None


def _init(self: Any, *args: Any, **values: Any) -> None:
    """Of all classes at first. It makes an object in 3 us, the compiled one in 1, and to compile takes 100."""
    cls = type(self)
    cls.__made__ += 1
    given = values | dict(zip(cls.__match_args__, args, strict=False))
    if cls.__made__ > _MADE_SLOWLY or len(given) < len(values) + len(args) or not _fill(self, given):
        cls.__init__ = _compiled(cls)
        cls.__init__(self, *args, **values)  # which also says what is wrong with the arguments
    elif hasattr(cls, "__post_init__"):
        self.__post_init__()


def _fill(self: Any, given: dict[str, Any]) -> bool:
    """Whether all was given that is wanted, and no more."""
    for field in _fields(self):
        if field.init and field.name in given:
            setattr(self, field.name, given.pop(field.name))
        elif field.default_factory is not None:
            setattr(self, field.name, field.default_factory())
        elif field.init:
            if field.default is _REQUIRED:
                return False
            setattr(self, field.name, field.default)
    return not given


def _compiled(cls: Any) -> Any:
    parameters, body = ["self", *(["*"] if cls.__record__.kw_only else [])], []
    names: dict[str, Any] = {"_later": _LATER}
    for field in _fields(cls):
        name = field.name
        if field.default_factory is not None:
            names[f"_make_{name}"] = field.default_factory
            parameters.append(f"{name}=_later")
            body.append(f"self.{name} = _make_{name}() if {name} is _later else {name}")
        elif field.init:
            names[f"_default_{name}"] = field.default
            parameters.append(name if field.default is _REQUIRED else f"{name}=_default_{name}")
            body.append(f"self.{name} = {name}")
    if hasattr(cls, "__post_init__"):
        body.append("self.__post_init__()")
    if len(parameters) == 1 + cls.__record__.kw_only:
        parameters = ["self"]
    exec(f"def __init__({', '.join(parameters)}):\n " + "\n ".join(body or ["pass"]), names)  # noqa: S102 - of our own names
    return names["__init__"]


def _repr(self: Any) -> str:
    shown = ", ".join(f"{field.name}={getattr(self, field.name)!r}" for field in _fields(self))
    return f"{type(self).__qualname__}({shown})"


class _AsTheStandardLibraryHasThem:
    """For tests and tools, from a class beside ours that the standard library has made."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __get__(self, _: object, cls: Any) -> Any:
        import dataclasses

        def translated(field: _Field) -> Any:
            wanted: dict[str, Any] = {"init": field.init, "compare": field.compare, "metadata": field.metadata}
            if field.default_factory is not None:
                return dataclasses.field(default_factory=field.default_factory, **wanted)
            return dataclasses.field(**wanted, **({} if field.default is _REQUIRED else {"default": field.default}))

        defaults = {field.name: translated(field) for field in _fields(cls)}
        beside: Any = type(cls.__name__, (), {"__annotations__": cls.__annotations__, "__doc__": "", **defaults})
        options = cls.__record__
        dataclasses.dataclass(frozen=options.frozen, kw_only=options.kw_only)(beside)
        cls.__dataclass_fields__ = beside.__dataclass_fields__
        cls.__dataclass_params__ = beside.__dataclass_params__
        return getattr(cls, self._name)


_AS_THE_STANDARD_LIBRARY_HAS_THEM = {
    name: _AsTheStandardLibraryHasThem(name) for name in ("__dataclass_fields__", "__dataclass_params__")
}

if TYPE_CHECKING:
    from dataclasses import Field as Field
    from dataclasses import dataclass as dataclass
    from dataclasses import field as field
    from dataclasses import fields as fields
    from dataclasses import replace as replace
else:
    Field, dataclass, field, fields, replace = _Field, _dataclass, _field, _fields, _replace
