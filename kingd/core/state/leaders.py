"""The leader that this node follows or has followed last, and those that it hears and does not follow: links may work in one
direction only. docs/protocol.md 4.1.

What was recorded may be played again: nothing here rests on one heartbeat, or on heartbeats of several leaders."""

from kingd.core.wire.message import NO_SESSION, SEQUENCE_MAX, SessionId
from kingd.records import dataclass, field

_SEQUENCES_MAX = 1024


@dataclass(slots=True)
class ForeignLeaders:
    """Not followed. One of them counts at a time: whose heartbeat was heard last."""

    session: SessionId = NO_SESSION  # whose heartbeat was heard last
    since_us: int = 0  # the first of those that were heard from it without a gap
    heard_us: int = -1  # the last one
    lonely: bool = False  # nobody had proven of late that it hears that one
    sequences: dict[SessionId, int] = field(default_factory=dict)  # of unverified sessions: the newest heartbeat

    def is_heard(self, now_us: int, timeout_us: int) -> bool:
        return self.heard_us >= 0 and now_us - self.heard_us < timeout_us

    def hear(self, session: SessionId, *, lonely: bool, now_us: int, timeout_us: int) -> None:
        if session != self.session or not self.is_heard(now_us, timeout_us):
            self.session, self.since_us = session, now_us
        self.heard_us, self.lonely = now_us, lonely

    @property
    def for_us(self) -> int:
        """From the first to the last of them, so that one that was replayed is nothing."""
        return self.heard_us - self.since_us

    def advances(self, session: SessionId, sequence: int) -> bool:
        """What was recorded holds nobody up for longer than it took to record: its numbers advance once."""
        newest = self.sequences.pop(session, 0)
        while len(self.sequences) >= _SEQUENCES_MAX:
            del self.sequences[next(iter(self.sequences))]
        self.sequences[session] = max(newest, sequence)
        return sequence > newest

    def end(self, session: SessionId) -> None:
        """It was replaced here, and leads no more."""
        self.advances(session, SEQUENCE_MAX)


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
