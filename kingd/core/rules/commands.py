"""What this host wants of its node: other settings, a leader that steps down, a node that stops; and how many links it has.

In: orders of the operator and of the driver. Each takes effect at once; a hand-over that follows from one takes its
time (transfer.py), and `settle` says how it ended."""

from kingd.core.effect import Draining, EventKind, HandedOver
from kingd.core.problems import Ambiguous, NobodyReady, NotEligible, NotKnown, NotLeading, StepDownError
from kingd.core.rules import becoming, claiming, pre_voting, transfer, voters
from kingd.core.rules.eligibility import ineligible, is_eligible, must_not_lead
from kingd.core.rules.publishing import event, peer, tell_of_eligibility
from kingd.core.settings import Settings
from kingd.core.state.members import Member
from kingd.core.state.node import Node
from kingd.core.state.roles import Candidate, Leader
from kingd.core.timing import DRAIN_US_MAX, NEVER
from kingd.core.wire.message import NOBODY, Ineligible, Reason, Role
from kingd.records import replace

ISOLATED_AFTER_BEATS = 4


def configure(node: Node, settings: Settings) -> None:
    before, node.settings = node.settings, replace(settings, cluster=node.settings.cluster)
    node.detector.configure(settings.timing)
    if before.key_id != settings.key_id:
        node.strangers.ask_anew(node.now_us)
    voters.step(node)
    if before.timing.lease_us != settings.timing.lease_us:
        _on_lease_changed(node)
    if node.role is not Role.JOINING:
        node.rounds.announce_by(node.now_us)
    if before.priority != settings.priority:
        _on_priority_changed(node)
    if before.timing != settings.timing and isinstance(node.state, Leader) and not node.is_exclusive:
        becoming.beat(node, node.state)  # a shorter silence is a stall from now on


def _on_lease_changed(node: Node) -> None:
    """A ballot has one lease, which all who promised to it know: the new one comes with a new ballot."""
    voters.want_hold(node)
    if isinstance(node.state, Candidate) and node.is_exclusive:
        claiming.withdraw(node, None)
    elif isinstance(node.state, Leader) and node.is_exclusive:
        claiming.start(node, node.news.why)


def _on_priority_changed(node: Node) -> None:
    node.backoff.succeed()
    _mind_eligibility(node)
    if not isinstance(node.state, Leader):
        pre_voting.arm_preempting(node)
    elif node.priority:
        becoming.beat(node, node.state)


def set_unfit(node: Node, why: Ineligible, until_us: int) -> None:
    node.orders.set_unfit(why, until_us)
    if node.role is not Role.JOINING:
        node.rounds.announce_by(node.now_us)
    _mind_eligibility(node)


def _mind_eligibility(node: Node) -> None:
    """It may have changed, by whichever order."""
    if node.campaign is not None and node.role is not Role.LEADER and not is_eligible(node):
        claiming.abandon(node)
    transfer.mind_eligibility(node)


def step_down(node: Node, *, to: str | None, for_us: int) -> None:
    if node.role is not Role.LEADER:
        raise StepDownError(NotLeading())
    target = None if to is None else _successor(node, to)
    node.orders.abstain_for_us = for_us
    if not transfer.begin(node, Reason.STEP_DOWN, to=target, keep_us=for_us if target else 0):
        raise StepDownError(NobodyReady())
    node.orders.stepping_down = True


def _successor(node: Node, to: str) -> Member:
    """The member that is called `to`, or has this id."""
    found = node.members.named(to) or [m for m in node.members.alive() if f"{m.node:016x}" == to]
    if len(found) > 1 or (found and to == node.settings.name):
        raise StepDownError(Ambiguous(to, tuple((m.node, m.endpoint) for m in found)))
    if not found:
        raise StepDownError(NotKnown(to))
    target = found[0]
    if target.priority == 0 or not target.eligible:
        raise StepDownError(NotEligible(to))
    node.succession.allow(target.node)
    return target


def set_drains(node: Node, on: bool) -> None:
    """Whether anything here is to be ended before a hand-over. (One that waits for it goes on waiting.)"""
    node.orders.drains = on


def drained(node: Node) -> None:
    """It has ended: now the hand-over."""
    drain = node.drain
    if drain is None or drain.done:
        return
    drain.done = True
    to = drain.to if is_eligible(node) or drain.to in transfer.successors(node) else None  # who is unfit takes any
    if not transfer.begin(node, drain.reason, to=to, keep_us=drain.keep_us):
        transfer.came_to_nothing(node, drain.reason)


def on_drain_over(node: Node) -> None:
    """It does not end. Better one leader whose services hang than the next one beside them, so leadership is kept; who must
    not lead goes all the same."""
    drain = node.drain
    assert drain is not None
    if must_not_lead(node):
        drained(node)
        return
    transfer.end_drain(node)
    node.orders.put_off_offering(node.now_us + 10 * DRAIN_US_MAX)  # to end the rest again and again would be no leading
    if drain.to is not None and is_eligible(node):
        node.succession.refuse(drain.to.node, node.now_us)
    if node.orders.stepping_down:
        node.out.append(HandedOver(None, drained=False))
        node.orders.stepping_down = False


def stop(node: Node) -> None:
    """Waits for nothing: what runs because this node leads was ended before, or ends with the process."""
    if node.orders.stopping:
        return
    transfer.end_drain(node)
    node.out.append(event(node, EventKind.STOPPING, former_role=node.role, former=node.leader.node))
    node.orders.stopping = True
    if node.role is Role.LEADER:
        if not transfer.begin(node, Reason.LEADER_LEFT, leaving=True):
            transfer.resign(node, Reason.LEADER_LEFT, leaving=True)
        return
    claiming.abandon(node)
    if not node.namesake.is_there:
        transfer.say_goodbye(node)
    node.orders.end(node.now_us)


def _has_resigned(node: Node) -> bool:
    return node.role is not Role.LEADER and node.succession.yielded is None


def settle(node: Node) -> None:
    """After each step: whether what was ordered is done now."""
    orders = node.orders
    if orders.started:
        orders.tell_unfit(tell_of_eligibility(node, node.id, orders.told_unfit, ineligible(node)))
    if orders.stopping and not orders.stopped and orders.stop_at_us == NEVER and _has_resigned(node):
        orders.end(node.now_us)
    drain = node.drain
    if drain is not None and drain.done and node.transfer is None:
        transfer.end_drain(node)  # nobody took it
        drain = None
    if orders.drain_told != (drain is not None):
        orders.drain_told = not orders.drain_told
        node.out.append(Draining(orders.drain_told))
    if not orders.stepping_down:
        return
    if node.role is Role.FOLLOWER:
        node.out.append(HandedOver(peer(node, node.leader.node)))
        orders.stepping_down = False
    elif node.transfer is None and node.succession.yielded is None and drain is None:
        node.out.append(HandedOver(None))
        orders.stepping_down = False


def set_links(node: Node, links: int) -> None:
    if not node.orders.started:
        node.orders.started = True
        node.out.append(event(node, EventKind.STARTED, former_role=node.role, former=NOBODY))
    before, node.orders.links = node.orders.links, links
    if links and not before:
        node.orders.isolate_at(NEVER)
        if node.role is Role.JOINING:
            becoming.join(node, Reason.JOINED)
    elif before and not links:
        node.orders.isolate_at(node.now_us + ISOLATED_AFTER_BEATS * node.timing.heartbeat_us)
    elif links:
        node.rounds.begin(min(node.rounds.announce_at_us, node.now_us))
    elif node.role is Role.JOINING:
        node.news.explain(Reason.ISOLATED)
