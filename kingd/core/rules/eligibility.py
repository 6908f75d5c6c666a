"""Whether a node may lead at this moment, and why not."""

from kingd.core.state.node import Node
from kingd.core.state.roles import Leader


def ineligible_reason(node: Node) -> str | None:
    """Why this node must not lead now, or None."""
    if node.namesake.is_there:
        return "duplicate-id"
    if node.priority == 0:
        return "priority-0"
    if node.orders.stopping:
        return "stopping"
    if node.now_us < node.orders.abstain_until_us:
        return "step-down"
    if node.orders.unfit:
        return node.orders.unfit
    return "state-not-writable" if _waits_for_disk(node) else None


def is_eligible(node: Node) -> bool:
    return ineligible_reason(node) is None


def can_claim(node: Node) -> bool:
    """At once: what a pre-vote was held for must not wait for a disk."""
    return is_eligible(node) and _has_term(node)


def _has_term(node: Node) -> bool:
    """The next term that it would claim is durable."""
    return node.term_seen < node.durable.ceiling


def _waits_for_disk(node: Node) -> bool:
    """The term that it needs next has been on the way to the disk for too long. (Who leads or has its claim out has its
    term.)"""
    campaign = node.campaign
    if isinstance(node.state, Leader) or (campaign is not None and campaign.request is not None):
        return False
    return node.durable.is_overdue(node.now_us, node.timing.claim_timeout_us) and not _has_term(node)
