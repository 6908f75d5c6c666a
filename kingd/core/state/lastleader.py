"""The leader that this node follows, or has followed last."""

from dataclasses import dataclass


@dataclass(slots=True)
class LastLeader:
    """What is worth knowing of it when there is none, or the next one has said nothing yet."""

    since_us: int = 0  # when this node began to follow it
    priorities: tuple[int, int] = (0, 0)  # its and mine then
    counted: int = 0  # members, by its word
    returns: int = 0  # how often a leader saw this node come back of late

    def begin(self, now_us: int, *, priority: int, mine: int) -> None:
        self.since_us, self.priorities = now_us, (priority, mine)

    def count(self, members: int) -> None:
        self.counted = members
