"""What the kernel lets through, on real sockets."""

import socket
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace

import pytest

from kingd.core.wire.codec import (
    DATAGRAM_SIZE_MAX,
    DATAGRAM_SIZE_MIN,
    DESTINATION_AT,
    SEQUENCE_AT,
    SESSION_AT,
    SOURCE_AT,
    encode,
    prologue,
)
from kingd.core.wire.message import NodeId, SessionId
from kingd.core.wire.seal import Seal
from kingd.net.filter import Filter, detach
from tests.unit.test_seal import CLUSTER, DATAGRAM, FIRST

OURS = encode(DATAGRAM, Seal())
FILTER = Filter(prologue(CLUSTER), size_min=DATAGRAM_SIZE_MIN, size_max=DATAGRAM_SIZE_MAX, samples=True)
Pair = tuple[socket.socket, socket.socket]


@pytest.fixture(params=["127.0.0.1", "::1"])
def pair(request: pytest.FixtureRequest) -> Iterator[Pair]:
    """One that sends to the other."""
    family = socket.AF_INET6 if ":" in request.param else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as sender, socket.socket(family, socket.SOCK_DGRAM) as receiver:
        receiver.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        receiver.bind((request.param, 0))
        receiver.setblocking(False)
        sender.connect(receiver.getsockname())
        yield sender, receiver


def arrived(pair: Pair, data: bytes, *, times: int = 1) -> int:
    """How many of so many. (On loopback what was sent has arrived.)"""
    sender, receiver = pair
    count = 0
    for _ in range(times):
        sender.send(data)
        with suppress(BlockingIOError):
            assert receiver.recv(2048) == data
            count += 1
    return count


@pytest.mark.parametrize(
    "data",
    [OURS, encode(DATAGRAM, Seal([FIRST])), OURS + bytes(DATAGRAM_SIZE_MAX - len(OURS)), OURS[:DATAGRAM_SIZE_MIN]],
)
def test_ours_pass(pair: Pair, data: bytes) -> None:
    FILTER.attach(pair[1])
    assert arrived(pair, data, times=200) == 200


def flipped(offset: int) -> bytes:
    return OURS[:offset] + bytes([OURS[offset] ^ 1]) + OURS[offset + 1 :]


@pytest.mark.parametrize(
    "data",
    [b"", b"K", b"GET / HTTP/1.1\r\n" * 10, OURS[: DATAGRAM_SIZE_MIN - 1], OURS + bytes(DATAGRAM_SIZE_MAX)]
    + [flipped(offset) for offset in (0, 1, *range(8, 16))],
    ids=["empty", "one byte", "web", "short", "long", *(f"byte {offset}" for offset in (0, 1, *range(8, 16)))],
)
def test_of_the_rest_a_sample_passes(pair: Pair, data: bytes) -> None:
    """One in 64, so that it can still be named. (Of 2,000 between 5 and 80, but for one run in a million.)"""
    FILTER.attach(pair[1])
    assert 5 <= arrived(pair, data, times=2000) <= 80


def test_after_it_comes_down_everything_passes(pair: Pair) -> None:
    FILTER.attach(pair[1])
    detach(pair[1])
    assert arrived(pair, b"junk", times=100) == 100
    with pytest.raises(FileNotFoundError):
        detach(pair[1])


def test_it_may_be_attached_again(pair: Pair) -> None:
    FILTER.attach(pair[1])
    Filter(prologue(CLUSTER + 1), size_min=1, size_max=DATAGRAM_SIZE_MAX, samples=True).attach(pair[1])
    assert arrived(pair, OURS, times=500) < 100


@pytest.mark.parametrize("size", range(1, 12))
def test_prologue_of_any_length(pair: Pair, size: int) -> None:
    wanted = bytes(range(1, size + 1))
    Filter([(3, wanted)], size_min=3 + size, size_max=100, samples=True).attach(pair[1])
    assert arrived(pair, b"..." + wanted, times=20) == 20
    assert arrived(pair, b"..." + wanted[:-1] + b"\xff", times=300) < 60


ME, MY_SESSION = 0x0102030405060708, 0x1112131415161718
OTHER = 0x0102030405060709


def group_filter(*, samples: bool = False) -> Filter:
    mine, session = ME.to_bytes(8, "big"), MY_SESSION.to_bytes(8, "big")
    return Filter(
        prologue(CLUSTER),
        size_min=DATAGRAM_SIZE_MIN,
        size_max=DATAGRAM_SIZE_MAX,
        to=(DESTINATION_AT.start, mine),
        own=((SOURCE_AT.start, mine), (SESSION_AT.start, session)),
        samples=samples,
    )


def said(*, source: int, session: int, to: int) -> bytes:
    header = replace(
        DATAGRAM.header, source=NodeId(source), session=SessionId(session), destination=NodeId(to), multicast=True
    )
    return encode(replace(DATAGRAM, header=header), Seal())


@pytest.mark.parametrize("samples", [False, True])
def test_of_what_the_group_hears_only_that_for_all_or_for_us_passes(pair: Pair, samples: bool) -> None:
    group_filter(samples=samples).attach(pair[1])
    assert arrived(pair, said(source=OTHER, session=5, to=0), times=20) == 20
    assert arrived(pair, said(source=OTHER, session=5, to=ME), times=20) == 20
    for bit in range(64):
        assert arrived(pair, said(source=OTHER, session=5, to=ME ^ 1 << bit)) == 0


@pytest.mark.parametrize("samples", [False, True])
def test_our_own_does_not_pass_and_a_namesakes_does(pair: Pair, samples: bool) -> None:
    group_filter(samples=samples).attach(pair[1])
    assert arrived(pair, said(source=ME, session=MY_SESSION, to=0), times=20) == 0
    for bit in range(64):
        assert arrived(pair, said(source=ME, session=MY_SESSION ^ 1 << bit, to=ME)) == 1
        assert arrived(pair, said(source=ME ^ 1 << bit, session=MY_SESSION, to=0)) == 1


def test_what_is_not_ours_passes_outside_a_flood(pair: Pair) -> None:
    group_filter().attach(pair[1])
    for data in (b"", b"GET / HTTP/1.1", flipped(0), flipped(8), OURS[: DATAGRAM_SIZE_MIN - 1], OURS + bytes(2000)):
        assert arrived(pair, data[:2048], times=20) == 20
    group_filter(samples=True).attach(pair[1])
    assert 5 <= arrived(pair, flipped(8), times=2000) <= 80


def flood_filter(*known: tuple[int, int]) -> Filter:
    sessions = [(session.to_bytes(8, "big"), newest) for session, newest in known]
    return Filter(
        prologue(CLUSTER),
        size_min=DATAGRAM_SIZE_MIN,
        size_max=DATAGRAM_SIZE_MAX,
        samples=True,
        sessions=(SESSION_AT.start, SEQUENCE_AT.start, sessions),
    )


def numbered(session: int, sequence: int) -> bytes:
    header = replace(DATAGRAM.header, session=SessionId(session), sequence=sequence)
    return encode(replace(DATAGRAM, header=header), Seal())


def test_in_a_flood_what_is_new_of_a_known_session_passes_and_of_the_rest_a_sample(pair: Pair) -> None:
    known = [(MY_SESSION + n, newest) for n, newest in enumerate((7, 1 << 32, (5 << 32) + 9, (1 << 64) - 2, 1))]
    flood_filter(*known).attach(pair[1])
    for session, newest in known:
        for sequence in (newest + 1, (1 << 64) - 1):
            assert arrived(pair, numbered(session, sequence), times=20) == 20
        for sequence in (newest, max(newest - (1 << 32), 1), 1):
            assert arrived(pair, numbered(session, sequence), times=500) < 40
    for bit in range(3, 64):  # nearly a known one
        assert arrived(pair, numbered(MY_SESSION ^ 1 << bit, 1 << 40), times=20) < 8
    assert 5 <= arrived(pair, numbered(1, 1 << 40), times=2000) <= 80


def test_filter_of_a_large_cluster_fits_into_the_kernel(pair: Pair) -> None:
    """Of those that do not fit a sample passes."""
    flood_filter(*((MY_SESSION + n, 7) for n in range(4000))).attach(pair[1])
    assert arrived(pair, numbered(MY_SESSION, 8), times=20) == 20
    assert arrived(pair, numbered(MY_SESSION + 3000, 8), times=500) < 40
