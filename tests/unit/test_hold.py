"""One leadership, and until when it is sure: what `kingctl run` does when, by the daemon's answers alone."""

import pytest

from kingd.acting.hold import Hold, Leadership, View

MINE = Leadership(12, "a2")
S = 1_000_000


def hold(asked_us: int = 100 * S, valid_us: int = S) -> Hold:
    return Hold(MINE, asked_us=asked_us, valid_us=valid_us)


@pytest.mark.parametrize("valid_us", [1, 6_000, 30_000, 60_000, 500_000, S, 60 * S])
def test_asked_again_told_to_end_and_killed_within_what_one_answer_is_good_for(valid_us: int) -> None:
    found = hold(0, valid_us)
    assert found.doubt_us <= found.kill_us <= valid_us * 9 // 10
    if valid_us >= 30_000:
        assert 0 < found.ask_us < found.doubt_us < found.kill_us


def test_doubt_comes_with_time_alone() -> None:
    found = hold()
    assert found.doubt(now_us=found.doubt_us - 1) == ""
    assert found.doubt(now_us=found.doubt_us) != ""


def test_yes_counts_from_its_question() -> None:
    found = hold()
    found.note(MINE, asked_us=200 * S, valid_us=S)
    assert (found.doubt_us, found.kill_us) == (200 * S + 666_666, 200 * S + 900_000)
    assert found.doubt(now_us=200 * S) == ""


@pytest.mark.parametrize("said", [View.LEADS_NOT, View.GONE, Leadership(13, "a2"), Leadership(12, "a1")])
def test_no_is_for_good_and_leaves_the_kill_where_it_was(said: View | Leadership) -> None:
    found = hold()
    before_us = found.kill_us
    found.note(said, asked_us=100 * S + 1, valid_us=S)
    assert found.doubt(now_us=100 * S + 2) != ""
    assert found.kill_us == before_us


def test_no_clear_answer_moves_only_the_next_question() -> None:
    found = hold()
    before = (found.doubt_us, found.kill_us)
    asked = []
    while found.ask_us < found.doubt_us:
        asked.append(found.ask_us)
        found.note(View.UNSURE, asked_us=found.ask_us)
    assert (found.doubt_us, found.kill_us) == before
    assert 3 <= len(asked) <= 20
