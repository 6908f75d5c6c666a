"""The list of voters in force, and what a voter knows of its own past. docs/quorum.md 8."""

from kingd.core.settings import Voters
from kingd.core.wire.message import NodeId, SessionId
from kingd.records import dataclass, field, replace

_NEW_SESSIONS_MAX = 1024


@dataclass(slots=True, kw_only=True)
class Quorum:
    """Empty, in availability mode."""

    voters: Voters  # the one that is wanted is in the settings (rules/voters.py)
    listed_us: int  # since when this node has it, and its timing
    recovered: bool  # a voter: knows what its earlier sessions may have promised (rules/quorum.recover)
    new_sessions: set[tuple[NodeId, SessionId]] = field(
        default_factory=set
    )  # heard to be recovering, while this node is
    recovering_since_us: int  # since when it does not ...
    recover_from_us: int  # ... and hears it from others not before this

    def take(self, voters: Voters, *, may_return: bool) -> None:
        """`may_return`: there is a way back to the one before."""
        self.voters = replace(voters, before=replace(self.voters, before=None)) if may_return else voters

    def settle(self) -> None:
        """There is no way back any more."""
        if self.voters.before is not None:
            self.voters = replace(self.voters, before=None)

    def restart(self, now_us: int) -> None:
        """Another list, or another lease."""
        self.listed_us = now_us

    def forget(self, now_us: int, *, recover_from_us: int) -> None:
        """It votes from now on, and does not know what it has promised before."""
        self.recovering_since_us, self.recover_from_us = now_us, recover_from_us

    def note_new(self, node: NodeId, session: SessionId) -> None:
        if len(self.new_sessions) < _NEW_SESSIONS_MAX:
            self.new_sessions.add((node, session))

    def recover(self) -> None:
        self.recovered = True
        self.new_sessions.clear()
