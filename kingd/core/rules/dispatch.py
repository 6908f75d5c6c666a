"""A datagram comes in: whether it is believed, what it says of its sender, and the table of messages. docs/protocol.md 4.

A datagram that is no word of a verified session, or of an ended one, counts for nothing here: `contact` asks who it
is. What its message means is in the topics' modules."""

from kingd.core.rules import (
    campaigns,
    challenging,
    claiming,
    contact,
    following,
    leading,
    namesakes,
    pre_voting,
    proof,
    rosters,
    seeking,
    survey,
    transfer,
    voters,
    voting,
    will,
)
from kingd.core.rules.publishing import tell_of_eligibility
from kingd.core.state.members import Member, State
from kingd.core.state.node import TERM_JUMP_MAX, TERM_MAX, Node
from kingd.core.timing import MS
from kingd.core.wire.aside import Aside
from kingd.core.wire.endpoint import Endpoint
from kingd.core.wire.message import (
    NO_SESSION,
    NOBODY,
    Ack,
    Announce,
    Claim,
    Datagram,
    Grant,
    Header,
    Heartbeat,
    Obituary,
    Offer,
    Ping,
    Pong,
    Probe,
    ProbeAck,
    Ready,
    Reason,
    Refuse,
    Report,
    Resign,
    Role,
    Roster,
    Survey,
)
from kingd.core.wire.past import Events, Recall
from kingd.core.wire.trial import Echo, Trial


def receive(node: Node, datagram: Datagram, source: Endpoint) -> None:
    header = datagram.header
    if isinstance(datagram.body, Aside):
        node.out.drop("type")  # drivers that have who answers it hand it to them
    elif header.source == node.id:
        if header.session != node.session and not isinstance(datagram.body, Obituary):
            namesakes.on_namesake(node, datagram, source)
    elif node.namesake.is_there:
        node.out.drop("duplicate-id")
    elif header.destination not in (NOBODY, node.id):
        if not header.multicast:  # a starting node asks by multicast whether somebody has its id
            node.out.drop("other-destination")
    elif not is_for_this_session(node, header):
        node.out.drop("other-session")
    elif _highest_term(datagram) > min(node.term_seen + TERM_JUMP_MAX, TERM_MAX):
        node.out.drop("term")
    else:
        _receive_from_other(node, datagram, source)


def is_for_this_session(node: Node, header: Header) -> bool:
    """What is said to one node is said to the session that its sender knows, and means nothing to any other: nobody has to
    remember which of its questions a recorded answer would fit. What is said to everybody names nobody."""
    return header.receiver == (NO_SESSION if header.destination == NOBODY else node.session)


def _receive_from_other(node: Node, datagram: Datagram, source: Endpoint) -> None:
    header = datagram.header
    node.quorum.note_begun(header, node.session)
    member = node.members.find(header.source, header.session)
    if member is None:
        member = contact.on_stranger(node, datagram, source)
        if member is not None:
            _on_verified(node, member)
        return
    if isinstance(datagram.body, Obituary):
        will.on_obituary(node, member)
        return
    if not member.window.accept(header.sequence):
        if not header.multicast:  # the same datagram by IPv4 and IPv6, or over two networks, is no replay
            node.out.drop("replay")
        return
    if member.state is State.LEFT:
        node.out.drop("left")
        return
    if member.obituary_us >= 0 and not will.is_refuted(node, member, datagram.body):
        will.probe_dead(node, member, datagram, source)
        return
    if header.sequence == member.window.newest:
        _note(node, member, datagram, source)
    elif isinstance(datagram.body, (Announce, Heartbeat, Roster)):
        node.out.drop("late")  # what it was has been superseded by what it is; a question or an answer still counts
        return
    _dispatch(node, member, datagram, source)


def _note(node: Node, member: Member, datagram: Datagram, source: Endpoint) -> None:
    """What its sender is, as of its newest word."""
    header = datagram.header
    contact.revive(node, member)
    moved = contact.follow_move(node, member, datagram, source)
    leading.note_rival(node, member, header)
    lists = (member.voters, member.wanted, member.by_list)
    member.update(header, source=source, now_us=node.now_us)
    member.told_unfit = tell_of_eligibility(node, member.node, member.told_unfit, member.ineligible)
    if lists != (member.voters, member.wanted, member.by_list):
        voters.step(node)
    _learn_terms(node, member)
    leading.raise_term(node, member)
    granted = node.promise.is_held_by(member.session) and node.promise.is_live(node.now_us)
    leads = header.role is Role.LEADER and node.leader.node in (NOBODY, node.id)
    if leads and not granted and not moved:  # it is asked at one address: where it was heard last
        challenging.probe_member(node, member)  # a round trip, then transfer.meet_leader


def _learn_terms(node: Node, member: Member) -> None:
    node.see_term(max(member.leader.term, member.floor.term))
    if member.floor.node == node.id:
        node.durable.recall(member.floor.term)


def _on_verified(node: Node, member: Member) -> None:
    _learn_terms(node, member)
    voters.step(node)
    promise = node.promise
    if promise.floor.node == member.node and promise.session != member.session and promise.is_live(node.now_us):
        # Under a new session: who led is dead.
        following.leader_gone(node, Reason.LEADER_CRASHED, proof.of_return(node))
    seeking.recover(node)
    transfer.meet_leader(node, member)
    leading.raise_term(node, member)


def _dispatch(node: Node, member: Member, datagram: Datagram, source: Endpoint) -> None:  # noqa: C901, PLR0915 - the table of messages
    sequence = datagram.header.sequence
    match datagram.body:
        case Announce() as body:
            member.name, member.version, member.tags = body.name, body.version, body.tags
            member.interval_us = max(body.interval_ms, 100) * MS
            if source.is_better_than(member.endpoint):
                challenging.probe(node, member.node, member.session, source)  # its answer makes it the endpoint
        case Heartbeat() as body:
            transfer.on_successor_leads(node, member)
            following.on_heartbeat(node, member, body, sequence=sequence)
        case Probe() as body:
            challenging.answer_probe(node, datagram.header, source, body)
            campaigns.send_again(node, member)
        case ProbeAck() as body:
            _on_probe_ack(node, member, datagram.header, body, source)
        case Claim() as body:
            voting.on_claim(node, member, body)
        case Grant() as body:
            (pre_voting if body.pre_vote else claiming).on_grant(node, member, body)
        case Refuse() as body:
            (pre_voting if body.pre_vote else claiming).on_refuse(node, member, body)
        case Resign() as body:
            transfer.on_resign(node, member, body)
        case Ping() as body:
            leading.on_ping(node, member, body)
        case Pong() as body:
            following.on_pong(node, member, body, sequence=sequence)
        case Ack() as body:
            leading.on_ack(node, member, body)
        case Offer() as body:
            pre_voting.on_offer(node, member, body)
        case Ready() as body:
            transfer.on_ready(node, member, body)
        case Survey() as body:
            survey.on_survey(node, datagram.header, member.endpoint, body)
        case Report() as body:
            survey.on_report(node, datagram.header, body)
        case Roster() as body:
            rosters.on_roster(node, member, body, source)
        case Obituary() | Trial() | Echo() | Recall() | Events():
            raise AssertionError("no word of a living session, or none of the election's")


def _on_probe_ack(node: Node, member: Member, header: Header, ack: ProbeAck, source: Endpoint) -> None:
    challenge = challenging.answered(node, header, ack)
    if challenge is None:
        return
    node.note_contact(member, challenge.request.sent_us)
    member.told(ack.hold_ms * MS, sent_us=challenge.request.sent_us, recovering=header.recovering)
    if member.would_move(source, node.now_us):
        member.move(source, node.now_us)
    contact.note_returns(node, ack)
    challenging.answer_challenge(node, header, source, ack)
    seeking.recover(node)
    transfer.meet_leader(node, member)


def _highest_term(datagram: Datagram) -> int:
    """That it could teach us."""
    header = datagram.header
    return max(header.leader.term, header.floor.term, header.voters.generation.term, _term_in(datagram))


def _term_in(datagram: Datagram) -> int:
    """What the body could."""
    match datagram.body:
        case Claim(term=term):
            return term
        case Resign(ballot=ballot) | Refuse(holder=ballot):
            return ballot.term
        case _:
            return 0
