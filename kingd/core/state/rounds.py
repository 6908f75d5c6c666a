"""What a node does again and again, whatever its role: when it is due. docs/protocol.md 4.1."""

from kingd.core.state.members import ANNOUNCE_FIRST_US
from kingd.core.timing import NEVER
from kingd.records import dataclass

_AT_REST = len(ANNOUNCE_FIRST_US) + 1


@dataclass(slots=True)
class Rounds:
    """Announcements, sweeps of the tables, and the multicast group joined anew."""

    announce_at_us: int = NEVER
    announced: int = 0  # since the start: the first three come quickly
    sweep_at_us: int = NEVER
    rejoined_us: int = -NEVER  # when the multicast group was last joined anew

    @property
    def is_new(self) -> bool:
        """More of its first announcements are to come."""
        return self.announced < len(ANNOUNCE_FIRST_US)

    @property
    def is_at_rest(self) -> bool:
        return self.announced == _AT_REST

    def begin(self, at_us: int) -> None:
        """It announces itself as a newcomer does."""
        self.announced, self.announce_at_us = 0, at_us

    def announce_by(self, at_us: int) -> None:
        self.announce_at_us = min(self.announce_at_us, at_us)

    def announce_soon(self, now_us: int) -> None:
        """The first one may have been lost."""
        self.announce_at_us = now_us + ANNOUNCE_FIRST_US[self.announced]
        self.announced += 1

    def announce_later(self, at_us: int) -> None:
        self.announced, self.announce_at_us = _AT_REST, at_us

    def sweep_at(self, at_us: int) -> None:
        self.sweep_at_us = at_us

    def sweep_by(self, at_us: int) -> None:
        self.sweep_at_us = min(self.sweep_at_us, at_us)
