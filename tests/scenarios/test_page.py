"""docs/scenarios.md is what the tests' names say, and no scenario is forgotten."""

from tests.scenarios.__main__ import EXPLORED, PAGE, SCENARIOS, explored_in, page, pins


def test_page_is_up_to_date() -> None:
    assert PAGE.read_text() == page(), "run `.venv/bin/python -m tests.scenarios`"


def test_every_scenario_is_pinned_or_says_what_it_waits_for() -> None:
    pinned = pins()
    assert [number for number, (_, reason) in SCENARIOS.items() if not reason and number not in pinned] == []


def test_no_scenario_waits_for_what_is_there() -> None:
    pinned = pins()
    assert [number for number, (_, reason) in SCENARIOS.items() if reason and number in pinned] == []


def test_tests_carry_known_numbers_only() -> None:
    assert set(pins()) <= set(SCENARIOS)
    assert list(SCENARIOS) == list(range(1, 110))


def test_small_scenarios_are_explored_exhaustively() -> None:
    explored = explored_in()
    assert set(explored) == EXPLORED
    assert [number for number, scopes in explored.items() if not scopes] == []
