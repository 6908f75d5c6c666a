"""ARP and ICMPv6 as bytes: how an address is announced and probed for, and what is heard of one. Pure.

Addresses are packed (4 or 16 bytes), MACs are 6 bytes, frames begin with the Ethernet header and have no padding. The forms are
those of RFC 5227 (IPv4) and RFC 4861 7.2 (IPv6), as Linux takes them for gratuitous (net/ipv4/arp.c, arp_is_garp)."""

import struct
from enum import Enum
from typing import NamedTuple

ARP, IPV6 = 0x0806, 0x86DD  # EtherTypes
_EVERYBODY = b"\xff" * 6
_ALL_NODES = bytes.fromhex("ff020000000000000000000000000001")
_SOLICITED = bytes.fromhex("ff0200000000000000000001ff")
_NOBODY4, _NOBODY6, _NO_MAC = bytes(4), bytes(16), bytes(6)
_REQUEST, _REPLY = 1, 2
_SOLICITATION, _ADVERTISEMENT = 135, 136
_ICMPV6, _HOP_LIMIT = 58, 255  # what came through a router has another one, and is ignored
_TARGET_MAC, _NONCE = 2, 14  # options; RFC 7527
_ROUTER, _SOLICITED_FLAG, _OVERRIDE = 0x80, 0x40, 0x20

_ETHERNET = struct.Struct("!6s6sH")
_ARP = struct.Struct("!HHBBH6s4s6s4s")
_IPV6 = struct.Struct("!IHBB16s16s")
_NEIGHBOUR = struct.Struct("!BBHB3x16sBB6s")  # type, code, checksum, flags, target, one option of 8 bytes


class Says(Enum):
    CLAIM = "I have it"
    ANNOUNCEMENT = "I have it, and nobody asked"
    QUESTION = "who has it? I might take it"


class Heard(NamedTuple):
    """Of an address, by whom."""

    address: bytes
    mac: bytes
    says: Says


def announcements(address: bytes, mac: bytes, *, is_router: bool) -> list[bytes]:
    """`is_router`: the host forwards on this interface. Hosts drop a router that says that it is none (RFC 4861 7.2.5)."""
    if len(address) == 16:
        flags = _OVERRIDE | (_ROUTER if is_router else 0)
        option = (_TARGET_MAC, mac)
        return [
            _neighbour(_ADVERTISEMENT, mac, source=address, to=_ALL_NODES, target=address, flags=flags, option=option)
        ]
    # Some receivers only take the one, some only the other. In a reply the target has to be the sender, or it is no
    # announcement to Linux, which then ignores it for a second after the last change.
    return [_arp(_REQUEST, mac, address, _NO_MAC, address), _arp(_REPLY, mac, address, mac, address)]


def probe(address: bytes, mac: bytes, *, nonce: bytes) -> bytes:
    """Asks who has it, and claims nothing. `nonce`: 6 bytes, so that a probe that comes back is known (IPv6)."""
    if len(address) == 16:
        group = _SOLICITED + address[13:]
        return _neighbour(
            _SOLICITATION, mac, source=_NOBODY6, to=group, target=address, flags=0, option=(_NONCE, nonce)
        )
    return _arp(_REQUEST, mac, _NOBODY4, _NO_MAC, address)


def heard_in(frame: bytes) -> Heard | None:
    """None: nothing of that kind, or it is not understood."""
    try:
        kind = _ETHERNET.unpack_from(frame)[2]
        return _arp_in(frame) if kind == ARP else _neighbour_in(frame) if kind == IPV6 else None
    except struct.error:  # cut off
        return None


def _arp_in(frame: bytes) -> Heard | None:
    *kind, _, mac, sender, _, target = _ARP.unpack_from(frame, _ETHERNET.size)
    if kind != [1, 0x0800, 6, 4]:
        return None
    if sender == _NOBODY4:
        return Heard(target, mac, Says.QUESTION)
    return Heard(sender, mac, Says.ANNOUNCEMENT if sender == target else Says.CLAIM)


def _neighbour_in(frame: bytes) -> Heard | None:
    _, _, following, hop_limit, source, _ = _IPV6.unpack_from(frame, _ETHERNET.size)
    kind, code, _, flags, target, *_ = _NEIGHBOUR.unpack_from(frame + bytes(8), _ETHERNET.size + _IPV6.size)
    if (following, hop_limit, code) != (_ICMPV6, _HOP_LIMIT, 0):
        return None
    if kind == _SOLICITATION and source == _NOBODY6:
        return Heard(target, frame[6:12], Says.QUESTION)
    if kind != _ADVERTISEMENT:
        return None
    mac = _option(frame[_ETHERNET.size + _IPV6.size + 24 :], _TARGET_MAC) or frame[6:12]
    return Heard(target, mac, Says.CLAIM if flags & _SOLICITED_FLAG else Says.ANNOUNCEMENT)


def question_mac(address: bytes) -> bytes:
    """To which a probe for this IPv6 address goes."""
    return b"\x33\x33\xff" + address[13:]


def _option(options: bytes, wanted: int) -> bytes:
    while len(options) >= 8 and options[1]:
        if options[0] == wanted:
            return options[2:8]
        options = options[8 * options[1] :]
    return b""


def _arp(operation: int, mac: bytes, sender: bytes, target_mac: bytes, target: bytes) -> bytes:
    return _ETHERNET.pack(_EVERYBODY, mac, ARP) + _ARP.pack(1, 0x0800, 6, 4, operation, mac, sender, target_mac, target)


def _neighbour(
    kind: int, mac: bytes, *, source: bytes, to: bytes, target: bytes, flags: int, option: tuple[int, bytes]
) -> bytes:
    def body(checksum: int) -> bytes:
        return _NEIGHBOUR.pack(kind, 0, checksum, flags, target, option[0], 1, option[1])

    size = _NEIGHBOUR.size
    checksum = _checksum(source + to + struct.pack("!II", size, _ICMPV6) + body(0))
    header = _IPV6.pack(6 << 28, size, _ICMPV6, _HOP_LIMIT, source, to)
    return _ETHERNET.pack(b"\x33\x33" + to[12:], mac, IPV6) + header + body(checksum)


def _checksum(data: bytes) -> int:
    """RFC 1071, of an even number of bytes."""
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF
