"""A leader gives way, by order, by priority or when it stops: in every order of events, as in `test_elections.py`."""

from dataclasses import replace

import pytest

from kingd.core.wire.message import Claim, Grant, Resign
from kingd.explorer.scope import Fault
from kingd.explorer.scopes import SCOPES, A, B, C, scope
from tests.model.explored import explored, within

pytestmark = [pytest.mark.model, pytest.mark.timeout(600)]


def test_023_transfer_to_the_one_that_is_named() -> None:
    found = within("hand-over")
    assert found.happened("ready", host="a", before="leader", after="seeking", sent="resign")
    assert found.saw("", "leader", "")


def test_024_ticket_frees_inside_the_lease() -> None:
    found = explored(replace(SCOPES["hand-over"], name="hand-over-at-once", ticks=0))
    assert found.saw("", "leader", "")  # in no time: a's lease would last two ticks


def test_026_transfer_to_nobody_in_particular() -> None:
    for target in ("a", "nobody", "c"):
        found = explored(scope(f"to-{target}", 0.5, Fault("step-down", 0, target), carries=SCOPES["hand-over"].carries))
        ordered = found.happened("step-down")
        assert ordered
        assert {(s.before, s.after) for s in ordered} <= {("leader", "leader"), ("seeking", "seeking")}
        assert not any("offer" in s.sent for s in ordered)


def test_027_successor_dies_with_the_ticket() -> None:
    found = within("successor-dies")
    assert found.saw("leader", "-", "")
    assert found.happened(
        "timer", host="a", before="seeking", after="candidate", sent="claim"
    )  # a higher ballot: RESIGNED


def test_028_says_nothing_as_leader_after_the_ticket() -> None:
    found = within("hand-over")
    assert found.happened("ready", host="a", before="leader", after="seeking")  # RESIGNED, SHOWN, Q1


def test_029_transfer_meets_a_claim() -> None:
    found = explored(
        scope(
            "transfer-meets-claim",
            0,
            start="resigned",
            hosts=(A, B, replace(C, priority=100)),
            carries=frozenset({Claim, Grant, Resign}),
        )
    )
    assert found.saw("seeking", "leader", "")


def test_030_transferee_is_taken_away() -> None:
    found = explored(
        scope(
            "transferee-demoted",
            0,
            Fault("step-down", 0, "b"),
            Fault("priority", 1, 0),
            carries=SCOPES["hand-over"].carries,
            faults_max=2,
        )
    )
    assert found.happened("priority", host="b", before="candidate", after="seeking", sent="resign")


def test_031_second_transfer() -> None:
    """Before the ticket another successor may be named, and only that one gets it; after it an order is refused."""
    found = within("second-transfer")
    assert found.happened("ready", host="a", before="leader", after="leader")  # of the one that was named before
    assert found.happened("ready", host="a", before="leader", after="seeking", sent="resign")
    late = [s for s in within("second-ticket").happened("step-down") if s.before != "leader"]
    assert {s.before for s in late} >= {"seeking", "candidate"}
    assert not [s for s in late if s.before != s.after or s.sent]
    assert within("second-ticket").saw("", "leader", "")


def test_032_delayed_ticket() -> None:
    found = within("late-tickets")
    assert found.happened("resign", host="b", before="follower", after="candidate", sent="claim")
    assert found.saw("leader", "candidate", "")


def test_038_resignation_frees_and_belief_does_not() -> None:
    assert within("stop").happened("claim", host="c", before="seeking", sent="grant")
    assert within("false-obituary").happened("believe", host="b", before="follower", after="seeking")


def test_049_late_words_of_who_left() -> None:
    found = explored(replace(SCOPES["stop"], name="late-goodbyes", late_ticks=1, ticks=0.5))
    assert found.saw("", "leader", "")


def test_059_higher_one_takes_over() -> None:
    found = within("priority")
    assert found.happened("ready", host="a", before="leader", after="seeking", sent="resign")


def test_060_priority_0_gives_way_at_once() -> None:
    found = within("priority")
    assert found.happened("priority", host="a", before="leader", sent="offer")  # priority 0: immediately
