"""The log says of each problem when it appears and when it is over, however often it comes and goes."""

import logging

import pytest

from kingd.daemon.troubles import Troubles

SECOND = 1_000_000


@pytest.fixture
def said(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.INFO, "kingd")
    return caplog


def test_problem_is_said_when_it_appears_and_when_it_is_over(said: pytest.LogCaptureFixture) -> None:
    troubles = Troubles()
    for second in range(0, 30, 5):
        troubles.note(["no disk"] if second < 10 else [], now_us=second * SECOND)
    assert said.messages == ["problem: no disk"]
    for second in range(30, 120, 5):
        troubles.note([], now_us=second * SECOND)
    assert said.messages == ["problem: no disk", "no problem any more: no disk"]
    troubles.note(["no disk"], now_us=200 * SECOND)
    assert said.messages[2:] == ["problem: no disk"]


def test_problem_that_comes_and_goes_is_one(said: pytest.LogCaptureFixture) -> None:
    troubles = Troubles()
    for second in range(0, 3600, 5):
        troubles.note(["no multicast"] if second % 20 == 0 else [], now_us=second * SECOND)
    assert said.messages == ["problem: no multicast"]


def test_problems_that_somebody_makes_up_do_not_fill_the_disk(said: pytest.LogCaptureFixture) -> None:
    troubles = Troubles()
    for number in range(1_000):
        troubles.note([f"10.0.0.{number} does not answer"], now_us=SECOND + number)
    assert len(said.messages) == 20
