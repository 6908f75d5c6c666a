"""The protocol as a scapy layer, made from the codec's own table (kingd/core/wire/layout.py).

    from kingd.tools.layer import LAYERS, Kingd

    Kingd(data).show()                                     # a datagram taken apart
    bytes(Kingd(source=7, session=8) / LAYERS[9](nonce=1)) # one made: its length, padding and checksum are right

It reads whatever has the right size. What of it a daemon would refuse, the codec says (tools/datagram.py)."""

from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from typing import Any

from scapy.fields import (
    ByteEnumField,
    ByteField,
    ConditionalField,
    FieldLenField,
    FlagsField,
    IntField,
    LongField,
    PacketListField,
    ShortField,
    StrField,
    StrFixedLenField,
    StrLenField,
    XIntField,
    XLongField,
)
from scapy.layers.inet import UDP
from scapy.packet import Packet, bind_bottom_up, bind_layers

from kingd.core.wire import layout
from kingd.core.wire.codec import SIZE_MIN, VERSION
from kingd.core.wire.message import Ineligible, Reason, Role
from kingd.core.wire.seal import MAC_SIZE, Seal, cluster_id
from kingd.core.wire.trial import Way

PORT = 5466
HEADER_SIZE = layout.numbers(layout.HEADER).size
_KEY_AT, _LENGTH_AT = HEADER_SIZE - 3, slice(6, 8)
_HEADER_DEFAULTS = {"magic": b"Kg", "version": VERSION, "cluster": cluster_id("default"), "sequence": 1}
ROLES = {int(role): role.name.lower() for role in Role}
REASONS = {int(reason): reason.word for reason in Reason}
INELIGIBLE = {int(why): why.word for why in Ineligible}
WAYS = {int(way): way.word for way in Way}
_WORDS = {"role": ROLES, "reason": REASONS, "ineligible": INELIGIBLE, "way": WAYS}


def _bits(name: str, default: int, size: int) -> Any:
    named = layout.BITS[name]
    return FlagsField(name, default, size, [*named, *(f"bit{number}" for number in range(len(named), size))])


_MAKERS: dict[str, Callable[[str, Any], Any]] = {
    "magic": lambda name, default: StrFixedLenField(name, default, 2),
    "u8": ByteField,
    "bits8": lambda name, default: _bits(name, default, 8),
    "flag": ByteField,
    "reason": lambda name, default: ByteEnumField(name, default, REASONS),
    "role": lambda name, default: ByteEnumField(name, default, ROLES),
    "ineligible": lambda name, default: ByteEnumField(name, default, INELIGIBLE),
    "way": lambda name, default: ByteEnumField(name, default, WAYS),
    "u16": ShortField,
    "bits16": lambda name, default: _bits(name, default, 16),
    "u32": IntField,
    "digest": XIntField,
    "u64": LongField,
    "id": XLongField,
}


def _fields(fields: Sequence[layout.Field], repeat: layout.Repeat | None = None) -> Iterator[Any]:
    for name, kind in fields:
        if kind == "text":
            yield FieldLenField(f"{name}_size", None, fmt="B", length_of=name)
            yield StrLenField(name, b"", length_from=lambda packet, name=name: getattr(packet, f"{name}_size"))
        elif repeat is not None and name == repeat.counted_by:
            yield FieldLenField(name, None, fmt="B", count_of=repeat.name)
        else:
            yield _MAKERS[kind](name, _HEADER_DEFAULTS.get(name, 0) if fields is layout.HEADER else 0)
    if repeat is not None:
        yield PacketListField(repeat.name, [], _part(repeat), count_from=lambda packet: _times(packet, repeat))


def _times(packet: Packet, repeat: layout.Repeat) -> int:
    times = int(getattr(packet, repeat.counted_by))
    return bool(times) if repeat.most == 1 else times  # a flag: whatever is not 0 is yes


class _Part(Packet):  # type: ignore[misc] # scapy is not typed
    """What is repeated in a body: behind it comes the next one, and no layer."""

    def extract_padding(self, data: bytes) -> tuple[bytes, bytes]:
        return b"", data


def _class(name: str, fields: Iterator[Any], base: type[Any] = Packet) -> type[Any]:
    attributes = {"name": f"kingd {name}", "fields_desc": list(fields), "__module__": __name__}
    made: type[Any] = type(Packet)(f"Kingd{name.title().replace('-', '')}", (base,), attributes)
    return made


def _part(repeat: layout.Repeat) -> type[Any]:
    return _class(repeat.name, _fields(repeat.fields), _Part)


def _body(body: layout.Layout) -> type[Any]:
    """`rest`: padding, or the fields of a later version."""
    return _class(body.name, chain(_fields(body.fields, body.repeat), [StrField("rest", b"")]))


class Kingd(Packet):  # type: ignore[misc]
    """The header, and what ends every datagram: the signature, if there is one, and the checksum."""

    name = "kingd"
    fields_desc = [  # noqa: RUF012 - so scapy wants it
        *_fields(layout.HEADER),
        ConditionalField(StrFixedLenField("signature", b"", MAC_SIZE), lambda packet: packet.key),
        StrFixedLenField("checksum", b"", MAC_SIZE),
    ]

    def pre_dissect(self, data: bytes) -> bytes:
        """What stands at the end, where scapy's fields are: behind the header."""
        end = len(data) - (2 * MAC_SIZE if len(data) > _KEY_AT and data[_KEY_AT] else MAC_SIZE)
        return data[:HEADER_SIZE] + data[end:] + data[HEADER_SIZE:end] if end >= HEADER_SIZE else data

    def post_dissect(self, data: bytes) -> bytes:
        self.raw_packet_cache = None  # these bytes have another order
        return data

    def post_build(self, header: bytes, body: bytes) -> bytes:
        """A checksum that is not given is computed, and with it the length and the padding. A signature is never made."""
        if self.checksum.strip(b"\0"):
            return header[:HEADER_SIZE] + body + header[HEADER_SIZE:]
        body += bytes(max(0, SIZE_MIN.get(header[3], 0) - HEADER_SIZE - MAC_SIZE - len(body)))
        data = bytearray(header[:HEADER_SIZE] + body)
        data[_LENGTH_AT] = (len(data) + MAC_SIZE).to_bytes(2, "big")
        return Seal().close(bytes(data))


LAYERS = {number: _body(body) for number, body in layout.BODIES.items()}
"""By the type's number."""

for _number, _layer in LAYERS.items():
    bind_layers(Kingd, _layer, type=_number)
bind_bottom_up(UDP, Kingd, sport=PORT)
bind_bottom_up(UDP, Kingd, dport=PORT)


def values(packet: Packet, fields: Sequence[layout.Field], repeat: layout.Repeat | None = None) -> dict[str, Any]:
    """What a layer holds, as JSON has it: ids and digests in hexadecimal, flags true or false, enumerations by their word."""
    found = {name: _value(kind, packet.getfieldval(name), name) for name, kind in fields}
    if repeat is not None:
        found[repeat.name] = [values(part, repeat.fields) for part in packet.getfieldval(repeat.name)]
    return found


def _value(kind: str, value: Any, name: str) -> Any:
    match kind:
        case "magic":
            return value.decode("latin-1")
        case "id":
            return f"{value:016x}"
        case "digest":
            return f"{value:08x}"
        case "flag":
            return bool(value)
        case "bits8" | "bits16":
            return [bit for number, bit in enumerate(layout.BITS[name]) if int(value) >> number & 1]
        case "role" | "ineligible" | "reason" | "way":
            return _WORDS[kind].get(value, value)
        case "text":
            return value.decode("utf-8", "replace")
        case _:
            return int(value)
