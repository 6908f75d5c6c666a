"""A voter's start: what it may have promised before, and when it votes. docs/quorum.md 4, 5."""

from dataclasses import replace

import pytest

from kingd.core.effect import Persist
from kingd.core.settings import Voters
from kingd.core.timing import MS
from kingd.core.wire.endpoint import Endpoint
from kingd.core.wire.message import (
    NO_BALLOT,
    NOBODY,
    Ack,
    Announce,
    Claim,
    Grant,
    NodeId,
    Ping,
    Refuse,
    Role,
    SessionId,
    Term,
)
from tests.unit.scripted import VOTERS, Bench, Peer, ballot, made, voter
from tests.unit.test_core_quorum import LEASE_MS, OTHER_LIST, PROMISE_MS, claims


@pytest.mark.parametrize(("hold_ms", "wait_ms"), [(0, PROMISE_MS), (500, PROMISE_MS), (3000, 3000)])
def test_084_restarted_voter_promises_nothing_while_an_older_promise_may_run(
    one: Peer, hold_ms: int, wait_ms: int
) -> None:
    bench = Bench(voters=VOTERS, ceiling=4, hold_us=hold_ms * MS, priority=0)
    bench.meet(one)
    bench.advance_ms(wait_ms - 1)
    refused = claims(bench, one, 5)
    assert isinstance(refused, Refuse)
    assert refused.holder.node == NOBODY
    bench.advance_ms(1)
    assert isinstance(claims(bench, one, 5), Grant)


def test_restarted_voter_grants_no_term_that_it_may_have_granted(one: Peer) -> None:
    bench = Bench(voters=VOTERS, ceiling=4, priority=0)
    bench.meet(one)
    bench.advance_ms(PROMISE_MS)
    refused = claims(bench, one, 4)
    assert isinstance(refused, Refuse)
    assert refused.holder.term == 4
    assert isinstance(claims(bench, one, 5, attempt=2), Grant)


def test_restarted_voter_follows_nobody_before_its_start_is_over(one: Peer) -> None:
    bench = Bench(voters=VOTERS, ceiling=4, priority=0)
    one.leads(5)
    bench.meet(one)
    for _ in range(10):
        bench.advance_ms(100)
        bench.beat(one, lease_ms=LEASE_MS)
    assert bench.role() is not Role.FOLLOWER
    assert not bench.sent(Ack)
    for _ in range(4):
        bench.advance_ms(100)
        bench.beat(one, lease_ms=LEASE_MS)
        bench.acknowledge_from(one)
    assert bench.leader_name() == "box60"
    assert bench.sent(Ack)


def wait(bench: Bench, *peers: Peer, ms: int) -> None:
    """Meanwhile each of them answers what it is asked."""
    for _ in range(0, ms, 100):
        for peer in peers:
            bench.acknowledge_from(peer)
        bench.advance_ms(100)


def histories(*recovering: bool | str) -> list[Peer]:
    peers = [voter(60 + 10 * i) for i in range(len(recovering))]
    for peer, is_recovering in zip(peers, recovering, strict=True):
        peer.recovering, peer.floor = is_recovering is True, NO_BALLOT if is_recovering else ballot(7, 60)
    return peers


@pytest.mark.parametrize(
    ("others", "floor"),
    [
        ([], None),  # alone: of three a majority is needed
        ([True], 0),  # the first start: a majority is new
        ([False], None),  # it may have voted for what this one does not know
        ([False, False], 7),
        ([True, False], 7),  # all are here: there is nobody else to ask
        (["learned"], None),  # it has begun: perhaps with a vote of this one
        ([True, True], 0),
    ],
)
def test_053_voter_without_history_votes_when_enough_others_tell(others: list[bool | str], floor: int | None) -> None:
    peers = histories(*others)
    bench = Bench(voters=VOTERS, priority=0)
    bench.meet(*peers)
    wait(bench, *peers, ms=PROMISE_MS // 100 * 100)
    assert all(d.header.recovering for d in bench.datagrams())
    assert not [e for e in bench.effects if isinstance(e, Persist)]
    wait(bench, *peers, ms=600)
    assert (bench.role() is Role.JOINING) == (floor is None)
    if floor is not None:
        assert bench.node.promise.floor.term == floor
        assert bench.node.durable.ceiling > floor


def test_last_of_the_first_voters_finds_that_the_others_have_elected_meanwhile() -> None:
    """Of five, three are there; two were waiting for the third, whose own start takes longer."""
    names = ("box60", "box70", "box80", "box90", "me")
    peers = histories(True, True)
    for peer in peers:
        peer.voters = Voters(names).id
    bench = Bench(voters=names, priority=0)
    bench.meet(*peers)
    wait(bench, *peers, ms=500)
    for peer in peers:
        peer.recovering, peer.floor = False, ballot(1, 60)
    wait(bench, *peers, ms=PROMISE_MS)
    assert bench.node.quorum.recovered
    assert bench.node.promise.floor.term == 1


@pytest.mark.parametrize("is_met", [True, False])
def test_cluster_begins_only_where_a_majority_was_new_at_one_instant(is_met: bool) -> None:
    """Of four, 80 was elected by 90 and by this one's earlier session, and is cut off; 90 loses its state, too. The one that
    was new with this one knows by now that it promised nothing: it says so of itself only (simulator, seed 74446993)."""
    names = ("box60", "box80", "box90", "me")
    new, known, again = histories(True, False, True)
    known.node, again.node = NodeId(90), NodeId(91)
    known.endpoint = again.endpoint = Endpoint("10.0.0.90", 5466, "eth0")
    for peer in (new, known, again):
        peer.voters = Voters(names).id
    bench = Bench(voters=names, priority=0)
    before = (new, known) if is_met else (new,)
    bench.meet(*before)
    wait(bench, *before, ms=500)
    new.recovering = False
    bench.meet(again)
    wait(bench, new, again, ms=2 * PROMISE_MS)
    assert [m.node for m in bench.node.members.alive()] == [new.node, again.node]
    assert not bench.node.quorum.recovered


@pytest.mark.parametrize("says", ["begun", "by another list", "to the session before", "nothing"])
def test_cluster_begins_where_one_that_it_began_with_says_so(says: str) -> None:
    """Of five, three are there, and the other two recovered before this one had met both."""
    names = ("box60", "box70", "box80", "box90", "me")
    peers = one, two = histories("learned", "learned")
    for peer in peers:
        peer.voters = Voters(names).id
    bench = Bench(voters=names, priority=0)
    bench.meet(*peers)
    one.begun = says != "nothing"
    if says == "by another list":
        one.voters = OTHER_LIST
    said = one.says(Ping(nonce=1, heard=0, polling=False))
    receiver = SessionId(1) if says == "to the session before" else said.header.receiver
    bench.deliver(replace(said, header=replace(said.header, receiver=receiver)), one.endpoint)
    one.begun, one.voters = False, two.voters
    wait(bench, *peers, ms=2 * PROMISE_MS)
    assert bench.node.quorum.recovered is (says == "begun")


def test_who_was_new_when_the_cluster_began_is_told() -> None:
    names = ("box60", "box70", "box80", "box90", "me")
    new, again, late = (Peer(node=node, voters=Voters(names).id, recovering=True) for node in (60, 70, 80))
    bench = Bench(voters=names, priority=0)
    bench.meet(new, again)
    wait(bench, new, again, ms=2 * PROMISE_MS)
    assert bench.node.quorum.recovered
    late.floor = ballot(7, 60)
    bench.meet(late)
    told = {d.header.destination: d.header.begun for d in bench.datagrams()}
    assert {node for node, begun in told.items() if begun} == {new.node, again.node}
    assert late.node in told


def test_what_was_heard_before_the_start_was_over_teaches_nothing() -> None:
    """A claim that this voter granted before it lost its state may still be on its way to the others."""
    peers = histories(False, False)
    bench = Bench(voters=VOTERS, priority=0)
    bench.meet(*peers)
    bench.advance_ms(PROMISE_MS + 500)  # nobody answers the probes after that
    assert not bench.node.quorum.recovered


@pytest.mark.parametrize("phase_ms", range(1, 401, 50))
def test_blank_voter_asks_a_voter_that_has_moved_where_it_is(phase_ms: int) -> None:
    """It went on asking at the old address, and a session is asked once in 200 ms (simulator, seed 4014261: for 6 s)."""
    one, two = histories(False, False)
    bench = Bench(voters=VOTERS, priority=0)
    bench.meet(one, two)
    bench.advance_ms(PROMISE_MS + phase_ms)
    two.endpoint = Endpoint("10.0.0.99", 5466, "eth0")
    for _ in range(4):
        bench.acknowledge_from(one)
        bench.hear(two, Announce(name="box70", version="0", interval_ms=1000), multicast=True)
        bench.acknowledge_from(two)
        bench.advance_ms(1200)  # three times as long as it waits before it asks again
    assert bench.node.quorum.recovered


def test_blank_voter_grants_and_follows_nothing(one: Peer, two: Peer) -> None:
    bench = Bench(voters=VOTERS, priority=0)
    one.leads(5)
    bench.meet(one)
    bench.advance_ms(PROMISE_MS + 1)
    bench.beat(one, lease_ms=LEASE_MS)
    bench.acknowledge_from(one)
    assert claims(bench, two, 9) is None
    assert (bench.role(), bench.sent(Ack)) == (Role.JOINING, [])
    assert any("no record of what it promised" in problem for problem in bench.problems())


def test_blank_voter_that_is_no_voter_any_more_follows(one: Peer, two: Peer) -> None:
    """It learned the others' floor while it followed, and broke down over a promise to nobody (simulator, seed 321860)."""
    bench = Bench(voters=VOTERS, priority=0)
    bench.meet(one, two)
    without = ("box60", "box70")
    bench.perform(bench.core.configure(replace(bench.node.settings, voters=without), now_us=bench.now_us))
    one.voters = two.voters = made(without, 1).id
    bench.advance_ms(PROMISE_MS)
    bench.hear(one, Claim(term=Term(5), attempt=1, lease_ms=LEASE_MS))
    one.leads(5)
    bench.beat(one, lease_ms=LEASE_MS)
    two.floor = ballot(8, 70)
    bench.acknowledge_from(two)
    bench.beat(one, lease_ms=LEASE_MS)
    assert (bench.leader_name(), bench.node.promise.floor.term) == ("box60", 5)


def says_that_it_recovers(bench: Bench, peer: Peer) -> bool:
    bench.hear(peer, Ping(nonce=1, heard=0, polling=False))
    return bench.sent_to(peer)[-1].header.recovering


def test_voter_that_was_told_enough_recovers_when_its_disk_knows(one: Peer, two: Peer) -> None:
    """Its next session would know nothing of it, and others lose their state when it says that it has recovered."""
    one.floor = two.floor = ballot(7, 60)
    bench = Bench(voters=VOTERS, priority=0, has_disk=False)
    bench.meet(one, two)
    wait(bench, one, two, ms=PROMISE_MS + 600)
    (wanted,) = [e for e in bench.effects if isinstance(e, Persist)]
    assert wanted.ceiling > 7
    assert says_that_it_recovers(bench, one)
    bench.has_disk = True
    bench.perform([wanted])
    assert not says_that_it_recovers(bench, one)
    assert isinstance(claims(bench, one, 8), Grant)
