"""From changes of state to what users are told: the one place where leadership becomes an event. docs/protocol.md 6.

In: the node after each step, and who came or went. Out: `Event` effects. A loss that is about to resolve itself is not
told at once: a planned hand-over, or a leader that stalled and asks whether it still leads. Its end is one event, or
none; what takes longer than a hand-over may is told. (Answers are not delayed: `status` says "not known" meanwhile.)"""

from kingd.core.effect import Event, EventKind, Peer
from kingd.core.state.members import Member
from kingd.core.state.node import Node
from kingd.core.timing import NEVER
from kingd.core.wire.message import NOBODY, NodeId, Reason, Role

# Reasons with which a leader goes on purpose.
_PLANNED = (
    Reason.HANDOVER,
    Reason.STEP_DOWN,
    Reason.LEADER_LEFT,
    Reason.HIGHER_PRIORITY,
    Reason.PRIORITY_CHANGED,
    Reason.OVERLAP_RESOLVED,
    Reason.CHECK_FAILED,
)


class Publisher:
    """What users were last told."""

    def __init__(self) -> None:
        self._leader = NOBODY
        self._role = Role.JOINING
        self._lost_us = NEVER  # since when there is no leader, while users are not told yet
        self._cause = Reason.JOINED  # of that loss

    def publish(self, node: Node) -> None:
        former, former_role = self._leader, self._role
        leader = node.leader.node
        if leader == NOBODY and former != NOBODY and self._resolves_itself(node):
            return
        stalled = former == node.id and self._lost_us != NEVER and self._cause is Reason.STALLED
        self._leader, self._role, self._lost_us = leader, node.role, NEVER
        if leader == former:
            return
        if leader == node.id:
            kind = EventKind.ELECTED
        elif former == node.id:
            kind = EventKind.DEPOSED
        else:
            kind = EventKind.LEADER_CHANGED if leader != NOBODY else EventKind.LEADER_LOST
        reason = self._cause if stalled else node.news.why
        node.out.append(event(node, kind, former_role=former_role, former=former, reason=reason))

    def _resolves_itself(self, node: Node) -> bool:
        if self._lost_us == NEVER:
            self._lost_us, self._cause = node.now_us, node.news.why
        expected = self._cause is Reason.STALLED if self._leader == node.id else self._cause in _PLANNED
        return expected and node.now_us - self._lost_us < node.timing.transfer_us


def event(
    node: Node,
    kind: EventKind,
    *,
    former_role: Role,
    former: NodeId,
    reason: Reason | None = None,
    member: Member | None = None,
) -> Event:
    return Event(
        kind=kind,
        role=node.role,
        previous_role=former_role,
        term=node.leader.term or node.promise.floor.term,
        leader=peer(node, node.leader.node),
        previous_leader=peer(node, former),
        reason=node.news.why if reason is None else reason,
        member=None if member is None else peer(node, member.node),
    )


def tell_of(node: Node, kind: EventKind, member: Member, reason: Reason) -> None:
    """A member came or went."""
    node.out.append(event(node, kind, former_role=node.role, former=node.leader.node, reason=reason, member=member))


def me(node: Node) -> Peer:
    return Peer(node=node.id, name=node.settings.name, priority=node.priority, endpoint=None)


def peer(node: Node, target: NodeId) -> Peer | None:
    if target == NOBODY:
        return None
    if target == node.id:
        return me(node)
    member = node.members.get(target)
    if member is None:
        return Peer(node=target, name=f"{target:016x}", priority=0, endpoint=None)
    return Peer(node=target, name=member.name, priority=member.priority, endpoint=member.endpoint)


def rivals(node: Node, now_us: int) -> list[Member]:
    """Who has said that it leads for longer than two leaders need to find each other, and is not followed here."""
    settled_us = now_us - 2 * node.timing.contact_us
    return [
        m
        for m in node.members.alive()
        if m.role is Role.LEADER and m.node not in (node.leader.node, node.id) and m.role_us < settled_us
    ]
