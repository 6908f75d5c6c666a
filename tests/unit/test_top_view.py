"""The pictures of `kingctl top`: they fit, and they are as somebody has looked at (python -m tests.unit.top_situations)."""

import pytest
from rich.cells import cell_len
from rich.text import Text

from kingd.cli.text import clean
from kingd.control.client import JsonObject
from kingd.top import table
from kingd.top.cells import FULL
from kingd.top.controls import Controls
from kingd.top.model import Model
from kingd.top.view import picture, whole
from tests.unit.top_situations import FOLDER, HOSTILE, SITUATIONS, asking, at, hostile, many, shown, silent

SIZES = [(1, 1), (19, 24), (20, 6), (21, 7), (33, 9), (40, 5), (80, 12), (80, 24), (119, 25), (200, 50), (500, 200)]


@pytest.mark.parametrize("name", SITUATIONS)
def test_picture_is_the_one_that_was_looked_at(name: str) -> None:
    assert shown(name) == (FOLDER / f"{name}.txt").read_text()


def test_every_picture_was_looked_at() -> None:
    assert {path.stem for path in FOLDER.iterdir()} == set(SITUATIONS)


@pytest.mark.parametrize("name", SITUATIONS)
def test_picture_fits_every_window_and_has_nothing_that_a_terminal_obeys(name: str) -> None:
    make, now, controls, _, _, glyphs = SITUATIONS[name]
    model = make()
    for width, height in SIZES:
        lines = picture(model, now, controls(), width=width, height=height, glyphs=glyphs).lines
        assert len(lines) <= height
        assert [line.plain for line in lines if cell_len(line.plain) > width] == []
        assert all(line.plain.isprintable() for line in lines)


def test_nothing_of_a_filter_or_an_outcome_is_obeyed_either() -> None:
    for controls in (Controls(filter=HOSTILE), Controls(filter=HOSTILE, is_typing=True), Controls(note=HOSTILE)):
        lines = picture(hostile(), at(21), controls, width=80, height=24, glyphs=FULL).lines
        assert all(line.plain.isprintable() for line in lines)
    assert all(line.plain == clean(line.plain) for line in whole(hostile(), at(21), width=500, glyphs=FULL))


def test_only_rows_that_are_shown_are_made(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[object] = []

    def heard(_model: Model, member: JsonObject) -> Text:
        made.append(member["id"])
        return Text("1 ms")

    monkeypatch.setattr(table, "_heard", heard)
    page = picture(many(), at(61), Controls(), width=80, height=24, glyphs=FULL)
    assert (page.rows, len(made)) == (450, page.page)
    assert page.page < 20


def test_scrolling_reaches_every_member_once() -> None:
    model, controls, seen = many(), Controls(), set()
    while True:
        page = picture(model, at(61), controls, width=80, height=24, glyphs=FULL)
        controls.rows, controls.page = page.rows, page.page
        seen |= {line.plain.split()[0] for line in page.lines if line.plain.startswith("host-")}
        before = controls.first
        controls.press("pagedown", None)
        if controls.first == before:
            break
    assert len(seen) == 450


def test_window_that_grows_shows_the_last_rows_and_no_gap() -> None:
    controls = Controls(first=449)
    lines = picture(many(), at(61), controls, width=80, height=24, glyphs=FULL).lines
    assert sum(line.plain.startswith("host-") for line in lines) > 5


def test_silence_is_said_and_everything_else_is_grey() -> None:
    lines = picture(silent(), at(90), Controls(), width=80, height=24, glyphs=FULL).lines
    said = [line for line in lines if "no answer since 12:00:59Z (31.0 s)" in line.plain]
    assert [str(line.style) for line in said] == ["reverse"]
    leader = next(line for line in lines if line.plain.startswith("leader"))
    assert (str(leader.style), leader.spans) == ("dim", [])


def test_question_takes_the_place_of_the_keys() -> None:
    lines = picture(silent(), at(90), asking(), width=80, height=24, glyphs=FULL).lines
    assert lines[-1].plain.rstrip().endswith("y/n")
    assert not any("q quit" in line.plain for line in lines)


def test_printer_gets_every_member() -> None:
    lines = [line.plain for line in whole(many(), at(61), width=500, glyphs=FULL)]
    assert sum(line.startswith("host-") for line in lines) == 450
    assert "VERSION" in next(line for line in lines if line.startswith("NAME"))
