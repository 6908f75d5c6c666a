"""docs/acting.md is what the tests' names say, and no line of the testers' lists is forgotten."""

from tests.acting import LINES, PAGE, page, pins


def test_page_is_up_to_date() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run `.venv/bin/python -m tests.acting`"


def test_every_line_has_a_test_or_says_why_not() -> None:
    pinned = pins()
    assert [number for number, line in LINES.items() if number not in pinned and not line.besides] == []


def test_tests_carry_known_numbers_only_and_no_line_is_said_to_have_none_that_has() -> None:
    pinned = pins()
    assert set(pinned) <= set(LINES)
    claimed = [number for number, line in LINES.items() if line.besides.startswith(("no test", "not built"))]
    assert [number for number in claimed if number in pinned] == []
    assert [
        number for letter, most in {"H": 15, "R": 13, "V": 21, "A": 8}.items() for number in range(1, most + 1)
    ] == [int(number[1:]) for number in LINES]
