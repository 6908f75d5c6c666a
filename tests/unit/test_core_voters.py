"""Which list of voters is in force, and the step to the one that is wanted. docs/quorum.md 8."""

from dataclasses import replace

import pytest

from kingd.core.effect import Persist
from kingd.core.problems import LedByFormer
from kingd.core.rules.majority import majority
from kingd.core.settings import Voters, digest_of
from kingd.core.wire.message import NO_BALLOT, Ack, Grant, Ping, Pong, Role, VoterList
from kingd.daemon import sentences
from tests.unit.scripted import LIST, VOTERS, Bench, Peer

WIDER = ("box60", "box70", "box80", "me")
PROMISE_MS = 1026


def followed_for(bench: Bench, leader: Peer, duration_ms: int) -> None:
    for _ in range(duration_ms // 100):
        bench.advance_ms(100)
        bench.beat(leader, lease_ms=1000)
        bench.acknowledge_from(leader)


def led(one: Peer, *others: Peer, **changes: object) -> Bench:
    """A voter with history that has followed the first of them for two leases."""
    bench = Bench(voters=VOTERS, ceiling=1, priority=0, **changes)  # type: ignore[arg-type]
    bench.meet(one, *others)
    bench.advance_ms(PROMISE_MS + 1)
    one.leads(5)
    followed_for(bench, one, 2_300)
    assert bench.leader_name() == one.name
    return bench


def wants(bench: Bench, *names: str) -> str | None:
    """What a reload with this list says."""
    refusal = bench.core.refusal(names)
    if refusal is None:
        settings = replace(bench.node.settings, voters=names)
        bench.perform(bench.core.configure(settings, now_us=bench.now_us))
    return waits_for(bench) if refusal is None else sentences.obstacle(refusal)


def waits_for(bench: Bench) -> str | None:
    obstacle = bench.core.obstacle
    return None if obstacle is None else sentences.obstacle(obstacle)


def shows(bench: Bench, peer: Peer, *, wanted: tuple[str, ...] = (), voters: VoterList | None = None) -> None:
    peer.wanted = digest_of(wanted) if wanted else peer.wanted
    peer.voters = voters or peer.voters
    bench.hear(peer, Pong(echo=0))


@pytest.mark.parametrize(("voters", "needed"), [(1, 1), (2, 2), (3, 2), (4, 3), (5, 3)])
def test_majority(voters: int, needed: int) -> None:
    assert majority(voters) == needed


@pytest.mark.parametrize(
    ("names", "why"),
    [
        (("box60", "box70", "box80", "box90", "me"), "more than one voter would change (box80, box90)"),
        (("box60", "box80", "me"), "more than one voter would change (box70, box80)"),
        ((), "cannot be switched on or off"),
    ],
)
def test_088_list_that_no_waiting_makes_safe_is_refused(one: Peer, two: Peer, names: tuple[str, ...], why: str) -> None:
    bench = led(one, two)
    found = wants(bench, *names)
    assert found is not None
    assert why in found
    assert bench.node.settings.voters == VOTERS


def test_088_list_that_few_want_is_not_in_force(one: Peer, two: Peer) -> None:
    """A mistyped one, in one host's file: nothing changes, and nothing has to be taken back."""
    bench = led(one, two)
    found = wants(bench, *WIDER)
    assert found is not None
    assert "put it into the configuration of box60" in found
    shows(bench, one, wanted=WIDER)  # the leader: it would have no majority
    found = waits_for(bench)
    assert found is not None
    assert "put it into the configuration of box70, box80" in found
    assert bench.node.voters.names == VOTERS
    assert wants(bench, *VOTERS) is None


def test_088_list_that_a_majority_of_both_wants_is_taken(one: Peer, two: Peer) -> None:
    bench = led(one, two)
    wants(bench, *WIDER)
    shows(bench, one, wanted=WIDER)
    assert bench.node.voters == Voters(VOTERS)  # two of four
    shows(bench, two, wanted=WIDER)
    assert bench.node.voters.id == Voters(WIDER, 1).id
    assert bench.core.obstacle is None


def test_088_and_after_a_removal_without_the_one_that_is_removed(one: Peer, two: Peer) -> None:
    bench = led(one, two)
    wants(bench, "box60", "me")
    shows(bench, one, wanted=("box60", "me"))
    assert bench.node.voters.id == Voters(("box60", "me"), 1).id


def test_088_list_waits_for_a_leader_of_its_own(one: Peer, two: Peer) -> None:
    """The simulator: (a) to (a, b) to (b), and nobody had been elected by the one in the middle: b led in an older term."""
    bench = Bench(voters=VOTERS, ceiling=1, priority=0)
    bench.meet(one, two)
    bench.advance_ms(PROMISE_MS + 1)
    for peer in (one, two):
        peer.wanted = digest_of(WIDER)
    found = wants(bench, *WIDER)
    shows(bench, one)
    shows(bench, two)
    found = waits_for(bench)
    assert found is not None
    assert "nobody leads by the present list" in found
    one.voters = Voters(("box60", "me"), 1).id  # of late
    shows(bench, one, wanted=WIDER)
    one.voters = LIST
    one.leads(5)
    followed_for(bench, one, 1_000)
    assert bench.node.voters.names == WIDER


def test_088_list_that_a_voter_has_is_followed_with_no_leader(one: Peer, two: Peer) -> None:
    """One voter took the next list and another one died: neither list had a majority, and nobody may be left behind."""
    bench = Bench(voters=VOTERS, ceiling=1, priority=0)
    bench.meet(one, two)
    bench.advance_ms(PROMISE_MS + 1)
    wants(bench, *WIDER)
    shows(bench, one, voters=Voters(WIDER, 1).id)
    assert bench.node.voters.id == Voters(WIDER, 1).id


def test_088_list_of_before_is_not_followed_and_the_same_one_of_later_is(one: Peer, two: Peer) -> None:
    """Who was left behind has the one of before still. What comes back is of a newer generation."""
    bench = led(one, two)
    wants(bench, *WIDER)
    shows(bench, one, voters=Voters(WIDER, 1).id)
    bench.node.quorum.voters = replace(bench.node.voters, before=None)  # somebody was elected by it
    wants(bench, *VOTERS)
    shows(bench, two)
    assert bench.node.voters.names == WIDER
    shows(bench, two, voters=Voters(VOTERS, 2).id)
    assert bench.node.voters.id == Voters(VOTERS, 2).id


def test_088_list_by_which_nobody_was_elected_is_given_back(one: Peer, two: Peer) -> None:
    bench = led(one, two)
    wants(bench, *WIDER)
    shows(bench, one, voters=Voters(WIDER, 1).id)
    assert wants(bench, *VOTERS) is None
    assert bench.node.voters == Voters(VOTERS)


def test_088_way_back_ends_with_the_first_vote_and_the_vote_waits_for_the_disk(one: Peer, two: Peer) -> None:
    bench = led(one, two, has_disk=True)
    bench.has_disk = False
    wants(bench, *WIDER)
    one.voters = Voters(WIDER, 1).id
    bench.clear()
    bench.beat(one, lease_ms=1000)
    assert bench.node.voters.id == one.voters
    bench.beat(one, lease_ms=1000)
    assert not bench.sent(Ack)
    saved = [e for e in bench.effects if isinstance(e, Persist)][-1]
    assert saved.voters == Voters(WIDER, 1)  # with no way back
    bench.has_disk = True
    bench.perform([saved])
    bench.beat(one, lease_ms=1000)
    assert bench.sent(Ack)


def test_088_restart_begins_with_the_list_in_force(one: Peer, two: Peer) -> None:
    """Not with the one in the file, which nobody else may want."""
    bench = Bench(voters=WIDER, ceiling=1, priority=0, in_force=Voters(VOTERS, 3))
    assert bench.node.voters == Voters(VOTERS, 3)
    bench.meet(one, two)
    assert bench.core.obstacle is not None


def test_088_restart_that_switches_quorum_mode_on_takes_the_file() -> None:
    assert Bench(voters=VOTERS).node.voters == Voters(VOTERS)


def test_088_new_generation_of_the_same_list_is_taken(one: Peer, two: Peer) -> None:
    """By a host that was off while the list changed and changed back, and by one that is new."""
    bench = Bench(voters=VOTERS, ceiling=1, priority=0)
    bench.meet(one, two)
    shows(bench, one, voters=Voters(VOTERS, 2).id)
    assert bench.node.voters == Voters(VOTERS, 2)


def test_088_who_is_removed_votes_by_the_list_of_before_until_another_has_the_new_one(one: Peer, two: Peer) -> None:
    """It was the first to be reloaded, and the others had no majority left."""
    bench = led(one, two)
    without = ("box60", "box70")
    wants(bench, *without)
    for peer in (one, two):
        shows(bench, peer, wanted=without)
    assert bench.node.voters.names == VOTERS
    shows(bench, two, voters=Voters(without, 1).id)
    assert bench.node.voters.id == Voters(without, 1).id


def test_088_host_that_becomes_a_voter_first_learns_what_was_promised(one: Peer, two: Peer) -> None:
    """It may have been one before it lost its state."""
    bench = Bench(voters=("box60", "box70"), priority=0)
    two_voters = Voters(("box60", "box70")).id
    one.voters = two.voters = two_voters
    bench.meet(one, two)
    bench.advance_ms(600)
    assert bench.role() is not Role.JOINING
    wants(bench, *VOTERS)
    shows(bench, one, voters=Voters(VOTERS, 1).id)
    shows(bench, two, voters=Voters(VOTERS, 1).id)
    assert bench.node.is_recovering
    bench.advance_ms(PROMISE_MS)
    for _ in range(4):
        bench.acknowledge_from(one)
        bench.acknowledge_from(two)
        bench.advance_ms(500)
    assert not bench.node.is_recovering


def test_088_list_waits_until_the_leader_leads_by_the_one_before_it(one: Peer, two: Peer) -> None:
    """However long it has led: its lease may rest on the list before that."""
    bench = led(one, two)
    wants(bench, *WIDER)
    one.by_list = False
    for peer in (one, two):
        shows(bench, peer, wanted=WIDER)
    followed_for(bench, one, 3_000)
    assert bench.node.voters.names == VOTERS
    assert waits_for(bench) == sentences.obstacle(LedByFormer())
    one.by_list = True
    followed_for(bench, one, 100)
    assert bench.node.voters.id == Voters(WIDER, 1).id


def test_088_leader_says_when_its_lease_rests_on_the_present_list_alone(one: Peer, two: Peer) -> None:
    bench = Bench(voters=VOTERS, ceiling=1)
    bench.meet(one, two)
    bench.advance_ms(PROMISE_MS + 200)
    for peer in (one, two):
        bench.hear(peer, Grant(term=bench.claim.term, attempt=bench.claim.attempt))
    assert bench.role() is Role.LEADER
    assert bench.node.is_by_list
    wants(bench, *WIDER)
    for peer in (one, two):
        shows(bench, peer, wanted=WIDER)
    assert bench.node.voters.names == WIDER
    assert not bench.node.is_by_list


def test_blank_voter_that_is_stopped_is_blank_afterwards(one: Peer, two: Peer) -> None:
    """It became a voter while it ran: its ceiling is durable, and it knows nothing of what it promised before."""
    bench = Bench(voters=("box60", "box70"), priority=0)
    one.voters = two.voters = Voters(("box60", "box70")).id
    bench.meet(one, two)
    bench.advance_ms(600)
    wants(bench, *VOTERS)
    for peer in (one, two):
        shows(bench, peer, voters=Voters(VOTERS, 1).id)
    assert bench.node.is_recovering
    left = bench.core.lasting
    again = Bench(voters=VOTERS, priority=0, in_force=bench.node.voters, hold_us=left.hold_us)
    assert (left.ceiling, left.hold_us) == (0, 0)
    assert again.node.is_recovering


def test_list_waits_for_a_voter_that_recovers(one: Peer, two: Peer) -> None:
    """By the next list it needs to hear others than by this one, to learn what it has promised."""
    bench = led(one, two)
    wants(bench, *WIDER)
    two.recovering = True
    for peer in (one, two):
        shows(bench, peer, wanted=WIDER)
    found = waits_for(bench)
    assert found is not None
    assert found.startswith("box70 has no record of what it promised before")
    assert bench.node.voters.names == VOTERS
    two.recovering = False
    shows(bench, two)
    followed_for(bench, one, 1_000)
    assert bench.node.voters.id == Voters(WIDER, 1).id


def test_leader_that_stalled_leads_by_no_list(one: Peer, two: Peer) -> None:
    """It led with 10 s, stalled, and says that it does not lead. Who elected it may have promised for so long."""
    bench = led(one, two)
    for _ in range(30):
        bench.advance_ms(100)
        bench.beat(one, lease_ms=10_000)
        bench.acknowledge_from(one)
    wants(bench, *WIDER)
    bench.advance_ms(700)
    (asked,) = bench.sent(Ping)[-1:]
    one.role, one.leader = Role.SEEKING, NO_BALLOT
    bench.hear(one, Pong(echo=asked.nonce))
    assert bench.role() is Role.FOLLOWER  # its promise binds this voter
    for peer in (one, two):
        shows(bench, peer, wanted=WIDER)
    assert bench.node.voters.names == VOTERS
    found = waits_for(bench)
    assert found is not None
    assert "nobody leads by the present list" in found
