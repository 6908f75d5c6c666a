"""What a node has under way: a claim, a hand-over, a survey; and when it is due. The topics' modules know what to do with
it."""

from dataclasses import dataclass, field

from kingd.core.effect import SurveyRow
from kingd.core.scale import reading_us
from kingd.core.state.members import Member
from kingd.core.timing import NEVER, Timing
from kingd.core.wire.message import NOBODY, Ballot, Claim, NodeId, Reason, SessionId, Ticket


@dataclass(slots=True)
class Campaign:
    """A claim of ours in flight: whom we asked, who answered."""

    claim: Claim
    asked: dict[NodeId, SessionId]
    required: set[NodeId]  # who counts as alive: waited for until the timeout
    started_us: int = NEVER  # NEVER: waits for the ceiling to be durable
    sent_us: int = NEVER  # when it first went out: what a vote for it is counted from
    resends: int = 0
    granted: set[NodeId] = field(default_factory=set)
    answered: set[NodeId] = field(default_factory=set)
    refused: set[NodeId] = field(default_factory=set)  # for a fellow candidate that I outrank: asked again
    target: NodeId = NOBODY  # of a prepare: the leader that would step aside
    ready: bool = False  # of a prepare: all answered well, and the leader was told so
    ahead: bool = False  # of a prepare: in case that the leader leaves one day

    def due_us(self, timing: Timing) -> int:
        """When to ask again, or to decide."""
        if self.started_us == NEVER:
            return NEVER
        # Hundreds of answers are read one after the other: who has not been read yet is not asked again.
        return (
            self.started_us
            + reading_us(len(self.asked))
            + timing.answer_us(self.resends, limit_us=timing.claim_timeout_us)
        )


@dataclass(slots=True)
class Drain:
    """A hand-over that waits until what runs because this node leads has ended."""

    reason: Reason
    to: Member | None  # nobody else
    keep_us: int  # see Handover
    over_us: int  # it waits no longer
    done: bool = False  # it has ended: the hand-over is under way


@dataclass(slots=True)
class Handover:
    """Leader's side of stepping aside, until it resigned."""

    reason: Reason
    leaving: bool
    successor: Member | None = None
    keep_us: int = 0  # how long the successor, chosen by name, keeps it from those who outrank it
    tried: set[NodeId] = field(default_factory=set)
    resends: int = 0
    offered_us: int = 0

    def due_us(self, timing: Timing) -> int:
        """When to offer again, or to turn to the next one."""
        return self.offered_us + timing.answer_us(self.resends, limit_us=timing.prepare_us)


@dataclass(frozen=True, slots=True)
class Prepared:
    """Whom this one could lead, by sessions, if the leader of this ballot left."""

    ballot: Ballot
    successor: SessionId
    others: frozenset[SessionId]


@dataclass(slots=True)
class Yielded:
    """After a resignation in favour of somebody: until it leads, or its time is up."""

    ticket: Ticket
    reason: Reason
    leaving: bool
    since_us: int
    resends: int = 0

    def due_us(self, timing: Timing) -> int:
        """When to send the ticket again, or to wait no longer."""
        return self.since_us + timing.answer_us(self.resends, limit_us=timing.handover_us)


@dataclass(slots=True)
class Inquiry:
    """A survey in flight."""

    token: int
    nonce: int
    began_us: int
    asked: list[Member]
    waiting: dict[NodeId, int] = field(default_factory=dict)  # who has not answered yet: when it was last asked
    queue: list[Member] = field(default_factory=list)  # who is still to be asked in this round
    rounds: int = 0
    next_us: int = NEVER  # when the next ones are asked, or it is over
    rows: dict[NodeId, SurveyRow] = field(default_factory=dict)  # who has answered
