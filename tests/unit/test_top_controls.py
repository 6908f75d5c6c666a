"""Keys of `kingctl top`: from what a terminal sends to what is done."""

import pytest

from kingd.control.client import JsonObject
from kingd.top.controls import Controls, Order
from kingd.top.keys import keys
from tests.cli.fake_kingd import BOX1, BOX2
from tests.unit.top_situations import HOSTILE, asking, told

LEADS: JsonObject = told(BOX2, node={**told(None)["node"], "role": "leader"})  # type: ignore[dict-item]


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        ("qsd/", ["q", "s", "d", "/"]),
        ("\x1b[A\x1bOB\x1b[5~\x1b[6~\x1b[H\x1b[4~", ["up", "down", "pageup", "pagedown", "home", "end"]),
        ("é長\r\x7f\x0c", ["é", "長", "enter", "backspace", "ctrl-l"]),
        ("\x1b[200~\x1b[1;5Ax\x1bOP\x00\x01", ["x"]),
        ("\x1bq", ["escape", "q"]),
    ],
)
def test_keys_have_names_and_others_are_skipped_whole(typed: str, found: list[str]) -> None:
    assert keys(typed, is_all=False) == (found, "")


@pytest.mark.parametrize("sequence", ["\x1b[A", "\x1b[5~", "\x1bOB", "\x1b[1;5C"])
def test_key_that_comes_in_pieces_is_one(sequence: str) -> None:
    for at in range(1, len(sequence)):
        assert keys("p" + sequence[:at], is_all=False) == (["p"], sequence[:at])
    assert keys(sequence, is_all=False)[1] == ""


def test_beginning_that_nothing_follows_was_escape() -> None:
    assert keys("\x1b", is_all=True) == (["escape"], "")


def test_step_down_is_done_after_y_and_not_otherwise() -> None:
    for answer in ("n", "q", "enter", "escape", "Y", " "):
        controls = asking()
        assert controls.press(answer, LEADS) is None
        assert (controls.question, controls.note) == (None, "not done")
    controls = asking()
    assert controls.question is not None
    assert controls.press("y", LEADS) is Order.STEP_DOWN
    assert controls.press("y", LEADS) is None


def test_maintenance_is_begun_and_ended_after_y() -> None:
    for reason, order in ((None, Order.MAINTENANCE_ON), ("maintenance", Order.MAINTENANCE_OFF)):
        node = {**LEADS["node"], "ineligible_reason": reason}  # type: ignore[dict-item]
        controls = Controls()
        assert controls.press("m", LEADS | {"node": node}) is None
        assert controls.question is not None
        assert ("hands leadership over" in controls.question) is (reason is None)
        assert controls.press("y", LEADS) is order


def test_step_down_is_not_offered_where_this_node_does_not_lead() -> None:
    for status, note in ((told(BOX1), "box1 leads, not this node"), (told(None), "no leader"), (None, "no leader")):
        controls = Controls()
        assert controls.press("d", status) is None
        assert (controls.question, controls.note[: len(note)]) == (None, note)


def test_question_has_nothing_that_a_terminal_obeys() -> None:
    node = {**LEADS["node"], "name": HOSTILE}  # type: ignore[dict-item]
    controls = Controls()
    controls.press("d", LEADS | {"node": node})
    assert controls.question is not None
    assert controls.question.isprintable()
    controls = Controls()
    controls.press("d", told({**BOX1, "name": HOSTILE}))
    assert controls.note.isprintable()


def test_keys_are_letters_while_a_filter_is_typed() -> None:
    controls = Controls(first=7)
    assert [controls.press(key, LEADS) for key in ("/", "q", "d", "x", "backspace", "up", "enter")] == [None] * 7
    assert (controls.filter, controls.is_typing, controls.question, controls.first) == ("qd", False, None, 0)
    assert controls.press("escape", LEADS) is None
    assert controls.filter == ""


def test_scrolling_stays_between_the_first_and_the_last_row() -> None:
    controls = Controls(rows=25, page=10)
    found = []
    for key in ("up", "down", "pagedown", "pagedown", "pageup", "end", "down", "home"):
        controls.press(key, None)
        found.append(controls.first)
    assert found == [0, 1, 11, 15, 5, 15, 15, 0]


def test_orders() -> None:
    controls = Controls()
    assert [controls.press(key, LEADS) for key in ("s", "p", "ctrl-l", "q")] == [
        Order.SURVEY,
        None,
        Order.REDRAW,
        Order.QUIT,
    ]
    assert controls.is_paused
