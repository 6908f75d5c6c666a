"""Datagram <-> bytes. docs/protocol.md 3 has the layout as tables.

Big-endian; header, body by type, padding, 16 or 32 bytes of MACs; never more than 1232 bytes (the UDP
payload that every IPv6 path takes, RFC 8200 5). `decode` raises `DecodeError` and nothing else, whatever the bytes;
bytes behind a known body are ignored, so that a later minor version may append fields."""

import struct

from kingd.core.wire.bodies import PULL, pack
from kingd.core.wire.layout import HEADER, numbers
from kingd.core.wire.message import Ballot, Body, Datagram, Header, Ineligible, NodeId, Role, SessionId, Term
from kingd.core.wire.reader import DecodeError, Reader
from kingd.core.wire.seal import MAC_SIZE, NO_KEY, Seal
from kingd.core.wire.trial import Echo, Trial
from kingd.core.wire.voter_list import Generation, VoterList

DATAGRAM_SIZE_MAX = 1232
VERSION = 0x10  # major.minor as two nibbles: another major is another language

_MAGIC = b"Kg"
_HEADER = numbers(HEADER)
ADDRESSING = struct.Struct("!4xH10xQQQQQ")  # of the header: flags, source, destination, session, receiver, sequence
_HEADER_LENGTH_AT = slice(6, 8)
SOURCE_AT, DESTINATION_AT = slice(16, 24), slice(24, 32)
SESSION_AT, SEQUENCE_AT = slice(32, 40), slice(48, 56)
ALIVE_AT = slice(_HEADER.size + 5, _HEADER.size + 7)  # of a heartbeat
_KEY_AT = 21  # among the header's fields
DATAGRAM_SIZE_MIN = _HEADER.size + MAC_SIZE
_CLUSTER = struct.Struct("!8xQ")
# What a stranger's datagram earns is smaller than it, or as large (docs/protocol.md 3.4): a type that is not here earns less
# than its header.
SIZE_MIN = {1: 304, 3: 296, 13: 296, 18: 304, 20: DATAGRAM_SIZE_MAX}
_MULTICAST = 1 << 0  # flags
_ELIGIBLE, _RECOVERING, _BEGUN, _BY_LIST = 1 << 0, 1 << 1, 1 << 2, 1 << 3  # mode bits
_ROLES = tuple(Role)  # by number: they are consecutive
_INELIGIBLE = tuple(Ineligible)  # as well


def prologue(cluster: int) -> tuple[tuple[int, bytes], ...]:
    """(offset, bytes) that every datagram of this cluster has: what a socket filter can check."""
    return ((0, _MAGIC), (8, cluster.to_bytes(8, "big")))


def encode(datagram: Datagram, seal: Seal) -> bytes:
    h = datagram.header
    kind, body = pack(datagram.body)
    unpadded_size = _HEADER.size + len(body) + seal.trailer_size
    size = max(unpadded_size, _least(kind, datagram.body))
    assert size <= DATAGRAM_SIZE_MAX, datagram
    header = _HEADER.pack(
        _MAGIC,
        VERSION,
        kind,
        _MULTICAST if h.multicast else 0,
        size,
        h.cluster,
        h.source,
        h.destination,
        h.session,
        h.receiver,
        h.sequence,
        *h.leader,
        *h.floor,
        h.priority,
        h.voters.generation.number,
        h.voters.generation.term,
        h.voters.digest,
        h.wanted,
        h.role,
        seal.key_id,
        _ELIGIBLE * h.eligible | _RECOVERING * h.recovering | _BEGUN * h.begun | _BY_LIST * h.by_list,
        h.ineligible,
    )
    return seal.close(header + body + bytes(size - unpadded_size))


def decode(data: bytes, *, cluster: int, seal: Seal) -> Datagram:
    """Raises DecodeError: oversized, truncated, magic, version, length, other-cluster, damaged, unsigned, bad-key, type,
    header, or a body's reason (text, count, reason, way)."""
    _check_envelope(data, cluster=cluster)
    fields = _HEADER.unpack_from(data)
    key_id = fields[_KEY_AT]
    _check_seal(data, key_id, seal)
    pull = PULL.get(fields[2])
    if pull is None:
        raise DecodeError("type")
    if len(data) < SIZE_MIN.get(fields[2], 0):
        raise DecodeError("truncated")
    header = _header(fields)
    end = -MAC_SIZE if key_id == NO_KEY else -2 * MAC_SIZE
    body = pull(Reader(memoryview(data)[_HEADER.size : end]))
    if len(data) < _least(fields[2], body):
        raise DecodeError("truncated")
    return Datagram(header, body)


def _least(kind: int, body: Body) -> int:
    """The size that such a datagram has at least. What goes by a way for large ones is as large as any."""
    is_large = isinstance(body, Trial | Echo) and body.by.is_large
    return DATAGRAM_SIZE_MAX if is_large else SIZE_MIN.get(kind, 0)


def key_of(data: bytes) -> int:
    """Which key signed this datagram, which has been decoded."""
    return int(_HEADER.unpack_from(data)[_KEY_AT])


def _check_seal(data: bytes, key_id: int, seal: Seal) -> None:
    if not seal.is_whole(data):
        raise DecodeError("damaged")
    if key_id != NO_KEY and len(data) < DATAGRAM_SIZE_MIN + MAC_SIZE:
        raise DecodeError("truncated")
    if not seal.is_believed(data, key_id):
        raise DecodeError("unsigned" if key_id == NO_KEY else "bad-key")


def _check_envelope(data: bytes, *, cluster: int) -> None:
    if len(data) > DATAGRAM_SIZE_MAX:
        raise DecodeError("oversized")
    if len(data) < DATAGRAM_SIZE_MIN:
        raise DecodeError("truncated" if data[:2] == _MAGIC else "magic")
    if data[:2] != _MAGIC:
        raise DecodeError("magic")
    if data[2] >> 4 != VERSION >> 4:
        raise DecodeError("version")
    if int.from_bytes(data[_HEADER_LENGTH_AT], "big") != len(data):
        raise DecodeError("length")
    if _CLUSTER.unpack_from(data)[0] != cluster:
        raise DecodeError("other-cluster")


def _header(fields: tuple[int, ...]) -> Header:
    flags, _, cluster, source, destination, session, receiver, sequence = fields[3:11]
    (
        leader_term,
        leader_node,
        floor_term,
        floor_node,
        priority,
        list_number,
        list_term,
        digest,
        wanted,
        role,
        key_id,
        mode,
        why,
    ) = fields[11:]
    if role >= len(_ROLES) or source == 0 or session == 0 or sequence == 0:
        raise DecodeError("header")
    return Header(
        cluster=cluster,
        source=NodeId(source),
        destination=NodeId(destination),
        session=SessionId(session),
        receiver=SessionId(receiver),
        sequence=sequence,
        leader=Ballot(Term(leader_term), NodeId(leader_node)),
        floor=Ballot(Term(floor_term), NodeId(floor_node)),
        priority=priority,
        role=_ROLES[role],
        eligible=bool(mode & _ELIGIBLE),
        ineligible=_INELIGIBLE[why] if why < len(_INELIGIBLE) and not mode & _ELIGIBLE else Ineligible.UNSAID,
        voters=VoterList(digest, Generation(Term(list_term), list_number)),
        wanted=wanted,
        recovering=bool(mode & _RECOVERING),
        begun=bool(mode & _BEGUN),
        by_list=bool(mode & _BY_LIST),
        multicast=bool(flags & _MULTICAST),
        key_id=key_id,
    )
