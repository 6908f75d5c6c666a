"""A ballot has one lease, which all that a vote answers names; a vote counts from when it was asked for. docs/quorum.md 3."""

from dataclasses import replace

from kingd.core.settings import digest_of
from kingd.core.state.pending import Votes
from kingd.core.timing import MS, SECOND, Timing, promise_us
from kingd.core.wire.message import Ack, Claim, Grant, Heartbeat, Ping, Pong, Role
from tests.unit.scripted import VOTERS, Bench, Peer, ballot, made
from tests.unit.test_core_quorum import LEASE_MS, claims, elected, is_leader, newest_beat, started


def follows(leader: Peer, other: Peer) -> Bench:
    """A voter, which has granted what the leader claimed."""
    bench = started(leader, other, priority=0)
    bench.advance_ms(1)
    claims(bench, leader, 5)
    leader.leads(5)
    bench.beat(leader, lease_ms=LEASE_MS)
    return bench


def test_pong_renews_for_the_lease_that_it_names(one: Peer, two: Peer) -> None:
    """The leader counts on its own lease, and this voter heard neither its claim for a longer one nor a heartbeat."""
    bench = follows(one, two)
    while not bench.sent(Ping):
        bench.advance_ms(10)
    one.leads(6)
    bench.hear(one, Pong(echo=bench.sent(Ping)[-1].nonce, lease_ms=10 * LEASE_MS))
    assert bench.node.promise.until_us - bench.now_us == promise_us(10 * LEASE_MS * MS)


# -- a raise for another lease


WIFI = Timing(heartbeat_us=SECOND, leader_timeout_us=5 * SECOND)


def reload(bench: Bench, timing: Timing) -> None:
    bench.clear()
    bench.perform(bench.core.configure(replace(bench.node.settings, timing=timing), now_us=bench.now_us))


def grants(bench: Bench, *voters: Peer) -> None:
    for each in voters:
        bench.hear(each, Grant(term=bench.claim.term, attempt=bench.claim.attempt))


def renews(bench: Bench, voter: Peer, for_ms: int) -> None:
    """The voter goes on with what it has promised, and grants nothing."""
    for _ in range(for_ms // 100):
        bench.advance_ms(100)
        bench.hear(voter, Ack(sequence=newest_beat(bench)))


def test_until_the_raise_is_granted_the_former_lease_has_as_many_heartbeats(one: Peer, two: Peer) -> None:
    """The voters' disks are slow: they do not hold the longer promise yet."""
    bench = elected(one, two)
    reload(bench, WIFI)
    renews(bench, one, 2_000)
    assert is_leader(bench)
    beats = bench.sent(Heartbeat)
    assert {beat.lease_ms for beat in beats} == {LEASE_MS}
    assert len(beats) >= 20
    grants(bench, one)
    assert bench.sent(Heartbeat)[-1] == replace(beats[-1], interval_ms=1000, lease_ms=10_000)


def test_raise_that_too_few_answered_is_asked_for_again_under_its_own_term(one: Peer, two: Peer) -> None:
    """What was answered to the first question does not count for the second."""
    bench = elected(one, two)
    reload(bench, WIFI)
    first = bench.claim
    renews(bench, one, 5_000)
    again = bench.claim
    assert again.term == first.term
    assert len({claim.attempt for claim in bench.sent(Claim)}) > 5
    bench.hear(one, Grant(term=first.term, attempt=first.attempt))
    assert bench.node.ballot.term < first.term
    grants(bench, one)
    assert bench.node.ballot.term == first.term


def test_voter_that_granted_a_raise_renews_when_it_is_asked_again(one: Peer, two: Peer) -> None:
    """The leader counts from the question that it answers."""
    bench = follows(one, two)
    assert isinstance(claims(bench, one, 6), Grant)
    bench.advance_ms(700)
    assert isinstance(claims(bench, one, 6, attempt=2), Grant)
    assert bench.node.promise.until_us - bench.now_us == promise_us(LEASE_MS * MS)


def test_voter_whose_disk_does_not_hold_a_longer_promise_goes_on_with_the_one_that_it_holds(
    one: Peer, two: Peer
) -> None:
    bench = follows(one, two)
    bench.has_disk = False
    bench.hear(one, Claim(term=one.leader.term, attempt=2, lease_ms=10 * LEASE_MS))
    bench.clear()
    bench.beat(one, lease_ms=LEASE_MS)
    assert len(bench.sent(Ack)) == 1
    bench.beat(one, lease_ms=10 * LEASE_MS)
    assert len(bench.sent(Ack)) == 1


def test_votes_for_the_list_before_do_not_say_by_list(one: Peer, two: Peer) -> None:
    """They were asked for, and given, when both had that; they come when both show the next one."""
    wider = (*VOTERS, "box80")
    bench = elected(one, two)
    reload(bench, WIFI)
    for peer in (one, two):
        peer.wanted = digest_of(wider)
        bench.hear(peer, Pong(echo=0))
    bench.perform(bench.core.configure(replace(bench.node.settings, voters=wider), now_us=bench.now_us))
    assert bench.node.voters == made(VOTERS, 0, term=bench.node.leader.term)
    for peer in (one, two):
        peer.voters = bench.node.voters.id
    grants(bench, one, two)
    bench.advance_ms(LEASE_MS + 100)
    assert not bench.node.is_by_list


def test_raise_keeps_until_when_the_list_before_counts() -> None:
    former, now = Votes(), Votes()
    for votes, until_us in ((former, 5_000), (now, 7_000)):
        votes.extend(until_us)
        votes.restart(others=True)
    now.inherit(former)
    assert not now.is_by_list(6_999)
    now.extend(6_900)
    assert not now.is_by_list(6_999)
    now.extend(8_000)
    assert not now.is_by_list(6_999)
    assert now.is_by_list(7_000)
    assert not now.is_by_list(8_000)  # it leads no more


# -- what comes late


def test_grant_that_comes_too_late_elects_nobody(one: Peer, two: Peer) -> None:
    bench = started(one, two)
    bench.advance_ms(60)
    claim = bench.claim
    bench.now_us += 501 * MS
    for peer in (one, two):
        bench.hear(peer, Grant(term=claim.term, attempt=claim.attempt))
    assert not is_leader(bench)
    assert bench.role() is Role.CANDIDATE


def test_grant_that_comes_too_late_raises_no_term(one: Peer, two: Peer) -> None:
    """The leader was stopped, and reads it before its timers fire. Its voter may have lost its state by then."""
    bench = elected(one, two)
    before = bench.node.ballot
    two.role, two.floor = Role.SEEKING, ballot(before.term + 2, 70)
    bench.advance_ms(200)
    bench.clear()
    bench.hear(two, Ping(nonce=1, heard=0, polling=False))
    bench.now_us += 501 * MS
    bench.hear(one, Grant(term=bench.claim.term, attempt=bench.claim.attempt))
    assert bench.node.ballot == before
