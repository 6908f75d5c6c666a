"""How a node speaks: the header that says what it is at this moment, and to whom a body goes. docs/protocol.md 3.1."""

from kingd.core.effect import Multicast, Send
from kingd.core.rules.eligibility import ineligible
from kingd.core.settings import digest_of
from kingd.core.state.members import Member
from kingd.core.state.node import Node
from kingd.core.wire.endpoint import Endpoint
from kingd.core.wire.message import NO_SESSION, NOBODY, Body, Datagram, Header, Ineligible, NodeId, SessionId


def send(node: Node, body: Body, to: Member) -> int:
    """Unicast to a member; the sequence number it went out with."""
    return send_to(node, body, target=to.node, session=to.session, endpoint=to.endpoint)


def send_to(node: Node, body: Body, *, target: NodeId, session: SessionId, endpoint: Endpoint) -> int:
    """Unicast to that session of that node (or to whoever is there)."""
    sequence = node.out.number()
    node.out.append(Send(Datagram(header(node, sequence, destination=target, receiver=session), body), endpoint))
    return sequence


def multicast(
    node: Node, body: Body, *, everywhere: bool = False, broadcast: bool = False, destination: NodeId = NOBODY
) -> int:
    sequence = node.out.number()
    datagram = Datagram(header(node, sequence, destination=destination, multicast=True), body)
    node.out.append(Multicast(datagram, everywhere=everywhere, broadcast=broadcast))
    return sequence


def header(
    node: Node,
    sequence: int,
    *,
    destination: NodeId = NOBODY,
    receiver: SessionId = NO_SESSION,
    multicast: bool = False,
) -> Header:
    return Header(
        cluster=node.settings.cluster,
        source=node.id,
        destination=destination,
        session=node.session,
        receiver=receiver,
        sequence=sequence,
        leader=node.leader,
        floor=node.promise.floor,
        priority=node.priority,
        role=node.role,
        eligible=(why := ineligible(node)) is None,
        ineligible=why or Ineligible.UNSAID,
        voters=node.voters.id,
        wanted=digest_of(node.settings.voters),
        recovering=node.is_recovering,
        begun=receiver in node.quorum.begun_with,
        by_list=node.is_by_list,
        multicast=multicast,
    )
