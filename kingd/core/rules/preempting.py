"""A follower that outranks its leader asks it to step aside: when, and when it waits. docs/protocol.md 4.5.

Strictly higher priority only: equal ones never bounce. The wait doubles with each return of a flapping node."""

from kingd.core.rules import claiming, contact, following, line
from kingd.core.state.members import Member
from kingd.core.state.node import Node
from kingd.core.state.roles import Follower
from kingd.core.timing import MS, NEVER, SECOND
from kingd.core.wire.message import Reason

_WAIT_US_MAX = 600 * SECOND
_AGAIN_US = 1_000 * MS


def arm(node: Node) -> None:
    state, leader = node.state, node.followed()
    if not isinstance(state, Follower) or leader is None or not _may_preempt(node, leader):
        return
    if state.preempt_at_us != NEVER:
        if state.waits_for_all and following.knows_all(node, leader):
            state.put_off_preempting(node.now_us, waits_for_all=True)
        return
    base_us = node.settings.preempt.wait_us
    wait_us = max(base_us, min(base_us << min(max(0, node.last.returns - 1), 16), _WAIT_US_MAX))
    turn_us = line.turn_us(node, without=leader.node)  # the best first: or it would go up step by step
    state.put_off_preempting(max(node.now_us, node.last.since_us + wait_us) + turn_us)


def _may_preempt(node: Node, leader: Member) -> bool:
    return node.priority > leader.priority and node.can_claim and node.settings.preempt.enabled


def on_preempt_time(node: Node) -> None:
    state, leader = node.state, node.followed()
    assert isinstance(state, Follower)
    state.put_off_preempting(NEVER)
    if leader is None or not _may_preempt(node, leader):
        return
    if not following.knows_all(node, leader):
        contact.verify_heard_of(node)
        following.ask(node, leader, for_roster=True)
        state.put_off_preempting(node.now_us + 2 * node.timing.heartbeat_us, waits_for_all=True)
        return
    if state.campaign is None:
        same = node.last.priorities == (leader.priority, node.priority)
        claiming.start(node, Reason.HIGHER_PRIORITY if same else Reason.PRIORITY_CHANGED, prepare=True)
    state.put_off_preempting(node.now_us + (_AGAIN_US << min(node.backoff.failures, 2)))
