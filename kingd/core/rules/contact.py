"""Who is here: announcements, challenges, new sessions, the dead. docs/protocol.md 4.1.

An announcement is a hint. A node becomes a member when it answers a probe (challenging.py) from the session that it
claims to have."""

from kingd.core.effect import EventKind
from kingd.core.rules import challenging, line, proof, saying, survey
from kingd.core.rules.publishing import tell_of, tell_of_eligibility
from kingd.core.scale import MEMBERS_MAX, announce_us
from kingd.core.state.members import Member, State
from kingd.core.state.node import Node
from kingd.core.state.roles import Follower
from kingd.core.timing import MS, NEVER, SECOND
from kingd.core.wire.endpoint import Endpoint
from kingd.core.wire.message import (
    NO_SESSION,
    NOBODY,
    Announce,
    Datagram,
    Header,
    Heartbeat,
    NodeId,
    Obituary,
    Probe,
    ProbeAck,
    Reason,
    Report,
    Resign,
    Role,
    SessionId,
    Survey,
)
from kingd.core.wire.past import NO_EVIDENCE, Evidence, Sign

_LOOK_AT = 3
_BETTER_ASKS = 3
_UNICAST_COPIES_MAX = 64
_VERIFY_PER_SWEEP = 16
_SWEEP_US_MAX = 5 * SECOND


def announce(node: Node) -> None:
    """What the leader of a large cluster has answered is not said again: it wakes everybody. Until its first heartbeat or
    roster any cluster may be large."""
    interval_us = node.scale.announce_us
    leader = node.followed()
    may_be_met = leader is not None and (node.is_large or leader.alive == 0)
    rounds = node.rounds
    if not may_be_met or rounds.announced == 0 or rounds.is_at_rest:
        _say_who_i_am(node, interval_us)
    if rounds.is_new and not (node.is_large and leader is not None):
        rounds.announce_soon(node.now_us)
    else:
        rounds.announce_later(node.now_us + node.rng.randint(interval_us // 2, interval_us * 3 // 2))


def _say_who_i_am(node: Node, interval_us: int) -> None:
    body = Announce(
        name=node.settings.name, version=node.settings.version, interval_ms=interval_us // MS, tags=node.settings.tags
    )
    alone = not node.members.alive()
    saying.multicast(node, body, everywhere=True, broadcast=alone and node.settings.broadcast)
    for target, session, endpoint in _unicast_copies(node, alone=alone):
        saying.send_to(node, body, target=target, session=session, endpoint=endpoint)
    if node.role is Role.JOINING and node.rounds.announced < 2:
        challenging.probe_namesake(node)


def _unicast_copies(node: Node, *, alone: bool) -> list[tuple[NodeId, SessionId, Endpoint]]:
    """Who would miss the multicast: configured and remembered peers that are no members yet, and members that we hear by
    unicast only, so that they may well hear us by unicast only."""
    known = {m.endpoint[:2] for m in node.members.alive()}
    seeds = [(NOBODY, NO_SESSION, e) for e in node.settings.seeds if alone or e[:2] not in known]
    deaf_us = node.scale.missed_us
    deaf = [
        (m.node, m.session, m.endpoint)
        for m in node.members.alive()
        if m.multicast_us < 0 or node.now_us - m.multicast_us > deaf_us
    ]
    return (seeds + deaf)[:_UNICAST_COPIES_MAX]


def follow_move(node: Node, member: Member, datagram: Datagram, source: Endpoint) -> bool:
    """It is heard from a new address, and by multicast no longer from the one that we know; or it announces itself by IPv4, and
    is known by IPv6: its answer will tell where it is. (A host with several addresses is heard from all of them, and a source
    address proves nothing.) Whether it moved."""
    if datagram.header.multicast:
        every_us = datagram.body.interval_ms * MS if isinstance(datagram.body, Heartbeat) else member.interval_us
        is_silent = node.now_us - member.endpoint_seen_us > 2 * every_us
        is_better = isinstance(datagram.body, Announce) and source.is_better_than(member.endpoint)
        if is_better:  # a question there stands in the way of one where it answers: not for ever
            member.better_asks += 1
            is_better = member.better_asks <= _BETTER_ASKS
        moved = source != member.endpoint and (is_silent or is_better)
    else:
        moved = member.would_move(source, node.now_us) and not isinstance(datagram.body, Probe | ProbeAck)
    if moved and challenging.earns_probe(node, datagram.body, source):
        challenging.probe(node, member.node, member.session, source)
    return moved


def note_returns(node: Node, ack: ProbeAck) -> None:
    """Others count how often we come back; who asks for leadership waits the longer for it (preempting.arm)."""
    if ack.returns > node.last.returns:
        node.last.returns = ack.returns
        if isinstance(node.state, Follower):
            node.state.put_off_preempting(NEVER, waits_for_all=node.state.waits_for_all)


def on_stranger(node: Node, datagram: Datagram, source: Endpoint) -> Member | None:
    """A session that is not verified. Returns the member that it has just become, if it has."""
    header, body = datagram.header, datagram.body
    node.strangers.hear(node.now_us)
    if isinstance(body, Obituary) or (isinstance(body, Resign) and body.leaving):
        node.strangers.left(header.source)
    if isinstance(body, Obituary):  # of a session that nobody here knows, or of one that was replaced
        node.out.drop("obituary")
        return None
    if isinstance(body, ProbeAck):
        return _verify(node, datagram, body, source)
    if isinstance(body, Probe):
        challenging.answer_probe(node, header, source, body)
        return None
    if node.is_large and isinstance(body, Report | Survey | Resign):
        _on_heard_of(node, header, body, source)
        return None
    if isinstance(body, Heartbeat) and _is_live_leader(node, header):
        hear_foreign_leader(node, header.session, lonely=body.lonely, proven=False)
    if isinstance(body, Announce) and not must_verify(node, header, body):
        interval_us = min(max(body.interval_ms * MS, node.scale.announce_us), announce_us(MEMBERS_MAX))
        node.members.note(header, body, source, interval_us=interval_us, now_us=node.now_us)
        return None
    if header.multicast and not isinstance(body, Resign):
        node.strangers.note_unanswered(header.source, source, header.key_id, node.now_us)
    if challenging.earns_probe(node, body, source):
        challenging.probe(node, header.source, header.session, source)
    return None


def _on_heard_of(node: Node, header: Header, body: Report | Survey | Resign, source: Endpoint) -> None:
    """What needs no proof: an echo of a nonce is one, and nobody else is harmed by the other two."""
    if isinstance(body, Report):
        survey.on_report(node, header, body)
    elif isinstance(body, Survey):
        if header.destination == node.id:  # asked of all, it would be answered by all
            survey.on_survey(node, header, source, body)
    elif body.leaving:
        node.members.unlist(header.source, header.session)


def must_verify(node: Node, header: Header, body: Announce) -> bool:
    """Whether it takes a round trip to list this one. In a large cluster only with who leads or comes next, and for these."""
    return (
        not node.is_large
        or node.role in (Role.LEADER, Role.CANDIDATE)
        or header.role in (Role.LEADER, Role.CANDIDATE)
        or node.members.get(header.source) is not None  # its old session is to be replaced
        or body.name in node.voters.names
        or line.is_next(node, node.rank)
        or (header.eligible and line.is_next(node, (-header.priority, header.source)))
    )


def verify_heard_of(node: Node, at_most: int = MEMBERS_MAX) -> bool:
    """Probe those who are only heard of, and were not asked of late. Whether there were any."""
    heard_of = node.members.heard_of_lately(node.now_us)
    waiting = [m for m in heard_of if m.asked_us < 0 or node.now_us - m.asked_us > SECOND]
    for member in waiting[:at_most]:
        member.asked_us = node.now_us
        challenging.probe_member(node, member)
    return bool(waiting)


def misses_somebody(node: Node, leader: Member) -> bool:
    """The leader counts more than this node has ever heard of."""
    return len(node.members.alive()) + len(node.members.heard_of()) + 1 < leader.alive and node.is_large


def _is_live_leader(node: Node, header: Header) -> bool:
    """A leader that we hear and cannot reach, or a recording of one? A host that lives under another session does not lead
    under this one."""
    member = node.members.get(header.source)
    if header.leader.node != header.source or (member is not None and member.state is State.ALIVE):
        return False
    return node.foreign.advances(header.session, header.sequence)


def probe_voters(node: Node) -> None:
    """Each voter's answer tells what it has promised."""
    for member in node.members.alive():
        if member.name in node.voters.names:
            _probe_unless_moved(node, member)


def _probe_unless_moved(node: Node, member: Member) -> None:
    """If it did not answer, and has been heard since from another address only, it is asked there when it speaks next
    (follow_move), and a question to the former one would stand in the way of that."""
    last = node.challenges.get(member.node, member.session)
    if last is None or not member.endpoint_seen_us <= last.request.sent_us < member.heard_us:
        challenging.probe_member(node, member)


def has_contact(node: Node) -> bool:
    """Some live member provably heard this node a short while ago."""
    fresh_us = node.now_us - node.timing.contact_us
    return any(m.contact_us >= fresh_us for m in node.members.alive())


def look_for_contact(node: Node) -> None:
    """Ask whom I heard last whether they hear me."""
    for member in sorted(node.members.alive(), key=lambda m: -m.heard_us)[:_LOOK_AT]:
        _probe_unless_moved(node, member)


def hears_nobody(node: Node) -> bool:
    """Not even somebody whom it cannot reach: three announcements are missing of anybody there may be."""
    heard_us = max((m.heard_us for m in node.members.verified()), default=node.strangers.heard_us)
    return node.now_us - max(heard_us, node.strangers.heard_us) > node.scale.missed_us


def hear_foreign_leader(node: Node, session: SessionId, *, lonely: bool, proven: bool) -> None:
    """`proven`: by a round trip of late. What is not may have been recorded long ago, and where leadership is exclusive it is
    not needed: promises say who may lead."""
    if node.is_exclusive and not proven:
        return
    node.foreign.hear(session, lonely=lonely, now_us=node.now_us, timeout_us=node.timing.leader_timeout_us)


def _verify(node: Node, datagram: Datagram, ack: ProbeAck, source: Endpoint) -> Member | None:
    header = datagram.header
    challenge = challenging.answered(node, header, ack)
    if challenge is None:
        return None
    note_returns(node, ack)
    former = node.members.get(header.source)
    if former is not None and former.session != header.session:
        if former.contact_us > challenge.request.sent_us:  # it was asked before the one we know had its last word
            node.out.drop("late")
            return None
        if not _is_gone(node, former, source, challenge.request.sent_us):
            node.out.drop("duplicate-id")
            return None
        node.foreign.end(former.session)
    if not node.members.has_room_for(header.source):
        node.out.drop("full")
        return None
    member = Member(
        node=header.source,
        session=header.session,
        name=ack.name,
        version=ack.version,
        endpoint=source,
        heard_us=node.now_us,
        contact_us=challenge.request.sent_us,
        met_us=node.now_us,
        interval_us=node.scale.announce_us,  # which it learns only now
    )
    member.told(ack.hold_ms * MS, sent_us=challenge.request.sent_us, recovering=header.recovering)
    member.window.accept(header.sequence)
    node.members.add(member)
    unanswered_us = node.strangers.answered(member.node)
    if unanswered_us is not None:
        member.multicast_us = unanswered_us  # or it would get our announcements by unicast, too
    challenging.answer_challenge(node, header, source, ack)
    member.update(header, source=source, now_us=node.now_us)
    for other in node.members.alive():
        if other is not member and other.endpoint == source:  # the same host under a new id: its state was lost
            evidence = proof.of_member(node, other, Sign.NEW_SESSION)
            declare_gone(node, other, EventKind.MEMBER_DEAD, Reason.LEADER_CRASHED, evidence)
    line.look_again(node)
    if former is None or former.state is not State.ALIVE:
        tell_of(node, EventKind.MEMBER_JOINED, member.node, Reason.JOINED)
    told_unfit = None if former is None else former.told_unfit
    member.told_unfit = tell_of_eligibility(node, member.node, told_unfit, member.ineligible)
    return member


def _is_gone(node: Node, former: Member, source: Endpoint, asked_us: int) -> bool:
    """A host came back with a new session. Its old one must be silent when asked (or be replaced on its very socket): else
    somebody copied a state folder, and the newcomer is the intruder."""
    if former.endpoint == source or former.state is not State.ALIVE:
        return True
    last = node.challenges.get(former.node, former.session)
    if last is None or last.request.sent_us < former.heard_us:
        challenging.probe_member(node, former)
    return challenging.is_in_vain(node, former, by_us=asked_us)


def revive(node: Node, member: Member) -> None:
    """A member that had been given up, or had said goodbye, is heard from the same session."""
    if member.state is State.DEAD:
        member.state = State.ALIVE
        node.detector.heard_again(member.session, node.now_us)
        tell_of(node, EventKind.MEMBER_JOINED, member.node, Reason.JOINED)


def sweep(node: Node) -> None:
    # Who has just come, be it they or we, did not know how rarely the members of so large a cluster announce themselves.
    for member in node.members.bury(node.now_us, interval_us=node.scale.announce_us):
        evidence = proof.of_member(node, member)
        tell_of(node, EventKind.MEMBER_DEAD, member.node, Reason.LEADER_TIMEOUT, evidence=evidence)
    node.strangers.forget(node.now_us, silent_us=node.scale.missed_us)
    node.succession.forget(node.now_us)
    heard_of = node.members.heard_of()
    if heard_of and (node.role is Role.LEADER or (node.role is Role.FOLLOWER and line.is_next(node, node.rank))):
        verify_heard_of(node, _VERIFY_PER_SWEEP)
    # As often as a silence matters: in a large cluster it lasts minutes.
    longest_us = _SWEEP_US_MAX if node.is_large and node.role is not Role.SEEKING else node.scale.look_us
    node.rounds.sweep_later(node.now_us + min(longest_us, node.scale.sweep_us))


def excuse(node: Node, late_us: int) -> None:
    """This node did not run for so long. After more than a hiccup, too, who was asked before it may not have been heard."""
    node.members.excuse(late_us)
    if late_us > node.timing.leader_timeout_us:
        node.strangers.ask_anew(node.now_us)


def declare_gone(node: Node, member: Member, kind: EventKind, reason: Reason, evidence: Evidence = NO_EVIDENCE) -> None:
    if member.state is State.ALIVE:
        member.state = State.LEFT if kind is EventKind.MEMBER_LEFT else State.DEAD
        tell_of(node, kind, member.node, reason, evidence=evidence)
