"""The scenarios that are marked M: every order of their events. That no invariant is broken on the way is part of each
(`explored`); the tests say that the scenario happens in the scope, and what comes of it."""

from dataclasses import replace

import pytest

from kingd.core.wire.message import Claim, Grant, Refuse, Resign, Role
from kingd.explorer.scope import Fault
from kingd.explorer.scopes import SCOPES, VOTES, A, B, C, alike, scope
from tests.model.explored import Explored, Seen, begin, explored

pytestmark = [pytest.mark.model, pytest.mark.timeout(600)]

ROLES = {role.name.lower() for role in Role}


def within(name: str) -> Explored:
    return explored(SCOPES[name])


def everywhere(*names: str) -> list[Seen]:
    return [seen for name in names for seen in within(name).seen]


def test_001_leader_election() -> None:
    assert within("cold").saw("leader", "", "")
    assert within("cold").saw("", "leader", "")  # a's claim was lost
    assert not any("leader" in picture for picture in within("nothing-arrives").pictures)  # no majority, no leader
    assert within("av-nothing-arrives").saw("leader", "leader")  # availability: each alone


def test_002_leader_cycle() -> None:
    found = within("stop")
    assert found.happened("stop", host="a", before="leader")
    assert found.saw("", "leader", "")  # in the term after: Q2


def test_003_vote_from_any_state() -> None:
    claims = [s for s in everywhere("cold", "plain", "stop", "av-cold", "restart-leader") if s.given == "claim"]
    assert {s.before for s in claims} == ROLES
    assert not [s for s in claims if s.before == s.after == "leader" and "grant" in s.sent]
    prepared = [s for s in everywhere("hand-over", "priority") if s.given == "pre-vote claim"]
    assert prepared
    assert not [s for s in prepared if s.before != s.after]


def test_004_dueling_candidates() -> None:
    found = explored(scope("duel", 1, start="cold", carries=frozenset({Claim, Grant}), any_time=frozenset({Claim})))
    assert found.saw("candidate", "candidate", "")
    assert found.happened("claim", host="b", before="candidate", after="seeking", sent="grant")  # the better one wins
    assert not found.happened("claim", host="a", before="candidate", sent="grant")


def test_005_dueling_preparations() -> None:
    both = (Fault("priority", 1, 150), Fault("priority", 2, 200))
    boxes = (A, B, replace(C, priority=100))
    found = explored(
        scope("dueling-preparations", 1, *both, hosts=boxes, faults_max=2, carries=frozenset({Claim, Grant, Refuse}))
    )
    asked = found.happened("pre-vote claim")
    assert {s.host for s in asked} == {"b", "c"}  # the leader's answer is its resignation
    assert all(s.before == s.after for s in asked)  # no promise changes hands


def test_006_candidate_concedes() -> None:
    assert within("cold").happened("heartbeat", host="b", before="seeking", after="follower")
    assert within("av-cold").happened("heartbeat", before="seeking", after="follower")


def test_007_single_node() -> None:
    assert within("one-voter").saw("leader", "")
    assert within("av-nothing-arrives").saw("leader", "leader")
    assert not any("leader" in picture for picture in within("nothing-arrives").pictures)


def test_008_old_messages() -> None:
    again = within("repeats")
    once = explored(replace(SCOPES["repeats"], name="once", faults=()))
    assert again.pictures == once.pictures  # what comes twice leads nowhere that it does not lead to once


def test_009_vote_against_promise() -> None:
    claims = [s for s in everywhere("plain", "cold", "stop", "restart-leader") if s.given == "claim"]
    answers = {(s.before, answer) for s in claims for answer in s.sent if answer in ("grant", "refuse")}
    assert {("follower", "refuse"), ("follower", "grant"), ("seeking", "grant"), ("seeking", "refuse")} <= answers


def test_010_state_transition() -> None:
    changes = {
        (s.before, s.after) for s in everywhere(*(n for n in SCOPES if n.startswith(("av-", "cold", "plain", "hand"))))
    }
    assert changes
    assert not changes & {
        ("follower", "leader"),
        ("seeking", "leader"),
        ("leader", "candidate"),
        ("leader", "follower"),
    }


def test_011_claim_deposes_nobody() -> None:
    claims = within("plain").happened("claim", before="leader") + within("late-claims").happened(
        "claim", before="leader"
    )
    assert claims
    lasting = [s for s in claims if "resign" not in s.sent]  # else its lease was over before the claim came
    assert {s.after for s in lasting} == {"leader"}
    assert not [s for s in lasting if "grant" in s.sent]


def is_freed(found: Explored) -> bool:
    """A leader raised its term for c, which had promised above it, led on, and all follow it."""
    raised = [s for s in found.seen if s.host == "a" and s.before == s.after == "leader" and "claim" in s.sent]
    left = [s for s in found.seen if s.host == "a" and s.before == "leader" != s.after and "resign" not in s.sent]
    return bool(raised) and not left and found.saw("leader", "follower", "follower")


def test_012_leader_raises_past_a_floor_and_leads_on() -> None:
    """c has promised above its leader's term: to a candidate that came to nothing, or in a former session."""
    found = within("av-raise")
    assert is_freed(found)
    assert not [s for s in found.seen if s.host == "a" and s.before == "leader" != s.after]
    assert is_freed(within("restart-voter"))  # here its lease may be over, and it says so


def test_013_late_grant_counts_for_nothing() -> None:
    late = within("late-grants").happened("grant", before="seeking") + within("late-grants").happened(
        "grant", before="follower"
    )
    assert late
    assert all(s.before == s.after for s in late)


def test_014_answer_to_a_preparation_is_no_vote() -> None:
    late = [s for s in everywhere("hand-over", "priority") if s.given in ("pre-vote grant", "pre-vote refuse")]
    assert not [s for s in late if s.after == "leader" != s.before]


def test_015_acknowledged_leader_leads_on() -> None:
    kept = within("late-acks").happened("ack", before="leader")
    assert kept
    assert all(s.after == "leader" or "resign" in s.sent for s in kept)  # and the lease never shrinks: LEASE


def test_016_lease_that_is_over_ends_leadership() -> None:
    assert within("plain").happened("timer", host="a", before="leader", after="seeking", sent="resign")
    assert within("plain").saw("", "leader", "")


def test_017_claim_inside_a_promise_and_after_it() -> None:
    found = within("plain")
    assert found.happened("claim", host="c", before="follower", sent="refuse")
    assert found.happened("claim", host="c", sent="grant")


def test_018_election_after_the_hold() -> None:
    assert within("cold").happened("grant", before="candidate", after="leader")


def test_019_isolated_candidate_returns() -> None:
    found = explored(
        scope("stuck", 1.2, asleep=frozenset({1}), late_ticks=1, carries=SCOPES["plain"].carries, term_max=3)
    )
    assert found.saw("leader", "candidate", "")
    assert not found.happened("claim", host="a", before="leader", after="seeking")


def test_020_non_voter_is_not_counted() -> None:
    found = within("non-voter")
    assert found.happened("claim", host="a")  # a is asked,
    assert not any(picture[0] == picture[1] == "leader" for picture in found.pictures)
    assert within("four-hosts").saw("leader", "", "")


def _disruptive() -> Explored:
    """b has slept, and believes that nobody leads."""
    return explored(scope("disruptive", 1.2, stalls=frozenset({1}), asleep=frozenset({1}), carries=VOTES))


def test_021_disruptive_follower_is_refused() -> None:
    assert _disruptive().happened("claim", host="c", before="follower")
    assert not _disruptive().happened("claim", host="c", before="follower", sent="grant")


def test_022_disruptive_follower_deposes_nobody() -> None:
    claims = _disruptive().happened("claim", host="a", before="leader")
    assert claims
    assert {s.after for s in claims} == {"leader"}


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


def test_033_lagging_node_completes_an_election() -> None:
    found = explored(
        scope("lagging", 2.6, Fault("crash", 0), asleep=frozenset({1}), stalls=frozenset({1}), carries=VOTES)
    )
    assert found.saw("-", "leader", "")


def test_034_votes_split_evenly() -> None:
    assert within("four-voters").saw("candidate", "candidate", "", "")
    assert within("four-voters").saw("leader", "", "", "")


def test_035_no_claim_before_the_own_promise_is_over() -> None:
    assert within("plain").happened("timer", host="b", before="follower", after="candidate")  # PROMISED, in all scopes


def test_036_observer_votes_and_never_claims() -> None:
    found = within("observer")
    assert not any(role in ("candidate", "leader") for picture in found.pictures for role in picture[1:])
    assert within("cold").happened("claim", host="c", sent="grant")


def test_038_resignation_frees_and_belief_does_not() -> None:
    assert within("stop").happened("claim", host="c", before="seeking", sent="grant")
    assert within("false-obituary").happened("believe", host="b", before="follower", after="seeking")


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


def test_049_late_words_of_who_left() -> None:
    found = explored(replace(SCOPES["stop"], name="late-goodbyes", late_ticks=1, ticks=0.5))
    assert found.saw("", "leader", "")


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


def test_059_higher_one_takes_over() -> None:
    found = within("priority")
    assert found.happened("ready", host="a", before="leader", after="seeking", sent="resign")


def test_060_priority_0_gives_way_at_once() -> None:
    found = within("priority")
    assert found.happened("priority", host="a", before="leader", sent="offer")  # priority 0: immediately


def test_061_leader_meets_a_leader() -> None:
    found = within("av-merge")
    assert found.happened("probeack", host="b", before="leader", after="seeking", sent="resign")
    assert not found.happened("probeack", host="a", before="leader", after="seeking")


def test_068_deaf_leader_abdicates() -> None:
    assert within("plain").happened("timer", host="a", before="leader", after="seeking", sent="resign")


def test_071_whoever_reaches_a_majority_wins() -> None:
    assert within("plain").saw("seeking", "leader", "")  # a's links are cut but b's: all that is lost is lost


def test_072_lowest_rank_wins_where_it_alone_has_a_majority() -> None:
    worst = alike(replace(A, priority=200), replace(B, priority=50), C, voters=("a", "b", "c"))
    assert explored(scope("constrained", 2.2, hosts=worst, carries=VOTES)).saw("", "leader", "")


def test_077_exported_lease_and_obituary() -> None:
    found = within("true-obituary")
    assert found.happened("believe", host="b", before="follower", after="seeking")
    assert found.saw("-", "leader", "")  # after the lease


def test_082_priority_changes_while_it_claims() -> None:
    found = within("priority-cold")
    assert found.happened("priority", host="a", before="candidate", after="seeking", sent="resign")
    assert found.happened("priority", host="a", before="candidate", after="candidate")
    assert found.saw("", "leader", "")


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
    for name in ("lists-apart", "lists-new"):
        found = within(name)
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
