"""Hosts die, come back, meet, or are told something else by their operator: in every order of events, as in
`test_elections.py`."""

from dataclasses import replace

import pytest

from kingd.explorer.scope import Fault
from kingd.explorer.scopes import SCOPES, VOTES, scope
from tests.model.explored import begin, explored, within

pytestmark = [pytest.mark.model, pytest.mark.timeout(600)]


def test_041_datagrams_of_a_dead_session() -> None:
    found = explored(scope("dead", 2.2, Fault("repeat"), Fault("crash", 0), faults_max=2, carries=VOTES))
    assert found.saw("-", "leader", "")


def test_042_death_that_is_refuted() -> None:
    found = within("false-obituary")
    assert found.happened("heartbeat", host="b", before="seeking", after="follower")


def test_043_namesakes() -> None:
    """The one that starts with a copied state folder is silent as soon as the two hear each other, and nobody else notices it.
    Where what they say to each other is late or lost, one of them at most gives way, to one that is established."""
    found = within("namesake")
    assert found.happened("start", host="a", after="joining")
    assert {picture[3] for picture in found.pictures} == {"-", "joining"}
    assert found.saw("", "leader", "")
    newer, older = within("av-namesake-newer"), within("av-namesake-older")
    assert newer.happened("probeack", before="leader", after="leader")
    assert not newer.happened("probeack", before="leader", after="joining")
    assert older.happened("probeack", before="leader", after="joining")  # both lead: the smaller session keeps the id


def test_045_datagram_for_somebody_else() -> None:
    astray = within("strays")
    once = explored(replace(SCOPES["strays"], name="no-strays", faults=()))
    assert astray.pictures == once.pictures


def test_053_lost_state() -> None:
    assert within("forget").happened("start", host="c", after="joining")


def test_055_two_leaders_merge() -> None:
    assert within("av-merge").saw("leader", "leader")
    assert within("av-merge").saw("leader", "follower")


def test_102_term_poison() -> None:
    """A datagram that names a term far above all known ones leads nowhere that the cluster does not get to without it."""
    for name in ("poison", "poison-led"):
        scope = SCOPES[name]
        once = explored(replace(scope, name=f"no-{name}", faults=tuple(f for f in scope.faults if f.kind != "poison")))
        assert within(name).pictures == once.pictures
        poisoned = within(name).seen - once.seen
        assert poisoned
        assert not [s for s in poisoned if s.before != s.after or s.sent]


def test_103_winner_raises_above_both() -> None:
    found = within("av-merge")
    assert found.happened("resign", host="a", before="leader", after="leader", sent="claim")  # it raises above both


def test_061_leader_meets_a_leader() -> None:
    found = within("av-merge")
    assert found.happened("probeack", host="b", before="leader", after="seeking", sent="resign")
    assert not found.happened("probeack", host="a", before="leader", after="seeking")


def test_077_exported_lease_and_obituary() -> None:
    found = within("true-obituary")
    assert found.happened("believe", host="b", before="follower", after="seeking")
    assert found.saw("-", "leader", "")  # after the lease


def test_083_equal_priority_returns() -> None:
    found = explored(
        replace(SCOPES["restart-leader"], name="equal-returns", carries=SCOPES["hand-over"].carries | VOTES, ticks=1)
    )
    assert found.happened("start", host="a")
    assert not found.happened("pre-vote claim")


def test_084_restart_inside_a_promise() -> None:
    assert within("restart-voter").happened(
        "start", host="c", after="joining"
    )  # Q1: it promises nothing before the hold is over


def test_088_voters_change() -> None:
    found = within("voters-change")
    assert {s.host for s in found.happened("reload")} == {"a", "b", "c", "d"}


def test_088_voters_change_step_by_step() -> None:
    """(a) to (a, b) to (b), and each host takes a list only where that is found to be safe."""
    found = within("voters-steps")
    assert {s.host for s in found.happened("reload")} == {"a", "b"}


def test_088_two_lists_and_no_election() -> None:
    """Hosts that have differing lists, while nobody can be elected, come to elect when all are given one of them: whoever was
    reloaded or restarted before, in whichever order, and whatever they have heard of it (heal.py)."""
    found = within("lists-apart")
    assert {s.host for s in found.happened("reload")} == {"a", "b"}
    assert found.happened("start")
    assert found.happened("sweep")


def test_089_lease_changes() -> None:
    found = within("lease-change")
    assert found.happened("timeout", host="a", before="leader", after="leader")


def test_090_clocks_within_one_percent_and_beyond() -> None:
    assert within("slow-leader").saw("", "leader", "")
    assert within("fast-leader").saw("", "leader", "")
    beyond = begin(replace(SCOPES["slow-leader"], name="beyond", rates=(950, 1050, 1050)), only="Q").result()
    assert beyond.wrong is not None
    assert beyond.wrong.startswith("Q1")  # the bound is needed


def test_100_datagrams_of_a_former_session() -> None:
    found = within("restart-leader")
    assert found.happened("claim", host="c") or found.happened("heartbeat", host="c")


def test_104_priorities_swap_while_leaders_merge() -> None:
    found = within("av-swap")
    assert found.saw("leader", "follower")
    assert found.saw("follower", "leader")
