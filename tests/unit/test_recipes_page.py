"""docs/recipes.md: each recipe is executed by a test, and the one in SQL by these."""

import re
import sqlite3
from contextlib import closing
from pathlib import Path

from tests.recipes import PAGE, recipe, titles

TESTS = Path(__file__).parents[1]


def test_each_recipe_is_executed_by_a_test() -> None:
    """A test names its recipe by the title."""
    named = "".join(file.read_text(encoding="utf-8") for file in TESTS.rglob("test_*.py"))
    assert [title for title in titles() if f'"{title}"' not in named] == []


def test_each_link_within_the_page_leads_somewhere() -> None:
    targets = set(re.findall(r"\]\(#([\w-]+)\)", PAGE.read_text(encoding="utf-8")))
    slugs = {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles()}
    assert targets <= slugs


def test_fence_refuses_a_leader_of_the_past() -> None:
    table, update = (block.text for block in recipe("A database that refuses a leader of the past"))
    with closing(sqlite3.connect(":memory:")) as database:
        database.executescript(table)

        def passes(term: int, node_id: str) -> bool:
            row = database.execute(update, {"KINGD_TERM": term, "KINGD_NODE_ID": node_id}).fetchone()
            return row is not None

        assert [passes(*each) for each in ((2, "a"), (2, "a"), (2, "b"), (1, "b"), (3, "b"), (2, "a"))] == [
            True, True, False, False, True, False,
        ]  # fmt: skip
