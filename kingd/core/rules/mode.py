"""Who says that a node may lead, and until when: what the two modes of a cluster answer, each in a file of its own
(availability.py, quorum.py). docs/architecture.md, "Two modes".

A mode is a value without state: what it judges by is in the node. The rules ask it, and know neither the one nor the other;
what only matters to them is whether leadership is exclusive (`Node.is_exclusive`). A third mode, in which a store hands out
leases, is a third class, and one more line in `of`."""

from typing import Protocol

from kingd.core.rules.availability import AvailabilityMode
from kingd.core.rules.quorum import QuorumMode
from kingd.core.state.members import Member
from kingd.core.state.node import Node
from kingd.core.state.pending import Campaign, Votes
from kingd.core.wire.message import Claim, Reason


class Mode(Protocol):
    """How leadership is got, kept and lost."""

    lost: Reason
    """With which a leader stops that may lead no more."""

    # -- may I lead?

    def may_be_elected(self, node: Node) -> bool:
        """Whether a claim of this node can be won, as far as it hears."""

    def is_decided(self, node: Node, campaign: Campaign) -> bool:
        """Whether no further answer can change what becomes of it."""

    def is_won(self, node: Node, campaign: Campaign) -> bool:
        """Whether this node leads by the answers that have come, when it is decided or its time is up. Of a pre-vote: whether
        it would."""

    def is_lost(self, node: Node, campaign: Campaign) -> bool:
        """Whether those who refused for the sake of a leader leave nothing to be won."""

    # -- until when?

    def leads_until_us(self, node: Node) -> int:
        """When a leader, without a further word from anybody, says so no more."""

    def extend_lease(self, node: Node, votes: Votes) -> None:
        """What has been promised to this node counts from now."""

    # -- who says so?

    def note_vote(self, node: Node, votes: Votes, voter: Member, *, sent_us: int) -> None:
        """`voter` promised, in answer to what was sent then."""

    def may_promise(self, node: Node, claim: Claim) -> bool:
        """Whether this node's promise may be given at all: it says nothing about to whom."""

    def promise_until_us(self, node: Node, holder: Member, *, leads: bool) -> int:
        """How long this node's promise lasts, to a candidate or to a leader that was heard just now."""

    def may_renew(self, node: Node, leader: Member) -> bool:
        """Whether the leader is told, and counts on it, that it was heard."""


AVAILABILITY: Mode = AvailabilityMode()
QUORUM: Mode = QuorumMode()


def of(node: Node) -> Mode:
    return QUORUM if node.in_quorum_mode else AVAILABILITY
