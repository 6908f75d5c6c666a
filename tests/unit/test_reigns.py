"""Who led from when to when, as all hosts told it. docs/page.md."""

from kingd.control.client import JsonObject
from kingd.web.reigns import Reign, moment_ms, overlaps, reigns

T0 = moment_ms("2026-11-23T12:00:00.000Z")


def said(host: str, at_ms: int, event: str, leader: str | None, term: int = 1) -> JsonObject:
    time = f"2026-11-23T12:00:{at_ms // 1000:02}.{at_ms % 1000:03}Z"
    return {"host": host, "time": time, "event": event, "leader": leader, "term": term}


def found(*events: JsonObject) -> list[tuple[str, int, float, float | None]]:
    told = reigns(sorted(events, key=lambda event: str(event["time"])))
    return [(r.leader, r.term, r.from_ms - T0, None if r.to_ms is None else r.to_ms - T0) for r in told]


def test_hand_over_as_both_saw_it() -> None:
    assert found(
        said("a", 0, "elected", "a"),
        said("b", 2, "leader-changed", "a"),
        said("a", 5000, "deposed", "b", 2),
        said("b", 5003, "elected", "b", 2),
    ) == [("a", 1, 0, 5000), ("b", 2, 5000, None)]


def test_one_that_died_led_for_as_long_as_others_followed_it() -> None:
    assert found(
        said("b", 2, "leader-changed", "a"),
        said("c", 3, "leader-changed", "a"),
        said("b", 900, "leader-lost", None),
        said("c", 905, "leader-lost", None),
        said("b", 910, "elected", "b", 2),
        said("c", 912, "leader-changed", "b", 2),
    ) == [("a", 1, 2, 905), ("b", 2, 910, None)]


def test_split_is_an_overlap_and_a_hand_over_is_none() -> None:
    split = reigns(
        [
            said("a", 0, "elected", "a"),
            said("b", 500, "elected", "b", 2),
            said("a", 4000, "deposed", "b", 3),
        ]
    )
    assert overlaps(split, T0 + 9000) == [(T0 + 500, T0 + 4000)]
    close = [Reign("a", 1, 0, 1020), Reign("b", 2, 1000, None)]
    assert overlaps(close, 9000) == []


def test_overlaps_that_touch_are_one() -> None:
    three = [Reign("a", 1, 0, 1000), Reign("b", 2, 500, 1500), Reign("c", 3, 600, 2000), Reign("d", 4, 5000, None)]
    assert overlaps(three, 9000) == [(500, 1500)]


def test_member_that_comes_ends_nothing() -> None:
    assert found(
        said("a", 0, "elected", "a"), said("a", 100, "member-joined", "a"), said("a", 200, "member-dead", "a")
    ) == [("a", 1, 0, None)]


def test_restarted_host_follows_nobody_before_it_says_so() -> None:
    assert found(said("b", 0, "started", None, 0), said("b", 20, "leader-changed", "a")) == [("a", 1, 20, None)]
