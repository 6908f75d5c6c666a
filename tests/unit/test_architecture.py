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
