"""The last will: what a node leaves, what an obituary does, and who does not believe it. docs/protocol.md 4.7."""

import pytest

from kingd.core.effect import EventKind, Send, Will
from kingd.core.state.members import State
from kingd.core.wire.endpoint import Endpoint
from kingd.core.wire.message import (
    SEQUENCE_MAX,
    Body,
    Claim,
    Datagram,
    Grant,
    Heartbeat,
    NodeId,
    Obituary,
    Offer,
    Ping,
    Probe,
    ProbeAck,
    Ready,
    Reason,
    Refuse,
    Resign,
    Role,
    SessionId,
    Term,
    Ticket,
)
from tests.unit.scripted import ME, MY_SESSION, Bench, Peer, ballot, refusal

GUARDIAN = Endpoint("10.0.0.9", 40000, "eth0")


def obituary(peer: Peer) -> Datagram:
    peer.sequence, last = SEQUENCE_MAX - 1, peer.sequence
    datagram = peer.says(Obituary(), multicast=True)
    peer.sequence = last
    return datagram


def dies(bench: Bench, peer: Peer) -> None:
    bench.deliver(obituary(peer), GUARDIAN)


@pytest.fixture
def leader() -> Peer:
    return Peer(node=70, priority=200).leads(5)


@pytest.fixture
def other() -> Peer:
    return Peer(node=61, priority=50)


@pytest.fixture
def bench(leader: Peer, other: Peer) -> Bench:
    """It follows the leader, and is next in rank."""
    bench = Bench()
    bench.meet(leader, other)
    bench.beat(leader)
    bench.advance_ms(10)
    bench.clear()
    return bench


def wills(bench: Bench) -> list[Will]:
    return [effect for effect in bench.effects if isinstance(effect, Will)]


# -- what it leaves


def test_node_leaves_an_obituary_of_exactly_its_session_at_once() -> None:
    will = wills(Bench())[-1]
    assert will.obituary is not None
    header = will.obituary.header
    assert (header.source, header.session, header.sequence) == (ME, MY_SESSION, SEQUENCE_MAX)
    assert will.obituary.body == Obituary()
    assert will.to == ()


def test_leaders_goes_by_unicast_to_the_next_three_and_to_who_polls() -> None:
    bench = Bench()
    followers = [Peer(node=n, priority=60 - n) for n in range(1, 7)]
    bench.become_leader(*followers)
    bench.hear(followers[4], Ping(nonce=1, heard=0, polling=True))
    bench.advance_ms(500)
    assert wills(bench)[-1].to == tuple(followers[i].endpoint for i in (0, 1, 2, 4))


def test_it_is_not_written_again_while_nothing_changes() -> None:
    bench = Bench()
    bench.become_leader(Peer(node=60), Peer(node=61))
    bench.advance_ms(600)
    bench.clear()
    bench.advance_ms(2000)
    assert not wills(bench)


def test_in_a_large_cluster_a_followers_goes_to_the_leader_and_the_next_three() -> None:
    bench, leader = Bench(), Peer(node=900, priority=200).leads(5)
    others = [Peer(node=n, priority=n) for n in range(101, 141)]
    bench.meet(leader, *others)
    for _ in range(30):
        bench.beat(leader)
        bench.advance_ms(100)
    will = wills(bench)[-1]
    assert will.obituary is not None
    assert not will.group
    assert will.to == tuple(peer.endpoint for peer in (leader, *others[:-4:-1]))


def test_it_is_taken_back_at_the_goodbye(bench: Bench) -> None:
    bench.perform(bench.core.stop(now_us=bench.now_us))
    bench.advance_ms(2000)
    assert wills(bench) == [Will(None)]


# -- what an obituary does


def test_038_obituary_ends_the_promise_and_the_next_in_rank_claims_at_once(
    bench: Bench, leader: Peer, other: Peer
) -> None:
    dies(bench, leader)
    bench.advance(0)
    claim = bench.answer(other, Claim)
    assert claim.reason is Reason.LEADER_CRASHED
    assert claim.ticket == Ticket(
        ballot=ballot(5, 70), session=SessionId(leader.session), successor=ME, successor_session=MY_SESSION
    )
    bench.hear(other, Grant(term=claim.term, attempt=claim.attempt))  # the dead one is not waited for
    assert bench.role() is Role.LEADER
    assert bench.told()[-1].kind is EventKind.ELECTED
    assert bench.told()[-1].reason is Reason.LEADER_CRASHED


def test_its_other_copies_change_nothing(bench: Bench, leader: Peer) -> None:
    for _ in range(3):
        dies(bench, leader)
        bench.advance(0)
    assert bench.events().count(EventKind.MEMBER_DEAD) == 1
    assert len({claim.attempt for claim in bench.sent(Claim)}) == 1


def test_042_its_other_copies_do_not_take_the_refutation_back(bench: Bench, leader: Peer) -> None:
    dies(bench, leader)
    bench.clear()
    bench.beat(leader)
    dies(bench, leader)
    bench.acknowledge(leader)
    assert bench.leader_name() == "box70"


def test_the_next_one_waits_its_turn(leader: Peer) -> None:
    bench, better = Bench(), Peer(node=61, priority=150)
    bench.meet(leader, better)
    bench.beat(leader)
    bench.advance_ms(10)
    dies(bench, leader)
    bench.advance_ms(149)
    assert not bench.sent(Claim)
    bench.advance_ms(1)
    assert bench.sent(Claim)[0].ticket is not None


def test_who_did_not_hear_it_grants_to_who_did(bench: Bench, leader: Peer) -> None:
    """Its leader beat a moment ago, as far as it knows."""
    heir = Peer(node=62, priority=150)
    bench.meet(heir)
    ticket = Ticket(
        ballot=ballot(5, 70),
        session=SessionId(leader.session),
        successor=NodeId(heir.node),
        successor_session=SessionId(heir.session),
    )
    bench.hear(heir, Claim(term=Term(6), attempt=1, reason=Reason.LEADER_CRASHED, ticket=ticket))
    assert bench.answer(heir, Grant).term == 6


def test_after_it_the_heir_is_granted_without_a_ticket(bench: Bench, leader: Peer) -> None:
    heir = Peer(node=62, priority=150)
    bench.meet(heir)
    dies(bench, leader)
    bench.hear(heir, Claim(term=Term(6), attempt=1, reason=Reason.LEADER_CRASHED))
    assert bench.answer(heir, Grant).term == 6


def test_who_promised_to_a_candidate_that_died_is_told_with_a_ticket(bench: Bench, leader: Peer, other: Peer) -> None:
    """It had granted, and did not hear of the death: once it is told; what it says then is its word."""
    heir = Peer(node=62, priority=150)
    bench.meet(heir)
    dies(bench, heir)
    dies(bench, leader)
    bench.advance(0)
    claim = bench.answer(other, Claim)
    answer = refusal(claim, ballot(claim.term - 1, heir.node), heir.session, led=False, remaining_ms=400)
    bench.clear()
    bench.hear(other, answer)
    again = bench.answer(other, Claim)
    assert (again.term, again.attempt) == (claim.term, claim.attempt)
    assert again.ticket == Ticket(
        ballot=answer.holder,
        session=SessionId(heir.session),
        successor=ME,
        successor_session=MY_SESSION,
    )
    bench.clear()
    bench.hear(other, answer)
    assert bench.role() is Role.SEEKING
    assert not bench.sent(Claim)


def test_another_session_of_the_leader_is_not_meant(bench: Bench, leader: Peer) -> None:
    dies(bench, Peer(node=70, session=leader.session + 1))
    assert bench.leader_name() == "box70"
    assert not [e for e in bench.effects if isinstance(e, Send) and isinstance(e.datagram.body, Probe)]


def test_042_own_obituary_of_a_former_session_asks_nobody() -> None:
    bench = Bench()
    bench.clear()
    dies(bench, Peer(node=ME, session=4000))
    assert not bench.sent(Probe)


def test_follower_that_died_is_not_waited_for(leader: Peer, other: Peer) -> None:
    bench, third = Bench(), Peer(node=62, priority=40)
    claim = bench.become_candidate(other, third)
    bench.hear(other, Grant(term=claim.term, attempt=claim.attempt))
    assert bench.role() is Role.CANDIDATE
    dies(bench, third)
    assert bench.role() is Role.LEADER


def test_candidate_that_died_frees_the_promise(bench: Bench, leader: Peer) -> None:
    heir = Peer(node=62, priority=150)
    bench.meet(heir)
    dies(bench, leader)
    bench.hear(heir, Claim(term=Term(6), attempt=1))
    heir.sequence += 1
    bench.clear()
    dies(bench, heir)
    bench.advance(0)
    assert bench.claim.term == 7


def test_successor_that_died_is_not_waited_for(other: Peer) -> None:
    bench, second = Bench(), Peer(node=62, priority=40)
    bench.become_leader(other, second)
    for peer in (other, second):
        peer.role, peer.leader = Role.FOLLOWER, bench.node.ballot
        bench.hear(peer, Ready(ballot=ballot(1, 1), reason=Reason.JOINED))  # of nothing: only to tell its role
    bench.perform(bench.core.stop(now_us=bench.now_us))
    assert bench.answer(other, Offer)
    dies(bench, other)
    bench.hear(second, Ready(ballot=bench.node.ballot, reason=Reason.LEADER_LEFT))
    assert bench.answer(second, Resign).successor == 62


def test_heir_that_died_with_the_ticket_is_not_waited_for(other: Peer) -> None:
    bench = Bench()
    bench.become_leader(other)
    other.role, other.leader = Role.FOLLOWER, bench.node.ballot
    bench.perform(bench.core.stop(now_us=bench.now_us))
    bench.hear(other, Ready(ballot=bench.node.ballot, reason=Reason.LEADER_LEFT))
    assert bench.answer(other, Resign).successor == 61
    dies(bench, other)
    bench.advance(0)
    assert wills(bench)[-1] == Will(None)  # it ends now, not after the time that a successor has


def test_new_session_of_the_dead_is_believed_at_once(bench: Bench, leader: Peer) -> None:
    dies(bench, leader)
    again = leader.restarted()
    again.endpoint = Endpoint("10.0.0.200", 5466, "eth0")  # not on the socket of the old one
    bench.clear()
    bench.meet(again)
    assert bench.node.members.find(NodeId(70), SessionId(again.session)) is not None


# -- what comes of the dead


@pytest.mark.parametrize(
    "body",
    [
        Heartbeat(interval_ms=100, lonely=False, alive=3),
        Claim(term=Term(9), attempt=1),
        Refuse(
            term=Term(6),
            attempt=7,
            pre_vote=False,
            holder=ballot(5, 70),
            holder_session=SessionId(1),
            led=True,
            remaining_ms=0,
        ),
        ProbeAck(echo=1, name="box70", version="0", returns=0),
    ],
    ids=lambda body: type(body).__name__,
)
def test_041_what_else_comes_of_the_dead_is_dropped(bench: Bench, leader: Peer, body: Body) -> None:
    dies(bench, leader)
    bench.clear()
    bench.hear(leader, body)
    assert bench.leader_name() is None
    assert bench.node.out.dropped["obituary"] == 1
    assert [type(datagram.body) for datagram in bench.sent_to(leader)] == [Probe]


def test_041_answer_to_what_was_asked_before_proves_nothing(bench: Bench, leader: Peer, other: Peer) -> None:
    bench.core.node.challenges.forget(NodeId(70), SessionId(leader.session))
    bench.hear(leader, Probe(nonce=1))
    leader.endpoint = Endpoint("10.0.1.70", 5466, "eth0")
    bench.hear(leader, Heartbeat(interval_ms=100, lonely=False, alive=3), multicast=True)
    bench.advance_ms(300)
    for _ in range(3):
        bench.hear(leader, Heartbeat(interval_ms=100, lonely=False, alive=3), multicast=True)
    assert bench.sent(Probe)  # it seems to have moved
    dies(bench, leader)
    bench.acknowledge_from(leader)
    member = bench.node.members.find(NodeId(70), SessionId(leader.session))
    assert member is not None
    assert member.state is State.DEAD


# -- when it lives


def test_042_refute_false_death_by_a_probe(bench: Bench, leader: Peer) -> None:
    """Back at once, loudly, and no obituary of that node is believed any more, whatever its session."""
    dies(bench, leader)
    bench.clear()
    bench.beat(leader)
    bench.acknowledge(leader)
    assert bench.leader_name() == "box70"
    assert EventKind.MEMBER_JOINED in bench.events()
    assert "box70 lives, though an obituary said" in "\n".join(bench.problems())
    dies(bench, leader)
    assert bench.leader_name() == "box70"
    again = leader.restarted().leads(6)
    bench.meet(again)
    bench.advance_ms(5)
    bench.meet(again)
    dies(bench, again)
    assert bench.leader_name() == "box70"


def test_042_refute_false_death_by_a_refusal(bench: Bench, leader: Peer, other: Peer) -> None:
    """The dead are asked as well: one that lives keeps what it has."""
    dies(bench, leader)
    bench.advance(0)
    claim = bench.answer(leader, Claim)
    answer = refusal(claim, ballot(5, 70), leader.session, led=True, remaining_ms=0)
    bench.hear(leader, answer)
    assert bench.role() is Role.SEEKING
    assert bench.answer(other, Resign).ballot == ballot(claim.term, ME)
    bench.beat(leader)
    bench.acknowledge(leader)
    assert bench.leader_name() == "box70"


def test_042_two_that_think_each_other_dead_find_out(bench: Bench, other: Peer) -> None:
    dies(bench, other)
    bench.clear()
    bench.hear(other, Probe(nonce=77))
    assert bench.answer(other, ProbeAck).echo == 77
    bench.acknowledge(other)
    assert EventKind.MEMBER_JOINED in bench.events()


# -- in quorum mode


def test_077_will_frees_no_voters_promise(other: Peer) -> None:
    """Not the own one, and not by a ticket: the next one claims when the promise has run out."""
    voters = ("box61", "box70", "me")
    bench = Bench(voters=voters, ceiling=20)
    leader = Peer(node=70, priority=200)
    bench.advance_ms(3000)
    for peer in (leader, other):
        peer.voters = bench.node.voters.id
    bench.meet(leader, other)
    leader.leads(21)
    bench.beat(leader)
    bench.acknowledge(leader)
    bench.advance_ms(10)
    assert bench.leader_name() == "box70"
    until_us = bench.node.promise.until_us
    bench.clear()
    dies(bench, leader)
    bench.advance(until_us - bench.now_us - 1)
    assert bench.leader_name() is None
    assert bench.node.promise.until_us == until_us
    assert not bench.sent(Claim)
    bench.advance_ms(200)
    assert bench.claim.ticket is None
