"""The page in a browser, against a daemon whose answers a test chooses: what real hosts say only while something is wrong."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.browser import Page, browsing, program
from tests.cli.fake_kingd import BOX1, BOX2, FakeKingd, member, status, view
from tests.cli.fake_past import told
from tests.cli.web import serving
from tests.conftest import require

EVIL = "<img src=x onerror=boom()>\x1b"


@pytest.fixture
def page(kingd: FakeKingd, tmp_path: Path) -> Iterator[Page]:
    require(program(), "a browser is needed (Debian: chromium-headless-shell)")
    kingd.service.status_is = status(role="follower", leader=BOX1) | {
        "problems": ["the disk is <full>"],
        "strangers": [{"address": "10.0.0.9:5466", "why": "bad-key", "last_seen_ms": 900}],
    }
    kingd.service.survey_is = {
        "version": 1,
        "agree": False,
        "nodes": [view(BOX1, leader="box1"), view(BOX2, leader="box2"), view({**BOX2, "id": "c" * 16}, leader="box1")],
    }
    kingd.service.members_are = {
        "version": 1,
        "members": [
            member(BOX1, role="leader", last_heard_ms=37),
            member(BOX2, role="follower", last_heard_ms=None),
            member({**BOX2, "id": "c" * 16, "name": EVIL}, role="follower", last_heard_ms=90_000),
        ],
    }
    kingd.service.histories_are = {
        "version": 1,
        "members": [
            {"id": BOX1["id"], "name": "box1", "ok": True, "events": [told("elected", leader=EVIL, role="leader")]},
            {"id": BOX2["id"], "name": "box2", "ok": False, "events": []},
        ],
    }
    with serving(kingd.path) as (host, port), browsing(tmp_path / "browser") as page:
        page.look(width=1280, height=900, dark=False)
        page.open(f"http://{host}:{port}/")
        page.until("document.querySelector('#bars svg') !== null")
        yield page


def test_disagreement_is_marked_and_names_do_nothing(page: Page) -> None:
    rows = page.until("[...document.querySelectorAll('#rows tr')].map(row => row.textContent)")
    assert ["differs" in row for row in rows] == [False, True, False]
    assert "≠ box2, term 12: differs" in rows[1]
    assert "the views differ. 3 alive; they follow box1, box2." in page.text()
    assert "<img src=x onerror=boom()>\ufffd" in rows[2]
    assert page.run("document.images.length") == 0
    assert "the disk is <full>" in page.text()
    assert "10.0.0.9:5466 does not belong here: bad-key" in page.text()
    assert "No answer, so that its part is missing: box2" in page.text()
    assert page.violations() == []
    assert page.said == []


def test_how_far_back_is_chosen_by_the_keyboard(page: Page) -> None:
    page.run("document.querySelector('input[name=span]:checked').focus()")
    before = page.run("document.getElementById('bars').innerHTML")
    page.press("ArrowRight")
    assert page.run("document.querySelector('input[name=span]:checked').value") == "3600"
    assert page.run("document.getElementById('bars').innerHTML") != before
