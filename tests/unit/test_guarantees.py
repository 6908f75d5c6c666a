"""The worked example of docs/guarantees.md, as it stands there, does what the page says."""

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace

import pytest

from kingd import client

_PAGE = Path(__file__).parents[2] / "docs" / "guarantees.md"
_INSERT = "INSERT INTO work VALUES (?)"

Me = dict[str, object]


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", _PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(tmp_path / "database")) as found:
        found.executescript(blocks("sql")[0])
        found.execute("CREATE TABLE work (what TEXT)")
        found.commit()
        yield found


@pytest.fixture
def example() -> SimpleNamespace:
    names: dict[str, object] = {}
    exec(blocks("python")[0], names)
    return SimpleNamespace(**names)


def work(database: sqlite3.Connection) -> list[str]:
    return [what for (what,) in database.execute("SELECT what FROM work")]


def test_leader_of_the_past_cannot_write(database: sqlite3.Connection, example: SimpleNamespace) -> None:
    old, new = {"term": 6, "holder": "a"}, {"term": 7, "holder": "b"}
    example.write(database, old, _INSERT, ("first",))
    example.write(database, old, _INSERT, ("second",))
    example.write(database, new, _INSERT, ("third",))
    with pytest.raises(example.Deposed):
        example.write(database, old, _INSERT, ("late",))
    example.write(database, new, _INSERT, ("fourth",))
    assert work(database) == ["first", "second", "third", "fourth"]


def test_of_two_leaders_with_one_term_the_first_one_writes(
    database: sqlite3.Connection, example: SimpleNamespace
) -> None:
    example.write(database, {"term": 6, "holder": "a"}, _INSERT, ("first",))
    with pytest.raises(example.Deposed):
        example.write(database, {"term": 6, "holder": "b"}, _INSERT, ("other",))
    assert work(database) == ["first"]


def test_statement_that_fails_leaves_the_fence_as_it_was(
    database: sqlite3.Connection, example: SimpleNamespace
) -> None:
    with pytest.raises(sqlite3.OperationalError):
        example.write(database, {"term": 6, "holder": "a"}, "INSERT INTO nowhere VALUES (1)")
    assert list(database.execute("SELECT term, holder FROM fence")) == [(0, "")]


@pytest.mark.parametrize(("role", "me"), [("leader", {"term": 6, "holder": "a"}), ("follower", None)])
def test_term_and_holder_come_from_one_answer(role: str, me: Me | None, monkeypatch: pytest.MonkeyPatch) -> None:
    status = {"node": {"role": role, "id": "a"}, "term": 6}
    monkeypatch.setattr(client.Client, "status", lambda self: status)
    names: dict[str, object] = {}
    exec(blocks("python")[1], names)
    assert names.get("me") == me
