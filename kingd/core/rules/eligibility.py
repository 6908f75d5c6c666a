"""Whether a node may lead at this moment, and why not: the one place that decides it."""

from kingd.core.state.node import Node
from kingd.core.state.roles import Leader
from kingd.core.wire.message import Ineligible


def ineligible(node: Node) -> Ineligible | None:
    """Why this node may not lead now, or None. Of several reasons the first counts."""
    if node.namesake.is_there:
        return Ineligible.DUPLICATE_ID
    ordered, own = node.orders.unfit_at(node.now_us), None
    if node.priority == 0:
        own = Ineligible.PRIORITY_0
    elif _waits_for_disk(node):
        own = Ineligible.STATE_NOT_WRITABLE
    return min(ordered, own) if ordered and own else ordered or own


def is_eligible(node: Node) -> bool:
    return ineligible(node) is None


def must_not_lead(node: Node) -> bool:
    """Not even if nobody else may."""
    return (why := ineligible(node)) is not None and not why.may_stay


def can_claim(node: Node) -> bool:
    """At once: what a pre-vote was held for must not wait for a disk."""
    return is_eligible(node) and _has_term(node)


def _has_term(node: Node) -> bool:
    """The next term that it would claim is durable."""
    return node.term_seen < node.durable.ceiling


def _waits_for_disk(node: Node) -> bool:
    """The term that it needs next has been on the way to the disk for too long. (Who leads or has its claim out has its
    term.)"""
    if _has_term(node) or isinstance(node.state, Leader):
        return False
    campaign = node.campaign
    if campaign is not None and campaign.request is not None:
        return False
    return node.durable.is_overdue(node.now_us, node.timing.claim_timeout_us)
