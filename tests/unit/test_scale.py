"""What the number of members makes longer, as docs/large-clusters.md 6 tells it."""

from collections.abc import Callable
from pathlib import Path

import pytest

from kingd.core.scale import MEMBERS_MAX, Scale, ask_ahead_us, beat_us, reading_us
from kingd.core.timing import MS, SECOND, Timing

PAGE = Path(__file__).parents[2] / "docs" / "large-clusters.md"
TIMING = Timing()

MADE: dict[str, Callable[[Scale], int]] = {
    "announce": lambda scale: scale.announce_us,
    "missed": lambda scale: scale.missed_us,
    "sweep": lambda scale: scale.sweep_us,
    "ping": lambda scale: scale.ping_us,
    "roster": lambda scale: scale.roster_us,
    "line": lambda scale: scale.line_us,
    "beat": lambda scale: beat_us(scale.timing, scale.members),
    "round": lambda scale: scale.round_us,
    "slot": lambda scale: scale.slot_us,
    "claim limit": lambda scale: scale.claim_limit_us,
    "look": lambda scale: scale.look_us,
    "patience": lambda scale: scale.patience_us,
    "spread": lambda scale: scale.spread_us,
    "turns": lambda scale: scale.turns_us,
    "patient": lambda scale: scale.patient_us(1, after=100),
    "ask ahead": lambda scale: ask_ahead_us(scale.timing, is_large=scale.is_large),
    "reading": lambda scale: reading_us(scale.proven),
    "grant": lambda scale: scale.grant_us,
    "granted": lambda scale: scale.granted_us,
}


def scale(members: int, *, proven: int | None = None) -> Scale:
    proven = proven or members
    return Scale(TIMING, members=members, proven=proven, is_large=proven > 32)


def table() -> tuple[list[int], dict[str, list[str]]]:
    """The numbers of members, and name -> what it is for each."""
    section = PAGE.read_text().partition("\n## 6. ")[2].partition("\n#")[0]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in section.splitlines() if line[:1] == "|"]
    sizes = [int(cell) for cell in rows[0][1:-2]]
    return sizes, {row[0]: row[1:-2] for row in rows[2:]}


def written(name: str, value: int) -> str:
    if name == "patient":
        return f"x {value}"
    unit, of = ("ms", value / MS) if value < SECOND else ("s", value / SECOND)
    return f"{of:.0f} {unit}" if of >= 1000 else f"{of:.3g} {unit}"


def test_the_page_names_each_of_them() -> None:
    own = {name.removesuffix("_us").replace("_", " ") for name in vars(Scale) if name.endswith("_us")}
    assert set(table()[1]) == set(MADE) == own | {"ask ahead", "beat", "reading"}


@pytest.mark.parametrize("name", MADE)
def test_the_page_says_how_long_each_is(name: str) -> None:
    sizes, said = table()
    assert said[name] == [written(name, MADE[name](scale(size))) for size in sizes]


@pytest.mark.parametrize("name", ["turns", "patient", "grant", "granted"])
def test_who_makes_up_a_large_cluster_lets_nobody_wait(name: str) -> None:
    assert MADE[name](scale(4_000, proven=3)) == MADE[name](scale(3))


def test_a_leader_that_counts_more_than_a_table_holds_is_asked_for_no_longer_promise() -> None:
    assert scale(60_000).grant_us == scale(MEMBERS_MAX).grant_us
