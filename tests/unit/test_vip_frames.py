"""What is announced and probed for, read by scapy, which shares nothing with it; and whose claims are understood."""

import socket

import pytest
from scapy.layers.inet6 import ICMPv6ND_NA, ICMPv6ND_NS, ICMPv6NDOptDstLLAddr, IPv6, in6_chksum
from scapy.layers.l2 import ARP, Ether

from kingd.vip.frames import Heard, Says, announcements, heard_in, probe

MAC = bytes.fromhex("020000000001")
V4 = socket.inet_aton("192.0.2.9")
V6 = socket.inet_pton(socket.AF_INET6, "2001:db8::12:3456")
NONCE = b"kingd!"


def mac(raw: bytes) -> str:
    return raw.hex(":")


def test_v05_ipv4_is_announced_by_request_and_reply() -> None:
    request, reply = announcements(V4, MAC, is_router=False)
    for frame, operation, target in ((request, 1, "00:00:00:00:00:00"), (reply, 2, mac(MAC))):
        assert len(frame) == 42
        read = Ether(frame)
        assert (read.dst, read.src, read.type) == ("ff:ff:ff:ff:ff:ff", mac(MAC), 0x0806)
        assert bytes(read) == frame
        arp = read[ARP]
        assert (arp.op, arp.hwsrc, arp.psrc, arp.hwdst, arp.pdst) == (
            operation,
            mac(MAC),
            "192.0.2.9",
            target,
            "192.0.2.9",
        )


@pytest.mark.parametrize("is_router", [False, True])
def test_v06_ipv6_is_announced_by_an_advertisement(is_router: bool) -> None:
    (frame,) = announcements(V6, MAC, is_router=is_router)
    assert len(frame) == 86
    read = Ether(frame)
    assert (read.dst, read.src, read.type) == ("33:33:00:00:00:01", mac(MAC), 0x86DD)
    assert (read[IPv6].src, read[IPv6].dst, read[IPv6].hlim) == ("2001:db8::12:3456", "ff02::1", 255)
    advertisement = read[ICMPv6ND_NA]
    flags = (advertisement.R, advertisement.S, advertisement.O)
    assert flags == (int(is_router), 0, 1)
    assert advertisement.tgt == "2001:db8::12:3456"
    assert read[ICMPv6NDOptDstLLAddr].lladdr == mac(MAC)
    assert is_sealed(read)


def is_sealed(read: Ether) -> bool:
    """With its checksum left in, the sum is 0."""
    rest: int = in6_chksum(58, read[IPv6], bytes(read[IPv6].payload))
    return rest == 0


def test_v02_probe_claims_nothing() -> None:
    read = Ether(probe(V4, MAC, nonce=NONCE))
    assert (read.dst, read[ARP].op, read[ARP].psrc, read[ARP].pdst) == ("ff:ff:ff:ff:ff:ff", 1, "0.0.0.0", "192.0.2.9")
    read = Ether(probe(V6, MAC, nonce=NONCE))
    assert (read.dst, read[IPv6].src, read[IPv6].dst) == ("33:33:ff:12:34:56", "::", "ff02::1:ff12:3456")
    assert read[ICMPv6ND_NS].tgt == "2001:db8::12:3456"
    assert bytes(read)[-8:] == b"\x0e\x01" + NONCE
    assert is_sealed(read)
    for address in (V4, V6):
        assert heard_in(probe(address, MAC, nonce=NONCE)) == Heard(address, MAC, Says.QUESTION)
        for frame in announcements(address, MAC, is_router=False):
            assert heard_in(frame) == Heard(address, MAC, Says.ANNOUNCEMENT)


@pytest.mark.parametrize("operation", [1, 2])
def test_claim_by_arp(operation: int) -> None:
    frame = Ether(src=mac(MAC), dst="ff:ff:ff:ff:ff:ff") / ARP(
        op=operation, hwsrc=mac(MAC), psrc="192.0.2.9", pdst="192.0.2.1"
    )
    assert heard_in(bytes(frame)) == Heard(V4, MAC, Says.CLAIM)


@pytest.mark.parametrize("is_answer", [False, True])
@pytest.mark.parametrize("has_option", [False, True])
def test_claim_by_advertisement(has_option: bool, is_answer: bool) -> None:
    frame = (
        Ether(src="02:00:00:00:00:02")
        / IPv6(src="fe80::1", dst="ff02::1", hlim=255)
        / ICMPv6ND_NA(tgt="2001:db8::12:3456", S=int(is_answer))
    )
    if has_option:
        frame /= ICMPv6NDOptDstLLAddr(lladdr=mac(MAC))
    sender = MAC if has_option else bytes.fromhex("020000000002")
    assert heard_in(bytes(frame)) == Heard(V6, sender, Says.CLAIM if is_answer else Says.ANNOUNCEMENT)


def test_what_came_through_a_router_or_is_cut_off_claims_nothing() -> None:
    routed = Ether() / IPv6(src="fe80::1", dst="ff02::1", hlim=254) / ICMPv6ND_NA(tgt="2001:db8::12:3456")
    assert heard_in(bytes(routed)) is None
    whole = [*announcements(V4, MAC, is_router=False), *announcements(V6, MAC, is_router=False)]
    for frame in whole:
        assert heard_in(frame) is not None
        for size in range(0, 62 if len(frame) == 86 else 42):
            assert heard_in(frame[:size]) is None
