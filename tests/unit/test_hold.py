"""One leadership, and until when it is sure: what `kingctl run` does when, by the daemon's answers alone."""

import pytest

from kingd.acting.hold import Hold, Leadership, View

MINE = Leadership(12, "a2")
S = 1_000_000


def hold(told_us: int = 100 * S, valid_us: int = S) -> Hold:
    return Hold(MINE, told_us=told_us, valid_us=valid_us)


@pytest.mark.parametrize("valid_us", [1, 6_000, 30_000, 60_000, 500_000, S, 60 * S])
def test_told_to_end_and_killed_within_what_one_answer_is_good_for(valid_us: int) -> None:
    found = hold(0, valid_us)
    assert found.doubt_us <= found.kill_us <= valid_us * 9 // 10
    if valid_us >= 60_000:
        assert valid_us // 3 < found.doubt_us < found.kill_us
    else:  # nobody ends in so short a time: to wait for a word that is late is worth more
        assert found.doubt_us == found.kill_us


def test_doubt_comes_with_time_alone() -> None:
    found = hold()
    assert found.doubt(now_us=found.doubt_us - 1) == ""
    assert found.doubt(now_us=found.doubt_us) != ""


def test_yes_counts_from_when_the_daemon_said_it() -> None:
    found = hold()
    found.note(MINE, told_us=200 * S, valid_us=S)
    assert (found.doubt_us, found.kill_us) == (200 * S + 666_666, 200 * S + 900_000)
    assert found.doubt(now_us=200 * S) == ""


def test_yes_that_lasts_less_long_moves_the_end_towards_us() -> None:
    """A reload to shorter timing: another host may lead sooner. What is nearly over must not be put off by that."""
    found = hold(100 * S, 10 * S)
    found.note(MINE, told_us=101 * S, valid_us=S)
    assert (found.doubt_us, found.kill_us) == (101 * S + 666_666, 101 * S + 900_000)
    before = (found.doubt_us, found.kill_us)
    found.note(MINE, told_us=101 * S + 660_000, valid_us=330_000)
    assert (found.doubt_us, found.kill_us) == before


def test_yes_that_lasts_no_longer_than_the_former_one_moves_nothing() -> None:
    """A leader without its voters says so until its lease is over: what is left for TERM and KILL must not shrink meanwhile."""
    found = hold()
    before = (found.doubt_us, found.kill_us)
    for told_us in range(100 * S, 101 * S, 1000):
        found.note(MINE, told_us=told_us, valid_us=101 * S - told_us)
    assert (found.doubt_us, found.kill_us) == before
    found.note(MINE, told_us=100 * S + S // 2, valid_us=S)
    assert found.kill_us == 100 * S + S // 2 + 900_000


@pytest.mark.parametrize("said", [View.LEADS_NOT, View.GONE, Leadership(13, "a2"), Leadership(12, "a1")])
def test_no_is_for_good_and_leaves_the_kill_where_it_was(said: View | Leadership) -> None:
    found = hold()
    before_us = found.kill_us
    found.note(said, told_us=100 * S + 1, valid_us=S)
    assert found.doubt(now_us=100 * S + 2) != ""
    assert found.kill_us == before_us


def test_no_clear_answer_moves_nothing() -> None:
    found = hold()
    before = (found.doubt_us, found.kill_us)
    found.note(View.UNSURE, told_us=100 * S + 1)
    assert (found.doubt_us, found.kill_us, found.lost) == (*before, "")
