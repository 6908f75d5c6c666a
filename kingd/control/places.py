"""Who may stay when the places run out: quotas by user, and places that are kept for those who may change things.

Pure: guests in, a decision out. A uid is the unit, because whoever is one user can open any number of connections.
"""

from collections import Counter
from collections.abc import Collection
from enum import IntEnum
from typing import Protocol, TypeVar

from kingd.records import dataclass


class Rank(IntEnum):
    """Whose wish counts more."""

    ANYBODY = 0
    GROUP = 1  # of control.group
    OWNER = 2  # root, and the daemon's own user


class Use(IntEnum):
    """What a guest does with its place. The least is given up first."""

    NOT_READING = 0  # it was answered, and does not take it
    IDLE = 1
    BUSY = 2


class Guest(Protocol):
    uid: int
    rank: Rank

    @property
    def use(self) -> tuple[Use, float]: ...  # and since when


G = TypeVar("G", bound=Guest)


@dataclass(frozen=True, slots=True)
class Places:
    """`up_to`: how many guests of that rank and all lower ones; `each`: how many of one uid, if it is no owner."""

    up_to: tuple[int, int, int]
    each: int

    def is_full_for(self, rank: Rank, own: int) -> bool:
        """Whether a user that has so many may have no more, however many places are left."""
        return rank < Rank.OWNER and own >= self.each

    def make_room(self, newcomer: G, present: Collection[G]) -> G | None:
        """Who has to go, so that there is room: None = nobody, `newcomer` itself = it may not come in."""
        own = [guest for guest in present if guest.uid == newcomer.uid]
        if self.is_full_for(newcomer.rank, len(own)):
            return newcomer
        if all(_count(present, up_to=rank) < self.up_to[rank] for rank in Rank if rank >= newcomer.rank):
            return None
        lowest = min(guest.rank for guest in present)
        if lowest > newcomer.rank:
            return newcomer
        uids = Counter(guest.uid for guest in present if guest.rank == lowest)
        if lowest == newcomer.rank:
            uids[newcomer.uid] += 1
        if lowest == newcomer.rank and uids[newcomer.uid] == max(uids.values()):
            return _spare(own) or newcomer
        hungriest = max(uids, key=lambda uid: uids[uid])
        return min((guest for guest in present if guest.uid == hungriest), key=lambda guest: guest.use)


def _count(present: Collection[G], *, up_to: Rank) -> int:
    return sum(guest.rank <= up_to for guest in present)


def _spare(own: Collection[G]) -> G | None:
    """One that does nothing: a user's next call is not worth more than its call that is under way."""
    idle = [guest for guest in own if guest.use[0] < Use.BUSY]
    return min(idle, key=lambda guest: guest.use) if idle else None
