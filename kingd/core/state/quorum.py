"""The list of voters in force, and what a voter knows of its own past. docs/quorum.md 8."""

from dataclasses import dataclass, field, replace

from kingd.core.settings import Voters
from kingd.core.wire.message import NodeId, SessionId

_NEW_SESSIONS_MAX = 1024


@dataclass(slots=True, kw_only=True)
class Quorum:
    """Empty, in availability mode."""

    voters: Voters  # the one that is wanted is in the settings (rules/voters.py)
    listed_us: int  # since when this node has it, and its timing
    learned: bool  # a voter: knows what its earlier sessions may have promised (rules/quorum.learn)
    new_sessions: set[tuple[NodeId, SessionId]] = field(default_factory=set)  # heard to be blank, while this node is
    blank_since_us: int  # since when it does not ...
    learn_from_us: int  # ... and hears it from others not before this

    def take(self, voters: Voters, *, may_return: bool) -> None:
        """`may_return`: there is a way back to the one before."""
        self.voters = replace(voters, before=replace(self.voters, before=None)) if may_return else voters

    def settle(self) -> None:
        """There is no way back any more."""
        self.voters = replace(self.voters, before=None)

    def restart(self, now_us: int) -> None:
        """Another list, or another lease."""
        self.listed_us = now_us

    def forget(self, now_us: int, *, learn_from_us: int) -> None:
        """It votes from now on, and does not know what it has promised before."""
        self.blank_since_us, self.learn_from_us = now_us, learn_from_us

    def note_new(self, node: NodeId, session: SessionId) -> None:
        if len(self.new_sessions) < _NEW_SESSIONS_MAX:
            self.new_sessions.add((node, session))

    def learn(self) -> None:
        self.learned = True
        self.new_sessions.clear()
