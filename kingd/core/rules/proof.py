"""What there is to show for a change, when it comes about: numbers that this node has at hand. Nothing is decided by them."""

from kingd.core.state.members import Member
from kingd.core.state.node import Node
from kingd.core.state.pending import Campaign
from kingd.core.state.roles import Leader
from kingd.core.wire.message import Reason
from kingd.core.wire.past import NO_EVIDENCE, Evidence, Sign
from kingd.records import replace

LONELY = Evidence(sign=Sign.LONELY)
RESIGNED = Evidence(sign=Sign.RESIGNED)
FOLLOWS_ANOTHER = Evidence(sign=Sign.FOLLOWS_ANOTHER)


def of_silence(node: Node, sign: Sign = Sign.NONE) -> Evidence:
    """The leader that this node follows, or has followed last, is gone."""
    detector = node.detector
    silent_us = node.now_us - detector.evidence_us
    missed = silent_us // detector.interval_us
    return Evidence(sign=sign, silent_us=silent_us, heartbeats=missed, unanswered=detector.asks)


def of_refusal(node: Node) -> Evidence:
    return of_silence(node, Sign.PORT_REFUSED)


def of_return(node: Node) -> Evidence:
    """Its host is back, under another session."""
    return of_silence(node, Sign.NEW_SESSION)


def of_obituary(node: Node, member: Member) -> Evidence:
    return Evidence(sign=Sign.OBITUARY, silent_us=node.now_us - member.heard_us)


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


def of_stall(node: Node) -> Evidence:
    assert isinstance(node.state, Leader)
    return Evidence(sign=Sign.NOT_RUN, lasted_us=node.now_us - node.state.beat_us)


def of_lease(node: Node) -> Evidence:
    """Too few renewed it: how many voters were heard within the time in which each speaks several times. This node is one."""
    since_us, voters = node.now_us - node.timing.leader_timeout_us, set(node.voters.names)
    heard = {m.name for m in node.members.alive() if m.heard_us >= since_us} & voters
    return Evidence(sign=Sign.NOT_RENEWED, agreed=len(heard) + node.is_voter, of=len(voters))
