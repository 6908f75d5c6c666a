"""What a claim, a raise and a pre-vote have in common: whom they ask, and what is missing of the answers.
docs/protocol.md 4.4. What comes of them is in claiming.py and pre_voting.py."""

from kingd.core.rules import saying
from kingd.core.scale import claim_us
from kingd.core.state.members import Member, State
from kingd.core.state.node import Node
from kingd.core.state.pending import Campaign, Votes
from kingd.core.state.request import Request
from kingd.core.timing import MS
from kingd.core.wire.message import NOBODY, Claim, Grant, NodeId, Reason, Refuse, Term, Ticket


def new(
    node: Node, reason: Reason, *, ticket: Ticket | None = None, target: NodeId = NOBODY, term: int = 0
) -> Campaign:
    """Of everybody, for this term (0: the next one). With a target: whether they would follow if that one stepped aside; it is
    not asked, for its resignation will say so."""
    claim = Claim(
        term=Term(term or max(node.term_seen, node.promise.floor.term) + 1),
        attempt=node.rng.getrandbits(32),
        pre_vote=target != NOBODY,
        reason=reason,
        ticket=ticket,
        lease_ms=node.timing.lease_us // MS if node.is_exclusive else 0,
    )
    # The dead too: they may refuse, and are not waited for.
    asked = [m for m in node.members.verified() if m.state is not State.LEFT and m.node != target]
    silent = node.succession.silent if ticket is not None else frozenset()
    return Campaign(
        claim=claim,
        asked={m.node: m.session for m in asked},
        required={m.node for m in asked if m.state is State.ALIVE and m.node not in silent},
        votes=Votes(lease_ms=claim.lease_ms),
    )


def begin(node: Node, campaign: Campaign) -> None:
    campaign.request = Request(node.now_us, claim_us(node.timing, len(campaign.asked)))
    send(node, campaign)


def send(node: Node, campaign: Campaign) -> None:
    """To all who have not answered; first to who would claim next."""
    found = [node.members.find(*each) for each in campaign.asked.items() if each[0] not in campaign.answered]
    for member in sorted((m for m in found if m is not None), key=lambda m: m.rank):
        saying.send(node, campaign.claim, member)


def send_again(node: Node, member: Member) -> None:
    """It has just challenged us, so it did not believe our claim: now it can."""
    campaign = node.campaign
    if campaign is None or campaign.request is None or member.node in campaign.answered:
        return
    if campaign.asked.get(member.node) == member.session:
        saying.send(node, campaign.claim, member)


def answered(node: Node, campaign: Campaign | None, member: Member, answer: Grant | Refuse) -> Campaign | None:
    """The one that this answers, unless it is over: the attempt is a nonce, so old answers count for nothing."""
    if (
        campaign is None
        or campaign.request is None
        or (campaign.claim.term, campaign.claim.attempt) != (answer.term, answer.attempt)
        or campaign.asked.get(member.node) != member.session
    ):
        node.out.drop("stale-answer")
        return None
    member.contact_us = max(member.contact_us, campaign.request.sent_us)
    if node.is_large and not node.is_exclusive:  # a vote that takes long counts for nothing
        campaign.request.go_on(
            min(node.now_us + node.timing.slot_us, campaign.request.sent_us + node.scale.claim_limit_us)
        )
    return campaign


def is_over_without(campaign: Campaign, member: Member) -> bool:
    """It has died: nobody waits for its answer, and its refusal stands in nobody's way. Whether that was the last."""
    if campaign.asked.get(member.node) != member.session:
        return False
    campaign.required.discard(member.node)
    campaign.refused.discard(member.node)
    return campaign.request is not None and campaign.required <= campaign.answered
