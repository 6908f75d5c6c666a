"""The interface description is what is served: its methods, their parameters, and the shape of every answer."""

import re

import pytest

from kingd.control.call import METHODS
from kingd.control.service import Service
from kingd.core.effect import EventKind
from tests.cli.conformance import FOLDER, interface, reply_mistakes
from tests.cli.fake_kingd import FakeService, event, status


@pytest.mark.parametrize("name", METHODS)
def test_description_and_server_have_the_same_methods(name: str) -> None:
    described = {
        member.name: set(member.in_type.fields)
        for member in interface(name).members.values()
        if type(member).__name__ == "_Method"
    }
    assert described == {method: set(served.parameters) for method, served in METHODS[name].items()}


@pytest.mark.parametrize("name", METHODS)
def test_every_line_of_the_description_fits_a_terminal(name: str) -> None:
    text = (FOLDER / f"{name}.varlink").read_text()
    assert max(map(len, text.splitlines())) <= 130
    assert text.isascii()


def test_description_names_the_events_that_come_and_no_others() -> None:
    said = re.search(r"# A change\. event: (.*?)\. member:", (FOLDER / "org.kingd.varlink").read_text(), re.DOTALL)
    assert said is not None
    assert set(re.findall(r"[a-z-]+", said[1].replace(" or ", " "))) == set(EventKind)


@pytest.mark.parametrize(
    ("method", "answer"),
    [
        ("Status", FakeService().status()),
        ("Status", status(role="joining", leader=None, since=None, reason=None)),
        ("Members", FakeService().members()),
        ("History", FakeService().history()),
        ("Counters", FakeService().counters()),
        ("Survey", FakeService().survey_is),
        ("Examine", FakeService().examine(0)),
        ("Examined", FakeService().examined("1")),
        ("Histories", FakeService().histories_are),
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
