"""Availability mode: to lead is to hold the promise of every member that answers. docs/protocol.md 4.

One refusal stops a claim, and silence stops none, so there is a leader in each part of a cluster that is cut in two: when they
meet, one of them stands down. What a leader knows of the end of its leadership is its own stall."""

from kingd.core.state.members import Member
from kingd.core.state.node import Node
from kingd.core.state.pending import Campaign, Votes
from kingd.core.state.roles import Leader
from kingd.core.wire.message import Claim, Reason


class AvailabilityMode:
    """See mode.py."""

    lost = Reason.STALLED

    def may_be_elected(self, node: Node) -> bool:
        return True

    def is_decided(self, node: Node, campaign: Campaign) -> bool:
        return campaign.required <= campaign.answered

    def is_won(self, node: Node, campaign: Campaign) -> bool:
        """Without one grant this node may lead alone, but not beside a leader that it hears (a deaf leader believes that it has
        nobody: contact is what counts). Of a pre-vote: nobody may be there for the leader, and dead for me."""
        if campaign.claim.pre_vote:
            leader = node.followed()
            return leader is not None and len(campaign.answered | campaign.required) + 1 >= leader.alive
        if campaign.refused:
            return False  # a fellow candidate's promise that did not end in time
        return bool(campaign.granted) or isinstance(node.state, Leader) or not node.hears_foreign_leader()

    def is_lost(self, node: Node, campaign: Campaign) -> bool:
        return bool(campaign.refused)

    def leads_until_us(self, node: Node) -> int:
        assert isinstance(node.state, Leader)
        return node.state.stalls_at_us(node.timing)

    def extend_lease(self, node: Node, votes: Votes) -> None:
        """Nothing is counted."""

    def note_vote(self, node: Node, votes: Votes, voter: Member, *, sent_us: int) -> None:
        """Nothing is counted."""

    def may_promise(self, node: Node, claim: Claim) -> bool:
        return True

    def promise_until_us(self, node: Node, holder: Member, *, leads: bool) -> int:
        return node.now_us + (node.detector.limit_us if leads else node.scale.grant_us)

    def may_renew(self, node: Node, leader: Member) -> bool:
        return False
