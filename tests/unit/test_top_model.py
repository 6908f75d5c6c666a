"""What `kingctl top` knows, and for how long it may be believed."""

import pytest

from kingd.control.client import BadAnswer, JsonObject
from kingd.top.heard import BARS, GONE, NOTHING, Heard
from kingd.top.model import EVENTS_MAX, SILENT_S, Model
from kingd.top.reigns import Reign
from tests.cli.fake_kingd import BOX1, BOX2, member, view
from tests.unit.top_situations import BOX3, at, change, failover, told


def test_answer_is_believed_until_the_next_ones_stay_away() -> None:
    model = Model()
    model.answered(told(BOX1), None, at(0))
    assert model.silent_s(at(SILENT_S)) is None
    assert model.silent_s(at(SILENT_S + 1)) == SILENT_S + 1


def test_answer_that_failed_is_a_silence_at_once_and_the_next_one_ends_it() -> None:
    model = Model()
    model.answered(told(BOX1), None, at(0))
    model.failed("kingd is not running")
    assert model.silent_s(at(0.5)) == 0.5
    model.answered(told(BOX1), None, at(1))
    assert model.silent_s(at(1)) is None


def test_answer_of_another_version_changes_nothing() -> None:
    model = Model()
    model.answered(told(BOX1), {"members": [member(BOX1, role="leader", last_heard_ms=1)]}, at(0))
    wrong: list[tuple[JsonObject, JsonObject | None]]
    wrong = [(told(BOX2) | {"term": "12"}, None), (told(BOX2), {"members": None})]
    for status, members in wrong:
        with pytest.raises(BadAnswer):
            model.answered(status, members, at(1))
    assert model.status is not None
    assert (model.status["leader"], model.answered_at, len(model.members)) == (BOX1, at(0), 1)


def test_survey_is_forgotten_when_somebody_else_leads() -> None:
    model = Model()
    model.answered(told(BOX1), None, at(0))
    model.surveyed({"agree": True, "nodes": [view(BOX1, leader="box1")]}, at(1))
    model.answered(told(BOX1), None, at(2))
    assert list(model.views) == [BOX1["id"]]
    model.answered(told(BOX2, term=13), None, at(3))
    assert (model.survey, model.views) == (None, {})


def test_event_that_is_told_twice_is_one_and_the_present_state_is_none() -> None:
    model = Model()
    first, second = (change(s, "leader-changed", leader=BOX1, seq=s) for s in (1, 2))
    model.happened([second, first])
    model.happened([second, first | {"initial": True, "seq": 7}])
    assert model.events == [first, second]


def test_events_are_bounded() -> None:
    model = Model()
    model.happened([change(i / 10, "member-joined", leader=BOX1, seq=i) for i in range(EVENTS_MAX + 40)])
    assert [each["seq"] for each in model.events] == list(range(40, EVENTS_MAX + 40))


def test_reigns_follow_each_other_and_the_last_one_lasts() -> None:
    assert [(reign.leader, reign.term, reign.until_ns is None) for reign in failover().reigns] == [
        ("box1", 11, False),
        (None, 11, False),
        ("box3", 12, True),
    ]


def test_nobody_knows_who_led_while_there_was_no_answer() -> None:
    model = Model()
    model.answered(told(BOX1), None, at(10))
    model.failed("it stops")
    model.failed("it is not running")
    model.answered(told(BOX2, term=13), None, at(20))
    s = 1_000_000_000
    assert model.reigns == [
        Reign("box1", 12, 1000 * s, 1010 * s),  # since noon, as the status said
        Reign(None, None, 1010 * s, 1020 * s),
        Reign("box2", 13, 1020 * s, None),
    ]


def test_first_answer_says_nothing_about_reigns_that_events_tell_of() -> None:
    model = Model()
    model.happened([change(0, "leader-lost", leader=None, seq=1), change(0.001, "leader-changed", leader=BOX1, seq=2)])
    model.answered(told(BOX1), None, at(60))
    assert [reign.leader for reign in model.reigns] == [None, "box1"]


def test_higher_term_without_an_event_is_a_reign_when_it_has_been_told_twice() -> None:
    model = Model()
    for s, term in ((0, 12), (1, 13), (2, 13), (3, 13)):
        model.answered(told(BOX1, term=term), None, at(s))
        if s == 1:
            assert [reign.term for reign in model.reigns] == [12]  # its event may be on its way
    assert [(reign.term, reign.from_ns // 1_000_000_000) for reign in model.reigns] == [(12, 1000), (13, 1002)]


def test_members_come_and_go_with_what_was_heard_of_them() -> None:
    model = Model()
    for s, boxes in enumerate([(BOX1, BOX2), (BOX1, BOX3)]):
        model.answered(told(BOX1), {"members": [member(box, role="follower", last_heard_ms=1) for box in boxes]}, at(s))
    seen = {str(box["name"]): model.heard(str(box["id"])).levels(1001, 60)[-2:] for box in (BOX1, BOX2, BOX3)}
    assert seen == {"box1": [0, 0], "box2": [NOTHING, NOTHING], "box3": [NOTHING, 0]}


@pytest.mark.parametrize(
    ("silent_ms", "state", "level"),
    [
        (0, "alive", 0),
        (100, "alive", 0),
        (101, "alive", 1),
        (10_001, "alive", BARS - 1),
        (37, "dead", GONE),
        (37, "left", GONE),
        (None, "alive", GONE),
    ],
)
def test_bar_is_as_high_as_the_silence_was_long(silent_ms: float | None, state: str, level: int) -> None:
    heard = Heard()
    heard.note(5.0, silent_ms, state=state)
    assert heard.levels(5.9, 12)[-1] == level


def test_bar_is_of_the_longest_silence_in_its_part_and_a_minute_long() -> None:
    heard = Heard()
    for s, silent_ms in ((0, 20_000), (57, 300), (58, 20), (59, 20)):
        heard.note(s, silent_ms, state="alive")
    assert heard.levels(59, 12) == [BARS - 1, *[NOTHING] * 10, 2]
    assert heard.levels(60, 12) == [*[NOTHING] * 11, 2]
