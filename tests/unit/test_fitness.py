"""Who says on this host that it is not fit to lead, and how long that counts. docs/fitness.md."""

import pytest

from kingd.control.service import ServiceError
from kingd.core.timing import SECOND
from kingd.core.wire.message import Ineligible
from kingd.daemon import fitness
from kingd.daemon.fitness import CHECK, Fitness
from tests.unit.scripted import Bench


class Told:
    """A core that was told what Fitness makes of the words."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, has_check: bool) -> None:
        self.now_us = 1_000_000
        monkeypatch.setattr(fitness, "now_us", lambda: self.now_us)
        self.fitness = Fitness(has_check=has_check)
        self.bench = Bench(unfit=self.fitness.at_start())
        self.seen: list[str | None] = [self.reason]
        self.fitness.begin(self.set_unfit)
        self.fitness.look()

    def set_unfit(self, why: Ineligible, until_us: int) -> None:
        self.bench.perform(self.bench.core.set_unfit(why, until_us=until_us, now_us=self.now_us))
        self.seen.append(self.reason)

    @property
    def reason(self) -> str | None:
        return self.bench.core.status(self.now_us).ineligible_reason

    def after(self, seconds: float) -> str | None:
        self.now_us += round(seconds * SECOND)
        self.bench.perform(self.bench.core.tick(now_us=self.now_us))
        self.fitness.look()
        return self.reason


@pytest.fixture
def checked(monkeypatch: pytest.MonkeyPatch) -> Told:
    return Told(monkeypatch, has_check=True)


@pytest.fixture
def unchecked(monkeypatch: pytest.MonkeyPatch) -> Told:
    return Told(monkeypatch, has_check=False)


def test_until_the_first_answer_it_is_not_fit(checked: Told) -> None:
    assert checked.seen == ["check-pending"]
    assert (checked.after(9), checked.fitness.problems()) == ("check-pending", [])
    assert checked.after(2) == "check-pending"
    assert "nobody runs it" in checked.fitness.problems()[0]
    checked.fitness.say(CHECK, None, for_us=12 * SECOND)
    assert (checked.reason, checked.fitness.detail(), checked.fitness.problems()) == (None, "", [])


def test_first_answer_that_is_no_leaves_no_moment_in_which_it_may_lead(checked: Told) -> None:
    checked.fitness.say(CHECK, "exit code 1", for_us=12 * SECOND)
    assert checked.seen == ["check-pending", "check-failed", "check-failed"]
    assert checked.fitness.detail() == "check: exit code 1"


def test_word_of_the_check_that_is_not_renewed_is_forgotten_and_then_nobody_knows(checked: Told) -> None:
    checked.fitness.say(CHECK, None, for_us=12 * SECOND)
    assert checked.after(11) is None
    assert checked.after(2) == "check-pending"
    checked.fitness.say(CHECK, "exit code 1", for_us=12 * SECOND)
    assert checked.after(13) == "check-pending"


def test_anybody_else_may_say_no_for_as_long_as_he_lives(unchecked: Told) -> None:
    unchecked.fitness.say("kingd-vip.service", "eth0 has no carrier", for_us=5 * SECOND)
    assert (unchecked.reason, unchecked.fitness.detail()) == ("check-failed", "kingd-vip.service: eth0 has no carrier")
    assert unchecked.after(4) == "check-failed"
    assert unchecked.after(2) is None


def test_one_who_says_no_is_enough_and_all_are_named(checked: Told) -> None:
    checked.fitness.say(CHECK, None, for_us=12 * SECOND)
    checked.fitness.say("kingd-vip.service", "eth0 has no carrier", for_us=5 * SECOND)
    assert checked.reason == "check-failed"
    checked.fitness.say(CHECK, "exit code 1", for_us=12 * SECOND)
    assert checked.fitness.detail() == "check: exit code 1; kingd-vip.service: eth0 has no carrier"
    checked.fitness.say("kingd-vip.service", None, for_us=5 * SECOND)
    assert checked.reason == "check-failed"


def test_check_that_a_reload_brings_takes_nothing_away_before_it_has_answered(unchecked: Told) -> None:
    unchecked.fitness.configure(has_check=True)
    assert (unchecked.reason, unchecked.after(9)) == (None, None)
    assert unchecked.after(2) == "check-pending"


def test_check_that_a_reload_removes_counts_no_more_and_is_not_listened_to(checked: Told) -> None:
    checked.fitness.say(CHECK, "exit code 1", for_us=12 * SECOND)
    checked.fitness.configure(has_check=False)
    assert (checked.reason, checked.fitness.reloads) == (None, 1)
    checked.fitness.say(CHECK, "exit code 1", for_us=12 * SECOND)
    assert checked.reason is None


def test_there_is_a_limit_to_how_many_say_something(unchecked: Told) -> None:
    for number in range(16):
        unchecked.fitness.say(f"n{number}", None, for_us=SECOND)
    with pytest.raises(ServiceError, match="already"):
        unchecked.fitness.say("one more", None, for_us=SECOND)
    unchecked.fitness.say("n3", "no", for_us=SECOND)
    assert unchecked.reason == "check-failed"
    unchecked.after(2)
    unchecked.fitness.say("one more", None, for_us=SECOND)
