"""Questions that prove a session: what is asked, of whom, how often, and what an answer is worth. docs/protocol.md 3.4, 4.1.

Who has proven nothing gets from us a probe, at most one per `challenge_us`, or the answer to its own, and never more bytes
than it sent. Who is a member, and what follows from it, is decided in contact.py."""

from kingd.core.rules import saying
from kingd.core.state.challenges import Challenge
from kingd.core.state.members import Member
from kingd.core.state.node import Node
from kingd.core.state.request import Request
from kingd.core.timing import MS
from kingd.core.wire.endpoint import Endpoint
from kingd.core.wire.message import Announce, Body, Header, NodeId, Probe, ProbeAck, SessionId


def probe(node: Node, target: NodeId, session: SessionId, endpoint: Endpoint) -> None:
    """Challenge a session, unless it was a moment ago."""
    nonce = _challenge(node, target, session, endpoint)
    if nonce:
        saying.send_to(node, Probe(nonce=nonce), target=target, session=session, endpoint=endpoint)


def probe_member(node: Node, member: Member) -> None:
    """Where it has proven that it is."""
    probe(node, member.node, member.session, member.endpoint)


def _challenge(node: Node, target: NodeId, session: SessionId, endpoint: Endpoint) -> int:
    """What the session has to echo; 0 = it was asked there a moment ago, or too many strangers are."""
    is_stranger = node.members.find(target, session) is None
    last = asked_of_late(node, target, session)
    if last is not None and (last.endpoint == endpoint or not is_stranger):
        return 0
    if is_stranger and not _may_probe_stranger(node):
        return 0
    if last is not None:  # who says its words again, from elsewhere, must not use up the question
        last.endpoint = endpoint
        return last.nonce
    nonce = node.rng.getrandbits(64) or 1
    node.challenges.put(target, session, Challenge(nonce, _request(node), endpoint))
    return nonce


def _request(node: Node) -> Request:
    return Request(node.now_us, (node.timing.challenge_us,))


def _open_challenge(node: Node, target: NodeId, session: SessionId, endpoint: Endpoint) -> int:
    """The question of a moment ago once more, for it may have been lost; else a new one."""
    last = asked_of_late(node, target, session)
    return last.nonce if last is not None else _challenge(node, target, session, endpoint)


def asked_of_late(node: Node, target: NodeId, session: SessionId) -> Challenge | None:
    last = node.challenges.get(target, session)
    return last if last is not None and node.now_us < last.request.due_us else None


def is_in_vain(node: Node, member: Member, *, by_us: int) -> bool:
    """It was asked after its last word, and had a round trip to answer by then: it is silent."""
    last = node.challenges.get(member.node, member.session)
    return last is not None and last.request.is_in_vain(
        heard_us=member.heard_us, now_us=by_us, wait_us=node.timing.round_trip_us
    )


def _may_probe_stranger(node: Node) -> bool:
    """Who makes up hosts by the thousand must not make us send by the thousand; an honest newcomer among them, who announces
    itself again and again, gets its turn."""
    return node.strangers.count_probe(node.now_us) or node.rng.getrandbits(3) == 0


def challenge_namesake(node: Node) -> Probe:
    """What another process with this node's id has to echo."""
    nonce = node.rng.getrandbits(64)
    node.challenges.put(node.id, node.session, Challenge(nonce, _request(node)))
    return Probe(nonce=nonce)


def probe_namesake(node: Node) -> None:
    saying.multicast(node, challenge_namesake(node), everywhere=True, destination=node.id)


def answer_probe(node: Node, header: Header, endpoint: Endpoint, message: Probe) -> None:
    """To a stranger, or from a new address, with a challenge of ours: its answer tells as much as that to a probe."""
    if header.destination != node.id:  # asked of all, it would be answered by all
        node.out.drop("other-destination")
        return
    member = node.members.find(header.source, header.session)
    is_known = header.source == node.id or (member is not None and not member.would_move(endpoint, node.now_us))
    nonce = 0 if is_known else _open_challenge(node, header.source, header.session, endpoint)
    _acknowledge(node, header, endpoint, echo=message.nonce, nonce=nonce)


def answer_challenge(node: Node, header: Header, endpoint: Endpoint, ack: ProbeAck) -> None:
    """Of somebody who has just proven himself, and knows us less well."""
    if ack.nonce:
        _acknowledge(node, header, endpoint, echo=ack.nonce, nonce=0)


def _acknowledge(node: Node, header: Header, endpoint: Endpoint, *, echo: int, nonce: int) -> None:
    member = node.members.get(header.source)
    returns = 0 if member is None else member.returns(node.now_us) + (member.session != header.session)
    body = ProbeAck(
        echo=echo,
        nonce=nonce,
        name=node.settings.name,
        version=node.settings.version,
        returns=returns,
        hold_ms=-(-node.hold_us // MS),
    )
    saying.send_to(node, body, target=header.source, session=header.session, endpoint=endpoint)


def earns_probe(node: Node, body: Body, source: Endpoint) -> bool:
    return isinstance(body, Announce) or node.strangers.earns_probe(source)


def answered(node: Node, header: Header, ack: ProbeAck) -> Challenge | None:
    """The question that this answers. None if there is none, or it was asked too long ago to prove that its sender is there:
    the first answer to it may have been lost, and recorded."""
    challenge = node.challenges.take(header.source, header.session, echo=ack.echo)
    if challenge is None:
        node.out.drop("unasked")
        return None
    if node.now_us - challenge.request.sent_us > node.timing.contact_us:
        node.out.drop("late")
        return None
    return challenge
