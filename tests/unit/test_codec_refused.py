"""What the codec refuses, and by which reason."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from kingd.core.wire.codec import DATAGRAM_SIZE_MAX, encode
from kingd.core.wire.layout import ROSTER_ENTRIES_MAX
from kingd.core.wire.message import (
    Announce,
    Body,
    Claim,
    Datagram,
    Heartbeat,
    NodeId,
    Offer,
    Pong,
    Probe,
    ProbeAck,
    Reason,
    Report,
    Roster,
    RosterEntry,
    SessionId,
    Term,
)
from kingd.core.wire.seal import MAC_SIZE, Seal, cluster_id
from kingd.core.wire.trial import Echo, Trial, Way
from tests.unit.test_codec import BALLOT, HEADER, HEADER_SIZE, KEY, plain, read, refusal, sealed


def test_037_minor_version_is_not_refused() -> None:
    data = bytearray(plain(Pong(echo=7)))
    data[2] = 0x1F
    assert read(sealed(bytes(data))).body == Pong(echo=7)


def test_037_bytes_behind_a_known_body_are_ignored() -> None:
    assert read(sealed(plain(Pong(echo=7)) + b"from a later minor version")).body == Pong(echo=7)


def changed(offset: int, value: int) -> Callable[[bytes], bytes]:
    return lambda data: data[:offset] + bytes([value]) + data[offset + 1 :]


def entry(host: str) -> RosterEntry:
    return RosterEntry(node=NodeId(1), session=SessionId(1), host=host, port=1)


TRIAL = Trial(run=1, token=0, number=1, lane=0, by=Way.UC4, back=Way.UC4)
ECHO = Echo(run=1, token=1, number=1, lane=0, by=Way.UC4, lag_ms=0, about=0)
REFUSED: list[tuple[str, Body, Callable[[bytes], bytes], str]] = [
    ("unknown type", Pong(echo=1), changed(3, 99), "type"),
    ("trial way", TRIAL, changed(HEADER_SIZE + 21, 8), "way"),
    ("trial that is not large", TRIAL, changed(HEADER_SIZE + 21, Way.LARGE4), "truncated"),
    ("echo counts", ECHO, changed(HEADER_SIZE + 50, 8), "count"),
    ("echo address", replace(ECHO, host="box1"), lambda data: data, "text"),
    ("type 0", Pong(echo=1), changed(3, 0), "type"),
    ("major version", Pong(echo=1), changed(2, 0x20), "version"),
    ("no role", Pong(echo=1), changed(108, 5), "header"),
    ("reason", Offer(ballot=BALLOT, reason=Reason.JOINED), changed(HEADER_SIZE + 16, 15), "reason"),
    ("too many tags", Announce(name="", version="", interval_ms=1), changed(HEADER_SIZE + 4, 9), "count"),
    ("roster count", Roster(entries=()), changed(HEADER_SIZE + 2, ROSTER_ENTRIES_MAX + 1), "count"),
    ("roster lies", Roster(entries=()), changed(HEADER_SIZE + 2, 1), "truncated"),
    ("text length lies", Report(echo=1, name="a", leader_name=""), changed(HEADER_SIZE + 8, 3), "truncated"),
    ("text too long", Report(echo=1, name="a", leader_name=""), lambda d: d[:-3] + b"A" + bytes(70), "truncated"),
    (
        "text runs off the end",
        Announce(name="", version="", interval_ms=1),
        lambda d: d[:HEADER_SIZE] + b"\0\0\0\1\1" + (b"\x3f" + b"A" * 63) * 2 + b"\x40" + b"A" * 50,
        "truncated",
    ),
    ("not UTF-8", Report(echo=1, name="a", leader_name=""), changed(HEADER_SIZE + 9, 0xFF), "text"),
    ("escape character", Report(echo=1, name="a", leader_name=""), changed(HEADER_SIZE + 9, 0x1B), "text"),
    ("line break", Report(echo=1, name="a", leader_name=""), changed(HEADER_SIZE + 9, 0x0A), "text"),
    *(
        (f"{what} {text!r}", body, lambda data: data, "text")
        for text in ("", "-oProxyCommand=x", "-", ".", "..", ".a", "a b", "$(id)", "a;b", "a\u202eb", "ö", "n" * 64)
        for what, body in (
            ("announced name", Announce(name=text, version="1", interval_ms=1)),
            ("answered name", ProbeAck(echo=1, name=text, version="1", returns=0)),
            ("reported name", Report(echo=1, name=text, leader_name="")),
            ("reported leader", Report(echo=1, name="a", leader_name=text)),
            ("name of a tag", Announce(name="a", version="1", interval_ms=1, tags=((text, "x"),))),
        )
        if text or what != "reported leader"  # who has none says so
    ),
    *(
        (f"{what} {text!r}", body, lambda data: data, "text")
        for text in ("", "-1", "1 2", "1$(id)", "1\n")
        for what, body in (
            ("announced version", Announce(name="a", version=text, interval_ms=1)),
            ("answered version", ProbeAck(echo=1, name="a", version=text, returns=0)),
        )
    ),
    *(
        (
            f"tag {text!r}",
            Announce(name="a", version="1", interval_ms=1, tags=(("k", text),)),
            lambda data: data,
            "text",
        )
        for text in ("-x", "a\x1bb", "a\nb", "a\u202eb")
    ),
    *(
        (f"address {text!r}", Roster(entries=(entry(text),)), lambda data: data, "text")
        for text in ("", "-", "box1", "localhost", "fe80::1%eth0", "10.0.0.1 ", "a/b")
    ),
    ("no body", Pong(echo=1), lambda d: d[:HEADER_SIZE], "truncated"),
    ("ticket missing", Claim(term=Term(1), attempt=1), changed(HEADER_SIZE + 18, 1), "truncated"),
    ("lease of a claim", Claim(term=Term(1), attempt=1), changed(HEADER_SIZE + 14, 1), "lease"),
    ("hold of a voter", ProbeAck(echo=1, name="a", version="0", returns=0), changed(HEADER_SIZE + 17, 1), "lease"),
    ("lease of a heartbeat", Heartbeat(interval_ms=1, lonely=False, alive=1), changed(HEADER_SIZE + 7, 1), "lease"),
    ("shorter than a probe", Announce(name="", version="", interval_ms=1), lambda d: d[:-1], "truncated"),
    ("probe shorter than its answer", Probe(nonce=1), lambda d: d[:-1], "truncated"),
]


@pytest.mark.parametrize(("what", "body", "change", "reason"), REFUSED, ids=[row[0] for row in REFUSED])
def test_refused_although_the_checksum_is_right(
    what: str, body: Body, change: Callable[[bytes], bytes], reason: str
) -> None:
    assert refusal(sealed(change(plain(body)))) == reason


def test_048_other_major_version_is_told_apart_before_its_bytes_are_read() -> None:
    data = bytearray(encode(Datagram(HEADER, Pong(echo=1)), Seal([KEY])))
    data[2] = 0x20
    assert refusal(bytes(data)) == "version"


@pytest.mark.parametrize("field", [slice(16, 24), slice(32, 40), slice(48, 56)], ids=["source", "session", "sequence"])
def test_zero_is_nobody(field: slice) -> None:
    data = bytearray(plain(Pong(echo=1)))
    data[field] = bytes(8)
    assert refusal(sealed(bytes(data))) == "header"


def test_047_other_cluster_is_told_apart_before_the_key() -> None:
    data = encode(Datagram(replace(HEADER, cluster=cluster_id("lab")), Pong(echo=1)), Seal([KEY]))
    assert refusal(data) == "other-cluster"


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "magic"),
        (b"K", "magic"),
        (b"Kg", "truncated"),
        (b"Kg" + bytes(101), "truncated"),
        (b"GET / HTTP/1.1", "magic"),
    ],
    ids=["empty", "one byte", "magic only", "a byte short", "something else"],
)
def test_too_short(data: bytes, reason: str) -> None:
    assert refusal(data) == reason


def test_oversized_is_refused_whatever_it_says() -> None:
    pong = plain(Pong(echo=1))
    largest = sealed(pong + bytes(DATAGRAM_SIZE_MAX - len(pong) - MAC_SIZE))
    assert len(largest) == DATAGRAM_SIZE_MAX
    assert read(largest).body == Pong(echo=1)
    assert refusal(sealed(largest[:-MAC_SIZE] + b"\0")) == "oversized"
