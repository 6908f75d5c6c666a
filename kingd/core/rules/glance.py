"""The first look at a datagram: its header, before anybody has vouched for a byte of it. docs/protocol.md 3.3.

In: bytes. Out: whether they may be of use. It changes nothing but counters, so a forged header achieves nothing: what is
dropped here would be dropped by `dispatch` as well, behind two MACs and a decoding. What it costs to look is all that
a flood of recorded datagrams costs."""

from kingd.core.facts import Glance
from kingd.core.rules import will
from kingd.core.state.node import Node
from kingd.core.wire.codec import ADDRESSING
from kingd.core.wire.layout import ASIDES
from kingd.core.wire.message import NO_SESSION, NOBODY, SEQUENCE_MAX

_IS_MULTICAST = 1
_TYPE_AT = 3


def glance(node: Node, data: bytes, *, by_group: bool) -> Glance:
    """`by_group`: it came by multicast or broadcast, as copies do that are no replay: by IPv4 and IPv6, over two networks."""
    if len(data) < ADDRESSING.size:
        return Glance.STRANGER
    if data[_TYPE_AT] in ASIDES:
        return Glance.STRANGER  # numbered apart; it gets what time strangers get, and no election waits for it
    flags, source, destination, session, receiver, sequence = ADDRESSING.unpack_from(data)
    is_copy = bool(flags & _IS_MULTICAST) and by_group
    if source == node.id:
        is_mine = session == node.session
        return Glance.STRANGER if not is_mine else Glance.COPY if is_copy else _useless(node, "replay")
    if destination not in (NOBODY, node.id):
        return Glance.COPY if is_copy else _useless(node, "other-destination")
    if receiver != (NO_SESSION if destination == NOBODY else node.session):
        return _useless(node, "other-session")
    member = node.members.get(source)
    if member is None or member.session != session:
        return Glance.STRANGER
    if sequence == SEQUENCE_MAX and will.is_heeded(member):  # the window is not asked about obituaries
        return Glance.COPY
    if not member.window.has(sequence):
        return Glance.MEMBER
    return Glance.COPY if is_copy else _useless(node, "replay")


def _useless(node: Node, reason: str) -> Glance:
    node.out.drop(reason)
    return Glance.USELESS
