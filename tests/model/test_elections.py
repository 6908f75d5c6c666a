"""Who is elected, and who is not: scenarios that are marked M, in every order of their events. That no invariant is broken on
the way is part of each (`explored`); the tests say that the scenario happens in the scope, and what comes of it."""

from dataclasses import replace

import pytest

from kingd.core.wire.message import Claim, Grant, Refuse, Role
from kingd.explorer.scope import Fault
from kingd.explorer.scopes import SCOPES, VOTES, A, B, C, alike, scope
from tests.model.explored import Explored, everywhere, explored, is_freed, within

pytestmark = [pytest.mark.model, pytest.mark.timeout(600)]

ROLES = {role.name.lower() for role in Role}


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


def test_068_deaf_leader_abdicates() -> None:
    assert within("plain").happened("timer", host="a", before="leader", after="seeking", sent="resign")


def test_071_whoever_reaches_a_majority_wins() -> None:
    assert within("plain").saw("seeking", "leader", "")  # a's links are cut but b's: all that is lost is lost


def test_072_lowest_rank_wins_where_it_alone_has_a_majority() -> None:
    worst = alike(replace(A, priority=200), replace(B, priority=50), C, voters=("a", "b", "c"))
    assert explored(scope("constrained", 2.2, hosts=worst, carries=VOTES)).saw("", "leader", "")


def test_082_priority_changes_while_it_claims() -> None:
    found = within("priority-cold")
    assert found.happened("priority", host="a", before="candidate", after="seeking", sent="resign")
    assert found.happened("priority", host="a", before="candidate", after="candidate")
    assert found.saw("", "leader", "")
