"""By which of its addresses a member is known. docs/protocol.md 4.1."""

from kingd.core.effect import Send
from kingd.core.wire.endpoint import Endpoint
from kingd.core.wire.message import Announce, NodeId, Probe
from tests.unit.scripted import Bench, Peer

ANNOUNCE = Announce(name="box60", version="0", interval_ms=1000)


def test_member_that_answered_by_ipv6_first_is_asked_by_ipv4_and_known_by_that() -> None:
    """Whichever answers first, everybody knows it by the same address soon; without an answer nothing changes."""
    bench, peer = Bench(), Peer(node=60)
    peer.endpoint = Endpoint("fe80::60", 5466, "eth0")
    bench.meet(peer)
    member = bench.node.members.get(NodeId(60))
    assert member is not None
    by_ipv6, peer.endpoint = peer.endpoint, Endpoint("10.0.0.60", 5466, "eth0")
    bench.hear(peer, ANNOUNCE, multicast=True)
    assert member.endpoint == by_ipv6
    bench.acknowledge_from(peer)
    assert member.endpoint == peer.endpoint
    by_ipv4, peer.endpoint = peer.endpoint, by_ipv6
    asked = len(bench.sent(Probe))
    bench.hear(peer, ANNOUNCE, multicast=True)
    assert (len(bench.sent(Probe)), member.endpoint) == (asked, by_ipv4)


def test_member_that_does_not_answer_by_ipv4_is_asked_there_three_times_at_most() -> None:
    """A firewall of IPv4 alone: what it announces comes, and what it is asked there does not."""
    bench, peer = Bench(), Peer(node=60)
    by_ipv4, peer.endpoint = peer.endpoint, Endpoint("fe80::60", 5466, "eth0")
    bench.meet(peer)
    by_ipv6, peer.endpoint = peer.endpoint, by_ipv4
    for _ in range(10):
        for peer.endpoint in (by_ipv6, by_ipv4):
            bench.hear(peer, ANNOUNCE, multicast=True)
        bench.advance_ms(2_000)
    member = bench.node.members.get(NodeId(60))
    assert member is not None
    assert member.endpoint == by_ipv6
    asked = [e for e in bench.effects if isinstance(e, Send) and isinstance(e.datagram.body, Probe) and e.to == by_ipv4]
    assert 1 <= len(asked) <= 3
