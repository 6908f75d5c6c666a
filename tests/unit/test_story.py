"""What several hosts told, as one story. docs/history.md."""

from kingd.cli import story
from kingd.control.client import JsonObject
from tests.cli.fake_past import told


def answer(**members: list[JsonObject] | None) -> JsonObject:
    return {
        "version": 1,
        "members": [
            {"id": name, "name": name, "ok": events is not None, "events": events or []}
            for name, events in members.items()
        ],
    }


def at(ms: int, kind: str, leader: str | None, *, term: int = 5, **more: object) -> JsonObject:
    time = f"2026-11-23T12:00:{ms // 1000:02}.{ms % 1000:03}Z"
    return {**told(kind, leader=leader), "time": time, "term": term, **more}


def shown(found: JsonObject) -> list[list[object]]:
    return [story.row(passage) for passage in story.passages(story.told(found))]


def test_one_change_that_three_saw_is_one_line_and_says_who_saw_it_when() -> None:
    rows = shown(
        answer(
            box2=[at(12, "elected", "box2", role="leader", evidence={"words": "2 of 2 peers agree"})],
            box1=[at(10, "leader-changed", "box2", evidence=None)],
            box3=[at(15, "leader-changed", "box2", evidence=None)],
        )
    )
    seen = "box1, box2 +2 ms, box3 +5 ms"
    assert rows == [
        ["2026-11-23 12:00:00.010Z", 5, seen, "box2 leads", "leader-timeout", "2 of 2 peers agree"],
    ]


def test_two_leaders_are_two_lines_in_the_order_of_time() -> None:
    rows = shown(answer(box1=[at(900, "elected", "box1")], box2=[at(100, "elected", "box2", term=6)]))
    assert [(row[1], row[3]) for row in rows] == [(6, "box2 leads"), (5, "box1 leads")]


def test_same_words_of_one_host_are_as_many_changes() -> None:
    rows = shown(answer(box1=[at(0, "leader-lost", None), at(900, "leader-lost", None), at(9000, "leader-lost", None)]))
    assert len(rows) == 3


def test_host_that_started_is_named() -> None:
    assert shown(answer(box1=[at(0, "started", None)]))[0][3] == "box1: started"


def test_who_did_not_answer_is_named() -> None:
    assert story.silent(answer(box1=[], box2=None)) == ["box2"]
