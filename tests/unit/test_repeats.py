"""A heartbeat that repeats the last one is recognised without decoding, and only then."""

import pytest

from kingd.core.wire.codec import decode, encode
from kingd.core.wire.message import Announce, Ballot, Body, Datagram, Header, Heartbeat, NodeId, Role, SessionId, Term
from kingd.core.wire.repeats import Repeats
from kingd.core.wire.seal import Seal

CLUSTER = 7
PLAIN, KEYED = Seal(), Seal([b"k" * 32])
BEAT = Heartbeat(interval_ms=100, lonely=False, alive=3)


def data(sequence: int, *, body: Body = BEAT, seal: Seal = PLAIN, priority: int = 100) -> bytes:
    ballot = Ballot(Term(4), NodeId(9))
    header = Header(
        cluster=CLUSTER, source=NodeId(9), destination=NodeId(0), session=SessionId(5), sequence=sequence, leader=ballot,
        floor=ballot, priority=priority, role=Role.LEADER, eligible=True, multicast=True,
    )  # fmt: skip
    return encode(Datagram(header, body), seal)


def remembering(first: bytes, seal: Seal) -> Repeats:
    repeats = Repeats()
    repeats.remember(first, decode(first, cluster=CLUSTER, seal=seal))
    return repeats


@pytest.mark.parametrize("seal", [PLAIN, KEYED])
def test_same_but_for_the_number_is_found(seal: Seal) -> None:
    found = remembering(data(1, seal=seal), seal).find(data(2**40, seal=seal), seal)
    assert found is not None
    assert (found[0].body, found[1]) == (BEAT, 2**40)


@pytest.mark.parametrize("seal", [PLAIN, KEYED])
def test_another_count_is_found_and_told(seal: Seal) -> None:
    repeats = remembering(data(1, seal=seal), seal)
    for sequence, alive in ((2, 450), (3, 450), (4, 3)):
        body = Heartbeat(interval_ms=100, lonely=False, alive=alive)
        found = repeats.find(data(sequence, body=body, seal=seal), seal)
        assert found is not None
        assert (found[0].body, found[1]) == (body, sequence)


@pytest.mark.parametrize("seal", [PLAIN, KEYED])
def test_whatever_bit_differs_beside_the_number_it_is_not(seal: Seal) -> None:
    repeats, again = remembering(data(1, seal=seal), seal), data(2, seal=seal)
    for bit in range(8 * len(again)):
        flipped = bytearray(again)
        flipped[bit // 8] ^= 1 << bit % 8
        assert repeats.find(bytes(flipped), seal) is None
    assert repeats.find(again + b"\0", seal) is None
    assert repeats.find(again[:-1], seal) is None


def test_another_heartbeat_is_not_found() -> None:
    repeats = remembering(data(1), PLAIN)
    assert repeats.find(data(2, priority=101), PLAIN) is None
    assert repeats.find(data(2, body=Heartbeat(interval_ms=100, lonely=True, alive=3)), PLAIN) is None


def test_only_heartbeats_are_remembered() -> None:
    body = Announce(name="a", version="1", interval_ms=1000)
    assert remembering(data(1, body=body), PLAIN).find(data(2, body=body), PLAIN) is None
    assert Repeats().find(data(1), PLAIN) is None


def test_key_that_was_withdrawn_is_not_believed_any_more() -> None:
    repeats = remembering(data(1, seal=KEYED), KEYED)
    assert repeats.find(data(2, seal=KEYED), Seal([b"x" * 32], requires_key=True)) is None
