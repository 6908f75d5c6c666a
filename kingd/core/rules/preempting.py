"""A follower that outranks its leader asks it to step aside: when, and when it waits. docs/protocol.md 4.5.

Strictly higher priority only: equal ones never bounce. The wait doubles with each return of a flapping node."""

from kingd.core.rules import claiming, contact, following
from kingd.core.state.members import Member
from kingd.core.state.node import Node
from kingd.core.timing import MS, NEVER, SECOND
from kingd.core.wire.message import Reason

_WAIT_US_MAX = 600 * SECOND
_AGAIN_US = 1_000 * MS


def arm(node: Node) -> None:
    leader = node.followed()
    if leader is None or not _may_preempt(node, leader):
        return
    if node.preempt_at_us != NEVER:
        if node.waits_for_all and following.knows_all(node, leader):
            node.preempt_at_us = node.now_us
        return
    base_us = node.settings.preempt.wait_us
    wait_us = max(base_us, min(base_us << min(max(0, node.returns - 1), 16), _WAIT_US_MAX))
    turn_us = node.turn_us(without=leader.node)  # the best first: or it would go up step by step
    node.preempt_at_us = max(node.now_us, node.followed_us + wait_us) + turn_us
    node.waits_for_all = False  # it was of a leader before this one


def _may_preempt(node: Node, leader: Member) -> bool:
    return node.priority > leader.priority and node.can_claim and node.settings.preempt.enabled


def on_preempt_time(node: Node) -> None:
    leader = node.followed()
    node.preempt_at_us, node.waits_for_all = NEVER, False
    if leader is None or not _may_preempt(node, leader):
        return
    if not following.knows_all(node, leader):
        contact.verify_heard_of(node)
        following.ask(node, leader, for_roster=True)
        node.preempt_at_us, node.waits_for_all = node.now_us + 2 * node.timing.heartbeat_us, True
        return
    if node.campaign is None:
        same = node.followed_priorities == (leader.priority, node.priority)
        claiming.start(node, Reason.HIGHER_PRIORITY if same else Reason.PRIORITY_CHANGED, prepare=True)
    node.preempt_at_us = node.now_us + (_AGAIN_US << min(node.failures, 2))
