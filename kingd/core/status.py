"""What this node can say of itself at one instant. Computed when asked, never kept: docs/protocol.md 6.

An answer whose evidence is older than the leader timeout is not given, whatever the state machine has come to so
far: after a stall a question may be answered before any timer has fired."""

from kingd.core.effect import Peer
from kingd.core.facts import MemberRow
from kingd.core.problems import (
    FalselyDead,
    HandoverWaits,
    LeadsUnfit,
    ListWaits,
    NoLinks,
    Polled,
    Problem,
    RolledBack,
    SharedId,
    SharedName,
    Unanswering,
)
from kingd.core.rules import mode, quorum, silence, voters
from kingd.core.rules.eligibility import ineligible, is_eligible
from kingd.core.rules.majority import majority
from kingd.core.rules.publishing import me, peer, rivals
from kingd.core.state.members import Member, State
from kingd.core.state.node import Node
from kingd.core.state.roles import Leader
from kingd.core.timing import MS, NEVER, SECOND
from kingd.core.wire.endpoint import Endpoint
from kingd.core.wire.message import NO_BALLOT, NOBODY, Ballot, NodeId, Reason, Role, Term, word_of
from kingd.records import dataclass

_ASKED_OF_LATE_US = 10 * SECOND


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """What users are told."""

    me: Peer
    role: Role
    ballot: Ballot  # led or followed, NO_BALLOT = not known
    leader: Peer | None
    leader_tags: tuple[tuple[str, str], ...]
    leader_age_us: int | None  # of the newest sign of life; 0 for the leader itself
    valid_us: int | None  # how long from now on this may be believed: then somebody else may lead
    term: Term
    reason: Reason
    eligible: bool
    ineligible_reason: str | None
    ineligible_us: int | None  # how long it lasts still; None: eligible, or until something else changes
    alive: int
    dead: int
    voters: tuple[str, ...]
    voters_reachable: int  # those that count, this node among them if it votes
    voters_missing: tuple[str, ...]  # the others
    quorum_ok: bool  # a leader is known, or a majority is reachable: always, in availability mode
    problems: tuple[Problem, ...]


def status(node: Node, now_us: int) -> Status:
    role, ballot, age_us, reason = _believed(node, now_us)
    leader = peer(node, ballot.node)
    entry = node.members.get(ballot.node)
    states = [m.state_at(now_us) for m in node.members.everybody()]
    missing = quorum.missing(node, now_us)
    reachable = len(node.voters.names) - len(missing) if node.in_quorum_mode else len(node.members.alive()) + 1
    return Status(
        me=me(node),
        role=role,
        ballot=ballot,
        leader=leader,
        leader_tags=node.settings.tags if ballot.node == node.id else entry.tags if entry else (),
        leader_age_us=age_us if ballot.node != NOBODY else None,
        valid_us=max(0, _valid_until_us(node) - now_us) if ballot.node != NOBODY else None,
        term=ballot.term or node.promise.floor.term,
        reason=reason,
        eligible=is_eligible(node),
        ineligible_reason=word_of(ineligible(node)),
        ineligible_us=_ineligible_us(node, now_us),
        alive=states.count(State.ALIVE) + 1,
        dead=states.count(State.DEAD),
        voters=node.voters.names,
        voters_reachable=reachable,
        voters_missing=missing,
        quorum_ok=ballot.node != NOBODY or _may_elect(node, reachable, reason),
        problems=tuple(_problems(node, now_us)),
    )


def _ineligible_us(node: Node, now_us: int) -> int | None:
    why = ineligible(node)
    until_us = NEVER if why is None else node.orders.unfit.get(why, NEVER)
    return None if until_us == NEVER else max(0, until_us - now_us)


def members(node: Node, now_us: int) -> list[MemberRow]:
    """All that are known, this node among them, the first in rank first."""
    role, ballot, *_ = _believed(node, now_us)
    leaders = {ballot.node, *(rival.node for rival in rivals(node, now_us))}
    others = [_row(m, _shown_role(m, leaders), now_us) for m in node.members.everybody()]
    own = MemberRow(
        peer=me(node),
        role=role,
        state=State.ALIVE,
        eligible=is_eligible(node),
        ineligible_reason=word_of(ineligible(node)),
        silent_us=0,
        version=node.settings.version,
    )
    return sorted([own, *others], key=lambda row: (-row.peer.priority, row.peer.node))


def _shown_role(member: Member, leaders: set[NodeId]) -> Role:
    if member.verified and member.node in leaders:
        return Role.LEADER
    return Role.FOLLOWER if member.role is Role.LEADER else member.role


def _row(member: Member, role: Role, now_us: int) -> MemberRow:
    return MemberRow(
        peer=Peer(node=member.node, name=member.name, priority=member.priority, endpoint=member.endpoint),
        role=role,
        state=member.state_at(now_us),
        eligible=member.eligible,
        ineligible_reason=word_of(member.ineligible),
        silent_us=max(0, now_us - member.heard_us),
        version=member.version,
    )


def _may_elect(node: Node, reachable: int, reason: Reason) -> bool:
    enough = reachable >= majority(len(node.voters.names))
    return not node.in_quorum_mode or (enough and reason is not Reason.QUORUM_LOST)


def _believed(node: Node, now_us: int) -> tuple[Role, Ballot, int, Reason]:
    if isinstance(node.state, Leader):
        judge = mode.of(node)
        if now_us >= judge.leads_until_us(node):
            return Role.SEEKING, NO_BALLOT, 0, judge.lost
        return Role.LEADER, node.ballot, 0, node.news.why
    if node.role is Role.FOLLOWER:
        if now_us > _follows_until_us(node):
            return Role.SEEKING, NO_BALLOT, 0, Reason.STALLED
        return Role.FOLLOWER, node.leader, now_us - node.detector.evidence_us, node.news.why
    return node.role, NO_BALLOT, 0, node.news.why


def _valid_until_us(node: Node) -> int:
    """When this node, without a further word from anybody, says "not known"."""
    return mode.of(node).leads_until_us(node) if isinstance(node.state, Leader) else _follows_until_us(node)


def _follows_until_us(node: Node) -> int:
    """Nor is who leads known longer than the promise to it lasts: the next one may lead then (docs/quorum.md 2), however
    patient this node's detector is."""
    return min(node.detector.evidence_us + node.detector.limit_us, node.promise.until_us)


def _problems(node: Node, now_us: int) -> list[Problem]:
    """What the election itself sees of the network."""
    found: list[Problem] = [] if node.orders.links else [NoLinks()]
    if node.namesake.is_there:
        found.append(SharedId(node.id, node.namesake.endpoint))
    if node.durable.rolled_back:
        found.append(RolledBack())
    found += _unanswering(node, now_us)
    found += silence.problems(node, now_us)
    found += _shared_names(node, now_us)
    found += quorum.problems(node)
    waits_for = voters.obstacle(node)
    if waits_for is not None:
        found.append(ListWaits(waits_for))
    found += [FalselyDead(m.name) for m in node.members.verified() if m.distrusted]
    if isinstance(node.state, Leader) and (why := ineligible(node)) is not None and not (node.transfer or node.drain):
        found.append(LeadsUnfit(why))
    if node.drain is not None:
        found.append(HandoverWaits(node.drain.reason))
    leader = node.followed()
    if leader is not None and _is_polled(node, leader, now_us):
        found.append(Polled(leader.name))
    return found


def _shared_names(node: Node, now_us: int) -> list[SharedName]:
    """Two hosts that answer to one name: nobody can tell who is meant. (One that lost its state has another id, and is two
    hosts for a moment: only those heard just now count.)"""
    hosts: dict[str, list[Endpoint | None]] = {node.settings.name: [None]}
    for m in (*node.members.alive(), *node.members.heard_of()):
        if m.name and now_us - m.heard_us <= 2 * m.interval_us:
            hosts.setdefault(m.name, []).append(m.endpoint)
    return [
        SharedName(name, tuple(where), votes=name in node.voters.names)
        for name, where in sorted(hosts.items())
        if len(where) > 1
    ]


def _unanswering(node: Node, now_us: int) -> list[Unanswering]:
    """Who is heard, and was asked in vain under the key of now."""
    members = {m.node for m in node.members.alive()}
    own_key_id = node.settings.key_id
    strangers = {
        Unanswering(None, found.endpoint, found.key_id, own_key_id)
        for target, found in node.strangers.unanswered.items()
        if now_us - found.since_us > SECOND and target not in members
    }
    contact_us = node.timing.contact_us
    verified = {
        Unanswering(m.name, m.endpoint, m.key_id, own_key_id)
        for m in node.members.alive()
        if now_us - m.multicast_us < 3 * m.interval_us
        and now_us - max(m.contact_us, m.heard_since_us, node.strangers.asking_since_us)
        > max(contact_us, 3 * m.interval_us)
        and (_proves_contact(node, m) or _was_asked(node, m, now_us))
    }
    return sorted(strangers | verified, key=lambda each: (each.who, each.key_id))


def _proves_contact(node: Node, member: Member) -> bool:
    """Leader and follower ping each other all the time; who joins, as a voter that recovers, follows nobody yet."""
    return (node.role is Role.LEADER and member.role is not Role.JOINING) or member is node.followed()


def _was_asked(node: Node, member: Member, now_us: int) -> bool:
    """Of late: a question that nobody has repeated since says nothing about today."""
    last = node.challenges.get(member.node, member.session)
    since_us = max(member.contact_us, node.strangers.asking_since_us, now_us - _ASKED_OF_LATE_US)
    return last is not None and last.request.is_in_vain(heard_us=since_us, now_us=now_us, wait_us=0)


def _is_polled(node: Node, leader: Member, now_us: int) -> bool:
    return leader.multicast_us < now_us - max(node.timing.leader_timeout_us, 10 * node.timing.heartbeat_us) - MS
