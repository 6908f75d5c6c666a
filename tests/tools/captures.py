"""Capture files for tests, hostile ones too."""

import struct
from collections.abc import Sequence
from pathlib import Path

from scapy.layers.inet import IP, UDP
from scapy.layers.l2 import Ether
from scapy.packet import Raw

from kingd.core.wire.codec import encode
from kingd.core.wire.message import Datagram, Header, Heartbeat, NodeId
from kingd.core.wire.seal import Seal
from tests.unit.test_codec import HEADER

ETHERNET, RAW = 1, 101


def told(sequence: int, body: object = None, *, seal: Seal | None = None, **header: object) -> bytes:
    """A datagram, a heartbeat unless it is said what."""
    said = body or Heartbeat(interval_ms=100, lonely=False, alive=3)
    fields = {name: getattr(HEADER, name) for name in HEADER.__slots__} | {"sequence": sequence} | header
    return encode(Datagram(Header(**fields), said), seal or Seal())  # type: ignore[arg-type]


def beat(source: int, term: int, sequence: int) -> bytes:
    from kingd.core.wire.message import Ballot, Role, Term

    ballot = Ballot(Term(term), NodeId(source))
    return told(sequence, source=NodeId(source), leader=ballot, role=Role.LEADER)


def packet(payload: bytes, *, sport: int = 5466, dport: int = 5466) -> bytes:
    return bytes(IP(src="10.0.0.1", dst="10.0.0.2") / UDP(sport=sport, dport=dport) / Raw(payload))


def frame(payload: bytes, *between: object) -> bytes:
    """Ethernet, and what is to stand between it and UDP (IP by default)."""
    found = Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02")
    for layer in between or (IP(src="10.0.0.1", dst="10.0.0.2"),):
        found /= layer
    return bytes(found / UDP(sport=5466, dport=5466) / Raw(payload))


def pcap(file: Path, frames: Sequence[bytes], *, linktype: int = ETHERNET, seconds: Sequence[float] = ()) -> Path:
    """Written without scapy, so that it may say anything."""
    times = seconds or [1_700_000_000 + number / 1000 for number in range(len(frames))]
    records = (
        struct.pack("<IIII", int(time), int(time % 1 * 1e6), len(data), len(data)) + data
        for time, data in zip(times, frames, strict=True)
    )
    file.write_bytes(struct.pack("<IHHIIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, linktype) + b"".join(records))
    return file
