"""Who gives its place up when there is none left."""

from dataclasses import dataclass

import pytest

from kingd.control.places import Places, Rank, Use

PLACES = Places((6, 8, 10), each=4)


@dataclass(eq=False)
class Guest:
    uid: int
    rank: Rank = Rank.ANYBODY
    use: tuple[Use, float] = (Use.BUSY, 0.0)


def guests(*uids: int, rank: Rank = Rank.ANYBODY, use: Use = Use.BUSY) -> list[Guest]:
    return [Guest(uid, rank, (use, float(number))) for number, uid in enumerate(uids)]


def make_room(newcomer: Guest, present: list[Guest]) -> Guest | None:
    return PLACES.make_room(newcomer, present)


def test_there_is_room() -> None:
    assert make_room(Guest(1), guests(1, 1, 1)) is None


def test_one_user_has_a_quota_however_empty_it_is() -> None:
    newcomer = Guest(1)
    assert make_room(newcomer, guests(1, 1, 1, 1)) is newcomer
    assert make_room(Guest(2), guests(1, 1, 1, 1)) is None


def test_owners_have_no_quota() -> None:
    assert make_room(Guest(0, Rank.OWNER), guests(*[0] * 9, rank=Rank.OWNER)) is None


def test_the_hungriest_user_gives_one_up() -> None:
    present = guests(1, 1, 1, 2, 2, 3)
    assert make_room(Guest(4), present) is present[0]


def test_among_its_own_who_does_not_read_goes_first_and_then_who_is_idle_longest() -> None:
    busy, idle = guests(1, 2, 2), guests(1, 1, use=Use.IDLE)
    deaf = Guest(1, use=(Use.NOT_READING, 9.0))
    assert make_room(Guest(4), [*busy, *idle, deaf]) is deaf
    assert make_room(Guest(4), [*busy, *idle, Guest(5)]) is idle[0]


def test_the_hungriest_user_takes_nobody_elses_place() -> None:
    newcomer = Guest(1)
    assert make_room(newcomer, guests(1, 1, 2, 2, 3, 3)) is newcomer
    present = [*guests(1, 1, use=Use.IDLE), *guests(2, 2, 3, 3)]
    assert make_room(newcomer, present) is present[0]


@pytest.mark.parametrize("rank", [Rank.GROUP, Rank.OWNER])
def test_places_are_kept_for_those_who_may_change_things(rank: Rank) -> None:
    present = guests(1, 1, 1, 2, 2, 2)
    assert make_room(Guest(7, rank), present) is None
    assert make_room(Guest(7, rank), [*present, *guests(8, 9, rank=Rank.GROUP)]) in (None, present[0])


def test_owners_take_the_place_of_anybody_else() -> None:
    present = [*guests(1, 2), *guests(*[0] * 6, rank=Rank.OWNER), *guests(8, 8, rank=Rank.GROUP)]
    assert make_room(Guest(0, Rank.OWNER), present) is present[0]
    present = [*guests(*[0] * 8, rank=Rank.OWNER), *guests(8, 8, rank=Rank.GROUP)]
    assert make_room(Guest(0, Rank.OWNER), present) is present[8]


def test_nobody_takes_the_place_of_an_owner() -> None:
    newcomer = Guest(1)
    assert make_room(newcomer, guests(*[0] * 10, rank=Rank.OWNER)) is newcomer


def test_never_more_than_there_are_places() -> None:
    """Whoever comes, in whatever order."""
    present: list[Guest] = []
    for number in range(2000):
        rank = Rank(number * 7 % 3)
        newcomer = Guest(number * 13 % 11, rank, (Use(number % 3), float(number)))
        leaver = make_room(newcomer, present)
        present = [guest for guest in [*present, newcomer] if guest is not leaver]
        for limit in Rank:
            assert sum(guest.rank <= limit for guest in present) <= PLACES.up_to[limit]
