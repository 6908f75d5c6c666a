"""What a node has under way: a claim, a hand-over, a survey; each is a `Request`, or has one. The topics' modules know what to
do with it."""

from kingd.core.effect import SurveyRow
from kingd.core.state.members import Member
from kingd.core.state.request import Request
from kingd.core.timing import MS, NEVER
from kingd.core.wire.message import Ballot, Claim, NodeId, Reason, Resign, SessionId
from kingd.records import dataclass, field

_LEASE_GUARD = 50  # so small a part of the lease is its last: what a leader says takes time to arrive


@dataclass(slots=True)
class Votes:
    """For one claim, and then for the leadership that it won. Empty, in availability mode."""

    lease_ms: int = 0  # what the claim said: how long each is counted on, from when it was asked for
    until_us: dict[NodeId, int] = field(default_factory=dict)  # voter -> until when it has promised to this node
    lease_until_us: int = 0  # a majority's promises last so long
    by_list: bool = False  # a majority has promised by the present list, in the generation that this node has
    others_until_us: int = 0  # and until then some promises by a list of other names may last

    def note(self, voter: NodeId, *, sent_us: int) -> None:
        self.until_us[voter] = max(self.until_us.get(voter, 0), sent_us + self.lease_ms * MS)

    def extend(self, until_us: int) -> None:
        """A majority has promised for so long; 0: it has not. It never shrinks: what was proven stays proven."""
        self.lease_until_us = max(self.lease_until_us, until_us)
        self.by_list |= until_us > 0

    @property
    def end_us(self) -> int:
        """When this node, if it leads by them, stops saying so: a little before the lease is over."""
        return self.lease_until_us - self.lease_ms * MS // _LEASE_GUARD

    def is_by_list(self, now_us: int) -> bool:
        """Whether a majority has promised by the present list, and it leads by nothing else."""
        return self.by_list and self.others_until_us <= now_us < self.end_us

    def inherit(self, former: "Votes") -> None:
        """Those for this node's ballot before, each as long as it was given: what users were told may not shrink."""
        self.lease_until_us = max(self.lease_until_us, former.lease_until_us)
        self.by_list |= former.by_list
        self.others_until_us = max(self.others_until_us, former.others_until_us)
        for voter, until_us in former.until_us.items():
            self.until_us[voter] = max(self.until_us.get(voter, 0), until_us)

    def restart(self, *, others: bool) -> None:
        """Only new ones count for more. `others`: other names vote from now on."""
        self.until_us.clear()
        self.by_list = False
        if others:
            self.others_until_us = self.lease_until_us


@dataclass(slots=True)
class Campaign:
    """A claim, the raise of a term, or a pre-vote: whom it asks, and who has answered."""

    claim: Claim
    asked: dict[NodeId, SessionId]
    required: set[NodeId]  # who counts as alive: waited for until the timeout
    votes: Votes = field(default_factory=Votes)
    request: Request | None = None  # None: waits for the ceiling to be durable
    granted: set[NodeId] = field(default_factory=set)
    answered: set[NodeId] = field(default_factory=set)
    refused: set[NodeId] = field(default_factory=set)  # of a claim: for a fellow candidate that I outrank: asked again

    @property
    def due_us(self) -> int:
        """When to ask again, or to decide."""
        return NEVER if self.request is None else self.request.due_us


@dataclass(slots=True)
class PreVote:
    """Whether all would follow this node if their leader stepped aside: the leader is told so, again and again."""

    campaign: Campaign
    target: NodeId  # the leader
    ahead: bool  # in case that it leaves one day
    ready: Request | None = None  # all answered well: this is for the leader

    @property
    def request(self) -> Request | None:
        """The one that is out."""
        return self.ready or self.campaign.request


@dataclass(slots=True)
class Drain:
    """A hand-over that waits until what runs because this node leads has ended."""

    reason: Reason
    to: Member | None  # nobody else
    keep_us: int  # see Transfer
    over_us: int  # it waits no longer
    done: bool = False  # it has ended: the hand-over is under way


@dataclass(slots=True)
class Transfer:
    """Leader's side of stepping aside, until it resigned."""

    reason: Reason
    leaving: bool
    keep_us: int = 0  # how long the successor, chosen by name, keeps it from those who outrank it
    tried: set[NodeId] = field(default_factory=set)
    successor: Member | None = None
    offer: Request | None = None  # to the successor

    @property
    def due_us(self) -> int:
        """When to offer again, or to turn to the next one."""
        return NEVER if self.offer is None else self.offer.due_us


@dataclass(frozen=True, slots=True)
class Prepared:
    """Whom this one could lead, by sessions, if the leader of this ballot left."""

    ballot: Ballot
    successor: SessionId
    others: frozenset[SessionId]


@dataclass(slots=True)
class Yielded:
    """After a resignation in favour of somebody: until it leads, or its time is up."""

    ticket: Resign  # it goes out again, and then it is waited no longer
    request: Request


@dataclass(slots=True)
class Inquiry:
    """A survey in flight, or over: then nothing is due."""

    token: int = 0
    nonce: int = 0
    began_us: int = 0
    asked: list[Member] = field(default_factory=list)
    batches: list[tuple[Request, list[Member]]] = field(default_factory=list)  # who is asked at one time
    waiting: dict[NodeId, int] = field(default_factory=dict)  # who has not answered yet: when it was last asked
    rows: dict[NodeId, SurveyRow] = field(default_factory=dict)  # who has answered

    @property
    def at_us(self) -> int:
        return min(request.due_us for request, _ in self.batches) if self.batches else NEVER
