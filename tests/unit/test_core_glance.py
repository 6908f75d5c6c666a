"""What the first look at a header drops, and that `dispatch` would have dropped it as well. docs/protocol.md 3.3."""

from dataclasses import replace

import pytest

from kingd.core.facts import Glance
from kingd.core.wire.codec import DATAGRAM_SIZE_MIN, encode
from kingd.core.wire.message import (
    NOBODY,
    SEQUENCE_MAX,
    Ack,
    Announce,
    Datagram,
    Header,
    NodeId,
    Obituary,
    Ping,
    SessionId,
)
from kingd.core.wire.seal import Seal
from tests.unit.scripted import ME, MY_SESSION, Bench, Peer

PING = Ping(nonce=1, heard=0, polling=False)
ANNOUNCE = Announce(name="box1", version="0", interval_ms=1000)


@pytest.fixture
def bench() -> Bench:
    bench = Bench()
    bench.meet(Peer(node=60))
    return bench


@pytest.fixture
def peer(bench: Bench) -> Peer:
    peer = Peer(node=61)
    bench.meet(peer)
    return peer


def look(bench: Bench, datagram: Datagram, *, by_group: bool = False) -> Glance:
    return bench.core.glance(encode(datagram, Seal()), by_group=by_group)


def changed(datagram: Datagram, **header: object) -> Datagram:
    fresh: Header = replace(datagram.header, **header)  # type: ignore[arg-type] # which fields, the tests say
    return replace(datagram, header=fresh)


def test_new_word_of_a_member_is_read(bench: Bench, peer: Peer) -> None:
    for datagram in (peer.says(PING), peer.says(ANNOUNCE, multicast=True)):
        assert look(bench, datagram) is Glance.MEMBER
        assert look(bench, datagram) is Glance.MEMBER  # a look is no proof: a forged header must not use a number up


@pytest.mark.parametrize("ahead", [1, 1000, SEQUENCE_MAX - 10])
def test_forged_header_moves_no_window(bench: Bench, peer: Peer, ahead: int) -> None:
    real = peer.says(PING)
    look(bench, changed(real, sequence=min(real.header.sequence + ahead, SEQUENCE_MAX)))
    assert look(bench, real) is Glance.MEMBER
    assert bench.deliver(real, peer.endpoint)


def test_replay_is_dropped_and_counted(bench: Bench, peer: Peer) -> None:
    said = peer.says(PING)
    bench.deliver(said, peer.endpoint)
    assert look(bench, said) is Glance.USELESS
    assert bench.node.out.dropped["replay"] == 1
    peer.sequence += 5000
    bench.deliver(peer.says(PING), peer.endpoint)
    assert look(bench, said) is Glance.USELESS  # too old for the window
    assert look(bench, changed(said, multicast=True)) is Glance.USELESS  # it says that it went to a group, and did not


def test_copy_that_the_network_made_is_no_replay(bench: Bench, peer: Peer) -> None:
    """By IPv4 and IPv6, over two networks, by multicast and broadcast."""
    said = peer.says(ANNOUNCE, multicast=True)
    bench.deliver(said, peer.endpoint)
    assert look(bench, said, by_group=True) is Glance.COPY
    assert "replay" not in bench.node.out.dropped


def test_what_is_for_others_is_dropped(bench: Bench, peer: Peer) -> None:
    """It would never come into the window."""
    said = peer.says(Ack(sequence=1), to=60)
    assert look(bench, said) is Glance.USELESS
    assert bench.node.out.dropped["other-destination"] == 1
    assert look(bench, changed(said, multicast=True), by_group=True) is Glance.COPY


def test_what_this_node_said_itself_is_dropped(bench: Bench) -> None:
    mine = Peer(node=ME, session=MY_SESSION)
    assert look(bench, mine.says(PING, to=60)) is Glance.USELESS
    assert look(bench, mine.says(ANNOUNCE, multicast=True), by_group=True) is Glance.COPY
    namesake = Peer(node=ME, session=MY_SESSION + 1)
    assert look(bench, namesake.says(ANNOUNCE, multicast=True), by_group=True) is Glance.STRANGER


def test_session_of_the_past_is_a_strangers(bench: Bench, peer: Peer) -> None:
    assert look(bench, changed(peer.says(PING), session=SessionId(peer.session + 1))) is Glance.STRANGER
    assert look(bench, changed(peer.says(PING), source=NodeId(99))) is Glance.STRANGER


@pytest.mark.parametrize("size", [0, 1, 47, 48, DATAGRAM_SIZE_MIN])
def test_junk_is_a_strangers(bench: Bench, size: int) -> None:
    assert bench.core.glance(bytes(size), by_group=False) in (Glance.STRANGER, Glance.USELESS)


def test_obituary_is_read_once(bench: Bench, peer: Peer) -> None:
    obituary = changed(peer.says(Obituary(), multicast=True), sequence=SEQUENCE_MAX, destination=NOBODY)
    assert look(bench, obituary) is Glance.MEMBER
    bench.deliver(obituary, peer.endpoint)
    assert look(bench, obituary) is Glance.COPY


def test_what_is_of_no_use_would_have_been_dropped_behind_the_seal_as_well(bench: Bench, peer: Peer) -> None:
    said = peer.says(PING)
    bench.deliver(said, peer.endpoint)
    for datagram in (said, peer.says(Ack(sequence=1), to=60), Peer(node=ME, session=MY_SESSION).says(PING)):
        assert look(bench, datagram) is Glance.USELESS
        assert not bench.deliver(datagram, peer.endpoint)
