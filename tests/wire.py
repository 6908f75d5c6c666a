"""kingd datagrams as a scapy layer, written from docs/protocol.md 3 and from nothing else: the tests' adversary speaks
by it, and where it and our codec differ, one of the two does not do what the page says.

    finish(Kingd(source=7, session=8, sequence=1) / Heartbeat(interval_ms=100), secret=None)

gives the bytes; `Kingd(data)` takes them apart.
"""

from hashlib import blake2b

from scapy.fields import (
    ByteField,
    ConditionalField,
    FieldLenField,
    IntField,
    LongField,
    PacketListField,
    ShortField,
    StrFixedLenField,
    StrLenField,
    XLongField,
)
from scapy.packet import Packet, bind_layers

LEAST_SIZE = {1: 304, 3: 296, 13: 296, 18: 304, 20: 1232}  # 3.4
_ZERO_KEY = bytes(32)


def mac(data: bytes, key: bytes) -> bytes:
    return blake2b(data, key=key, digest_size=16, person=b"kingd-v1").digest()


def key_id(secret: bytes) -> int:
    return 1 + int.from_bytes(blake2b(secret, digest_size=8, person=b"kingd-key-id").digest(), "big") % 255


def cluster_id(name: str) -> int:
    return int.from_bytes(blake2b(name.encode(), digest_size=8, person=b"kingd-cluster").digest(), "big")


class Kingd(Packet):  # type: ignore[misc] # scapy is not typed
    """3.1"""

    name = "kingd"
    fields_desc = [
        StrFixedLenField("magic", b"Kg", 2),
        ByteField("version", 0x10),
        ByteField("type", 0),
        ShortField("flags", 0),
        ShortField("length", 0),
        XLongField("cluster", cluster_id("default")),
        XLongField("source", 0),
        XLongField("destination", 0),
        XLongField("session", 0),
        XLongField("receiver", 0),
        LongField("sequence", 1),
        LongField("leader_term", 0),
        XLongField("leader_node", 0),
        LongField("floor_term", 0),
        XLongField("floor_node", 0),
        ShortField("priority", 100),
        ShortField("list_number", 0),
        LongField("list_term", 0),
        IntField("voters", 0),
        IntField("wanted", 0),
        ByteField("role", 1),
        ByteField("key", 0),
        ByteField("mode", 1),
        ByteField("reserved", 0),
    ]


def _text(name: str, default: bytes = b"") -> list[object]:
    return [FieldLenField(f"{name}_size", None, fmt="B", length_of=name), _string(name, default)]


def _string(name: str, default: bytes) -> object:
    return StrLenField(name, default, length_from=lambda packet: getattr(packet, f"{name}_size"))


class Part(Packet):  # type: ignore[misc]
    """What is repeated in a body."""

    def extract_padding(self, data: bytes) -> tuple[bytes, bytes]:
        return b"", data


class Tag(Part):
    fields_desc = [*_text("key"), *_text("value")]


class Entry(Part):
    fields_desc = [XLongField("node", 0), XLongField("session", 0), ShortField("port", 5466), *_text("host", b"::")]


class Node(Part):
    fields_desc = [XLongField("node", 0)]


class Announce(Packet):  # type: ignore[misc]
    fields_desc = [
        IntField("interval_ms", 1000),
        FieldLenField("tags_count", None, fmt="B", count_of="tags"),
        *_text("host", b"m"),
        *_text("software", b"1"),
        PacketListField("tags", [], Tag, count_from=lambda packet: packet.tags_count),
    ]


class Heartbeat(Packet):  # type: ignore[misc]
    fields_desc = [
        IntField("interval_ms", 100),
        ByteField("lonely", 0),
        ShortField("alive", 3),
        IntField("lease_ms", 0),
    ]


class Probe(Packet):  # type: ignore[misc]
    fields_desc = [XLongField("nonce", 0)]


class ProbeAck(Packet):  # type: ignore[misc]
    fields_desc = [
        XLongField("echo", 0),
        XLongField("nonce", 0),
        ByteField("returns", 0),
        IntField("hold_ms", 0),
        *_text("host", b"m"),
        *_text("software", b"1"),
    ]


def _ballot(name: str) -> list[object]:
    return [LongField(f"{name}_term", 0), XLongField(f"{name}_node", 0)]


class Claim(Packet):  # type: ignore[misc]
    fields_desc = [
        LongField("term", 0),
        IntField("attempt", 0),
        ByteField("pre_vote", 0),
        ByteField("reason", 0),
        IntField("lease_ms", 0),
        ByteField("ticketed", 0),
        *(
            ConditionalField(field, lambda packet: packet.ticketed)
            for field in [
                *_ballot("ticket"),
                XLongField("ticket_session", 0),
                XLongField("successor", 0),
                XLongField("successor_session", 0),
            ]
        ),
    ]


class Grant(Packet):  # type: ignore[misc]
    fields_desc = [LongField("term", 0), IntField("attempt", 0), ByteField("pre_vote", 0)]


class Refuse(Packet):  # type: ignore[misc]
    fields_desc = [
        LongField("term", 0),
        IntField("attempt", 0),
        ByteField("pre_vote", 0),
        *_ballot("holder"),
        XLongField("holder_session", 0),
        ByteField("led", 0),
        IntField("remaining_ms", 0),
    ]


class Resign(Packet):  # type: ignore[misc]
    fields_desc = [
        *_ballot("ballot"),
        XLongField("successor", 0),
        XLongField("successor_session", 0),
        ByteField("reason", 0),
        ByteField("leaving", 0),
    ]


class Ping(Packet):  # type: ignore[misc]
    fields_desc = [IntField("nonce", 0), LongField("heard", 0), ByteField("polling", 0)]


class Pong(Packet):  # type: ignore[misc]
    fields_desc = [IntField("echo", 0), IntField("lease_ms", 0)]


class Ack(Packet):  # type: ignore[misc]
    fields_desc = [LongField("sequence", 0)]


class Offer(Packet):  # type: ignore[misc]
    fields_desc = [*_ballot("ballot"), ByteField("reason", 0), IntField("keep_ms", 0)]


class Ready(Packet):  # type: ignore[misc]
    fields_desc = [
        *_ballot("ballot"),
        ByteField("reason", 0),
        FieldLenField("silent_count", None, fmt="B", count_of="silent"),
        PacketListField("silent", [], Node, count_from=lambda packet: packet.silent_count),
    ]


class Survey(Packet):  # type: ignore[misc]
    fields_desc = [XLongField("nonce", 0)]


class Report(Packet):  # type: ignore[misc]
    fields_desc = [XLongField("echo", 0), *_text("host", b"m"), *_text("leader")]


class Obituary(Packet):  # type: ignore[misc]
    fields_desc: list[ByteField] = []


class Roster(Packet):  # type: ignore[misc]
    fields_desc = [
        ShortField("alive", 0),
        FieldLenField("count", None, fmt="B", count_of="entries"),
        PacketListField("entries", [], Entry, count_from=lambda packet: packet.count),
    ]


class Count(Part):
    fields_desc = [ByteField("way", 1), IntField("got", 0), IntField("sent", 0)]


class Trial(Packet):  # type: ignore[misc]
    fields_desc = [
        XLongField("run", 1),
        XLongField("token", 0),
        IntField("number", 1),
        ByteField("lane", 0),
        ByteField("by", 4),
        ByteField("back", 4),
        XLongField("about", 0),
    ]


class Echo(Packet):  # type: ignore[misc]
    fields_desc = [
        XLongField("run", 1),
        XLongField("token", 1),
        IntField("number", 1),
        ByteField("lane", 0),
        ByteField("by", 4),
        IntField("lag_ms", 0),
        XLongField("about", 0),
        ByteField("state", 0),
        ByteField("ways", 0),
        IntField("heard_ms", 0),
        IntField("multicast_ms", 0),
        IntField("contact_ms", 0),
        ShortField("port", 0),
        FieldLenField("count", None, fmt="B", count_of="counts"),
        *_text("host"),
        PacketListField("counts", [], Count, count_from=lambda packet: packet.count),
    ]


class Recall(Packet):  # type: ignore[misc]
    fields_desc = [XLongField("nonce", 0), IntField("before", 0)]


class Told(Part):
    fields_desc = [
        IntField("number", 1),
        LongField("age_ms", 0),
        LongField("term", 0),
        *(ByteField(name, 0) for name in ("kind", "reason", "was", "on", "sign")),
        IntField("silent_ms", 0xFFFFFFFF),
        *(ShortField(name, 0) for name in ("heartbeats", "announcements", "unanswered", "agreed", "asked")),
        IntField("lasted_ms", 0xFFFFFFFF),
        *_text("leader"),
        *_text("previous"),
        *_text("member"),
    ]


class Events(Packet):  # type: ignore[misc]
    fields_desc = [
        XLongField("echo", 0),
        FieldLenField("events_count", None, fmt="B", count_of="events"),
        PacketListField("events", [], Told, count_from=lambda packet: packet.events_count),
    ]


BODIES = {
    1: Announce,
    2: Heartbeat,
    3: Probe,
    4: ProbeAck,
    5: Claim,
    6: Grant,
    7: Refuse,
    8: Resign,
    9: Ping,
    10: Pong,
    11: Offer,
    12: Ready,
    13: Survey,
    14: Report,
    15: Obituary,
    16: Roster,
    17: Ack,
    18: Trial,
    19: Echo,
    20: Recall,
    21: Events,
}
for _type, _body in BODIES.items():
    bind_layers(Kingd, _body, type=_type)


def finish(packet: Packet, *, secret: bytes | None = None) -> bytes:
    """3.3 and 3.4: the padding, the length, and what ends a datagram."""
    trailer = 16 if secret is None else 32
    data = bytearray(bytes(packet))
    data += bytes(max(0, LEAST_SIZE.get(data[3], 0) - trailer - len(data)))
    data[6:8] = (len(data) + trailer).to_bytes(2, "big")
    if secret is not None:
        data[109] = key_id(secret)
        data += mac(bytes(data), secret)
    return bytes(data) + mac(bytes(data), _ZERO_KEY)
