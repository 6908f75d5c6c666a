"""What a node does again and again, whatever its role: when it is due. docs/protocol.md 4.1.

At rest it has some slack: it is done with whatever wakes the node up within that, a leader's next heartbeat at the latest. A
wake-up costs more than what is done then."""

from kingd.core.state.members import ANNOUNCE_FIRST_US
from kingd.core.timing import MS, NEVER
from kingd.records import dataclass

_AT_REST = len(ANNOUNCE_FIRST_US) + 1
_AT_REST_SLACK_US = 100 * MS


@dataclass(slots=True)
class Rounds:
    """Announcements, sweeps of the tables, and the multicast group joined anew."""

    announce_at_us: int = NEVER
    announce_slack_us: int = 0
    announced: int = 0  # since the start: the first three come quickly
    sweep_at_us: int = NEVER
    sweep_slack_us: int = 0
    rejoined_us: int = -NEVER  # when the multicast group was last joined anew

    @property
    def is_new(self) -> bool:
        """More of its first announcements are to come."""
        return self.announced < len(ANNOUNCE_FIRST_US)

    @property
    def is_at_rest(self) -> bool:
        return self.announced == _AT_REST

    @property
    def announce_wakes_us(self) -> int:
        """When it is announced even if the node has to be woken up for it."""
        return self.announce_at_us + self.announce_slack_us

    @property
    def sweep_wakes_us(self) -> int:
        return self.sweep_at_us + self.sweep_slack_us

    def begin(self, at_us: int) -> None:
        """It announces itself as a newcomer does."""
        self.announced, self.announce_at_us, self.announce_slack_us = 0, at_us, 0

    def announce_by(self, at_us: int) -> None:
        if at_us < self.announce_wakes_us:
            self.announce_at_us, self.announce_slack_us = at_us, 0

    def announce_soon(self, now_us: int) -> None:
        """The first one may have been lost."""
        self.announce_at_us, self.announce_slack_us = now_us + ANNOUNCE_FIRST_US[self.announced], 0
        self.announced += 1

    def announce_later(self, at_us: int) -> None:
        self.announced, self.announce_at_us, self.announce_slack_us = _AT_REST, at_us, _AT_REST_SLACK_US

    def sweep_later(self, at_us: int) -> None:
        self.sweep_at_us, self.sweep_slack_us = at_us, _AT_REST_SLACK_US

    def sweep_by(self, at_us: int) -> None:
        if at_us < self.sweep_wakes_us:
            self.sweep_at_us, self.sweep_slack_us = at_us, 0
