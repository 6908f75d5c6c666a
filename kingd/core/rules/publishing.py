"""From changes of state to what users are told: the one place where leadership becomes an event. docs/protocol.md 6.

In: the node after each step, and who came or went. Out: `Event` effects. A loss that is about to resolve itself is not
told at once: a planned hand-over, or a leader that stalled and asks whether it still leads. Its end is one event, or
none; what takes longer than a hand-over may is told. (Answers are not delayed: `status` says "not known" meanwhile.)"""

from kingd.core.effect import Event, EventKind, Peer
from kingd.core.state.members import Member
from kingd.core.state.node import Node
from kingd.core.timing import NEVER
from kingd.core.wire.message import NOBODY, Ineligible, NodeId, Reason, Role
from kingd.core.wire.past import NO_EVIDENCE, Evidence

# Reasons with which a leader goes on purpose.
_PLANNED = (
    Reason.HANDOVER,
    Reason.STEP_DOWN,
    Reason.LEADER_LEFT,
    Reason.HIGHER_PRIORITY,
    Reason.PRIORITY_CHANGED,
    Reason.OVERLAP_RESOLVED,
    Reason.CHECK_FAILED,
    Reason.MAINTENANCE,
)
# Why a node may not lead, where that is an event of its own.
_TOLD = {Ineligible.MAINTENANCE: EventKind.MAINTENANCE, Ineligible.CHECK_FAILED: EventKind.CHECK_FAILED}


class Publisher:
    """What users were last told."""

    def __init__(self) -> None:
        self._leader = NOBODY
        self._role = Role.JOINING
        self._lost_us = NEVER  # since when there is no leader, while users are not told yet
        self._cause = Reason.JOINED  # of that loss
        self._evidence = NO_EVIDENCE  # for it

    def publish(self, node: Node) -> None:
        former, former_role = self._leader, self._role
        leader = node.leader.node
        if leader == NOBODY and former != NOBODY and self._resolves_itself(node):
            return
        stalled = former == node.id and self._lost_us != NEVER and self._cause is Reason.STALLED
        self._leader, self._role, self._lost_us = leader, node.role, NEVER
        evidence, self._evidence = self._evidence if stalled else node.out.evidence, NO_EVIDENCE
        if leader == former:
            return
        if leader == node.id:
            kind = EventKind.ELECTED
        elif former == node.id:
            kind = EventKind.DEPOSED
        else:
            kind = EventKind.LEADER_CHANGED if leader != NOBODY else EventKind.LEADER_LOST
        reason = self._cause if stalled else node.news.why
        told = event(node, kind, former_role=former_role, former=former, reason=reason, evidence=evidence)
        node.out.append(told)

    def _resolves_itself(self, node: Node) -> bool:
        if self._lost_us == NEVER:
            self._lost_us, self._cause = node.now_us, node.news.why
            if self._cause is Reason.STALLED:  # else the next event has its own
                self._evidence = node.out.evidence
        expected = self._cause is Reason.STALLED if self._leader == node.id else self._cause in _PLANNED
        return expected and node.now_us - self._lost_us < node.timing.transfer_us


def event(
    node: Node,
    kind: EventKind,
    *,
    former_role: Role,
    former: NodeId,
    reason: Reason | None = None,
    member: NodeId = NOBODY,
    on: bool | None = None,
    evidence: Evidence = NO_EVIDENCE,
) -> Event:
    return Event(
        at_us=node.now_us,
        kind=kind,
        role=node.role,
        previous_role=former_role,
        term=node.leader.term or node.promise.floor.term,
        leader=peer(node, node.leader.node),
        previous_leader=peer(node, former),
        reason=node.news.why if reason is None else reason,
        member=peer(node, member),
        on=on,
        evidence=evidence,
    )


def tell_of(
    node: Node,
    kind: EventKind,
    who: NodeId,
    reason: Reason,
    *,
    on: bool | None = None,
    evidence: Evidence = NO_EVIDENCE,
) -> None:
    """Of a member: it came or went; or of any node: whether it may lead."""
    led = node.leader.node
    told = event(node, kind, former_role=node.role, former=led, reason=reason, member=who, on=on, evidence=evidence)
    node.out.append(told)


def tell_of_eligibility(node: Node, who: NodeId, told: Ineligible | None, why: Ineligible | None) -> Ineligible | None:
    """That node, perhaps this one, may not lead because of `why`, and users were last told of `told`. What they are told of
    now. (One that stops may come back as it was; and a check whose failing is covered by maintenance fails on.)"""
    if told is None and why is None:
        return None
    now = told if why is Ineligible.STOPPING else why if why in _TOLD else None
    if told is not None and told is not now and (now is None or now > told):
        tell_of(node, _TOLD[told], who, told.reason, on=False)
    if now is not None and now is not told:
        tell_of(node, _TOLD[now], who, now.reason, on=True)
    return now


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
