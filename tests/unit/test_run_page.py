"""The table of tests in docs/run.md names those that there are, and all of them."""

import re
from pathlib import Path

TOP = Path(__file__).parents[2]
CLI = [f"tests/cli/test_run{part}.py" for part in ("", "_end", "_terminal")]
FILES = (*CLI, "tests/lan/test_run.py")


def test_table_names_each_test_with_a_number() -> None:
    named = set(re.findall(r"`(test_r\d\d_\w+)`", (TOP / "docs" / "run.md").read_text()))
    there = {
        name for file in FILES for name in re.findall(r"^def (test_r\d\d_\w+)", (TOP / file).read_text(), re.MULTILINE)
    }
    assert named == there
