"""The ways through the house that docs/architecture.md lists are there, and are short enough to be walked."""

import re
from pathlib import Path

import pytest

TOP = Path(__file__).parents[2]
SECTION = (TOP / "docs" / "architecture.md").read_text().partition("## Three ways")[2].partition("\n## ")[0]
WAYS = [re.findall(r"^\d+\. `([\w/]+)\.(\w+)`", part, flags=re.M) for part in SECTION.split("\n*")[1:]]


def test_three_ways_of_at_most_ten_functions() -> None:
    assert [0 < len(way) <= 10 for way in WAYS] == [True] * 3


@pytest.mark.parametrize(("module", "function"), sorted({step for way in WAYS for step in way}))
def test_function_is_there(module: str, function: str) -> None:
    source = (TOP / "kingd" / f"{module}.py").read_text()
    assert re.search(rf"^ *(async )?def {function}\(", source, flags=re.M)


ELECTION = "claiming campaigns voting seeking following leading transfer pre_voting will quorum"
LINES_MAX, WORDS_MAX = 1_700, 4_500


def test_election_and_its_page_stay_as_small_as_they_are() -> None:
    rules = [TOP / "kingd" / "core" / "rules" / f"{name}.py" for name in ELECTION.split()]
    assert sum(len(path.read_text().splitlines()) for path in rules) <= LINES_MAX
    assert len((TOP / "docs" / "protocol.md").read_text().split()) <= WORDS_MAX


def test_only_the_modes_ask_which_mode_it_is() -> None:
    rules = (TOP / "kingd" / "core" / "rules").glob("*.py")
    asking = {path.stem for path in rules if "in_quorum_mode" in path.read_text()}
    assert asking == {"mode", "voters"}  # and who may not switch it on or off while it runs
