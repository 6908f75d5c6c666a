"""Who is owed for before leadership is given away on purpose."""

import pytest

from kingd.daemon.drains import Drains


class Heard:
    def __init__(self) -> None:
        self.changes: list[bool] = []
        self.ends = 0

    def end(self) -> None:
        self.ends += 1


@pytest.fixture
def heard() -> Heard:
    return Heard()


@pytest.fixture
def drains(heard: Heard) -> Drains:
    return Drains(heard.changes.append, heard.end)


def test_all_that_were_told_are_waited_for(drains: Drains, heard: Heard) -> None:
    one, two = drains.open("one"), drains.open("two")
    drains.turn(on=True)
    assert (one.get_nowait(), two.get_nowait()) == (True, True)
    drains.ended("one")
    drains.ended("three")
    assert (drains.owed, heard.ends) == (["two"], 0)
    drains.ended("two")
    assert heard.ends == 1


def test_who_was_told_is_owed_for_when_its_stream_is_gone_and_all_are_told_again(drains: Drains, heard: Heard) -> None:
    """A step-down while the daemon waits to stop."""
    one, _two = drains.open("one"), drains.open("two")
    drains.turn(on=True)
    drains.close(one)
    drains.turn(on=True)
    drains.ended("two")
    assert (drains.owed, heard.ends) == (["one"], 0)


def test_it_is_told_once_whether_anybody_listens(drains: Drains, heard: Heard) -> None:
    one, two = drains.open("one"), drains.open("two")
    drains.close(one)
    drains.close(two)
    assert heard.changes == [True, True, False]


def test_what_is_over_is_owed_no_more(drains: Drains) -> None:
    told = drains.open("one")
    drains.turn(on=True)
    drains.turn(on=False)
    assert [told.get_nowait(), told.get_nowait()] == [True, False]
    assert drains.owed == []
