"""What is known of one way, in one direction, between this host and a peer, on one network."""

from kingd.core.state.members import ReplayWindow
from kingd.records import dataclass, field


@dataclass(slots=True)
class Cell:
    """`missed`: how many were sent since the last one that is known to have arrived."""

    sent: int = 0
    got: int = 0
    last_us: int = -1  # when that was learned; -1: none did
    _sent_at_last: int = 0

    def arrived(self, got: int, *, now_us: int) -> None:
        """So many have, of those sent so far: what is older than what is known changes nothing."""
        if got > self.got:
            self.got, self.last_us, self._sent_at_last = got, now_us, self.sent

    def arrived_one(self, *, now_us: int) -> None:
        self.arrived(self.got + 1, now_us=now_us)

    @property
    def missed(self) -> int:
        return max(0, self.sent - self._sent_at_last)


@dataclass(slots=True)
class Heard:
    """Which answers of a peer came by one way."""

    window: ReplayWindow = field(default_factory=ReplayWindow)

    def take(self, number: int) -> bool:
        return self.window.accept(number)
