"""A large cluster: who is verified, who is only heard of, and what that is worth. docs/large-clusters.md."""

import pytest

from kingd.core.effect import EventKind, Send, Surveyed
from kingd.core.rules import becoming, line
from kingd.core.scale import MEMBERS_MAX
from kingd.core.state.members import FORGET_AFTER_US
from kingd.core.timing import SECOND
from kingd.core.wire.message import (
    NO_BALLOT,
    Announce,
    Claim,
    Grant,
    NodeId,
    Ping,
    Probe,
    Reason,
    Report,
    Resign,
    Role,
    Roster,
    RosterEntry,
    SessionId,
    Survey,
    Term,
)
from tests.unit.scripted import Bench, Peer, ballot, resignation

MESH = 4
WORSE, BETTER = 50, 200


def announce(bench: Bench, *peers: Peer) -> None:
    for peer in peers:
        bench.hear(peer, Announce(name=peer.name, version="0", interval_ms=3_600_000), multicast=True)


def probed(bench: Bench, peer: Peer) -> bool:
    return any(isinstance(datagram.body, Probe) for datagram in bench.sent_to(peer))


def is_heard_of(bench: Bench, peer: Peer) -> bool:
    return peer.node in {member.node for member in bench.node.members.heard_of()}


def follower(*, line: int = 3, priority: int = 100) -> tuple[Bench, Peer, list[Peer]]:
    """Of a leader that counts many, with so many verified ones that come before it."""
    bench = Bench(mesh_max=MESH, priority=priority)
    leader = Peer(node=70, priority=BETTER).leads(5)
    next_ones = [Peer(node=71 + n, priority=BETTER - 1 - n) for n in range(line)]
    bench.meet(leader, *next_ones)
    bench.advance_ms(1)
    bench.beat(leader, alive=40)
    assert bench.role() is Role.FOLLOWER
    bench.clear()
    return bench, leader, next_ones


def test_small_cluster_verifies_everybody() -> None:
    bench, stranger = Bench(mesh_max=MESH), Peer(node=60, priority=WORSE)
    announce(bench, stranger)
    assert probed(bench, stranger)
    assert len(bench.node.members.heard_of()) == 0


def test_096_who_is_not_next_is_heard_of_and_not_asked() -> None:
    bench, _, _ = follower()
    strangers = [Peer(node=100 + n, priority=WORSE) for n in range(30)]
    announce(bench, *strangers)
    assert not bench.sent(Probe)
    assert bench.core.status(bench.now_us).alive == 1 + 4 + 30


def test_who_comes_next_is_verified() -> None:
    bench, _, _ = follower()
    stranger = Peer(node=60, priority=BETTER - 1)
    announce(bench, stranger)
    assert probed(bench, stranger)


def test_who_comes_next_itself_verifies_everybody() -> None:
    bench, _, _ = follower(line=2)
    heard_of = [Peer(node=100 + n, priority=WORSE) for n in range(3)]
    announce(bench, *heard_of)
    assert all(probed(bench, peer) for peer in heard_of)
    assert bench.following.in_line


def test_leader_verifies_everybody() -> None:
    bench = Bench(mesh_max=1)
    bench.become_leader(Peer(node=60, priority=WORSE), Peer(node=61, priority=WORSE))
    stranger = Peer(node=62, priority=WORSE)
    announce(bench, stranger)
    assert probed(bench, stranger)


def test_nobody_can_make_up_a_large_cluster() -> None:
    bench = Bench(mesh_max=MESH)
    announce(bench, *[Peer(node=100 + n) for n in range(40)])
    assert len(bench.node.members.heard_of()) == 0


def test_the_list_is_bounded() -> None:
    bench, _, _ = follower()
    for n in range(MEMBERS_MAX + 100):
        announce(bench, Peer(node=1000 + n, priority=WORSE))
    assert len(bench.node.members.heard_of()) == MEMBERS_MAX
    assert not is_heard_of(bench, Peer(node=1000))


def test_who_announces_himself_every_67_minutes_is_not_forgotten_after_an_hour() -> None:
    bench, _, _ = follower()
    often, seldom = Peer(node=100, priority=WORSE), Peer(node=101, priority=WORSE)
    for peer, interval_s in ((often, 60), (seldom, 4_000)):
        bench.hear(peer, Announce(name=peer.name, version="0", interval_ms=interval_s * 1_000), multicast=True)
    bench.node.members.bury(bench.now_us + FORGET_AFTER_US + 1)
    assert {member.node for member in bench.node.members.heard_of()} == {seldom.node}


def test_those_heard_of_let_it_wait_but_not_for_ever() -> None:
    bench, leader, next_ones = follower()
    announce(bench, *[Peer(node=1000 + n, priority=150) for n in range(300)])
    for gone in (leader, *next_ones):
        bench.hear(gone, goodbye())
    assert bench.role() is Role.SEEKING
    waits_us = bench.seeking.seek_at_us - bench.now_us - 16 * bench.node.scale.slot_us
    assert 0 <= waits_us <= bench.node.scale.turns_us


def test_hundreds_without_a_leader_take_turns_by_chance_and_so_many_a_second_of_all_of_them() -> None:
    """As many as announce themselves a second: each that claims asks all of them, and a storm ends nothing."""
    bench, leader, _ = follower()
    announce(bench, *[Peer(node=1000 + n, priority=150) for n in range(300)])
    bench.beat(leader, alive=300)
    slots_us = 16 * bench.node.scale.slot_us
    turns_s = sorted((line.turn_us(bench.node) - slots_us) / SECOND for _ in range(1000))
    assert turns_s[0] >= 0
    assert turns_s[500] == pytest.approx(45, rel=0.1)
    assert turns_s[-1] <= 90
    becoming.back_off(bench.node)
    assert bench.seeking.seek_at_us - bench.now_us > 3 * SECOND  # who has tried in vain comes in turn, too


def test_the_best_of_hundreds_do_not_wait_for_them() -> None:
    bench, leader, _ = follower(line=2)
    announce(bench, *[Peer(node=1000 + n, priority=WORSE) for n in range(300)])
    bench.beat(leader, alive=300)
    assert line.turn_us(bench.node, without=NodeId(leader.node)) == 2 * bench.node.scale.slot_us


def test_in_a_large_cluster_each_claim_that_came_to_nothing_doubles_the_slots_until_there_is_a_leader() -> None:
    bench, leader, next_ones = follower(line=1)
    bench.hear(leader, goodbye())
    slot_us = bench.node.scale.slot_us
    claimant = next_ones[0]
    turns_us = []
    for term in range(6, 14):
        claim = Claim(term=Term(term), attempt=term, pre_vote=False, reason=Reason.LEADER_LEFT)
        bench.hear(claimant, claim)
        bench.hear(claimant, resignation(ballot(term, claimant.node), Reason.LEADER_LEFT))
        turns_us.append(line.turn_us(bench.node))
    assert turns_us == [slot_us << doublings for doublings in (1, 2, 3, 4, 5, 5, 5, 5)]
    claimant.leads(20)
    bench.beat(claimant, alive=40)
    bench.acknowledge(claimant)
    assert bench.role() is Role.FOLLOWER
    assert line.turn_us(bench.node) == slot_us


def test_in_a_large_cluster_who_granted_in_vain_waits_its_turn_however_late_it_runs() -> None:
    """All of them have promised to the same candidate until the same moment."""
    bench, leader, next_ones = follower()
    announce(bench, *[Peer(node=1000 + n, priority=150) for n in range(300)])
    bench.hear(leader, goodbye())
    bench.hear(next_ones[0], Claim(term=Term(6), attempt=1, pre_vote=False, reason=Reason.LEADER_LEFT))
    assert bench.sent(Grant)
    ends_us = bench.node.promise.until_us
    bench.run_late(ends_us + SECOND - bench.now_us)
    assert not bench.sent(Claim)
    assert bench.seeking.seek_at_us - ends_us >= 16 * bench.node.timing.slot_us


def test_who_seeks_in_a_large_cluster_asks_nobody_because_of_a_roster() -> None:
    """Each of hundreds would ask each other one: whoever is to claim does so when it claims."""
    bench, leader, next_ones = follower()
    bench.hear(leader, goodbye())
    assert bench.role() is Role.SEEKING
    named = Peer(node=100, priority=WORSE)
    host, port, _ = named.endpoint
    entry = RosterEntry(node=NodeId(named.node), session=SessionId(named.session), host=host, port=port)
    bench.hear(next_ones[0], Roster(entries=(entry,), alive=40))
    assert not probed(bench, named)
    assert is_heard_of(bench, named)


def goodbye() -> Resign:
    return resignation(NO_BALLOT, Reason.LEADER_LEFT, leaving=True)


def test_before_it_claims_it_verifies_whom_it_has_heard_of() -> None:
    bench, leader, next_ones = follower()
    answering, silent = Peer(node=100, priority=WORSE), Peer(node=101, priority=WORSE)
    announce(bench, answering, silent)
    for gone in (leader, *next_ones):
        bench.hear(gone, goodbye())
    bench.clear()
    bench.advance(bench.seeking.seek_at_us - bench.now_us)
    assert probed(bench, answering)
    assert probed(bench, silent)
    assert not bench.sent(Claim)
    bench.acknowledge(answering)
    bench.advance_ms(100)
    assert bench.sent_to(answering)[-1].body == bench.claim
    assert not any(isinstance(datagram.body, Claim) for datagram in bench.sent_to(silent))
    bench.hear(answering, Grant(term=bench.claim.term, attempt=bench.claim.attempt))
    assert bench.role() is Role.LEADER


def test_who_leaves_is_heard_of_no_more() -> None:
    bench, _, _ = follower()
    stranger = Peer(node=100, priority=WORSE)
    announce(bench, stranger)
    bench.hear(Peer(node=100, session=1, priority=WORSE), goodbye(), multicast=True)  # not the session that is listed
    assert len(bench.node.members.heard_of()) == 1
    bench.hear(stranger, goodbye(), multicast=True)
    assert len(bench.node.members.heard_of()) == 0


def test_who_has_met_the_leader_of_a_large_cluster_does_not_say_again_that_it_is_there() -> None:
    bench, leader = Bench(mesh_max=MESH), Peer(node=70, priority=BETTER).leads(5)
    bench.advance_ms(50)
    assert len(bench.sent(Announce)) == 1
    bench.meet(leader)
    bench.beat(leader, alive=40)
    bench.clear()
    for _ in range(7):
        bench.advance_ms(100)
        bench.beat(leader, alive=40)
    assert bench.sent(Announce) == []
    for _ in range(24):
        bench.advance_ms(100)
        bench.beat(leader, alive=40)
    assert len(bench.sent(Announce)) >= 1


@pytest.mark.parametrize(("alive", "said"), [(40, 0), (2, 1)])
def test_newcomer_says_no_more_before_it_knows_how_many_there_are(alive: int, said: int) -> None:
    bench, leader = Bench(mesh_max=MESH), Peer(node=70, priority=BETTER).leads(5)
    bench.advance_ms(50)
    bench.meet(leader)
    assert bench.role() is Role.FOLLOWER
    bench.clear()
    bench.advance_ms(350)  # the second announcement would be due, and that it follows would be one
    assert bench.sent(Announce) == []
    bench.beat(leader, alive=alive)
    bench.advance_ms(300)
    assert len(bench.sent(Announce)) == said


def test_a_member_is_expected_as_rarely_as_the_size_of_the_cluster_asks_for() -> None:
    """A newcomer that knew of few has said that it will announce itself every second, and has learned better since."""
    bench, leader, next_ones = follower(line=2)
    bench.beat(leader, alive=150)
    newcomer = next_ones[0]
    bench.hear(newcomer, Announce(name=newcomer.name, version="0", interval_ms=1000), multicast=True)
    bench.clear()
    for _ in range(500):
        bench.advance_ms(100)
        bench.beat(leader, alive=150)
    assert EventKind.MEMBER_DEAD not in bench.events()


def test_who_is_heard_of_once_is_listed_as_long_as_the_size_of_the_cluster_asks_for() -> None:
    """A newcomer does not know yet how rarely it will announce itself."""
    bench, leader, _ = follower()
    bench.beat(leader, alive=450)
    newcomer = Peer(node=100, priority=WORSE, role=Role.JOINING)
    bench.hear(newcomer, Announce(name="box100", version="0", interval_ms=1000), multicast=True)
    bench.advance(900 * SECOND)
    assert [member.name for member in bench.node.members.heard_of_lately(bench.now_us)] == ["box100"]


def test_survey_asks_and_believes_those_heard_of() -> None:
    bench, _, _ = follower()
    stranger = Peer(node=100, priority=WORSE)
    announce(bench, stranger)
    bench.perform(bench.core.survey(1, now_us=bench.now_us))
    bench.hear(stranger, Report(echo=bench.answer(stranger, Survey).nonce, name="box100", leader_name="box70"))
    bench.advance_ms(500)
    answers = [effect for effect in bench.effects if isinstance(effect, Surveyed)]
    rows = {row.name: row.ok for row in answers[0].rows}
    assert rows["box100"]
    assert not rows["box70"]


def test_survey_of_a_stranger_is_answered() -> None:
    bench, _, _ = follower()
    stranger = Peer(node=100, priority=WORSE)
    bench.hear(stranger, Survey(nonce=9))
    assert bench.answer(stranger, Report).leader_name == "box70"


def test_survey_by_somebody_unknown_that_asks_everybody_is_answered_by_nobody() -> None:
    bench, _, _ = follower()
    bench.hear(Peer(node=100, priority=WORSE), Survey(nonce=9), multicast=True)
    assert bench.sent(Report) == []


def test_follower_that_has_heard_of_fewer_than_its_leader_counts_asks_for_a_roster() -> None:
    bench, leader, _ = follower()
    for _ in range(12):
        bench.beat(leader, alive=40)
        bench.advance_ms(100)
    assert bench.sent(Ping)[-1].polling
    entries = tuple(
        RosterEntry(node=NodeId(100 + n), session=SessionId(1), host="10.0.0.9", port=n + 1) for n in range(16)
    )
    bench.clear()
    bench.hear(leader, Roster(entries=entries, alive=40))
    assert not bench.sent(Probe)
    assert bench.core.status(bench.now_us).alive == 1 + 4 + 16


def test_roster_of_450_comes_in_turn() -> None:
    bench = Bench(mesh_max=MESH)
    peers = [Peer(node=100 + n, priority=WORSE) for n in range(449)]
    bench.become_leader(*peers)
    told: set[int] = set()
    for _ in range(4):
        bench.clear()
        bench.hear(peers[0], Ping(nonce=1, heard=0, polling=True))
        rosters = [e for e in bench.effects if isinstance(e, Send) and isinstance(e.datagram.body, Roster)]
        assert len(rosters) == 8
        told |= {entry.node for roster in bench.sent(Roster) for entry in roster.entries}
        bench.advance_ms(200)
    assert len(told) == 448
