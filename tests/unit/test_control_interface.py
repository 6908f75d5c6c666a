"""The interface description is what is served: its methods, their parameters, and the shape of every answer."""

import inspect
from pathlib import Path

import pytest

import kingd.control
from kingd.control.call import METHODS
from kingd.control.service import Service
from tests.cli.fake_kingd import FakeService, event, status

varlink = pytest.importorskip("varlink")
scanner = pytest.importorskip("varlink.scanner")

FOLDER = Path(inspect.getfile(kingd.control)).parent


def interface(name: str) -> object:
    return varlink.Interface((FOLDER / f"{name}.varlink").read_text())


def mistakes(types: object, shape: object, value: object, where: str = "reply") -> list[str]:
    """Where `value` is not what the interface says. Nothing may be missing, and nothing may be there that it does not name."""
    match shape:
        case scanner._CustomType() | scanner._Alias():
            return mistakes(types, types.members[shape.name].type, value, where)  # type: ignore[attr-defined]
        case scanner._Maybe():
            return [] if value is None else mistakes(types, shape.element_type, value, where)
        case scanner._Array():
            rows = value if isinstance(value, list) else [NotImplemented]
            return [
                each for i, row in enumerate(rows) for each in mistakes(types, shape.element_type, row, f"{where}[{i}]")
            ]
        case scanner._Dict():
            pairs = value if isinstance(value, dict) else {"": NotImplemented}
            return [
                each
                for key, row in pairs.items()
                for each in mistakes(types, shape.element_type, row, f"{where}.{key}")
            ]
        case scanner._Enum():
            return [] if value in shape.fields else [f"{where}: {value!r} is none of {list(shape.fields)}"]
        case scanner._Struct():
            if not isinstance(value, dict):
                return [f"{where}: {value!r} is no object"]
            stray = [f"{where}.{key}: not in the interface" for key in value if key not in shape.fields]
            return stray + [
                each
                for key, kind in shape.fields.items()
                for each in mistakes(types, kind, value.get(key), f"{where}.{key}")
            ]
        case bool() | int() | float() | str():
            fits = type(value) is type(shape) or (type(value) is int and type(shape) is float)
            return [] if fits else [f"{where}: {value!r} is no {type(shape).__name__}"]
        case _:
            raise AssertionError(shape)


def reply_mistakes(method: str, reply: object) -> list[str]:
    types = interface("org.kingd")
    return mistakes(types, types.get_method(method).out_type, reply)  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", METHODS)
def test_description_and_server_have_the_same_methods(name: str) -> None:
    described = {
        member.name: set(member.in_type.fields)
        for member in interface(name).members.values()  # type: ignore[attr-defined]
        if isinstance(member, scanner._Method)
    }
    assert described == {method: set(served.parameters) for method, served in METHODS[name].items()}


@pytest.mark.parametrize("name", METHODS)
def test_every_line_of_the_description_fits_a_terminal(name: str) -> None:
    text = (FOLDER / f"{name}.varlink").read_text()
    assert max(map(len, text.splitlines())) <= 130
    assert text.isascii()


@pytest.mark.parametrize(
    ("method", "answer"),
    [
        ("Status", FakeService().status()),
        ("Status", status(role="joining", leader=None, since=None, reason=None)),
        ("Members", FakeService().members()),
        ("History", FakeService().history()),
        ("Survey", FakeService().survey_is),
        ("Watch", event("member-joined", role="leader", leader=None, member={"id": "a", "name": "b", "priority": 1})),
    ],
)
def test_fake_answers_are_what_the_interface_says(method: str, answer: object) -> None:
    """Else the other tests would prove nothing about the real ones."""
    assert reply_mistakes(method, answer) == []


def test_checker_sees_mistakes() -> None:
    answer = {**FakeService().status(), "term": "12", "extra": 1, "members": {"alive": 1}}
    assert reply_mistakes("Status", answer) == [
        "reply.extra: not in the interface",
        "reply.term: '12' is no int",
        "reply.members.dead: None is no int",
    ]


def test_fake_is_a_service() -> None:
    service: Service = FakeService()
    assert service
