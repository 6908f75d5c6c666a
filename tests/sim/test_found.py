"""What the swarm found, each shrunk to a short story on the same `Cluster`. The checker of `kingd.sim` looks on in all
of them."""

from kingd.core.effect import EventKind
from kingd.core.timing import MS, SECOND
from kingd.core.wire.message import (
    NO_BALLOT,
    Announce,
    Claim,
    Grant,
    Heartbeat,
    NodeId,
    Ready,
    Reason,
    Resign,
    Role,
    Term,
)
from kingd.sim.cluster import Cluster, hosts
from tests.unit.scripted import ME, MY_SESSION, Bench, Peer, ballot, refusal, resignation

MINUTE = 60 * SECOND


def started(*priorities: int, seed: int = 1) -> Cluster:
    """A cluster that agrees on its best."""
    cluster = Cluster(hosts(*priorities), seed=seed)
    cluster.start_all()
    cluster.run(3 * SECOND)
    best = max(cluster.hosts, key=lambda h: h.settings.priority)
    assert cluster.agreed() == best.name
    return cluster


def test_raised_term_is_followed_only_once_it_is_led() -> None:
    """A granted raise used to be shown as the leader's ballot before the leader had it: its heartbeats were ignored
    meanwhile."""
    cluster = started(10, 20, 30, 40)
    box1, box2, box3, box4 = cluster.hosts
    cluster.partition([box1, box3], [box2, box4])
    assert cluster.run_until(lambda: len(cluster.leaders()) == 2, 2 * SECOND)
    cluster.network.heal()
    assert cluster.run_until(lambda: cluster.agreed() == "box4", SECOND)
    cluster.run(MS)


def changes(cluster: Cluster, since_us: int) -> list[str]:
    """What users were told about leadership since then."""
    kinds = (EventKind.ELECTED, EventKind.DEPOSED, EventKind.LEADER_CHANGED, EventKind.LEADER_LOST)
    return [
        f"{host.name} {event.kind} {event.reason.word}"
        for host in cluster.hosts
        for at_us, event in host.events
        if at_us >= since_us and event.kind in kinds
    ]


def test_095_new_address_of_the_leader_is_found_where_its_multicast_comes_from() -> None:
    """Its announcements by unicast are lost, so that only the source of its heartbeats tells that it has moved."""
    cluster = started(10, 20, 30)
    box1, box2, box3 = cluster.hosts
    began_us = cluster.now_us
    cluster.network.unicast_cuts = {(box3.index, box1.index), (box3.index, box2.index)}
    cluster.renumber(box3, 40000)
    cluster.run(SECOND)
    cluster.network.heal()
    cluster.run(20 * SECOND)
    assert changes(cluster, began_us) == []


def test_066_leader_that_did_not_run_says_so_before_it_grants_the_next() -> None:
    """What wakes it is the claim of the next leader: its users are told `stalled`, not that leader's reason."""
    cluster = started(10, 20, 30)
    box1, box2, box3 = cluster.hosts
    cluster.partition([box1, box2], [box3])
    cluster.pause(box3, until_us=cluster.now_us + MINUTE)
    assert cluster.run_until(lambda: box2.role is Role.CANDIDATE, 2 * SECOND)
    cluster.network.heal()
    cluster.crash(box1)  # waited for, so that the claim is sent again, to box3 too
    assert cluster.run_until(lambda: bool(box3.backlog), SECOND)
    cluster.resume(box3)
    cluster.run(SECOND)
    told = [event for _, event in box3.events if event.kind is EventKind.DEPOSED]
    assert [event.reason for event in told] == [Reason.STALLED]


def test_082_priority_0_ends_a_claim_in_flight() -> None:
    """The others' grants were counted on, and a node that must never lead led."""
    bench = Bench()
    peer = Peer(node=60)
    claim = bench.become_candidate(peer)
    bench.perform(bench.core.set_priority(0, now_us=bench.now_us))
    bench.hear(peer, Grant(term=claim.term, attempt=claim.attempt))
    bench.advance_ms(1000)
    assert bench.role() is Role.SEEKING
    assert [resign.ballot.term for resign in bench.sent(Resign)] == [claim.term]


def test_034_refusal_for_an_outranked_candidate_is_not_forgotten() -> None:
    """It outranks the one that holds the promise, and asks again; but when time is up without a grant, it has lost."""
    bench = Bench()
    voter, other, rival = Peer(node=60), Peer(node=61), Peer(node=62, priority=10)
    claim = bench.become_candidate(voter, other, rival)
    answer = refusal(claim, ballot(claim.term - 1, rival.node), rival.session, led=False, remaining_ms=400)
    bench.hear(voter, answer)
    bench.hear(other, Grant(term=claim.term, attempt=claim.attempt))
    while bench.claim == claim:
        assert bench.role() is not Role.LEADER
        bench.advance_ms(10)
    assert bench.claim.term > claim.term


def test_008_late_heartbeat_does_not_say_what_its_sender_is() -> None:
    """A lonely leader stood down before a heartbeat that came seconds late, when its sender was long dead."""
    bench = Bench()
    peer = Peer(node=60)
    bench.meet(peer)
    late = peer.leads(5).says(Heartbeat(interval_ms=100, lonely=False, alive=2), multicast=True)
    peer.role, peer.leader = Role.SEEKING, NO_BALLOT
    bench.hear(peer, Announce(name=peer.name, version="0", interval_ms=1000), multicast=True)
    bench.deliver(late, peer.endpoint)
    member = bench.node.members.get(NodeId(peer.node))
    assert member is not None
    assert (member.role, member.leader) == (Role.SEEKING, NO_BALLOT)
    assert not bench.node.hears_foreign_leader()


def test_099_one_heartbeat_that_comes_late_deposes_nobody() -> None:
    """The last survivor hears a datagram of the time when there were others."""
    bench = Bench()
    peer = Peer(node=60)
    bench.become_leader(peer)
    bench.advance_ms(5000)
    bench.hear(peer.leads(9), Heartbeat(interval_ms=100, lonely=False, alive=2), multicast=True)
    bench.advance_ms(5000)
    assert EventKind.DEPOSED not in bench.events()


def test_032_ticket_that_comes_late_is_void() -> None:
    """Who gave it follows again: a leader that takes it would raise its term once more, and tell of an old overlap."""
    bench = Bench()
    peer = Peer(node=60, priority=10)
    bench.become_leader(peer)
    resign = resignation(ballot(9, peer.node), Reason.OVERLAP_RESOLVED, to=ME, session=MY_SESSION)
    late = peer.says(resign)
    peer.role, peer.leader = Role.FOLLOWER, bench.node.ballot
    bench.hear(peer, Announce(name=peer.name, version="0", interval_ms=1000), multicast=True)
    bench.clear()
    bench.deliver(late, peer.endpoint)
    assert not bench.sent(Claim)


def test_025_the_better_one_comes_back_soon_after_it_can_reach_all() -> None:
    """Each preparation that failed doubled the time to the next one, up to half a minute."""
    cluster = started(10, 20, 30)
    box1, _, box3 = cluster.hosts
    cluster.set_priority(box3, 5)
    assert cluster.run_until(lambda: cluster.agreed() == "box2", SECOND)
    cluster.cut(box1, box3)
    cluster.set_priority(box3, 30)
    cluster.run(50 * SECOND)
    assert cluster.agreed() == "box2"
    cluster.network.heal()
    assert cluster.run_until(lambda: cluster.agreed() == "box3", 10 * SECOND)


def test_049_goodbye_of_a_candidate_frees_the_promise_to_it() -> None:
    bench = Bench()
    peer = Peer(node=60, priority=200, role=Role.CANDIDATE)
    bench.meet(peer)
    bench.hear(peer, Claim(term=Term(1), attempt=1))
    bench.hear(peer, resignation(NO_BALLOT, Reason.LEADER_LEFT, leaving=True))
    assert not bench.node.promise.is_live(bench.now_us)


def test_029_hand_over_waits_for_a_raise_in_flight() -> None:
    """The raise would take promises that the ticket, for the old ballot, does not free."""
    bench = Bench()
    stray, better = Peer(node=60, priority=10), Peer(node=61, priority=200)
    bench.become_leader(stray)
    bench.meet(better)
    bench.advance_ms(300)
    stray.role, stray.floor = Role.SEEKING, ballot(9, 7)
    bench.hear(stray, Announce(name=stray.name, version="0", interval_ms=1000), multicast=True)
    assert bench.claim.term == 10
    bench.hear(better, Ready(ballot=bench.node.ballot, reason=Reason.HIGHER_PRIORITY))
    assert bench.role() is Role.LEADER
    bench.advance_ms(300)
    bench.hear(better, Ready(ballot=bench.node.ballot, reason=Reason.HIGHER_PRIORITY))
    assert bench.role() is Role.SEEKING


def test_031_successor_refuses_what_the_leader_had_asked_before_it_resigned() -> None:
    """A claim of the old leader's, overtaken by its ticket, made the successor give its own claim up."""
    bench = Bench(priority=200)
    leader = Peer(node=60).leads(5)
    bench.meet(leader)
    bench.beat(leader)
    late = leader.says(Claim(term=Term(6), attempt=1))
    leader.role, leader.leader = Role.SEEKING, NO_BALLOT
    ticket = resignation(ballot(5, leader.node), Reason.HIGHER_PRIORITY, to=ME, session=MY_SESSION)
    bench.hear(leader, ticket)
    assert bench.role() is Role.CANDIDATE
    bench.deliver(late, leader.endpoint)
    assert bench.role() is Role.CANDIDATE


def test_104_who_gave_its_ballot_away_takes_no_third_ones() -> None:
    """Two leaders meet while the better of them resigns to a follower: all wait for that one."""
    bench = Bench(priority=50)
    better, worse = Peer(node=60, priority=200), Peer(node=61, priority=10)
    bench.become_leader(better, worse)
    bench.hear(better, Ready(ballot=bench.node.ballot, reason=Reason.HIGHER_PRIORITY))
    assert bench.role() is Role.SEEKING
    bench.clear()
    ticket = resignation(ballot(9, worse.node), Reason.OVERLAP_RESOLVED, to=ME, session=MY_SESSION)
    bench.hear(worse, ticket)
    assert not bench.sent(Claim)


def test_013_refusal_that_was_overtaken_by_the_grant_is_void() -> None:
    bench = Bench()
    voter, other, rival = Peer(node=60), Peer(node=61), Peer(node=62, priority=10)
    claim = bench.become_candidate(voter, other)
    answer = refusal(claim, ballot(claim.term, rival.node), rival.session, led=False, remaining_ms=400)
    late = voter.says(answer)
    bench.hear(voter, Grant(term=claim.term, attempt=claim.attempt))
    bench.deliver(late, voter.endpoint)
    bench.hear(other, Grant(term=claim.term, attempt=claim.attempt))
    assert bench.role() is Role.LEADER


def test_025_returning_node_takes_nobody_by_surprise() -> None:
    """It preempted before it had heard of all whom the leader leads: they did not know it, and elected another one."""
    bench = Bench(priority=200)
    leader = Peer(node=60).leads(5)
    bench.meet(leader)
    bench.advance_ms(100)
    bench.hear(leader, Heartbeat(interval_ms=100, lonely=False, alive=3), multicast=True)
    for _ in range(10):
        bench.advance_ms(100)
        bench.hear(leader, Heartbeat(interval_ms=100, lonely=False, alive=3), multicast=True)
    assert not bench.sent(Claim)
    bench.meet(Peer(node=61))
    bench.advance_ms(200)
    assert bench.claim.pre_vote


def test_013_claim_that_comes_after_its_resignation_gets_no_promise() -> None:
    """Six candidates at once: promises to the gone ones stood in everybody's way for half a second."""
    bench = Bench()
    peer = Peer(node=60, priority=200, role=Role.CANDIDATE)
    bench.meet(peer)
    late = peer.says(Claim(term=Term(3), attempt=1))
    bench.hear(peer, resignation(ballot(3, peer.node), Reason.LEADER_TIMEOUT))
    bench.deliver(late, peer.endpoint)
    assert not bench.sent(Grant)
    assert not bench.node.promise.is_live(bench.now_us)


def test_026_follower_takes_no_ticket_of_another_leader() -> None:
    """It led when that one met it, and has lost its leadership since. It claimed against the leader that it followed, and
    the process ended over a promise that fell."""
    bench = Bench(priority=200)
    leader, other = Peer(node=60).leads(5), Peer(node=61, priority=10)
    bench.meet(leader, other)
    bench.beat(leader)
    bench.hear(leader, Claim(term=Term(6), attempt=1))
    bench.clear()
    why = Reason.OVERLAP_RESOLVED
    bench.hear(other, resignation(ballot(7, 61), why, to=ME, session=MY_SESSION))
    assert not [claim for claim in bench.sent(Claim) if not claim.pre_vote]
    bench.beat(leader)
    assert bench.leader_name() == "box60"
