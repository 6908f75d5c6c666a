"""What stands where in a datagram: the table of docs/protocol.md 3.1 and 3.2, for programs.

The codec takes its structs from here, kingd/tools its scapy layer, and from both comes the dissector for Wireshark. So a field
that one of them knows all know, by the same name, at the same place."""

import struct
from typing import NamedTuple

from kingd.core.wire.message import SILENT_MAX
from kingd.core.wire.trial import WAYS

_CODES = {
    "magic": "2s",
    "u8": "B",
    "bits8": "B",  # named in BITS
    "flag": "B",  # anything but 0 is yes
    "reason": "B",  # message.Reason
    "role": "B",  # message.Role
    "ineligible": "B",  # message.Ineligible
    "way": "B",  # trial.Way
    "u16": "H",
    "bits16": "H",
    "u32": "I",
    "digest": "I",
    "u64": "Q",
    "id": "Q",  # a number that stands for somebody or something: written in hexadecimal
}


class Field(NamedTuple):
    name: str
    kind: str  # of _CODES; or "text": a length byte, and as many bytes of UTF-8


class Repeat(NamedTuple):
    """What a body ends with: the same fields, as often as a field before them says."""

    name: str
    fields: tuple[Field, ...]
    counted_by: str  # the field that says how often
    most: int


class Layout(NamedTuple):
    """The body of one type."""

    name: str
    fields: tuple[Field, ...] = ()
    repeat: Repeat | None = None

    @property
    def numbers(self) -> struct.Struct:
        """What the body begins with."""
        return numbers(self.fields)


def numbers(fields: tuple[Field, ...]) -> struct.Struct:
    """Those that are no texts, which all stand before these."""
    return struct.Struct("!" + "".join(_CODES[field.kind] for field in fields if field.kind != "text"))


def fields(table: str) -> tuple[Field, ...]:
    """`name:kind name:kind ...`"""
    return tuple(Field(*word.split(":")) for word in table.split())


HEADER = fields(
    "magic:magic version:u8 type:u8 flags:bits16 length:u16 cluster:id source:id destination:id session:id receiver:id"
    " sequence:u64 leader_term:u64 leader_node:id floor_term:u64 floor_node:id priority:u16 list_number:u16 list_term:u64"
    " voters:digest wanted:digest role:role key:u8 mode:bits8 ineligible:ineligible"
)
HEADER_SIZE = numbers(HEADER).size
BITS = {"flags": ("multicast",), "mode": ("eligible", "recovering", "begun", "by_list")}  # from the lowest

_BALLOT = "ballot_term:u64 ballot_node:id "
TICKET = fields(_BALLOT + "session:id successor:id successor_session:id")
TAG = fields("key:text value:text")
SILENT = fields("node:id")
ROSTER_ENTRY = fields("node:id session:id port:u16 host:text")
COUNT = fields("way:way got:u32 sent:u32")
TOLD = fields(
    "number:u32 age_ms:u64 term:u64 kind:u8 reason:reason was:u8 on:u8 sign:u8 silent_ms:u32 heartbeats:u16 announcements:u16"
    " unanswered:u16 agreed:u16 asked:u16 lasted_ms:u32 leader:text previous:text member:text"
)

ASIDES = (18, 19, 20, 21)  # the types of what is no election's

TAGS_MAX = 8
TOLD_MAX = 24
ROSTER_ENTRIES_MAX = 16  # 16 x 63 bytes stay below the limit of a datagram
TEXT_SIZE_MAX = 64
LEASE_MS_MAX = 120_000  # twice the longest leader_timeout that the configuration takes
HOLD_MS_MAX = 122_430  # the promise that outlasts that lease: promise_us

# By the type's number. A field is called `node_name` and not `name`, for in scapy that is the name of the layer.
BODIES = {
    1: Layout(
        "ANNOUNCE",
        fields("interval_ms:u32 tags_count:u8 node_name:text software:text"),
        Repeat("tags", TAG, "tags_count", TAGS_MAX),
    ),
    2: Layout("HEARTBEAT", fields("interval_ms:u32 lonely:flag alive:u16 lease_ms:u32")),
    3: Layout("PROBE", fields("nonce:id")),
    4: Layout("PROBE-ACK", fields("echo:id nonce:id returns:u8 hold_ms:u32 node_name:text software:text")),
    5: Layout(
        "CLAIM",
        fields("term:u64 attempt:u32 pre_vote:flag reason:reason lease_ms:u32 ticketed:flag"),
        Repeat("ticket", TICKET, "ticketed", 1),
    ),
    6: Layout("GRANT", fields("term:u64 attempt:u32 pre_vote:flag")),
    7: Layout(
        "REFUSE",
        fields(
            "term:u64 attempt:u32 pre_vote:flag holder_term:u64 holder_node:id holder_session:id led:flag remaining_ms:u32"
        ),
    ),
    8: Layout("RESIGN", fields(_BALLOT + "successor:id successor_session:id reason:reason leaving:flag")),
    9: Layout("PING", fields("nonce:u32 heard:u64 polling:flag")),
    10: Layout("PONG", fields("echo:u32 lease_ms:u32")),
    11: Layout("OFFER", fields(_BALLOT + "reason:reason keep_ms:u32")),
    12: Layout(
        "READY",
        fields(_BALLOT + "reason:reason silent_count:u8"),
        Repeat("silent", SILENT, "silent_count", SILENT_MAX),
    ),
    13: Layout("SURVEY", fields("nonce:id")),
    14: Layout("REPORT", fields("echo:id node_name:text leader_name:text")),
    15: Layout("OBITUARY"),
    16: Layout(
        "ROSTER",
        fields("alive:u16 entries_count:u8"),
        Repeat("entries", ROSTER_ENTRY, "entries_count", ROSTER_ENTRIES_MAX),
    ),
    17: Layout("ACK", fields("sequence:u64")),
    18: Layout("TRIAL", fields("run:id token:id number:u32 lane:u8 by:way back:way about:id")),
    19: Layout(
        "ECHO",
        fields(
            "run:id token:id number:u32 lane:u8 by:way lag_ms:u32 about:id state:u8 ways:u8 heard_ms:u32 multicast_ms:u32"
            " contact_ms:u32 port:u16 counts_count:u8 host:text"
        ),
        Repeat("counts", COUNT, "counts_count", len(WAYS)),
    ),
    20: Layout("RECALL", fields("nonce:id before:u32")),
    21: Layout("EVENTS", fields("echo:id events_count:u8"), Repeat("events", TOLD, "events_count", TOLD_MAX)),
}
