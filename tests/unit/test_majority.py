"""docs/quorum.md 1, 3: what votes prove, whoever casts them."""

from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st

from kingd.core.rules.majority import has_lost, has_won, majority, proven_until_us

NAMES = [f"box{i}" for i in range(9)]
VOTERS = st.lists(st.sampled_from(NAMES), min_size=1, unique=True).map(tuple)
SOME = st.sets(st.sampled_from([*NAMES, "stranger"]))
PROMISED_US = st.dictionaries(st.sampled_from([*NAMES, "stranger"]), st.integers(1, 10**9))


@given(VOTERS)
def test_two_majorities_share_a_voter_and_no_fewer_would_do(voters: tuple[str, ...]) -> None:
    need = majority(len(voters))
    assert all(set(a) & set(b) for a in combinations(voters, need) for b in combinations(voters, need))
    assert 2 * (need - 1) <= len(voters)  # two halves share nobody


@given(VOTERS, st.sampled_from(NAMES))
def test_majorities_of_lists_that_differ_by_one_name_share_a_voter(voters: tuple[str, ...], more: str) -> None:
    """quorum.md 10: who has which of the two lists does not matter."""
    longer = {*voters, more}
    of_both = (combinations(each, majority(len(each))) for each in (voters, sorted(longer)))
    shorter_ones, longer_ones = map(list, of_both)
    assert all(set(a) & set(b) for a in shorter_ones for b in longer_ones)


@given(VOTERS, SOME)
def test_won_by_more_than_half_of_the_voters_and_by_nobody_else(voters: tuple[str, ...], granted: set[str]) -> None:
    assert has_won(voters, granted) == (2 * sum(name in granted for name in voters) > len(voters))


@given(VOTERS, SOME)
def test_lost_when_all_others_together_would_not_win(voters: tuple[str, ...], refused: set[str]) -> None:
    assert has_lost(voters, refused) == (not has_won(voters, set(voters) - refused))


@given(VOTERS, PROMISED_US)
def test_lease_ends_when_the_promises_that_run_are_a_majority_no_more(
    voters: tuple[str, ...], promised_us: dict[str, int]
) -> None:
    until_us = proven_until_us(voters, promised_us)
    for now_us in {0, *(at_us + late_us for at_us in promised_us.values() for late_us in (-1, 0, 1))}:
        live = {name for name, end_us in promised_us.items() if now_us < end_us}
        assert (now_us < until_us) == has_won(voters, live)


@given(VOTERS, PROMISED_US, st.sampled_from(NAMES), st.integers(1, 10**9))
def test_one_more_promise_shortens_no_lease(
    voters: tuple[str, ...], promised_us: dict[str, int], voter: str, until_us: int
) -> None:
    more = promised_us | {voter: max(until_us, promised_us.get(voter, 0))}
    assert proven_until_us(voters, more) >= proven_until_us(voters, promised_us)
