"""Another process that uses this node's id: a copied state folder. docs/protocol.md 4.1.

One of the two keeps the id. The other is silent until its namesake is gone, and says so in its status."""

from kingd.core.rules import becoming, challenging, saying
from kingd.core.state.node import Node
from kingd.core.wire.endpoint import Endpoint
from kingd.core.wire.message import Datagram, Probe, ProbeAck, Reason, Role, SessionId


def on_namesake(node: Node, datagram: Datagram, source: Endpoint) -> None:
    """A datagram with our id and another session: proven alive by a round trip before anything is concluded from it."""
    header, body = datagram.header, datagram.body
    if isinstance(body, Probe):
        if not node.namesake.is_there:
            challenging.answer_probe(node, header, source, body)
        return
    if isinstance(body, ProbeAck):
        if node.challenges.take(node.id, node.session, echo=body.echo) is not None:
            _on_proven(node, header.role, header.session, source)
        return
    if node.namesake.is_there or not challenging.earns_probe(node, body, source):
        return
    if challenging.asked_of_late(node, node.id, node.session) is None:
        saying.send_to(
            node, challenging.challenge_namesake(node), target=node.id, session=header.session, endpoint=source
        )


def _on_proven(node: Node, role: Role, session: SessionId, source: Endpoint) -> None:
    """The one that is established keeps the id; of two alike, the smaller session."""
    mine, theirs = node.role is not Role.JOINING, role is not Role.JOINING
    yields = node.namesake.is_there or (theirs and not mine) or (mine == theirs and session < node.session)
    if not yields:
        return
    if node.namesake.hear(source, node.now_us):
        becoming.join(node, Reason.ISOLATED)


def on_namesake_time(node: Node) -> None:
    namesake = node.namesake
    if node.now_us >= namesake.until_us:  # nobody has answered
        namesake.leave()
        becoming.join(node, Reason.JOINED)
        return
    challenging.probe_namesake(node)
    namesake.ask_again(node.now_us)
