"""`kingd.records.dataclass` does what the standard library's does, of what is used of it."""

import copy
import dataclasses
import pickle
from typing import Any

import pytest

from kingd.core.effect import Send
from kingd.records import compile_one, dataclass, field, fields, replace


@dataclass(frozen=True, slots=True)
class Frozen:
    """Both of us."""

    number: int
    word: str = "x"
    note: str = field(default="", compare=False)


@dataclass(slots=True, kw_only=True)
class Open:
    items: list[int] = field(default_factory=list)
    doubled: int = field(init=False)
    number: int

    def __post_init__(self) -> None:
        self.doubled = 2 * self.number


@dataclass(frozen=True, slots=True)
class Alike:
    number: int
    word: str = "x"


@dataclass(slots=True)
class Empty:
    pass


@dataclass(slots=True)
class NeverMade:
    pass


_SLOW_INIT: Any = NeverMade.__init__


@pytest.fixture(params=["the first", "the hundredth"], autouse=True)
def _made(request: pytest.FixtureRequest) -> None:
    """The first few of a class are made by another way."""
    classes: list[Any] = [Frozen, Open, Alike, Empty]
    for cls in classes:
        cls.__init__, cls.__made__ = _SLOW_INIT, 0
    made = 0 if request.param == "the first" else 100
    for _ in range(made):
        _ = Frozen(number=1), Open(number=1), Alike(number=1), Empty()
    assert all((cls.__init__ is _SLOW_INIT) is (made == 0) for cls in classes)


def test_objects_are_made_with_defaults_and_shown() -> None:
    assert repr(Frozen(1)) == "Frozen(number=1, word='x', note='')"
    assert repr(Frozen(2, note="n", word="w")) == "Frozen(number=2, word='w', note='n')"
    assert repr(Open(number=3)) == "Open(items=[], doubled=6, number=3)"
    assert repr(Empty()) == "Empty()"
    assert Frozen.__doc__ == "Both of us."


def test_each_object_gets_a_value_of_its_own_from_a_factory() -> None:
    one, two = Open(number=1), Open(number=1)
    one.items.append(7)
    assert two.items == []
    assert Open(items=one.items, number=1).items is one.items


@pytest.mark.parametrize("wrong", [{}, {"numbr": 1}, {"number": 1, "doubled": 2}])
def test_wrong_arguments_are_refused_as_those_of_a_function(wrong: dict[str, Any]) -> None:
    with pytest.raises(TypeError, match="__init__"):
        Open(**wrong)
    with pytest.raises(TypeError, match="positional"):
        Open(1)  # type: ignore[call-arg, arg-type]


def test_equal_are_objects_of_one_class_with_equal_values() -> None:
    assert Frozen(1) == Frozen(1, note="not compared")
    assert hash(Frozen(1)) == hash(Frozen(1, note="not compared"))
    assert Frozen(1) != Frozen(2)
    strangers: list[object] = [(1, "x"), Alike(1), None]
    assert Frozen(1) not in strangers
    assert Empty() == Empty()
    assert Open(number=1) == Open(number=1)
    with pytest.raises(TypeError, match="unhashable"):
        hash(Open(number=1))


def test_no_attribute_is_made_by_a_slip_of_the_pen() -> None:
    with pytest.raises(AttributeError):
        Open(number=1).nubmer = 2  # type: ignore[attr-defined]


def test_replace_makes_another() -> None:
    one = Open(number=1, items=[1])
    other = replace(one, number=4)
    assert (other.number, other.doubled, other.items is one.items) == (4, 8, True)
    assert one.number == 1


def test_patterns_match_by_position_unless_all_go_by_keyword() -> None:
    match Frozen(1, "y"):
        case Frozen(number, word):
            assert (number, word) == (1, "y")
        case _:
            raise AssertionError
    assert Open.__match_args__ == ()
    assert Send.__match_args__ == ("datagram", "to")


def test_copies_and_pickles() -> None:
    for thing in (Frozen(1, note="n"), Open(number=1, items=[2])):
        assert repr(copy.deepcopy(thing)) == repr(pickle.loads(pickle.dumps(thing))) == repr(thing)


def test_functions_of_the_standard_library_work_on_them() -> None:
    assert [each.name for each in dataclasses.fields(Open)] == [each.name for each in fields(Open)]
    assert dataclasses.asdict(Frozen(1)) == {"number": 1, "word": "x", "note": ""}
    assert repr(dataclasses.replace(Open(number=1), number=2)) == repr(Open(number=2))
    assert dataclasses.is_dataclass(Empty)
    assert [each.default for each in dataclasses.fields(Frozen)[1:]] == ["x", ""]


@pytest.mark.parametrize("name", ["__init__", "__repr__", "__eq__", "__hash__"])
def test_own_function_that_would_be_replaced_is_refused(name: str) -> None:
    with pytest.raises(TypeError, match=f"Own: .*{name}.* would be replaced"):
        dataclass(type("Own", (), {"__annotations__": {"number": int}, name: lambda *_: 1}))


def test_default_without_init_is_refused() -> None:
    number = field(init=False, default=3)
    with pytest.raises(TypeError, match=r"Never\.number: a default without init is never set"):
        dataclass(type("Never", (), {"__annotations__": {"number": int}, "number": number}))


@pytest.mark.parametrize("default", [[], {}, set(), Open(number=1), field(default=[])])
def test_default_that_all_would_share_is_refused(default: object) -> None:
    with pytest.raises(TypeError, match=r"Sharing\.items: all objects would share"):
        dataclass(type("Sharing", (), {"__annotations__": {"items": object}, "items": default}))


def test_who_has_nothing_else_to_do_compiles_what_is_made_slowly() -> None:
    @dataclass(frozen=True)
    class Fresh:
        number: int
        word: str = "x"

    while compile_one():
        pass
    compiled: Any = Fresh.__init__
    assert compiled is not _SLOW_INIT
    assert Fresh(1) == Fresh(number=1, word="x")
