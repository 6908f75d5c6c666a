"""What there is to show for a change, when it comes about: numbers that this node has at hand. Nothing is decided by them."""

from kingd.core.rules import quorum
from kingd.core.state.members import Member
from kingd.core.state.node import Node
from kingd.core.state.pending import Campaign
from kingd.core.wire.message import Reason
from kingd.core.wire.past import NO_EVIDENCE, Evidence, Sign
from kingd.records import replace


def of_silence(node: Node, sign: Sign = Sign.NONE) -> Evidence:
    """The leader that this node follows, or has followed last, is gone."""
    detector = node.detector
    silent_us = node.now_us - detector.evidence_us
    missed = silent_us // detector.interval_us
    return Evidence(sign=sign, silent_us=silent_us, heartbeats=missed, unanswered=detector.asks)


def of_member(node: Node, member: Member, sign: Sign = Sign.NONE) -> Evidence:
    """Dead, and not the leader."""
    silent_us = node.now_us - member.heard_us
    interval_us = max(member.interval_us, node.scale.announce_us)
    return Evidence(sign=sign, silent_us=silent_us, announcements=silent_us // interval_us)


def of_former(node: Node, reason: Reason) -> Evidence:
    """The leader before this one was given up for that reason: its silence, if this node has followed it."""
    is_silence = reason in (Reason.LEADER_TIMEOUT, Reason.LEADER_CRASHED) and node.last.since_us != 0
    return of_silence(node) if is_silence else NO_EVIDENCE


def of_victory(node: Node, campaign: Campaign) -> Evidence:
    """Whoever was alive when the claim went out was asked; in quorum mode their promises count, and here all are told of."""
    agreed, of = campaign.granted, campaign.required | campaign.granted
    return replace(of_former(node, campaign.claim.reason), agreed=len(agreed), of=len(of))


def of_lease(node: Node) -> Evidence:
    """Too few renewed it; this node's own promise counts, if it votes."""
    voters = len(node.voters.names)
    return Evidence(sign=Sign.NOT_RENEWED, agreed=voters - len(quorum.missing(node, node.now_us)), of=voters)
