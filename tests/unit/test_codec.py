"""The bytes of every message, both ways, and that nothing else is ever believed. docs/protocol.md 3."""

from dataclasses import replace

import pytest

from kingd.core.wire.codec import decode, encode
from kingd.core.wire.message import (
    NOBODY,
    Ack,
    Announce,
    Ballot,
    Body,
    Claim,
    Datagram,
    Grant,
    Header,
    Heartbeat,
    Ineligible,
    NodeId,
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
    RosterEntry,
    SessionId,
    Survey,
    Term,
    Ticket,
)
from kingd.core.wire.reader import DecodeError
from kingd.core.wire.seal import MAC_SIZE, Seal, cluster_id
from kingd.core.wire.voter_list import Generation, VoterList
from tests.unit.codec_asides import ASIDES

CLUSTER = 0x6B9D00A22B95FB98  # of the name "default"
SEAL = Seal()
KEY = bytes(range(32))
SIGNING = Seal([KEY], requires_key=True)

BALLOT = Ballot(Term(0x51), NodeId(0x52))
HEADER = Header(
    cluster=CLUSTER,
    source=NodeId(0x0102030405060708),
    destination=NodeId(0x1112131415161718),
    session=SessionId(0x2122232425262728),
    receiver=SessionId(0x3932333435363739),
    sequence=0x3132333435363738,
    leader=Ballot(Term(0x41), NodeId(0x42)),
    floor=Ballot(Term(0x43), NodeId(0x44)),
    priority=0x0164,
    role=Role.FOLLOWER,
    eligible=True,
    voters=VoterList(0x71727374, Generation(Term(0x7A7B), 0x75)),
    wanted=0x76777879,
    recovering=True,
)
HEADER_SIZE = 112

# What follows magic, version, type, flags and length, which differ in the table: cluster, source, destination, session,
# receiver, sequence, leader's ballot, floor, priority, list's number and term,
# voters, wanted, role, key id, mode, 1 reserved.
HEADER_HEX = (
    "6b9d00a22b95fb98 0102030405060708 1112131415161718 2122232425262728 3932333435363739 3132333435363738"
    " 0000000000000041 0000000000000042 0000000000000043 0000000000000044 0164 0075 0000000000007a7b"
    " 71727374 76777879 01 00 03 00"
)

# kind, message, then its bytes: first eight of the header, body (zeros up to the least length follow), checksum
CASES: list[tuple[str, Body, str, str, str]] = [
    (
        "announce",
        Announce(name="box1", version="0.1.0", interval_ms=1000, tags=(("url", "http://x"), ("o", "é"))),
        "4b67 10 01 0000 0130",
        "000003e8 02 04 626f7831 05 302e312e30 03 75726c 08 687474703a2f2f78 01 6f 02 c3a9",
        "ad9a55cba02b29eae9257693bdfb4820",
    ),
    (
        "heartbeat",
        Heartbeat(interval_ms=100, lonely=True, alive=3, lease_ms=1000),
        "4b67 10 02 0000 008b",
        "00000064 01 0003 000003e8",
        "8e8fc468d6961c769ea29c7e81b58288",
    ),
    (
        "probe",
        Probe(nonce=0x61),
        "4b67 10 03 0000 0128",
        "0000000000000061",
        "a25212c19bde22c50d98cddb2665a5af",
    ),
    (
        "probe-ack",
        ProbeAck(echo=0x61, name="box1", version="0.1.0", returns=2, nonce=0x6A, hold_ms=0x6B),
        "4b67 10 04 0000 00a0",
        "0000000000000061 000000000000006a 02 0000006b 04 626f7831 05 302e312e30",
        "dedde76772ce1bc95f7de8d98052cd07",
    ),
    (
        "claim-prepare",
        Claim(term=Term(0x51), attempt=0x62, pre_vote=True, reason=Reason.LEADER_TIMEOUT, lease_ms=60),
        "4b67 10 05 0000 0093",
        "0000000000000051 00000062 01 02 0000003c 00",
        "67de9c6d7dcc4cd346b967705e144d8c",
    ),
    (
        "claim-ticket",
        Claim(
            term=Term(0x51),
            attempt=0x62,
            reason=Reason.STEP_DOWN,
            ticket=Ticket(
                ballot=BALLOT, session=SessionId(0x53), successor=NodeId(0x54), successor_session=SessionId(0x55)
            ),
        ),
        "4b67 10 05 0000 00bb",
        "0000000000000051 00000062 00 06 00000000 01"
        " 0000000000000051 0000000000000052 0000000000000053 0000000000000054 0000000000000055",
        "e121607abc02b8bc9fd3ae2a64487f4f",
    ),
    (
        "grant",
        Grant(term=Term(0x51), attempt=0x62, pre_vote=True),
        "4b67 10 06 0000 008d",
        "0000000000000051 00000062 01",
        "44aab36b335983e86ea1e6fd1c0cde64",
    ),
    (
        "refuse",
        Refuse(
            term=Term(0x51),
            attempt=0x62,
            pre_vote=False,
            holder=BALLOT,
            holder_session=SessionId(0x53),
            led=True,
            remaining_ms=500,
        ),
        "4b67 10 07 0000 00aa",
        "0000000000000051 00000062 00 0000000000000051 0000000000000052 0000000000000053 01 000001f4",
        "d021ff9110beafff20c469aef659dc9f",
    ),
    (
        "resign",
        Resign(
            ballot=BALLOT,
            successor=NodeId(0x54),
            successor_session=SessionId(0x55),
            reason=Reason.LEADER_LEFT,
            leaving=True,
        ),
        "4b67 10 08 0000 00a2",
        "0000000000000051 0000000000000052 0000000000000054 0000000000000055 04 01",
        "378957b5b648d3cf70d98fc0a165686a",
    ),
    (
        "ping",
        Ping(nonce=0x63, heard=0x64, polling=True),
        "4b67 10 09 0000 008d",
        "00000063 0000000000000064 01",
        "50f1d97a4ee054aacd6ff0e998126bdf",
    ),
    (
        "pong",
        Pong(echo=0x63, lease_ms=0x64),
        "4b67 10 0a 0000 0088",
        "00000063 00000064",
        "cabf7dd0e1a6196619d38ad41ad3e9bc",
    ),
    ("ack", Ack(sequence=0x6A), "4b67 10 11 0000 0088", "000000000000006a", "d5c823bed8b90ff2b0cbcd7035f393d7"),
    ("obituary", Obituary(), "4b67 10 0f 0000 0080", "", "4700df55bb2c9240795478e0981a0df8"),
    (
        "offer",
        Offer(ballot=BALLOT, reason=Reason.HANDOVER, keep_ms=0x69),
        "4b67 10 0b 0000 0095",
        "0000000000000051 0000000000000052 05 00000069",
        "761d088779fb58d3007ce7d5d54cdaf0",
    ),
    (
        "ready",
        Ready(ballot=BALLOT, reason=Reason.HIGHER_PRIORITY, silent=(NodeId(0x68), NodeId(0x69))),
        "4b67 10 0c 0000 00a2",
        "0000000000000051 0000000000000052 01 02 0000000000000068 0000000000000069",
        "9a3a08277e494b359a2e5f165aaea69e",
    ),
    (
        "survey",
        Survey(nonce=0x65),
        "4b67 10 0d 0000 0128",
        "0000000000000065",
        "adb302fc012f0dd727838d8a15c2e29d",
    ),
    (
        "report",
        Report(echo=0x65, name="box1", leader_name=""),
        "4b67 10 0e 0000 008e",
        "0000000000000065 04 626f7831 00",
        "60871492a9049f4d889951a4a87b96f5",
    ),
    (
        "roster",
        Roster(
            entries=(
                RosterEntry(node=NodeId(0x54), session=SessionId(0x55), host="10.0.0.1", port=5466),
                RosterEntry(node=NodeId(0x56), session=SessionId(0x57), host="fe80::1", port=5467),
            ),
            alive=0x58,
        ),
        "4b67 10 10 0000 00b8",
        "0058 02 0000000000000054 0000000000000055 155a 08 31302e302e302e31"
        " 0000000000000056 0000000000000057 155b 07 666538303a3a31",
        "d4fca30e693b5122179e0ddd1292da76",
    ),
    *ASIDES,
]
IDS = [case[0] for case in CASES]
BODIES = [case[1] for case in CASES]


def read(data: bytes) -> Datagram:
    return decode(data, cluster=CLUSTER, seal=SEAL)


def refusal(data: bytes) -> str:
    with pytest.raises(DecodeError) as caught:
        read(data)
    return caught.value.reason


def sealed(data: bytes) -> bytes:
    """`data` (header and body, whatever they say) with its length corrected and a valid checksum behind it."""
    size = (len(data) + MAC_SIZE).to_bytes(2, "big")
    data = data[:6] + size + data[8:]
    return SEAL.close(data)


def plain(body: Body, header: Header = HEADER) -> bytes:
    """Header, body and padding as encoded, without the checksum."""
    return encode(Datagram(header, body), SEAL)[:-MAC_SIZE]


# -- known bytes


@pytest.mark.parametrize(("kind", "body", "start", "rest", "mac"), CASES, ids=IDS)
def test_bytes_of_every_kind_both_ways(kind: str, body: Body, start: str, rest: str, mac: str) -> None:
    data = bytes.fromhex(f"{start} {HEADER_HEX} {rest}")
    data += bytes(int.from_bytes(data[6:8], "big") - len(data) - MAC_SIZE) + bytes.fromhex(mac)
    assert encode(Datagram(HEADER, body), SEAL).hex() == data.hex()
    assert read(data) == Datagram(HEADER, body)


def test_table_has_every_kind() -> None:
    assert {type(body) for body in BODIES} == set(Body.__args__)


def test_flags_and_mode_bits() -> None:
    header = replace(HEADER, multicast=True, eligible=False, destination=NOBODY, role=Role.LEADER, recovering=False)
    data = encode(Datagram(header, Pong(echo=1)), SEAL)
    assert (data[4:6].hex(), data[108:112].hex()) == ("0001", "04000000")
    assert read(data).header == header
    begun = replace(HEADER, recovering=False, begun=True)
    data = encode(Datagram(begun, Pong(echo=1)), SEAL)
    assert (data[108:112].hex(), read(data).header) == ("01000500", begun)


@pytest.mark.parametrize("why", Ineligible)
def test_why_one_may_not_lead_is_the_last_byte_of_the_header(why: Ineligible) -> None:
    header = replace(HEADER, eligible=False, ineligible=why)
    data = encode(Datagram(header, Pong(echo=1)), SEAL)
    assert data[108:112] == bytes([Role.FOLLOWER, 0, 2, why])
    assert read(data).header == header


def test_reason_of_a_later_version_is_one_that_was_not_said() -> None:
    data = encode(Datagram(replace(HEADER, eligible=False), Pong(echo=1)), SEAL)[:-MAC_SIZE]
    later = SEAL.close(data[:111] + bytes([200]) + data[112:])
    assert (read(later).header.eligible, read(later).header.ineligible) == (False, Ineligible.UNSAID)


# -- the checksum (the signature: test_seal.py)


def test_cluster_ids_known_answers() -> None:
    assert (cluster_id("default"), cluster_id("lab")) == (CLUSTER, 0xD88125DB7201C91F)


def damage_reason(offset: int) -> str:
    if offset < 2:
        return "magic"
    if offset == 2:  # the upper nibble is the major version; the lower one only the checksum notices
        return "version"
    if 6 <= offset < 8:
        return "length"
    return "other-cluster" if 8 <= offset < 16 else "damaged"


@pytest.mark.parametrize("body", BODIES, ids=IDS)
def test_065_every_byte_of_a_datagram_is_protected(body: Body) -> None:
    data = encode(Datagram(HEADER, body), SEAL)
    for offset in range(len(data)):
        damaged = bytearray(data)
        damaged[offset] ^= 0x10
        assert refusal(bytes(damaged)) == damage_reason(offset), offset


def test_065_destination_and_source_are_under_the_mac() -> None:
    """A datagram that was recorded cannot be sent to, or in the name of, somebody else."""
    data = encode(Datagram(HEADER, Grant(term=Term(1), attempt=2)), SEAL)
    other = encode(Datagram(replace(HEADER, destination=NodeId(9), source=NodeId(8)), Pong(echo=1)), SEAL)
    for field in (slice(16, 24), slice(24, 32)):
        forged = bytearray(data)
        forged[field] = other[field]
        assert refusal(bytes(forged)) == "damaged"
