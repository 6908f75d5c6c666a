"""Who becomes a member, and how little anybody else gets. docs/protocol.md 4.1."""

from itertools import pairwise

import pytest

from kingd.core.effect import EventKind, Multicast, Send
from kingd.core.state.challenges import CHALLENGES_MAX
from kingd.core.timing import MS, Timing
from kingd.core.wire.endpoint import Endpoint
from kingd.core.wire.message import (
    NO_BALLOT,
    Announce,
    Body,
    Claim,
    Grant,
    Heartbeat,
    NodeId,
    Offer,
    Ping,
    Pong,
    Probe,
    ProbeAck,
    Ready,
    Reason,
    Refuse,
    Report,
    Role,
    Roster,
    RosterEntry,
    SessionId,
    Survey,
    Term,
)
from tests.unit.scripted import ME, Bench, Peer, ballot, refusal, resignation

ANNOUNCE = Announce(name="box60", version="0", interval_ms=1000)
ANY_BODY: list[Body] = [
    ANNOUNCE,
    Heartbeat(interval_ms=100, lonely=False, alive=2),
    Claim(term=Term(9), attempt=1),
    Grant(term=Term(9), attempt=1),
    Refuse(
        term=Term(9),
        attempt=1,
        pre_vote=False,
        holder=ballot(8, 1),
        holder_session=SessionId(1),
        led=True,
        remaining_ms=1,
    ),
    resignation(ballot(9, 60), Reason.HANDOVER, to=ME, session=1, leaving=True),
    Ping(nonce=1, heard=0, polling=False),
    Pong(echo=1),
    Offer(ballot=ballot(9, 60), reason=Reason.HANDOVER),
    Ready(ballot=ballot(9, 60), reason=Reason.HANDOVER),
    Survey(nonce=1),
    Report(echo=1, name="box60", leader_name=""),
    Roster(entries=(RosterEntry(node=NodeId(1), session=SessionId(1), host="10.0.0.1", port=5466),)),
]
IDS = [type(body).__name__ for body in ANY_BODY]


@pytest.fixture
def bench() -> Bench:
    bench = Bench()
    bench.advance_ms(10)
    bench.clear()
    return bench


# -- strangers


@pytest.mark.parametrize("body", ANY_BODY, ids=IDS)
def test_100_stranger_gets_a_probe_and_nothing_else(bench: Bench, body: Body) -> None:
    """Once he has sent as many bytes: an announcement is larger than a probe, three of the others are."""
    stranger = Peer(node=60).leads(9)
    enough = 1 if isinstance(body, Announce) else 3
    answers = [bench.hear(stranger, body) for _ in range(enough)]
    assert not any(answers[:-1])
    assert [type(e.datagram.body) for e in answers[-1] if isinstance(e, Send)] == [Probe]
    assert len(answers[-1]) == 1
    assert len(bench.node.members.verified()) == 0
    assert (bench.node.term_seen, bench.node.promise.floor, bench.leader_name()) == (0, NO_BALLOT, None)


@pytest.mark.parametrize(
    ("timing", "every_ms"), [(Timing(), 200), (Timing(heartbeat_us=10 * MS, leader_timeout_us=30 * MS), 40)]
)
def test_100_probes_to_a_session_are_rate_limited(timing: Timing, every_ms: int) -> None:
    """Often enough for the profile (simulator, seed 103129: of two hosts with 10 ms heartbeats one lost its leader while the
    other, whose probe was lost, waited to ask again)."""
    bench = Bench(timing=timing)
    stranger = Peer(node=60)
    sent_at_ms = []
    for at_ms in range(0, 1000, 10):
        if bench.hear(stranger, ANNOUNCE):
            sent_at_ms.append(at_ms)
        bench.advance_ms(10)
    assert sent_at_ms == list(range(0, 1000, every_ms))
    assert timing.contact_us >= 5 * every_ms * MS


def test_stranger_who_asks_is_answered_where_he_asked_from(bench: Bench) -> None:
    stranger = Peer(node=60)
    effects = bench.hear(stranger, Probe(nonce=77))
    acks = [e for e in effects if isinstance(e, Send) and isinstance(e.datagram.body, ProbeAck)]
    assert [(e.to, e.datagram.header.destination) for e in acks] == [(stranger.endpoint, 60)]
    nonce = bench.answer(stranger, ProbeAck).nonce
    assert acks[0].datagram.body == ProbeAck(echo=77, name="me", version="0", returns=0, nonce=nonce)
    assert nonce


def test_stranger_who_was_asked_a_moment_ago_and_asks_is_asked_the_same_again(bench: Bench) -> None:
    """The question may have been lost: else it would follow somebody who does not know it."""
    stranger = Peer(node=60)
    bench.hear(stranger, Announce(name="box60", version="0", interval_ms=1000), multicast=True)
    bench.advance_ms(10)
    bench.hear(stranger, Probe(nonce=77))
    nonce = bench.answer(stranger, ProbeAck).nonce
    assert nonce == bench.answer(stranger, Probe).nonce
    bench.hear(stranger, ProbeAck(echo=nonce, name="box60", version="0", returns=0))
    assert bench.node.members.find(NodeId(60), SessionId(6000)) is not None


def test_member_is_who_answers_the_challenge(bench: Bench) -> None:
    peer = Peer(node=60, priority=150)
    bench.meet(peer)
    member = bench.node.members.find(NodeId(60), SessionId(6000))
    assert member is not None
    assert (member.name, member.priority, member.endpoint) == ("box60", 150, peer.endpoint)
    assert bench.events() == [EventKind.MEMBER_JOINED]


def test_099_answer_to_a_question_of_long_ago_proves_nothing(bench: Bench) -> None:
    """Its first copy was lost, and somebody recorded it: a leader would give way to one that is dead."""
    peer = Peer(node=60)
    bench.hear(peer, Announce(name="box60", version="0", interval_ms=3_600_000), multicast=True)
    nonce = bench.answer(peer, Probe).nonce
    bench.advance(bench.node.timing.contact_us + 1)
    bench.hear(peer, ProbeAck(echo=nonce, name="box60", version="0", returns=0))
    assert len(bench.node.members.verified()) == 0
    assert bench.node.out.dropped["late"] == 1


@pytest.mark.parametrize("echo_error", [1, 1 << 63])
def test_wrong_echo_is_ignored(bench: Bench, echo_error: int) -> None:
    peer = Peer(node=60)
    bench.hear(peer, ANNOUNCE)
    nonce = bench.sent(Probe)[-1].nonce
    bench.hear(peer, ProbeAck(echo=nonce ^ echo_error, name="x", version="0", returns=0))
    assert len(bench.node.members.verified()) == 0
    assert bench.node.out.dropped == {"unasked": 1}


def test_probe_ack_that_nobody_asked_for_is_ignored(bench: Bench) -> None:
    assert bench.hear(Peer(node=60), ProbeAck(echo=0, name="x", version="0", returns=0)) == []
    assert bench.node.out.dropped == {"unasked": 1}


def test_echo_is_good_for_the_session_that_was_asked_only(bench: Bench) -> None:
    peer = Peer(node=60)
    bench.hear(peer, ANNOUNCE)
    nonce = bench.sent(Probe)[-1].nonce
    bench.hear(peer.restarted(), ProbeAck(echo=nonce, name="x", version="0", returns=0))
    bench.hear(Peer(node=61), ProbeAck(echo=nonce, name="x", version="0", returns=0))
    assert len(bench.node.members.verified()) == 0


def test_recorded_probe_ack_does_not_work_twice(bench: Bench) -> None:
    peer = Peer(node=60)
    bench.hear(peer, ANNOUNCE)
    ack = peer.says(ProbeAck(echo=bench.sent(Probe)[-1].nonce, name="box60", version="0", returns=0))
    bench.deliver(ack, peer.endpoint)
    bench.deliver(ack, peer.endpoint)
    assert bench.node.out.dropped == {"replay": 1}


# -- what is dropped


@pytest.mark.parametrize("body", ANY_BODY, ids=IDS)
def test_045_other_destination_is_dropped_whoever_sends_it(bench: Bench, body: Body) -> None:
    peer = Peer(node=60)
    bench.meet(peer)
    bench.clear()
    assert bench.deliver(peer.says(body, to=51), peer.endpoint) == []
    assert bench.deliver(Peer(node=61).says(body, to=51), peer.endpoint) == []
    assert bench.node.out.dropped == {"other-destination": 2}


def test_own_datagrams_come_back_by_multicast_and_are_ignored() -> None:
    bench = Bench()
    bench.advance_ms(100)
    own = [e.datagram for e in bench.effects if isinstance(e, Multicast)]
    assert own
    for datagram in own:
        assert bench.deliver(datagram, Endpoint("10.0.0.50", 5466, "eth0")) == []
    assert bench.node.out.dropped == {}


@pytest.mark.parametrize("body", ANY_BODY, ids=IDS)
def test_008_replayed_datagram_changes_nothing(bench: Bench, body: Body) -> None:
    peer = Peer(node=60)
    bench.meet(peer)
    datagram = peer.says(body)
    bench.deliver(datagram, peer.endpoint)
    before = (bench.role(), bench.node.leader, bench.node.promise.until_us, bench.core.deadline_us)
    assert bench.deliver(datagram, peer.endpoint) == []
    assert (bench.role(), bench.node.leader, bench.node.promise.until_us, bench.core.deadline_us) == before
    assert bench.node.out.dropped["replay"] == 1


HUGE = (1 << 64) - 1
POISON: list[tuple[str, Body]] = [
    ("claim", Claim(term=Term(HUGE), attempt=1)),
    (
        "resign",
        resignation(ballot(HUGE, 60), Reason.JOINED),
    ),
]


@pytest.mark.parametrize(("what", "body"), POISON, ids=[row[0] for row in POISON])
def test_102_term_far_above_all_known_ones_is_dropped(bench: Bench, what: str, body: Body) -> None:
    peer = Peer(node=60)
    bench.meet(peer)
    assert bench.hear(peer, body) == []
    assert bench.node.out.dropped == {"term": 1}
    assert bench.node.term_seen == 0


@pytest.mark.parametrize("field", ["leader", "floor"])
def test_102_term_in_a_header_is_dropped(bench: Bench, field: str) -> None:
    peer = Peer(node=60)
    bench.meet(peer)
    setattr(peer, field, ballot(HUGE, 60))
    assert bench.hear(peer, ANNOUNCE) == []
    assert bench.node.out.dropped == {"term": 1}


def test_102_term_in_a_refusal_is_dropped() -> None:
    """The answer to our own claim is one more way to tell a term."""
    bench, peer = Bench(), Peer(node=60)
    claim = bench.become_candidate(peer)
    bench.hear(peer, refusal(claim, ballot(HUGE, 61), 1, led=False, remaining_ms=0))
    assert bench.node.out.dropped == {"term": 1}
    bench.advance_ms(5000)  # it claims on, and still can
    assert bench.role() is Role.LEADER


# -- floods


def test_flood_of_forged_identities_leaves_bounded_traces(bench: Bench) -> None:
    for number in range(1, 3 * CHALLENGES_MAX):
        forged = Peer(node=1000 + number)
        bench.hear(forged, ANNOUNCE, multicast=True)
    assert 500 < len(bench.sent(Probe)) < 1000
    assert len(bench.node.challenges) <= CHALLENGES_MAX
    assert len(bench.node.strangers.unanswered) == 64
    assert len(bench.node.members.verified()) == 0


def test_honest_newcomer_joins_during_a_flood(bench: Bench) -> None:
    for number in range(1, 2 * CHALLENGES_MAX):
        bench.hear(Peer(node=1000 + number), ANNOUNCE)
    newcomer = Peer(node=60)
    for _ in range(100):  # its turn comes
        bench.hear(newcomer, ANNOUNCE)
    bench.acknowledge(newcomer)
    assert bench.node.members.get(NodeId(60)) is not None


def test_flood_of_sessions_of_one_id_adds_no_members(bench: Bench) -> None:
    for session in range(1, 2000):
        bench.hear(Peer(node=60, session=session), ANNOUNCE)
    assert len(bench.node.challenges) <= CHALLENGES_MAX
    assert len(bench.node.members.verified()) == 0


# -- new sessions, the dead, the departed


def test_050_restarted_host_at_its_old_address_is_a_member_at_once(bench: Bench) -> None:
    old = Peer(node=60)
    bench.meet(old)
    new = old.restarted()
    bench.meet(new)
    assert bench.node.members.find(NodeId(60), SessionId(new.session)) is not None
    assert bench.node.members.find(NodeId(60), SessionId(old.session)) is None
    assert len(bench.node.members.verified()) == 1


def test_100_datagrams_of_a_replaced_session_get_a_probe_only(bench: Bench) -> None:
    old = Peer(node=60)
    bench.meet(old)
    bench.meet(old.restarted())
    bench.clear()
    bench.advance_ms(300)
    bench.clear()
    for attempt in range(3):
        bench.hear(old, Claim(term=Term(9), attempt=attempt))
    assert [type(e.datagram.body) for e in bench.effects if isinstance(e, Send)] == [Probe]


def test_043_copied_state_folder_does_not_displace_the_one_that_answers(bench: Bench) -> None:
    """The same id from another address while the first one lives."""
    first, copy = Peer(node=60), Peer(node=60, session=9999)
    copy.endpoint = Endpoint("10.0.0.99", 5466, "eth0")
    bench.meet(first)
    for _ in range(5):
        bench.hear(copy, ANNOUNCE)
        bench.acknowledge_from(copy)
        bench.acknowledge_from(first)
        bench.advance_ms(250)
    member = bench.node.members.get(NodeId(60))
    assert member is not None
    assert member.session == first.session
    assert bench.node.out.dropped["duplicate-id"] >= 1


def test_host_with_a_new_address_is_believed_when_its_old_session_is_silent(bench: Bench) -> None:
    old, new = Peer(node=60), Peer(node=60, session=9999)
    new.endpoint = Endpoint("10.0.0.99", 5466, "eth0")
    bench.meet(old)
    for _ in range(3):
        bench.hear(new, ANNOUNCE)
        bench.acknowledge_from(new)
        bench.advance_ms(250)
    member = bench.node.members.get(NodeId(60))
    assert member is not None
    assert (member.session, member.endpoint) == (new.session, new.endpoint)


def test_answer_of_a_dead_session_that_comes_late_displaces_nobody(bench: Bench) -> None:
    """It was asked before it restarted, and the answer took seconds: who followed the new session took it for crashed."""
    old = Peer(node=60)
    bench.hear(old, Announce(name=old.name, version="0", interval_ms=1000), multicast=True)
    asked = bench.answer(old, Probe)
    new = old.restarted().leads(5)
    bench.advance_ms(200)
    bench.meet(new)
    bench.beat(new)
    bench.advance_ms(10)
    bench.hear(old, ProbeAck(echo=asked.nonce, name=old.name, version="0", returns=0))
    assert bench.leader_name() == new.name
    member = bench.node.members.get(NodeId(60))
    assert member is not None
    assert member.session == new.session


def test_049_departed_session_is_not_revived_by_late_datagrams(bench: Bench) -> None:
    peer = Peer(node=60)
    bench.meet(peer)
    bench.hear(peer, resignation(NO_BALLOT, Reason.LEADER_LEFT, leaving=True))
    assert bench.events()[-1] is EventKind.MEMBER_LEFT
    bench.clear()
    for body in ANY_BODY:
        bench.hear(peer, body)
    assert bench.effects == []
    assert bench.node.members.alive() == []
    assert bench.node.out.dropped == {"left": len(ANY_BODY)}


def test_silent_member_is_dead_and_lives_again_when_it_is_heard(bench: Bench) -> None:
    peer = Peer(node=60)
    bench.hear(peer, ANNOUNCE)
    bench.acknowledge(peer)
    bench.hear(peer, ANNOUNCE)
    bench.advance_ms(5600)
    assert EventKind.MEMBER_DEAD in bench.events()
    bench.clear()
    bench.hear(peer, ANNOUNCE)
    assert EventKind.MEMBER_JOINED in bench.events()


# -- namesakes


def test_087_starting_node_yields_its_id_to_the_one_that_is_established() -> None:
    bench, namesake = Bench(), Peer(node=ME, session=4999)
    namesake.role = Role.FOLLOWER
    nonces = [d.body.nonce for d in bench.datagrams() if isinstance(d.body, Probe) and d.header.destination == ME]
    assert not nonces
    bench.advance_ms(10)
    nonces = [d.body.nonce for d in bench.datagrams() if isinstance(d.body, Probe) and d.header.destination == ME]
    bench.hear(namesake, ProbeAck(echo=nonces[-1], name="copy", version="0", returns=0))
    status = bench.core.status(bench.now_us)
    assert (status.eligible, status.ineligible_reason) == (False, "duplicate-id")
    assert any("also used by" in sentence for sentence in bench.problems())
    bench.clear()
    bench.advance_ms(4000)
    assert {type(d.body) for d in bench.datagrams()} <= {Probe}  # silent but for looking whether the other is gone


def test_087_claims_to_our_id_without_a_round_trip_are_not_believed() -> None:
    bench, forged = Bench(), Peer(node=ME, session=4999)
    bench.advance_ms(10)
    for body in ANY_BODY:
        bench.hear(forged, body)
    bench.hear(forged, ProbeAck(echo=1, name="x", version="0", returns=0))
    assert bench.core.status(bench.now_us).eligible
    assert len(bench.node.members.verified()) == 0


def test_087_id_is_used_again_when_the_namesake_is_gone() -> None:
    bench, namesake = Bench(), Peer(node=ME, session=4999)
    namesake.role = Role.FOLLOWER
    bench.advance_ms(10)
    nonces = [d.body.nonce for d in bench.datagrams() if isinstance(d.body, Probe)]
    bench.hear(namesake, ProbeAck(echo=nonces[-1], name="copy", version="0", returns=0))
    bench.advance_ms(12_000)
    assert bench.core.status(bench.now_us).ineligible_reason is None
    assert bench.leader_name() == "me"


# -- announcements and rosters


def test_announcements_come_quickly_at_first_and_then_every_second_on_average() -> None:
    bench = Bench()
    at_ms = []
    while bench.now_us < 21_000 * MS:
        bench.advance(bench.core.deadline_us - bench.now_us)
        if bench.sent(Announce):
            at_ms.append(bench.now_us // MS)
        bench.clear()
    assert at_ms[1] - at_ms[0] == 150
    assert at_ms[2] - at_ms[1] == 450
    rest = [b - a for a, b in pairwise(at_ms[2:])]
    assert all(499 <= gap <= 1501 for gap in rest)


def test_broadcast_only_while_alone() -> None:
    bench = Bench()
    bench.advance_ms(100)
    assert all(e.broadcast for e in bench.effects if isinstance(e, Multicast) and isinstance(e.datagram.body, Announce))
    bench.meet(Peer(node=60))
    bench.clear()
    bench.advance_ms(3000)
    announced = [e for e in bench.effects if isinstance(e, Multicast) and isinstance(e.datagram.body, Announce)]
    assert announced
    assert not any(e.broadcast for e in announced)


def test_seeds_are_announced_to_until_they_are_members() -> None:
    seed = Endpoint("10.9.9.9", 5466)
    bench = Bench(seeds=(seed,))
    bench.advance_ms(100)
    assert seed in [e.to for e in bench.effects if isinstance(e, Send)]
    peer = Peer(node=60)
    peer.endpoint = seed
    bench.meet(peer)
    bench.hear(peer, ANNOUNCE, multicast=True)
    bench.clear()
    bench.advance_ms(2500)
    assert not [e for e in bench.effects if isinstance(e, Send) and isinstance(e.datagram.body, Announce)]


def test_roster_is_a_hint_each_entry_is_probed_and_nobody_believed(bench: Bench) -> None:
    leader = Peer(node=70).leads(5)
    bench.meet(leader)
    bench.clear()
    entries = [RosterEntry(node=NodeId(n), session=SessionId(n), host=f"10.0.1.{n}", port=5466) for n in (1, 2)]
    entries.append(RosterEntry(node=ME, session=SessionId(1), host="10.0.1.9", port=5466))
    entries.append(RosterEntry(node=NodeId(70), session=SessionId(7000), host="10.0.1.8", port=5466))
    effects = bench.hear(leader, Roster(entries=tuple(entries)))
    probed = [e.to.host for e in effects if isinstance(e, Send) and isinstance(e.datagram.body, Probe)]
    assert probed == ["10.0.1.1", "10.0.1.2"]
    assert len(bench.node.members.verified()) == 1


def test_093_polling_follower_gets_a_roster_at_most_once_a_second() -> None:
    bench, follower, other = Bench(), Peer(node=60, priority=1), Peer(node=61, priority=1)
    bench.become_leader(follower, other)
    bench.clear()
    for _ in range(10):
        bench.hear(follower, Ping(nonce=1, heard=0, polling=True))
        bench.advance_ms(50)
    rosters = bench.sent(Roster)
    assert len(rosters) == 1
    assert [entry.node for entry in rosters[0].entries] == [61]
    assert rosters[0].alive == 3


def test_the_only_follower_gets_a_roster_without_entries() -> None:
    bench, follower = Bench(), Peer(node=60, priority=1)
    bench.become_leader(follower)
    bench.hear(follower, Ping(nonce=1, heard=0, polling=True))
    assert bench.sent(Roster) == [Roster(entries=(), alive=2)]
