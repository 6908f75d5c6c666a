"""The checker finds what it is for: each mutant is explored in the scope that has what it takes, and so is the real core."""

from concurrent.futures import Future

import pytest

from kingd.explorer.scopes import SCOPES
from tests.model import lists, mutants
from tests.model.explored import Explored, Mutant, begin, explored, is_freed

pytestmark = [pytest.mark.model, pytest.mark.timeout(600)]

# the row of the table of what breaks quorum safety -> the rule that is taken out, where, and what that comes to
MUTANTS: dict[str, tuple[Mutant, str, str]] = {
    "old leader resumes after a hand-over": (mutants.leader_resumes_after_a_hand_over, "hand-over", "Q1"),
    "ticket not bound to ballot and session": (mutants.ticket_is_bound_to_its_bearer_only, "late-tickets", "Q1"),
    "ticket while the lease counts": (mutants.ticket_is_given_while_the_lease_counts, "hand-over", "Q1"),
    "false obituary": (mutants.belief_in_a_death_frees_the_promise, "false-obituary", "Q1"),
    "true obituary and an exported lease": (mutants.belief_in_a_death_frees_the_promise, "true-obituary", "Q1"),
    "unreachable means dead": (mutants.unreachable_means_dead, "silence", "Q1"),
    "promise shorter than the lease": (mutants.promise_is_shorter_than_the_lease, "plain", "Q1"),
    "lease from the time of the answer": (mutants.lease_counts_from_the_answer, "late-acks", "Q1"),
    "no hold after a start": (mutants.voter_starts_without_a_hold, "restart-voter", "Q1"),
    "ceiling lost": (mutants.voter_forgets_its_ceiling, "forget", "Q2"),
    "another's longer promise forgotten": (mutants.voter_waits_for_its_own_promise_only, "forget-mixed", "Q1"),
    "slot not exclusive": (mutants.promise_is_not_exclusive, "plain", "Q1"),
    "everybody counted": (mutants.everybody_votes, "four-hosts", "Q2"),
}

# other rules: what is done instead, where, and the invariant that tells
RULES: dict[str, tuple[Mutant, str, str]] = {
    "12: a raise led at once": (mutants.raise_is_led_before_it_is_granted, "restart-voter", "Q2"),
    "31: a second ticket": (mutants.second_successor_gets_a_ticket_too, "second-ticket", "TICKET"),
    "31: a ticket prolonged": (mutants.second_order_prolongs_the_ticket, "second-ticket", "TICKET"),
    "31: a ticket for the former one": (mutants.whoever_is_ready_gets_the_ticket, "second-transfer", "TICKET"),
    "43: neither gives way": (mutants.no_namesake_gives_way, "namesake", "DUPLICATE"),
    "43: both give way": (mutants.every_namesake_gives_way, "av-namesake-newer", "DUPLICATE"),
    "43: the newcomer stays": (mutants.newcomer_takes_the_id, "av-namesake-older", "DUPLICATE"),
    "88: each is the first": (lists.nobody_follows_to_a_list, "lists-apart", "STUCK"),
    "88: lists that fork": (lists.leader_makes_the_next_list_at_once, "lists-fork", "Q1"),
    "88: an older list": (lists.any_list_is_taken, "lists-apart", "LISTS"),
    "102: any term": (mutants.any_term_is_believed, "poison", "TERM"),
    "102: terms jump": (mutants.terms_may_jump, "poison-led", "TERM"),
}


def _begin(row: str) -> Future[Explored]:
    mutant, scope, invariant = (MUTANTS | RULES)[row]
    return begin(SCOPES[scope], mutant, invariant[0])


@pytest.fixture(scope="module", autouse=True)
def _all_at_once() -> None:
    for row in MUTANTS | RULES:
        _begin(row)


@pytest.mark.parametrize("row", MUTANTS)
def test_106_mutant_is_caught(row: str) -> None:
    found = _begin(row).result()
    assert found.wrong is not None, f"{found.states} states, and nothing wrong"
    assert found.wrong.startswith(MUTANTS[row][2]), found.trace


@pytest.mark.parametrize("row", RULES)
def test_rule_is_needed(row: str) -> None:
    found = _begin(row).result()
    assert found.wrong is not None, f"{found.states} states, and nothing wrong"
    assert found.wrong.startswith(RULES[row][2]), found.trace


@pytest.mark.parametrize("mutant", [mutants.leader_resigns_before_a_higher_floor, mutants.floors_raise_nothing])
def test_012_nobody_is_freed_without_the_raise(mutant: Mutant) -> None:
    assert not is_freed(begin(SCOPES["av-raise"], mutant, "-").result())


@pytest.mark.parametrize("scope", sorted({scope for _, scope, _ in (MUTANTS | RULES).values()}))
def test_106_the_core_passes_where_its_mutants_are_caught(scope: str) -> None:
    assert explored(SCOPES[scope]).states > 1
