"""The leader makes a list of voters. docs/quorum.md 8."""

from kingd.core.problems import LedByFormer, TooFewAnswer
from kingd.core.settings import Voters
from kingd.core.wire.message import Ack, Grant, Heartbeat, Role
from kingd.core.wire.voter_list import GENERATION_NUMBER_MAX
from kingd.daemon import sentences
from tests.unit.scripted import VOTERS, Bench, Peer, made
from tests.unit.test_core_voters import PROMISE_MS, WIDER, shows, waits_for, wants

TERM = 9


def leads(one: Peer, *others: Peer) -> Bench:
    """By the vote of the first of them, in TERM."""
    bench = Bench(voters=VOTERS, ceiling=TERM - 1)
    bench.meet(one, *others)
    bench.advance_ms(PROMISE_MS + 200)
    bench.hear(one, Grant(term=bench.claim.term, attempt=bench.claim.attempt))
    assert (bench.role(), bench.node.leader.term) == (Role.LEADER, TERM)
    assert bench.node.is_by_list
    return bench


def votes(bench: Bench, *peers: Peer) -> None:
    """They take the leader's list, and answer its next heartbeat; then it beats once more."""
    for peer in peers:
        peer.voters = bench.node.voters.id
    bench.advance_ms(100)
    beat = newest_beat(bench)
    for peer in peers:
        bench.hear(peer, Ack(sequence=beat))
    bench.advance_ms(100)


def newest_beat(bench: Bench) -> int:
    return [d.header.sequence for d in bench.datagrams() if isinstance(d.body, Heartbeat)][-1]


def test_088_leader_makes_the_present_list_anew_and_then_the_next_one(one: Peer, two: Peer) -> None:
    """By the first all have something newer than what was ever made of it before."""
    bench = leads(one, two)
    wants(bench, *WIDER)
    shows(bench, one, wanted=WIDER)
    assert bench.node.voters == Voters(VOTERS)  # two of four
    shows(bench, two, wanted=WIDER)
    assert bench.node.voters == made(VOTERS, 0, term=TERM)
    assert waits_for(bench) == sentences.obstacle(LedByFormer())
    votes(bench, one)
    assert waits_for(bench) == sentences.obstacle(TooFewAnswer(("box70", "box80")))
    votes(bench, one, two)
    assert bench.node.voters == made(WIDER, 1, term=TERM)
    assert bench.core.obstacle is None


def test_088_next_list_waits_until_the_votes_by_the_one_before_are_over(one: Peer, two: Peer) -> None:
    """However long it has led: its lease may rest on the list before that."""
    bench = leads(one, two)
    wants(bench, "box60", "me")
    shows(bench, one, wanted=("box60", "me"))
    votes(bench, one, two)
    assert bench.node.voters == made(("box60", "me"), 1, term=TERM)
    assert not bench.node.is_by_list
    wants(bench, "me")
    shows(bench, one, wanted=("me",))
    votes(bench, one)
    assert waits_for(bench) == sentences.obstacle(LedByFormer())
    bench.clear()
    for _ in range(11):
        bench.advance_ms(100)
        votes(bench, one)
    assert bench.node.voters == made(("me",), 2, term=TERM)


def test_088_leader_makes_its_list_anew_for_who_wants_it_and_has_one_as_new(one: Peer, two: Peer) -> None:
    """That one was made alone by a leader of before, or mistyped at the first start."""
    bench = leads(one, two)
    shows(bench, two, wanted=VOTERS, voters=Voters(("box70", "me")).id)
    assert bench.node.voters == made(VOTERS, 0, term=TERM)


def test_088_leader_makes_no_list_twice(one: Peer, two: Peer) -> None:
    bench = leads(one, two)
    shows(bench, two, wanted=VOTERS, voters=Voters(("box70", "me")).id)
    shows(bench, two, voters=made(("box70", "me"), 7, term=TERM + 1).id)  # of another life of this cluster
    assert bench.node.voters == made(VOTERS, 0, term=TERM)


def test_088_numbers_that_have_come_to_their_end_begin_anew_in_the_next_term(one: Peer, two: Peer) -> None:
    bench = leads(one, two)
    bench.node.quorum.voters = made(VOTERS, GENERATION_NUMBER_MAX, term=TERM)
    wants(bench, *WIDER)
    for peer in (one, two):
        shows(bench, peer, wanted=WIDER)
    votes(bench, one)
    assert bench.node.voters.names == VOTERS
    bench.node.quorum.voters = made(VOTERS, GENERATION_NUMBER_MAX, term=TERM - 1)
    votes(bench, one)
    assert bench.node.voters == made(VOTERS, 0, term=TERM)


def test_088_leader_lets_others_take_what_a_leader_of_before_has_made(one: Peer, two: Peer) -> None:
    """It made the present names anew when a host came back with the list that all want, and another one took that at the same
    moment: neither list had a majority, for good."""
    bench = leads(one, two)
    shows(bench, one, wanted=WIDER, voters=made(WIDER, 1, term=TERM - 1).id)
    shows(bench, two, wanted=WIDER)
    wants(bench, *WIDER)
    bench.hear(two, Ack(sequence=newest_beat(bench)))
    bench.advance_ms(100)
    assert bench.node.voters == Voters(VOTERS)
    assert bench.node.is_by_list


def test_088_leader_does_not_wait_for_the_answer_of_who_has_the_list_already(one: Peer, two: Peer) -> None:
    """In an older generation than the present one: it takes no other list than the one that it wants."""
    bench = leads(one, two)
    bench.node.quorum.voters = made(VOTERS, 0, term=TERM)
    for _ in range(6):  # and the vote of the first one is over
        votes(bench, two)
    shows(bench, one, wanted=("box60", "me"), voters=made(("box60", "me"), 1, term=TERM - 1).id)
    shows(bench, two, wanted=("box60", "me"))
    wants(bench, "box60", "me")
    bench.hear(two, Ack(sequence=newest_beat(bench)))
    bench.advance_ms(100)
    assert bench.node.voters == made(("box60", "me"), 1, term=TERM)


def test_088_leader_takes_no_list(one: Peer, two: Peer) -> None:
    """What a leader of before made."""
    bench = leads(one, two)
    wants(bench, *WIDER)
    shows(bench, one, voters=made(WIDER, 1, term=1).id)
    assert bench.node.voters.names == VOTERS
