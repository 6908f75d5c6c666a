"""The successor that has asked everybody before its leader leaves. docs/protocol.md 4.5, "Prepared ahead".

A planned stop begins with the resignation then. Follower: asks with its pings, and says Ready once. Leader: remembers
who said so, and of whom."""

from kingd.core.rules import claiming, following, line
from kingd.core.state.members import Member
from kingd.core.state.node import Node
from kingd.core.state.pending import Prepared
from kingd.core.state.roles import Follower
from kingd.core.timing import NEVER
from kingd.core.wire.message import Reason, SessionId


def prepare(node: Node) -> None:
    """If this node comes next: once for each leadership, and again when somebody has come. In a large cluster it would cost too
    much."""
    state, leader = node.state, node.followed()
    if (
        not isinstance(state, Follower)
        or leader is None
        or node.is_large
        or node.detector.is_silent(node.now_us)
        or state.campaign is not None
        or not node.can_claim
        or state.preempt_at_us != NEVER  # it is about to ask for it anyway
        or line.turn_us(node, without=leader.node)
        or not following.knows_all(node, leader)
    ):
        return
    others, last = _others(node, leader), node.succession.prepared
    if last is None or last.ballot != node.leader or not others <= last.others:
        node.succession.prepared = Prepared(ballot=node.leader, successor=node.session, others=others)
        claiming.start(node, Reason.LEADER_LEFT, prepare=True, ahead=True)


def note(node: Node, successor: Member) -> None:
    """It said so to this leader."""
    node.succession.prepared = Prepared(
        ballot=node.ballot, successor=successor.session, others=_others(node, successor)
    )


def is_ready(node: Node, successor: Member) -> bool:
    """For this leadership, and to lead all that are here."""
    prepared = node.succession.prepared
    return (
        prepared is not None
        and (prepared.ballot, prepared.successor) == (node.ballot, successor.session)
        and _others(node, successor) <= prepared.others
    )


def _others(node: Node, member: Member) -> frozenset[SessionId]:
    """Who is here, but for these two."""
    return frozenset(m.session for m in node.members.alive() if m is not member)
