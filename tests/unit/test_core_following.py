"""A follower: what renews its promise, what ends it, when it asks. docs/protocol.md 4.3."""

import pytest

from kingd.core.effect import EventKind, Rejoin
from kingd.core.timing import MS
from kingd.core.wire.endpoint import Endpoint
from kingd.core.wire.message import (
    NO_BALLOT,
    NOBODY,
    Announce,
    Claim,
    Datagram,
    Heartbeat,
    Ping,
    Pong,
    Reason,
    Resign,
    Role,
    Term,
)
from tests.unit.scripted import Bench, Peer, ballot, resignation


@pytest.fixture
def leader() -> Peer:
    return Peer(node=70).leads(5)


@pytest.fixture
def bench(leader: Peer) -> Bench:
    """It follows node 70 and is next in line."""
    bench = Bench()
    bench.meet(leader)
    bench.advance_ms(1)  # the first question goes out at once
    assert bench.role() is Role.FOLLOWER
    bench.clear()
    return bench


def hear_for(bench: Bench, leader: Peer, seconds: float) -> None:
    for _ in range(round(seconds * 10)):
        bench.advance_ms(100)
        bench.beat(leader)


# -- what renews


def test_heartbeats_keep_it_for_ever_and_quietly(bench: Bench, leader: Peer) -> None:
    hear_for(bench, leader, 60)
    assert bench.events() == []
    assert bench.leader_name() == "box70"


def test_002_leader_that_raised_its_term_is_followed_on(bench: Bench, leader: Peer) -> None:
    bench.beat(leader.leads(6))
    assert bench.node.leader == ballot(6, 70)
    assert bench.events() == []  # the same leader: nothing for users


def test_heartbeat_of_a_lower_ballot_renews_nothing(bench: Bench, leader: Peer) -> None:
    until_us = bench.node.promise.until_us
    bench.advance_ms(100)
    bench.beat(leader.leads(4))
    assert bench.node.promise.until_us == until_us


def test_068_heartbeat_of_a_lonely_leader_renews_nothing_but_is_answered(bench: Bench, leader: Peer) -> None:
    """It is perhaps deaf: whoever can reach it says so by a question, and keeps it by the answer."""
    for _ in range(4):
        bench.advance_ms(100)
        bench.beat(leader, lonely=True)
    assert bench.sent(Ping)
    bench.hear(leader, Pong(echo=bench.sent(Ping)[-1].nonce))
    assert bench.leader_name() == "box70"
    bench.clear()
    for _ in range(12):
        bench.advance_ms(100)
        bench.beat(leader, lonely=True)
    assert bench.leader_name() != "box70"


def test_heartbeat_of_somebody_elses_leadership_changes_nothing(bench: Bench) -> None:
    other = Peer(node=71, priority=200)
    bench.meet(other)
    for _ in range(20):
        bench.beat(other.leads(9))
        bench.advance_ms(20)
    assert bench.node.leader == ballot(5, 70)  # loyal: leaders settle it among themselves


def test_heartbeat_that_names_another_leader_than_its_sender_is_dropped(bench: Bench, leader: Peer) -> None:
    leader.leader = ballot(5, 71)
    bench.beat(leader)
    assert bench.node.out.dropped == {"heartbeat": 1}


def test_leader_that_was_only_late_gets_more_time_from_then_on(bench: Bench, leader: Peer) -> None:
    bench.advance_ms(600)
    assert bench.leader_name() != "box70"
    bench.beat(leader)
    assert bench.node.detector.limit_us == 2 * 601 * MS  # its last word was its answer, 1 ms before


# -- asking


def asks_at_ms(bench: Bench, until_ms: int) -> list[int]:
    asked_at_ms = []
    for at_ms in range(10, until_ms, 10):
        bench.advance_ms(10)
        asked_at_ms += [at_ms] * len(bench.sent(Ping))
        bench.clear()
    return asked_at_ms


def test_silence_of_one_and_a_half_heartbeats_makes_the_next_in_line_ask(bench: Bench, leader: Peer) -> None:
    """Four times, and the last time there is just time for an answer."""
    bench.beat(leader)
    bench.clear()
    assert asks_at_ms(bench, 500) == [150, 200, 300, 450]
    assert bench.role() is Role.FOLLOWER


def test_it_asks_hardly_more_often_where_the_limit_is_longer(bench: Bench, leader: Peer) -> None:
    bench.advance_ms(490)  # so late was it once: the limit is twice that
    bench.beat(leader)
    bench.advance_ms(100)
    bench.clear()
    assert asks_at_ms(bench, 880) == [50, 100, 200, 400, 800, 850]


def test_093_who_hears_no_multicast_asks_every_round_trip(bench: Bench, leader: Peer) -> None:
    for _ in range(10):  # it lives on the answers
        bench.advance_ms(160)
        bench.hear(leader, Pong(echo=bench.sent(Ping)[-1].nonce))
    bench.clear()
    assert asks_at_ms(bench, 480) == [150, 200, 250, 300, 350, 400, 450]


def test_grant_of_the_new_leader_was_the_proof_of_contact(bench: Bench) -> None:
    successor = Peer(node=40)  # it outranks this one
    bench.meet(successor)
    bench.advance_ms(500)
    bench.hear(successor, Claim(term=Term(9), attempt=1, reason=Reason.LEADER_TIMEOUT))
    bench.clear()
    bench.beat(successor.leads(9))
    assert bench.leader_name() == "box40"
    bench.advance_ms(100)
    assert not bench.sent(Ping)


def test_fourth_in_line_does_not_storm_the_leader(leader: Peer) -> None:
    bench = Bench()
    bench.meet(leader, *[Peer(node=n, priority=200) for n in (1, 2, 3)])
    bench.advance_ms(1)
    bench.beat(leader)
    bench.clear()
    assert asks_at_ms(bench, 500) == [300, 350, 450]


def test_093_answers_are_enough_where_multicast_does_not_arrive(bench: Bench, leader: Peer) -> None:
    for _ in range(600):
        bench.advance_ms(50)
        for ping in bench.sent(Ping):
            bench.hear(leader, Pong(echo=ping.nonce))
        bench.effects = [e for e in bench.effects if e in bench.told()]
    assert bench.events() == []
    assert bench.leader_name() == "box70"
    problems = bench.problems()
    assert any("multicast from the leader box70 does not arrive" in sentence for sentence in problems)


def test_it_tells_the_leader_what_it_heard_and_whether_it_polls(bench: Bench, leader: Peer) -> None:
    bench.beat(leader)
    beat = leader.sequence
    bench.advance_ms(400)
    asked = bench.sent(Ping)[-1]
    assert (asked.heard, asked.polling) == (beat, False)
    bench.hear(leader, Pong(echo=asked.nonce))
    bench.advance_ms(200)
    asked = bench.sent(Ping)[-1]
    assert (asked.heard, asked.polling) == (leader.sequence, True)


@pytest.mark.parametrize("echo_error", [0, 1])
def test_answer_counts_once_and_only_with_its_nonce(bench: Bench, leader: Peer, echo_error: int) -> None:
    bench.advance_ms(160)
    ping = bench.sent(Ping)[-1]
    for _ in range(2):
        bench.hear(leader, Pong(echo=ping.nonce ^ echo_error))
    assert bench.node.out.dropped == {"unasked": 1 + echo_error}


# -- what ends it


def test_leader_timeout_ends_it_and_the_next_in_line_claims_at_once(bench: Bench, leader: Peer) -> None:
    bench.meet(Peer(node=80, priority=10))
    bench.beat(leader)
    bench.clear()
    bench.advance_ms(499)
    assert bench.leader_name() == "box70"
    bench.advance_ms(1)
    assert bench.leader_name() is None
    assert bench.told()[-1].reason is Reason.LEADER_TIMEOUT
    assert bench.sent(Claim)
    assert [e for e in bench.effects if isinstance(e, Rejoin)]  # perhaps a switch forgot us


def test_054_suspicions_of_others_do_not_shorten_the_timeout(bench: Bench, leader: Peer) -> None:
    others = [Peer(node=n, priority=10) for n in (80, 81, 82)]
    bench.meet(*others)
    for round_ in range(40):
        bench.advance_ms(50)
        if round_ % 2:
            bench.beat(leader)
        for other in others:
            bench.hear(other, Claim(term=ballot(6 + round_, 1).term, attempt=round_))
    assert bench.leader_name() == "box70"
    assert bench.node.leader == ballot(5, 70)


def test_leader_that_says_that_it_follows_another_is_none(bench: Bench, leader: Peer) -> None:
    bench.advance_ms(160)
    leader.role, leader.leader = Role.FOLLOWER, ballot(6, 71)
    bench.hear(leader, Pong(echo=bench.sent(Ping)[-1].nonce))
    assert bench.leader_name() is None
    assert bench.core.status(bench.now_us).reason is Reason.LEADER_LEFT


@pytest.mark.parametrize("role", [Role.SEEKING, Role.JOINING])
def test_067_leader_that_stalled_has_a_slot_to_claim_anew(bench: Bench, leader: Peer, role: Role) -> None:
    """It is asked while it wonders itself: no resignation, and no reason to elect somebody else at once."""
    bench.advance_ms(160)
    leader.role, leader.leader = role, NO_BALLOT
    bench.hear(leader, Pong(echo=bench.sent(Ping)[-1].nonce))
    bench.advance_ms(149)
    assert bench.leader_name() == "box70"
    assert bench.sent(Claim) == []
    bench.advance_ms(2)
    assert bench.leader_name() != "box70"


def test_050_new_session_of_the_leaders_host_ends_it(bench: Bench, leader: Peer) -> None:
    bench.meet(leader.restarted())
    assert bench.leader_name() is None
    assert bench.told()[0].reason is Reason.LEADER_CRASHED


def test_new_session_that_is_verified_while_the_promise_runs_out_unnoticed(bench: Bench, leader: Peer) -> None:
    """A datagram that is read before a timer that is a little late: nothing may be left that fires for ever."""
    bench.beat(leader)
    bench.advance_ms(480)
    bench.clear()
    new = leader.restarted()
    bench.hear(new, Announce(name="box70", version="0", interval_ms=1000))
    bench.now_us += 21 * MS
    bench.acknowledge(new)
    bench.advance_ms(1)
    assert bench.leader_name() != "box70"


def test_098_quiet_follower_proves_contact_often_and_those_behind_the_line_every_second(leader: Peer) -> None:
    pings = []
    for better in (0, 1, 3):
        bench = Bench()
        bench.meet(leader, *[Peer(node=n, priority=200) for n in range(1, better + 1)])
        bench.advance_ms(1)
        bench.clear()
        hear_for(bench, leader, 4)  # less than after which the silent others count as dead
        pings.append(len(bench.sent(Ping)))
    assert pings[0] in (7, 8)  # every five heartbeats
    assert pings[1] in (3, 4)  # every ten: the other one does so too
    assert 3 <= pings[2] <= 6


def resign(leader: Peer, *, term: int = 5, to: Peer | None = None, leaving: bool = False) -> Resign:
    return resignation(
        ballot(term, leader.node),
        Reason.LEADER_LEFT,
        to=to.node if to else NOBODY,
        session=to.session if to else 0,
        leaving=leaving,
    )


def test_038_resignation_ends_it_and_the_next_in_line_claims_at_once(bench: Bench, leader: Peer) -> None:
    bench.meet(Peer(node=80, priority=10))
    bench.clear()
    bench.hear(leader, resign(leader, leaving=True), multicast=True)
    bench.advance_ms(1)
    assert bench.claim.reason is Reason.LEADER_LEFT


def test_with_a_named_successor_everybody_else_waits(bench: Bench, leader: Peer) -> None:
    successor = Peer(node=80, priority=10)
    bench.meet(successor)
    bench.clear()
    bench.hear(leader, resign(leader, to=successor), multicast=True)
    bench.advance_ms(149)
    assert not bench.sent(Claim)
    bench.advance_ms(1)
    assert bench.sent(Claim)


@pytest.mark.parametrize("term", [4, 1])
def test_032_resignation_of_an_earlier_ballot_is_worth_nothing(bench: Bench, leader: Peer, term: int) -> None:
    bench.hear(leader, resign(leader, term=term))
    assert bench.leader_name() == "box70"


def test_026_resignation_of_who_does_not_lead_us_is_worth_nothing(bench: Bench) -> None:
    other = Peer(node=71, priority=200)
    bench.meet(other)
    bench.hear(other, resign(other, term=9))
    assert bench.leader_name() == "box70"


# -- stalls of this node


@pytest.mark.parametrize("stall_ms", [400, 5_000, 3_600_000])
def test_067_own_stall_is_not_held_against_the_leader(bench: Bench, leader: Peer, stall_ms: int) -> None:
    """Its heartbeats are read before the timers fire; and without one it asks before it judges."""
    hear_for(bench, leader, 2)
    bench.meet(Peer(node=80, priority=10))
    bench.clear()
    bench.run_late(stall_ms * MS)
    assert bench.events() == []
    assert not bench.sent(Claim)
    assert bench.sent(Ping)
    bench.hear(leader, Pong(echo=bench.sent(Ping)[-1].nonce))
    assert bench.leader_name() == "box70"


def test_021_stalled_follower_that_suspects_and_finds_the_leader_alive_disturbs_nobody(
    bench: Bench, leader: Peer
) -> None:
    bench.advance_ms(450)
    assert len(bench.sent(Ping)) >= 4
    bench.beat(leader)
    hear_for(bench, leader, 1)
    assert not bench.sent(Claim)
    assert bench.events() == []


# -- a heartbeat that says nothing new


def repeat(bench: Bench, beat: Datagram, *, ahead: int = 1, source: Endpoint | None = None) -> bool:
    """`beat` once more, with a later number."""
    newest = bench.node.members.find(beat.header.source, beat.header.session)
    number = (newest.window.newest if newest else 0) + ahead
    here = Endpoint("10.0.0.70", 5466, "eth0")
    return bench.core.repeat(beat, number, source=source or here, now_us=bench.now_us)


@pytest.fixture
def beat(bench: Bench, leader: Peer) -> Datagram:
    datagram = leader.says(Heartbeat(interval_ms=100, lonely=False, alive=2), multicast=True)
    bench.deliver(datagram, leader.endpoint)
    return datagram


def test_repeated_heartbeat_renews_the_promise(bench: Bench, beat: Datagram) -> None:
    for _ in range(40):
        bench.advance_ms(100)
        assert repeat(bench, beat)
    assert bench.events() == []
    assert bench.node.promise.until_us == bench.now_us + 500 * MS
    bench.advance_ms(501)
    assert EventKind.MEMBER_DEAD in bench.events()


def test_repeated_heartbeat_that_might_say_more_is_left_to_the_long_way(
    bench: Bench, leader: Peer, beat: Datagram
) -> None:
    assert not repeat(bench, beat, ahead=0)  # a replay
    assert not repeat(bench, beat, source=Endpoint("10.0.0.71", 5466, "eth0"))  # it moved
    before = bench.node.promise.until_us
    bench.now_us += 600 * MS  # this process did not run
    assert not repeat(bench, beat)
    assert bench.node.promise.until_us == before
    bench.now_us -= 600 * MS
    bench.hear(leader.leads(6), Pong(echo=1))  # it leads under another ballot now
    assert not repeat(bench, beat)


@pytest.mark.parametrize(("mesh_max", "count", "is_all"), [(1, 3, True), (1, 1, False), (32, 3, False)])
def test_another_count_matters_unless_the_cluster_is_large_before_and_after(
    mesh_max: int, count: int, is_all: bool
) -> None:
    bench, leader = Bench(mesh_max=mesh_max), Peer(node=70).leads(5)
    bench.meet(leader)
    bench.beat(leader, alive=2)
    beat = leader.says(Heartbeat(interval_ms=100, lonely=False, alive=count), multicast=True)
    assert repeat(bench, beat) is is_all
    assert bench.node.last.counted == (count if is_all else 2)


def test_repeated_heartbeat_of_who_leads_somebody_else_renews_nothing(bench: Bench) -> None:
    other = Peer(node=60).leads(4)
    bench.meet(other)
    foreign = other.says(Heartbeat(interval_ms=100, lonely=False, alive=2), multicast=True)
    bench.deliver(foreign, other.endpoint)
    assert not repeat(bench, foreign, source=other.endpoint)


# -- a port that refuses


def refuse(bench: Bench, peer: Peer) -> None:
    bench.perform(bench.core.refused(peer.endpoint, now_us=bench.now_us))


def test_080_silent_leader_whose_port_refuses_two_questions_is_given_up(bench: Bench, leader: Peer) -> None:
    bench.beat(leader)
    bench.advance_ms(150)
    assert bench.sent(Ping)
    refuse(bench, leader)
    assert bench.leader_name() == "box70"
    bench.advance_ms(50)
    refuse(bench, leader)
    assert bench.leader_name() is None
    assert bench.told()[-1].reason is Reason.LEADER_CRASHED
    assert bench.events()[-2:] == [EventKind.MEMBER_DEAD, EventKind.LEADER_LOST]


def test_079_refusals_of_a_leader_that_is_heard_mean_nothing(bench: Bench, leader: Peer) -> None:
    for _ in range(20):
        bench.beat(leader)
        refuse(bench, leader)
        bench.advance_ms(100)
    assert bench.leader_name() == "box70"


def test_079_sign_of_life_between_two_refusals(bench: Bench, leader: Peer) -> None:
    bench.beat(leader)
    bench.advance_ms(160)
    refuse(bench, leader)
    bench.beat(leader)
    bench.advance_ms(160)
    refuse(bench, leader)
    assert bench.leader_name() == "box70"


def test_079_port_of_somebody_else(bench: Bench, leader: Peer) -> None:
    bench.beat(leader)
    bench.advance_ms(160)
    for _ in range(3):
        refuse(bench, Peer(node=71))
    assert bench.leader_name() == "box70"
