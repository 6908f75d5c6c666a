"""A large cluster whose hosts may all share a machine: each gets its turn. docs/large-clusters.md 3 and 4."""

from kingd.core.state.detector import Detector
from kingd.core.timing import MS
from kingd.core.wire.message import Claim, Grant, Heartbeat, Ping, Pong, Reason, Role
from tests.unit.scripted import Bench, Peer, resignation

WORSE = 50


def test_claim_to_a_large_cluster_goes_on_while_answers_come() -> None:
    """They share a machine: one after the other has its turn, and is not asked again for that."""
    bench, peers = Bench(), [Peer(node=1000 + n, priority=WORSE) for n in range(40)]
    claim = bench.become_candidate(*peers)
    asked = len(bench.sent(Claim))
    bench.advance_ms(20)
    for peer in peers[:3]:
        bench.hear(peer, Grant(term=claim.term, attempt=claim.attempt))
        bench.advance_ms(100)
        assert (bench.role(), len(bench.sent(Claim))) == (Role.CANDIDATE, asked)
    bench.advance_ms(100)  # without an answer
    assert len(bench.sent(Claim)) > asked
    for peer in peers[3:10]:
        bench.hear(peer, Grant(term=claim.term, attempt=claim.attempt))
        bench.advance_ms(100)
    assert bench.role() is Role.LEADER  # not for ever


def test_claim_goes_first_to_who_would_claim_next() -> None:
    bench = Bench()
    bench.become_candidate(*[Peer(node=1000 + n, priority=WORSE - n) for n in (3, 1, 4, 2)])
    asked = [datagram.header.destination for datagram in bench.datagrams() if isinstance(datagram.body, Claim)]
    assert asked[:4] == [1001, 1002, 1003, 1004]


def test_new_leader_of_hundreds_is_patient_with_itself_and_less_than_its_followers_are() -> None:
    """They may all share a machine, and have been at work for it."""
    bench = Bench()
    bench.become_leader(*(Peer(node=node, priority=WORSE) for node in range(100, 549)))
    timing, leading, patience_us = bench.node.timing, bench.leading, bench.node.scale.patience_us
    detector = Detector(timing, bench.now_us)
    detector.begin(bench.now_us, patience_us=patience_us)
    assert detector.limit_us == timing.leader_timeout_us + patience_us
    lost_us = leading.beat_us - leading.beat_every_us  # when they last heard it, if the last heartbeat was lost
    assert leading.stalls_at_us(timing) < lost_us + detector.limit_us
    bench.run_late(timing.leader_timeout_us)
    assert bench.role() is Role.LEADER
    leading.settled_us = bench.now_us
    bench.run_late(timing.leader_timeout_us)
    assert bench.role() is Role.SEEKING


def test_late_leader_beats_before_it_answers_the_hundreds_that_miss_it() -> None:
    bench, peers = Bench(), [Peer(node=node, priority=WORSE) for node in range(100, 140)]
    bench.become_leader(*peers)
    bench.advance_ms(150)
    bench.clear()
    bench.now_us += bench.leading.beat_every_us * 8 // 5  # it did not run for long, though not as long as is a stall
    bench.hear(peers[0], Ping(nonce=7, heard=0, polling=False))
    assert [type(datagram.body) for datagram in bench.datagrams()] == [Heartbeat, Pong]
    bench.hear(peers[0], Ping(nonce=8, heard=0, polling=False))
    assert len(bench.sent(Heartbeat)) == 1


def test_late_leader_that_knows_of_nobody_who_hears_it_looks_at_what_has_come_first() -> None:
    """A heartbeat that says so would renew nobody, and be answered by hundreds."""
    bench, peers = Bench(), [Peer(node=node, priority=WORSE) for node in range(100, 140)]
    bench.become_leader(*peers)
    bench.advance_ms(100)
    newest = max(each.header.sequence for each in bench.datagrams() if isinstance(each.body, Heartbeat))
    bench.leading.proven_us = bench.now_us - bench.node.timing.contact_us
    bench.clear()
    bench.now_us += bench.leading.beat_every_us * 8 // 5
    bench.hear(peers[0], Ping(nonce=7, heard=newest, polling=False))
    assert bench.sent(Heartbeat) == []
    bench.perform(bench.core.tick(now_us=bench.now_us))
    assert [beat.lonely for beat in bench.sent(Heartbeat)] == [False]


def test_who_seeks_among_hundreds_does_not_look_through_the_table_in_the_midst_of_the_election() -> None:
    """All would at one moment, half a second after the death of their leader, and none would learn anything."""
    bench, leader = Bench(), Peer(node=70, priority=200).leads(5)
    bench.meet(leader, Peer(node=71, priority=199))
    for _ in range(12):
        bench.beat(leader, alive=450)
        bench.advance_ms(100)
    bench.hear(leader, resignation(leader.leader, Reason.LEADER_LEFT, leaving=True))
    assert bench.role() is Role.SEEKING
    assert bench.node.rounds.sweep_at_us >= bench.now_us + 2 * bench.node.scale.round_us


def test_093_who_hears_nothing_at_all_does_not_ask_as_if_it_had_answers() -> None:
    """Its leader is late, as it is for hundreds at one moment: to ask each round trip would make it later."""
    bench, leader = Bench(), Peer(node=70, priority=WORSE).leads(5)
    bench.meet(leader)
    bench.advance_ms(1)  # the first question goes out at once
    bench.node.detector.begin(bench.now_us, patience_us=1500 * MS)
    bench.beat(leader)
    bench.clear()
    bench.advance_ms(1990)
    assert [ping.polling for ping in bench.sent(Ping)] == [False] * 7  # after 150, 200, 300, 500, 900, 1700 and 1950 ms
    assert bench.role() is Role.FOLLOWER
