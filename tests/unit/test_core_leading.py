"""A leader: heartbeats, loneliness, raising its term, stalls, links. docs/protocol.md 4.6."""

import pytest

from kingd.core.effect import EventKind
from kingd.core.timing import MS, Timing
from kingd.core.wire.message import (
    NO_BALLOT,
    Announce,
    Claim,
    Grant,
    Heartbeat,
    NodeId,
    Ping,
    Pong,
    Probe,
    Reason,
    Resign,
    Role,
)
from tests.unit.scripted import ME, Bench, Peer, ballot, refusal, resignation

LOW = 10


@pytest.fixture
def peer() -> Peer:
    return Peer(node=60, priority=LOW)


@pytest.fixture
def bench(peer: Peer) -> Bench:
    """It leads node 60."""
    bench = Bench()
    bench.become_leader(peer)
    peer.role, peer.leader, peer.floor = Role.FOLLOWER, bench.node.ballot, bench.node.ballot
    bench.clear()
    return bench


def newest_beat(bench: Bench) -> int:
    return [d.header.sequence for d in bench.datagrams() if isinstance(d.body, Heartbeat)][-1]


# -- heartbeats and loneliness


def test_heartbeat_every_100_ms(bench: Bench) -> None:
    bench.advance_ms(1000)
    assert len(bench.sent(Heartbeat)) == 10


@pytest.mark.parametrize(
    ("members", "profile_ms", "interval_ms"),
    [
        (255, (100, 500), 100),
        (256, (100, 500), 200),
        (384, (100, 500), 250),
        (384, (10, 30), 15),
        (384, (1000, 5000), 2500),
    ],
    ids=["so many hear each", "half of them", "half the leader timeout at most", "fast", "wifi"],
)
def test_leader_of_hundreds_beats_more_rarely_and_says_so(
    members: int, profile_ms: tuple[int, int], interval_ms: int
) -> None:
    timing = Timing(heartbeat_us=profile_ms[0] * MS, leader_timeout_us=profile_ms[1] * MS)
    bench = Bench(timing=timing)
    bench.become_leader(*(Peer(node=node, priority=LOW) for node in range(100, 99 + members)))
    bench.clear()
    bench.leading.settled_us = 0
    bench.advance_ms(interval_ms * 4)
    assert [beat.interval_ms for beat in bench.sent(Heartbeat)] == [interval_ms] * 4
    late_us = timing.stall_us - timing.heartbeat_us  # as late as any heartbeat may come
    bench.run_late(bench.leading.heartbeat_at_us + late_us - bench.now_us)
    assert bench.role() is Role.LEADER
    bench.run_late(bench.leading.heartbeat_at_us + late_us + 1 - bench.now_us)
    assert bench.role() is Role.SEEKING


def test_lease_of_hundreds_is_asked_for_at_each_heartbeat() -> None:
    bench = Bench(voters=("me",))
    bench.advance_ms(5000)
    assert bench.role() is Role.LEADER
    voters = bench.node.voters.id
    bench.meet(*(Peer(node=node, priority=LOW, voters=voters) for node in range(100, 500)))
    bench.clear()
    bench.advance_ms(1000)
    assert len(bench.sent(Heartbeat)) == 10


def test_068_lonely_when_nobody_proved_to_hear_it_for_25_heartbeats(bench: Bench) -> None:
    bench.advance_ms(2500)
    assert not any(beat.lonely for beat in bench.sent(Heartbeat))
    bench.clear()
    bench.advance_ms(200)
    assert bench.sent(Heartbeat)[-1].lonely


def test_068_ping_that_names_what_was_heard_is_the_proof(bench: Bench, peer: Peer) -> None:
    for _ in range(10):
        bench.advance_ms(1000)
        bench.hear(peer, Ping(nonce=1, heard=newest_beat(bench), polling=False))
    assert not any(beat.lonely for beat in bench.sent(Heartbeat))


@pytest.mark.parametrize("heard", [0, 1, (1 << 64) - 1])
def test_ping_that_names_nothing_of_ours_is_answered_and_proves_nothing(bench: Bench, peer: Peer, heard: int) -> None:
    for _ in range(4):
        bench.advance_ms(1000)
        bench.hear(peer, Ping(nonce=1, heard=heard, polling=False))
    assert len(bench.sent(Pong)) == 4
    assert bench.sent(Heartbeat)[-1].lonely


def test_old_proof_is_as_old_as_what_was_heard(bench: Bench, peer: Peer) -> None:
    """Counted from when the heartbeat was sent, not from when the ping came."""
    bench.advance_ms(100)
    first = newest_beat(bench)
    bench.advance_ms(2400)
    bench.hear(peer, Ping(nonce=1, heard=first, polling=False))
    bench.advance_ms(300)
    assert bench.sent(Heartbeat)[-1].lonely


def test_007_lonely_leader_that_hears_nobody_leads_on() -> None:
    bench = Bench()
    bench.advance_ms(60_000)
    assert bench.events() == [EventKind.STARTED, EventKind.ELECTED]


@pytest.mark.parametrize("heartbeats", [1, 2])
def test_099_lonely_leader_does_not_stand_down_for_a_replayed_heartbeat(bench: Bench, heartbeats: int) -> None:
    """Of a session that is gone: it is heard, and not answered, just as one that does not hear us."""
    gone = Peer(node=70, priority=LOW).leads(9)
    bench.advance_ms(2700)
    for _ in range(heartbeats):
        bench.beat(gone)
        bench.advance_ms(100)
    bench.advance_ms(5000)
    assert EventKind.DEPOSED not in bench.events()


def test_099_lonely_leader_does_not_stand_down_for_one_late_heartbeat_each_of_two_others(bench: Bench) -> None:
    """Simulator, seed 71007652: of two leaders of its last life, a moment apart."""
    bench.advance_ms(2700)
    for node in (70, 71):
        bench.beat(Peer(node=node, priority=LOW).leads(9))
        bench.advance_ms(450)
    assert bench.role() is Role.LEADER


def test_068_lonely_leader_that_hears_another_one_stands_down(bench: Bench) -> None:
    """It hears, and is not heard: it is the one that is alone."""
    other = Peer(node=70, priority=LOW).leads(9)
    bench.advance_ms(2700)
    for _ in range(5):
        bench.beat(other)
        bench.advance_ms(100)
    assert bench.role() is Role.SEEKING
    assert [event.kind for event in bench.told()[-2:]] == [EventKind.DEPOSED, EventKind.OVERLAP_RESOLVED]
    assert bench.told()[-1].reason is Reason.ISOLATED


def stand_down_beside(bench: Bench, stranger: Peer) -> None:
    """It leads alone, and hears one that it cannot reach."""
    while bench.role() is Role.LEADER:
        bench.hear(stranger, Heartbeat(interval_ms=100, lonely=False, alive=2), multicast=True)
        bench.advance_ms(100)


def test_068_who_stood_down_leads_when_nobody_is_heard_any_more() -> None:
    """It waited for up to a minute (simulator, seed 222635: alone, beside the recording of a leader that was gone)."""
    bench = Bench()
    bench.advance_ms(1000)
    stranger = Peer(node=60).leads(9)
    for _ in range(6):
        stand_down_beside(bench, stranger)
        bench.advance_ms(4000)
        assert bench.role() is Role.LEADER


def test_068_who_stood_down_waits_ever_longer_while_somebody_is_heard() -> None:
    """In a ring of one-way links each would come back as soon as the others allow it, for ever."""
    bench = Bench()
    bench.advance_ms(1000)
    stranger = Peer(node=60).leads(9)
    waits_s = []
    for _ in range(3):
        stand_down_beside(bench, stranger.leads(9))
        stranger.role, stranger.leader = Role.SEEKING, NO_BALLOT
        waits_s.append(0)
        while bench.role() is not Role.LEADER:
            bench.hear(stranger, Announce(name="box60", version="0", interval_ms=1000), multicast=True)
            bench.advance_ms(1000)
            waits_s[-1] += 1
    assert waits_s[2] >= 8


def test_leader_that_heard_another_one_lead_tells_when_that_is_over(bench: Bench) -> None:
    """The other one stood down by itself, and says so by what it is in its next datagram."""
    other = Peer(node=70, priority=LOW)
    bench.meet(other)
    bench.clear()
    for _ in range(3):
        bench.beat(other.leads(1))
        bench.advance_ms(100)
    assert EventKind.OVERLAP_RESOLVED not in bench.events()
    other.role, other.leader, other.floor = Role.SEEKING, NO_BALLOT, bench.node.ballot
    for _ in range(2):
        bench.hear(other, Ping(nonce=1, heard=0, polling=False))
    assert bench.events().count(EventKind.OVERLAP_RESOLVED) == 1
    assert bench.role() is Role.LEADER


def test_leader_that_was_not_yet_one_tells_of_no_overlap(bench: Bench, peer: Peer) -> None:
    """Whom it follows steps down for it: one after the other is no overlap."""
    peer.role, peer.leader = Role.SEEKING, NO_BALLOT
    bench.hear(peer, Ping(nonce=1, heard=0, polling=False))
    assert EventKind.OVERLAP_RESOLVED not in bench.events()


def test_echoes_are_bounded(bench: Bench, peer: Peer) -> None:
    for nonce in range(3000):
        bench.hear(peer, Ping(nonce=nonce, heard=0, polling=False))
        bench.clear()
    assert len(bench.leading.echoes) == 1024


# -- raising its term


def test_012_leader_raises_above_the_floor_of_who_has_no_leader_and_leads_on(bench: Bench, peer: Peer) -> None:
    stuck = Peer(node=61, priority=LOW)
    bench.meet(stuck)
    stuck.floor = ballot(40, 61)
    bench.clear()
    bench.advance_ms(250)
    bench.clear()
    bench.hear(stuck, Ping(nonce=1, heard=0, polling=False))
    assert bench.role() is Role.LEADER
    claim = bench.claim
    assert claim.term == 41
    for follower in (peer, stuck):
        bench.hear(follower, Grant(term=claim.term, attempt=claim.attempt))
    assert bench.node.leader == ballot(41, ME)
    assert bench.events() == []  # the same leader: nothing for users but a higher term


@pytest.mark.parametrize(
    ("role", "view"),
    [(Role.FOLLOWER, ballot(40, 61)), (Role.CANDIDATE, NO_BALLOT), (Role.LEADER, ballot(40, 61))],
)
def test_019_floor_of_who_has_a_leader_or_is_busy_raises_nothing(
    bench: Bench, role: Role, view: tuple[int, int]
) -> None:
    other = Peer(node=61, priority=LOW, role=role)
    bench.meet(other)
    bench.advance_ms(250)
    other.floor, other.leader = ballot(40, 61), ballot(*view)
    bench.clear()
    bench.hear(other, Pong(echo=1))
    assert not bench.sent(Claim)


def test_raising_is_rate_limited(bench: Bench, peer: Peer) -> None:
    stuck = Peer(node=61, priority=LOW)
    bench.meet(stuck)
    bench.clear()
    for term in range(40, 140):
        stuck.floor = ballot(term, 61)
        bench.hear(stuck, Ping(nonce=1, heard=0, polling=False))
        if bench.node.campaign is not None:
            claim = bench.claim
            for follower in (peer, stuck):
                bench.hear(follower, Grant(term=claim.term, attempt=claim.attempt))
        bench.advance_ms(10)
    assert len({claim.term for claim in bench.sent(Claim)}) <= 6


def test_raise_that_somebody_refuses_leaves_the_leader_in_place(bench: Bench, peer: Peer) -> None:
    stuck = Peer(node=61, priority=LOW)
    bench.meet(stuck)
    bench.advance_ms(250)
    stuck.floor = ballot(40, 61)
    bench.hear(stuck, Ping(nonce=1, heard=0, polling=False))
    claim = bench.claim
    bench.hear(peer, Grant(term=claim.term, attempt=claim.attempt))
    bench.hear(stuck, refusal(claim, ballot(60, 62), 1, led=False, remaining_ms=1))
    assert bench.role() is Role.LEADER
    assert bench.claim.term == 61  # above what it was told


# -- leaders that meet


def test_055_of_two_leaders_the_outranked_one_resigns_to_the_other(bench: Bench) -> None:
    better = Peer(node=70, priority=200).leads(9)
    bench.meet(better)
    assert bench.role() is Role.SEEKING
    assert {(r.successor, r.successor_session) for r in bench.sent(Resign)} == {(70, 7000)}


def test_103_the_better_one_claims_above_both_terms_when_it_gets_the_ticket(bench: Bench, peer: Peer) -> None:
    worse = Peer(node=70, priority=LOW).leads(90)
    bench.meet(worse)
    assert bench.role() is Role.LEADER
    bench.clear()
    bench.hear(worse, resignation(ballot(90, 70), Reason.OVERLAP_RESOLVED, to=ME, session=bench.node.session))
    claim = bench.claim
    assert claim.term == 91
    assert claim.ticket is not None
    assert claim.ticket.ballot == ballot(90, 70)
    for follower in (peer, worse):
        bench.hear(follower, Grant(term=claim.term, attempt=claim.attempt))
    assert bench.node.leader == ballot(91, ME)
    assert bench.events() == [EventKind.OVERLAP_RESOLVED]


def test_leader_that_is_heard_only_is_challenged_and_nothing_concluded(bench: Bench) -> None:
    better = Peer(node=70, priority=200).leads(9)
    for _ in range(20):
        bench.beat(better)
        bench.advance_ms(20)
    assert bench.role() is Role.LEADER
    assert 1 <= len(bench.sent(Probe)) <= 3


def test_061_resignation_of_a_foreign_leader_changes_nothing(bench: Bench) -> None:
    other = Peer(node=70, priority=LOW)
    bench.meet(other)
    bench.clear()
    bench.hear(
        other.leads(9),
        resignation(ballot(9, 70), Reason.LEADER_LEFT, to=peer_id(60), session=6000, leaving=True),
        multicast=True,
    )
    assert bench.role() is Role.LEADER
    assert not bench.sent(Claim)


def peer_id(node: int) -> NodeId:
    return NodeId(node)


# -- stalls and links


@pytest.mark.parametrize(("stall_ms", "leads"), [(200, True), (399, True), (410, False), (5000, False)])
def test_066_stalled_leader_asks_again_whether_it_leads(bench: Bench, stall_ms: int, leads: bool) -> None:
    """Late by up to 3 heartbeats is nothing; the heartbeat was due 100 ms after the last one."""
    bench.advance_ms(100)
    bench.clear()
    bench.run_late(stall_ms * MS - 100 * MS)
    assert (bench.role() is Role.LEADER) is leads
    if not leads:
        assert bench.leader_name() is None
        assert bench.core.status(bench.now_us).reason is Reason.STALLED
        assert not bench.sent(Heartbeat)


def test_066_stalled_leader_whose_followers_waited_leads_again(bench: Bench, peer: Peer) -> None:
    former = bench.node.ballot
    bench.run_late(1000 * MS)
    bench.clear()
    bench.advance_ms(30)
    claim = bench.claim
    assert claim.term > former.term
    bench.hear(peer, Grant(term=claim.term, attempt=claim.attempt))
    assert bench.role() is Role.LEADER
    assert bench.events() == []


def test_066_stalled_leader_that_was_replaced_follows(bench: Bench, peer: Peer) -> None:
    bench.run_late(1000 * MS)
    bench.clear()
    bench.beat(peer.leads(40))
    bench.acknowledge(peer)
    assert bench.leader_name() == "box60"
    assert [(event.kind, event.reason) for event in bench.told()] == [(EventKind.DEPOSED, Reason.STALLED)]


def test_without_any_link_it_does_not_lead_after_four_heartbeats(bench: Bench) -> None:
    bench.perform(bench.core.links_changed(0, now_us=bench.now_us))
    bench.advance_ms(399)
    assert bench.role() is Role.LEADER
    bench.advance_ms(1)
    assert bench.role() is Role.JOINING
    assert bench.told()[-1].reason is Reason.ISOLATED


def test_095_link_that_flaps_costs_nothing(bench: Bench) -> None:
    for links in (0, 1, 0, 2):
        bench.perform(bench.core.links_changed(links, now_us=bench.now_us))
        bench.advance_ms(300)
    assert bench.events() == []


def test_starts_before_the_network_is_there() -> None:
    bench = Bench(has_link=False)
    bench.advance_ms(60_000)
    assert bench.role() is Role.JOINING
    assert bench.datagrams() == []
    assert any("no usable network interface" in s for s in bench.problems())
    bench.perform(bench.core.links_changed(1, now_us=bench.now_us))
    bench.advance_ms(600)
    assert bench.leader_name() == "me"
