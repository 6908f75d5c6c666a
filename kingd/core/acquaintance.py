"""Whom a node knows, and how it speaks to them outside of the election: what the doctor needs of the core. docs/doctor.md.

Nothing here changes the node. A datagram that is taken for a member's moves no window and is no news of that member, so what
the doctor has hosts say to each other can neither hold an election up nor help one."""

from kingd.core.rules import saying
from kingd.core.state.members import Member, State
from kingd.core.state.node import Node
from kingd.core.wire.endpoint import Endpoint
from kingd.core.wire.message import NO_SESSION, NOBODY, Header, NodeId, SessionId
from kingd.core.wire.voter_list import VoterList
from kingd.records import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """What this node has seen of another one, at one instant. Times are how long ago; None is never."""

    node: NodeId
    session: SessionId
    name: str
    version: str
    endpoint: Endpoint
    verified: bool
    state: State
    leads: bool  # it leads, as this node sees it
    heard_us: int
    multicast_us: int | None
    contact_us: int | None  # since it was proven to hear this one
    voters: VoterList
    wanted: int  # digest of the list of voters in its configuration
    key_id: int


class Acquaintance:
    def __init__(self, node: Node) -> None:
        self._node = node

    @property
    def id(self) -> NodeId:
        return self._node.id

    def header(self, sequence: int, *, to: NodeId, session: SessionId, by_group: bool) -> Header:
        """`sequence` is one of those beside the election, which are numbered apart."""
        return saying.header(self._node, sequence, destination=to, receiver=session, multicast=by_group)

    def is_members(self, header: Header) -> bool:
        """Whether it is from a session that a round trip has proven and that is not over, and for this session or for all."""
        node = self._node
        to_me = (header.destination, header.receiver) == (node.id, node.session)
        to_all = (header.destination, header.receiver) == (NOBODY, NO_SESSION)
        member = node.members.find(header.source, header.session)
        return (to_me or to_all) and not node.namesake.is_there and member is not None and _counts(member)

    def sightings(self, now_us: int) -> list[Sighting]:
        """Of all that are known, the leader first, then by rank."""
        leader = self._node.leader.node
        everybody = sorted(self._node.members.everybody(), key=lambda m: (m.node != leader, m.rank))
        return [_sighting(member, leader, now_us) for member in everybody]

    def sighting(self, node: NodeId, now_us: int) -> Sighting | None:
        member = self._node.members.get(node)
        return None if member is None else _sighting(member, self._node.leader.node, now_us)


def _counts(member: Member) -> bool:
    return member.verified and member.state is not State.LEFT and member.obituary_us < 0


def _sighting(member: Member, leader: NodeId, now_us: int) -> Sighting:
    return Sighting(
        node=member.node,
        session=member.session,
        name=member.name,
        version=member.version,
        endpoint=member.endpoint,
        verified=member.verified,
        state=member.state_at(now_us),
        leads=member.node == leader,
        heard_us=now_us - member.heard_us,
        multicast_us=None if member.multicast_us < 0 else now_us - member.multicast_us,
        contact_us=None if member.contact_us < 0 else now_us - member.contact_us,
        voters=member.voters,
        wanted=member.wanted,
        key_id=member.key_id,
    )
