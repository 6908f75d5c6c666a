"""Who is owed for before leadership is given away on purpose."""

import pytest

from kingd.daemon.drains import Drains


class Heard:
    def __init__(self) -> None:
        self.changes: list[bool] = []
        self.ends = 0

    def end(self) -> None:
        self.ends += 1


def ignore(_on: bool) -> None:
    return


@pytest.fixture
def heard() -> Heard:
    return Heard()


@pytest.fixture
def drains(heard: Heard) -> Drains:
    return Drains(heard.changes.append, heard.end)


def test_all_that_were_told_are_waited_for(drains: Drains, heard: Heard) -> None:
    one: list[bool] = []
    two: list[bool] = []
    drains.open("one", one.append)
    drains.open("two", two.append)
    drains.turn(on=True)
    assert (one, two) == ([True], [True])
    drains.ended("one")
    drains.ended("three")
    assert (drains.owed, heard.ends) == (["two"], 0)
    drains.ended("two")
    assert heard.ends == 1


def test_who_was_told_is_owed_for_when_its_stream_is_gone_and_all_are_told_again(drains: Drains, heard: Heard) -> None:
    """A step-down while the daemon waits to stop."""
    one, _two = drains.open("one", ignore), drains.open("two", ignore)
    drains.turn(on=True)
    drains.close(one)
    drains.turn(on=True)
    drains.ended("two")
    assert (drains.owed, heard.ends) == (["one"], 0)


def test_it_is_told_once_whether_anybody_listens(drains: Drains, heard: Heard) -> None:
    one, two = drains.open("one", ignore), drains.open("two", ignore)
    drains.close(one)
    drains.close(two)
    assert heard.changes == [True, True, False]


def test_what_is_over_is_owed_no_more(drains: Drains) -> None:
    told: list[bool] = []
    drains.open("one", told.append)
    drains.turn(on=True)
    drains.turn(on=False)
    assert told == [True, False]
    assert drains.owed == []


def test_one_that_tells_many_is_called_once(drains: Drains) -> None:
    told: list[bool] = []
    numbers = [drains.open(name, told.append) for name in ("one", "two", "three")]
    drains.turn(on=True)
    assert (told, drains.owed) == ([True], ["one", "three", "two"])
    for number in numbers:
        drains.close(number)
    assert not drains
