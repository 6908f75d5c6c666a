"""What somebody without membership can make a node do, by the numbers. docs/protocol.md 3.4, 4.1."""

import itertools

import pytest

from kingd.core.effect import Effect, EventKind, Send
from kingd.core.rules import challenging
from kingd.core.scale import MEMBERS_MAX
from kingd.core.settings import Voters
from kingd.core.state.members import Member
from kingd.core.state.node import TERM_MAX
from kingd.core.wire.endpoint import Endpoint
from kingd.core.wire.message import (
    Announce,
    Datagram,
    Heartbeat,
    NodeId,
    Probe,
    ProbeAck,
    Reason,
    Role,
    Roster,
    RosterEntry,
    SessionId,
    Term,
)
from tests.unit.scripted import ME, Bench, Peer, ballot, resignation

BEAT = Heartbeat(interval_ms=100, lonely=False, alive=3)


def bodies(effects: list[Effect]) -> list[type]:
    return [type(effect.datagram.body) for effect in effects if isinstance(effect, Send)]


# -- a datagram earns one


def test_strangers_probe_earns_the_answer_and_no_probe() -> None:
    """The answer carries a challenge of ours, and who meets it is a member: three datagrams for two who meet."""
    bench, peer = Bench(), Peer(node=60)
    assert bodies(bench.hear(peer, Probe(nonce=1))) == [ProbeAck]
    nonce = bench.answer(peer, ProbeAck).nonce
    assert bench.node.members.get(NodeId(60)) is None
    assert bodies(bench.hear(peer, ProbeAck(echo=nonce, name="box60", version="0", returns=0))) == []
    assert bench.node.members.get(NodeId(60)) is not None


@pytest.mark.parametrize("known", [False, True])
def test_challenge_in_an_answer_is_met_once_and_only_if_the_answer_was_asked_for(*, known: bool) -> None:
    bench, peer = Bench(), Peer(node=60)
    if known:
        bench.meet(peer)
        bench.advance_ms(300)
        challenging.probe(bench.node, NodeId(60), SessionId(6000), peer.endpoint)
        bench.node.out.take()
    else:
        bench.hear(peer, Announce(name="box60", version="0", interval_ms=1000), multicast=True)
    ack = ProbeAck(echo=last_nonce(bench), nonce=77, name="box60", version="0", returns=0)
    bench.clear()
    bench.hear(peer, ack)
    assert [(d.body.echo, d.body.nonce) for d in bench.sent_to(peer) if isinstance(d.body, ProbeAck)] == [(77, 0)]
    assert bodies(bench.hear(peer, ack)) == []
    assert bench.node.out.dropped == {"unasked": 1}


def last_nonce(bench: Bench) -> int:
    challenge = bench.node.challenges.get(NodeId(60), SessionId(6000))
    assert challenge is not None
    return challenge.nonce


def test_probe_that_asks_everybody_is_answered_by_nobody() -> None:
    """One forged multicast would else bring its victim an answer of every host."""
    bench = Bench()
    assert bench.hear(Peer(node=60), Probe(nonce=1), multicast=True) == []
    assert bench.node.out.dropped == {"other-destination": 1}


def test_datagrams_from_one_address_add_up_to_a_probe_of_another_do_not() -> None:
    bench, victim = Bench(), Peer(node=61)
    for number in range(2):
        bench.hear(Peer(node=60 + 250 * number), BEAT)
    bench.hear(victim, BEAT)
    assert bench.sent(Probe) == []
    bench.hear(Peer(node=60 + 500), BEAT)
    assert [e.to for e in bench.effects if isinstance(e, Send)] == [Peer(node=60).endpoint]


def test_flood_of_addresses_leaves_bounded_traces() -> None:
    bench = Bench()
    for number in range(3000):
        peer = Peer(node=60)
        peer.endpoint = Endpoint("10.0.0.60", number)
        bench.hear(peer, BEAT)
    assert len(bench.node.strangers.earning) <= 1024


# -- a member's address


@pytest.mark.parametrize("is_there", [False, True])
def test_member_that_speaks_from_a_new_address_is_asked_there_first(*, is_there: bool) -> None:
    """Whoever forges a source address would else have us send to it all that the member is sent."""
    bench, peer = Bench(), Peer(node=60)
    bench.meet(peer)
    bench.advance_ms(300)
    old, peer.endpoint = peer.endpoint, Endpoint("10.0.0.99", 5466, "eth0")
    bench.clear()
    for _ in range(3):
        bench.hear(peer, BEAT)
    if is_there:
        bench.acknowledge_from(peer)
    member = bench.node.members.get(NodeId(60))
    assert member is not None
    assert member.endpoint == (peer.endpoint if is_there else old)


def test_probe_of_a_member_from_a_new_address_is_answered_with_a_challenge() -> None:
    bench, peer = Bench(), Peer(node=60)
    bench.meet(peer)
    bench.advance_ms(300)
    peer.endpoint = Endpoint("10.0.0.99", 5466, "eth0")
    bench.hear(peer, Probe(nonce=1))
    nonce = bench.answer(peer, ProbeAck).nonce
    assert nonce
    bench.hear(peer, ProbeAck(echo=nonce, name="box60", version="0", returns=0))
    member = bench.node.members.get(NodeId(60))
    assert member is not None
    assert member.endpoint == peer.endpoint


# -- a leader that is heard and not reached


def until_it_leads(bench: Bench, heard: list[Datagram], *, for_ms: int) -> int | None:
    """After how many ms it leads although it hears these, ten a second, over and over; None: not at all."""
    for at_ms, datagram in zip(range(0, for_ms, 100), itertools.cycle(heard), strict=False):
        if bench.role() is Role.LEADER:
            return at_ms
        bench.deliver(datagram, Peer(node=70).endpoint)
        bench.advance_ms(100)
    return None


def test_leader_that_cannot_be_reached_keeps_us_from_leading_while_it_lives() -> None:
    bench, unreachable = Bench(), Peer(node=70, priority=200).leads(5)
    fresh = [unreachable.says(BEAT, multicast=True) for _ in range(100)]
    assert until_it_leads(bench, fresh, for_ms=10_000) is None


def test_099_recording_of_a_leader_keeps_us_from_leading_for_its_own_length_only() -> None:
    bench, recorded = Bench(), Peer(node=70, priority=200).leads(5)
    two_seconds = [recorded.says(BEAT, multicast=True) for _ in range(20)]
    led_ms = until_it_leads(bench, two_seconds, for_ms=20_000)
    assert led_ms is not None
    assert 2_000 <= led_ms <= 6_000


def test_099_recording_of_a_members_former_session_counts_for_nothing() -> None:
    bench, recorded = Bench(), Peer(node=70, priority=200).leads(5)
    old = [recorded.says(BEAT, multicast=True) for _ in range(100)]
    now = recorded.restarted()
    now.priority = 1
    bench.meet(now)
    for datagram in old:
        bench.deliver(datagram, recorded.endpoint)
        assert not bench.node.hears_foreign_leader()


def test_099_session_that_was_replaced_leads_no_more_when_its_host_is_dead() -> None:
    """Simulator, seed 70004674: two late heartbeats of a host's first session, after the death of its second one."""
    bench, recorded = Bench(), Peer(node=70, priority=200).leads(5)
    bench.meet(recorded)
    old = [recorded.says(BEAT, multicast=True) for _ in range(100)]
    now = recorded.restarted()
    bench.meet(now)
    bench.hear(now, resignation(ballot(5, 70), Reason.LEADER_LEFT, leaving=True))
    for datagram in old:
        bench.deliver(datagram, recorded.endpoint)
        assert not bench.node.hears_foreign_leader()


def test_heartbeat_in_the_name_of_another_counts_for_nothing() -> None:
    bench, liar = Bench(), Peer(node=70)
    liar.leader = ballot(5, 71)
    bench.hear(liar, BEAT, multicast=True)
    assert not bench.node.hears_foreign_leader()


def test_flood_of_leaders_leaves_bounded_traces() -> None:
    bench = Bench()
    for number in range(3000):
        bench.hear(Peer(node=1000 + number).leads(5), BEAT, multicast=True)
        bench.clear()
    assert len(bench.node.foreign.sequences) <= 1024


# -- rosters


def roster(count: int = 16) -> Roster:
    return Roster(
        entries=tuple(
            RosterEntry(node=NodeId(200 + n), session=SessionId(1), host=f"10.9.9.{n}", port=53) for n in range(count)
        )
    )


def test_roster_of_the_leader_is_believed_and_each_entry_probed() -> None:
    bench, leader = Bench(), Peer(node=60, priority=200).leads(5)
    bench.meet(leader)
    assert bench.role() is Role.FOLLOWER
    assert bodies(bench.hear(leader, roster())) == [Probe] * 16


def test_roster_of_anybody_is_believed_while_nobody_leads() -> None:
    """Who refuses a claim tells the claimant whom it does not know."""
    bench, other = Bench(), Peer(node=61)
    bench.meet(other)
    assert bodies(bench.hear(other, roster())) == [Probe] * 16


def test_roster_of_anybody_else_makes_us_send_nothing() -> None:
    bench, leader, other = Bench(), Peer(node=60, priority=200).leads(5), Peer(node=61)
    bench.meet(leader, other)
    assert bench.hear(other, roster()) == []
    assert bench.node.out.dropped == {"roster": 1}


# -- a full table


def test_full_table_keeps_its_members_and_refuses_the_newcomer() -> None:
    bench, friend = Bench(), Peer(node=60)
    bench.meet(friend)
    for number in range(1, MEMBERS_MAX):
        node, session = NodeId(10_000 + number), SessionId(1)
        stuffed = Member(
            node=node, session=session, name="x", version="0", endpoint=friend.endpoint, heard_us=bench.now_us
        )
        bench.node.members.add(stuffed)
    bench.clear()
    bench.meet(Peer(node=61))
    assert len(bench.node.members.verified()) == MEMBERS_MAX
    assert bench.node.members.get(NodeId(60)) is not None
    assert bench.node.out.dropped == {"full": 1}
    assert bench.events() == []


# -- terms


def test_102_terms_end_long_before_their_numbers_do() -> None:
    """Step by step, each step allowed: nobody is led to where a term no longer fits."""
    bench, peer = Bench(), Peer(node=60)
    bench.meet(peer)
    bench.node.term_seen = Term(TERM_MAX - 1)
    peer.floor = ballot(TERM_MAX, 60)
    bench.hear(peer, Announce(name="box60", version="0", interval_ms=1000))
    assert bench.node.term_seen == TERM_MAX
    peer.floor = ballot(TERM_MAX + 1, 60)
    bench.hear(peer, Announce(name="box60", version="0", interval_ms=1000))
    assert bench.node.out.dropped == {"term": 1}


def test_state_folder_that_is_older_than_what_others_remember_is_named() -> None:
    bench, peer = Bench(ceiling=10), Peer(node=60)
    peer.floor = ballot(12, ME)
    bench.meet(peer)
    assert any("older copy of the folder" in sentence for sentence in bench.problems())
    assert bench.node.term_seen == 12  # what it claims next is above


def test_state_folder_that_holds_what_others_remember_is_good() -> None:
    bench, peer = Bench(ceiling=12), Peer(node=60)
    peer.floor = ballot(12, ME)
    bench.meet(peer)
    assert bench.problems() == ()
    assert EventKind.MEMBER_JOINED in bench.events()


def test_flood_of_made_up_blank_sessions_does_not_keep_a_cluster_from_beginning() -> None:
    """Who hears the group knows this session, and may write to it under any id."""
    names = ("box60", "box70", "me")
    listed = Voters(names).id
    bench, first = Bench(voters=names, priority=0), Peer(node=60, voters=listed, recovering=True)
    bench.meet(first)
    for n in range(2000):
        bench.hear(Peer(node=1000 + n, voters=listed, recovering=True), Probe(nonce=n))
    for _ in range(8):
        bench.acknowledge_from(first)
        bench.advance_ms(200)
    assert bench.node.quorum.recovered
