"""The list of voters in force, and what a voter knows of its own past. docs/quorum.md 8."""

from collections.abc import Iterable

from kingd.core.settings import Voters
from kingd.core.wire.message import Header, SessionId
from kingd.records import dataclass


@dataclass(slots=True, kw_only=True)
class Quorum:
    """Empty, in availability mode."""

    voters: Voters  # the one that is wanted is in the settings (rules/voters.py)
    listed_us: int  # since when this node has it
    recovered: bool  # a voter: what its earlier sessions may have promised is known, and on the disk
    recovering_since_us: int  # since when it does not ...
    recover_from_us: int  # ... and hears it from others not before this
    bound_until_us: int = 0  # a voter that a list left out: how long what it had promised binds it
    learned: bool = False  # others have told it that (rules/quorum.learns), and the disk does not hold it yet
    begun_with: frozenset[SessionId] = frozenset()  # voters that were as new as this one: the cluster began with them
    told_begun: bool = False  # one of those says so of this session

    def take(self, voters: Voters, *, bound_until_us: int) -> None:
        self.voters, self.bound_until_us = voters, bound_until_us
        self.begun_with, self.told_begun = frozenset(), False

    def restart(self, now_us: int) -> None:
        """Another list, or another lease."""
        self.listed_us = now_us

    def forget(self, now_us: int, *, recover_from_us: int) -> None:
        """It votes from now on, and does not know what it has promised before."""
        self.recovering_since_us, self.recover_from_us = now_us, recover_from_us

    def asks_us(self, now_us: int, each_us: int) -> int:
        """When it asks next what it may have promised."""
        return min(now_us + each_us, self.recover_from_us) if now_us < self.recover_from_us else now_us + each_us

    def begin(self, sessions: Iterable[SessionId]) -> None:
        self.begun_with |= frozenset(sessions)

    def note_begun(self, header: Header, session: SessionId) -> None:
        """It counts only if it is said to this session, and by the same list."""
        if header.begun and header.receiver == session and header.voters == self.voters.id:
            self.told_begun = True

    @property
    def knows(self) -> bool:
        return self.recovered or self.learned

    def learn(self) -> None:
        self.learned = True

    def recover(self, *, is_durable: bool) -> None:
        self.recovered = is_durable
