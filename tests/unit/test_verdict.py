"""Rise and fall: when a check has failed, or succeeded, often enough."""

import pytest

from kingd.check.verdict import Verdict


@pytest.mark.parametrize(
    ("rise", "fall", "runs", "verdicts"),
    [
        (2, 3, "+", "+"),
        (2, 3, "-", "-"),  # nobody knows better
        (2, 3, "+--+--+---", "+++++++++-"),
        (2, 3, "-+-++", "----+"),
        (1, 1, "+-+-", "+-+-"),
        (3, 2, "+-+--+++", "++++---+"),
        (2, 3, "-++---++", "--+++--+"),
    ],
)
def test_verdict_after_each_run(rise: int, fall: int, runs: str, verdicts: str) -> None:
    verdict, found = Verdict(rise=rise, fall=fall), ""
    for run in runs:
        before = verdict.fit
        assert verdict.note(ok=run == "+") is (verdict.fit is not before)
        found += "+" if verdict.fit else "-"
    assert found == verdicts


def test_before_the_first_run_nothing_is_known() -> None:
    assert Verdict(rise=1, fall=1).fit is None


def test_reload_keeps_what_is_known_and_counts_on() -> None:
    verdict = Verdict(rise=2, fall=3)
    for ok in (True, False, False):
        verdict.note(ok=ok)
    verdict.configure(rise=2, fall=5)
    assert (verdict.note(ok=False), verdict.note(ok=False), verdict.note(ok=False)) == (False, False, True)
