"""How members speak beside the election: a body goes by one way to one host, or to all. docs/aside.md."""

from kingd.core.acquaintance import Acquaintance, Sighting
from kingd.core.wire.aside import Aside
from kingd.core.wire.endpoint import Endpoint
from kingd.core.wire.message import NO_SESSION, NOBODY, Datagram, NodeId, SessionId
from kingd.core.wire.trial import Trial, Way
from kingd.records import dataclass


@dataclass(frozen=True, slots=True)
class Say:
    """What the driver is to send: to `to` by unicast, or (None) to all on that interface, by multicast or broadcast."""

    datagram: Datagram
    way: Way
    interface: str
    to: Endpoint | None


class Voice:
    """Numbers what is said, apart from the election's datagrams."""

    def __init__(self, known: Acquaintance) -> None:
        self._known = known
        self._sequence = 0

    def to_one(self, body: Aside, way: Way, endpoint: Endpoint, *, node: NodeId, session: SessionId) -> Say:
        """By any way: what is meant for one host may go to all of its network."""
        to = None if way.is_group else endpoint
        return Say(self._datagram(body, node, session, by_group=way.is_group), way, endpoint.interface, to)

    def to_member(self, body: Aside, member: Sighting) -> Say:
        """To where a round trip has proven that it is."""
        way = Way.UC6 if ":" in member.endpoint.host else Way.UC4
        return self.to_one(body, way, member.endpoint, node=member.node, session=member.session)

    def to_all(self, body: Trial, interface: str) -> Say:
        return Say(self._datagram(body, NOBODY, NO_SESSION, by_group=True), body.by, interface, None)

    def _datagram(self, body: Aside, node: NodeId, session: SessionId, *, by_group: bool) -> Datagram:
        self._sequence += 1
        return Datagram(self._known.header(self._sequence, to=node, session=session, by_group=by_group), body)
