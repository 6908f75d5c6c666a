"""Which list of voters is in force, and the step to the one that is wanted. docs/quorum.md 8."""

from dataclasses import replace

import pytest

from kingd.core.effect import Persist
from kingd.core.problems import LeaderIsFirst, LedByFormer
from kingd.core.rules.majority import majority
from kingd.core.settings import Voters, digest_of
from kingd.core.wire.message import NO_BALLOT, Ack, Ping, Pong, Role
from kingd.core.wire.voter_list import VoterList
from kingd.daemon import sentences
from tests.unit.scripted import VOTERS, Bench, Peer, made

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


def test_088_list_that_the_leader_makes_is_taken(one: Peer, two: Peer) -> None:
    bench = led(one, two)
    wants(bench, *WIDER)
    for peer in (one, two):
        shows(bench, peer, wanted=WIDER)
    assert bench.node.voters == Voters(VOTERS)
    assert waits_for(bench) == sentences.obstacle(LeaderIsFirst())
    shows(bench, one, voters=made(VOTERS, 0).id)
    assert bench.node.voters == made(VOTERS, 0)
    shows(bench, one, voters=made(WIDER, 1).id)
    assert bench.node.voters == made(WIDER, 1)
    assert bench.core.obstacle is None


def test_088_list_waits_for_a_leader_of_its_own(one: Peer, two: Peer) -> None:
    """The simulator: (a) to (a, b) to (b), and nobody had been elected by the one in the middle: b led in an older term."""
    bench = Bench(voters=VOTERS, ceiling=1, priority=0)
    bench.meet(one, two)
    bench.advance_ms(PROMISE_MS + 1)
    wants(bench, *WIDER)
    for peer in (one, two):
        shows(bench, peer, wanted=WIDER)
    found = waits_for(bench)
    assert found is not None
    assert "nobody leads by the present list" in found


def test_088_list_that_somebody_has_is_taken_with_no_leader(one: Peer, two: Peer) -> None:
    """The leader made the next list and died: nobody may be left behind. Who shows it need not vote by it."""
    bench = Bench(voters=VOTERS, ceiling=1, priority=0)
    bench.meet(one, two)
    bench.advance_ms(PROMISE_MS + 1)
    wants(bench, *WIDER)
    two.recovering = True
    shows(bench, two, voters=made(WIDER, 1).id)
    assert bench.node.voters == made(WIDER, 1)


def test_088_list_of_before_is_not_followed_and_the_same_one_of_later_is(one: Peer, two: Peer) -> None:
    """Who was left behind has the one of before still. What comes back is of a newer generation."""
    bench = led(one, two)
    wants(bench, *WIDER)
    shows(bench, one, voters=made(WIDER, 1).id)
    wants(bench, *VOTERS)
    shows(bench, two)
    assert bench.node.voters.names == WIDER
    shows(bench, two, voters=made(VOTERS, 2).id)
    assert bench.node.voters == made(VOTERS, 2)


def test_088_list_of_an_older_term_is_older_whatever_its_number(one: Peer, two: Peer) -> None:
    bench = Bench(voters=VOTERS, ceiling=9, priority=0, in_force=made(VOTERS, 0, term=9))
    bench.meet(one, two)
    wants(bench, *WIDER)
    shows(bench, one, voters=made(WIDER, 60_000, term=8).id)
    assert bench.node.voters == made(VOTERS, 0, term=9)


def test_088_claims_are_above_the_term_of_the_list(one: Peer, two: Peer) -> None:
    """It was led by somebody, whom this node need not have heard."""
    bench = Bench(voters=VOTERS, ceiling=90, priority=100)
    bench.meet(one, two)
    for peer in (one, two):
        shows(bench, peer, voters=made(VOTERS, 0, term=77).id)
    bench.advance_ms(2 * PROMISE_MS)
    assert bench.claim.term > 77


@pytest.mark.parametrize("term", [(1 << 32) + 100, (1 << 64) - 1])
def test_102_list_of_a_term_that_nobody_can_have_led_is_not_taken(one: Peer, two: Peer, term: int) -> None:
    """What this node claims is above the term of its list."""
    bench = Bench(voters=VOTERS, ceiling=9, priority=0)
    bench.meet(one, two)
    wants(bench, *WIDER)
    shows(bench, one, voters=made(WIDER, 1, term=term).id)
    assert (bench.node.voters, bench.node.term_seen) == (Voters(VOTERS), 9)


def test_088_vote_waits_until_the_disk_has_the_list(one: Peer, two: Peer) -> None:
    bench = led(one, two)
    bench.has_disk = False
    wants(bench, *WIDER)
    one.voters = made(WIDER, 1).id
    bench.clear()
    bench.beat(one, lease_ms=1000)
    assert bench.node.voters.id == one.voters
    bench.beat(one, lease_ms=1000)
    assert not bench.sent(Ack)
    saved = [e for e in bench.effects if isinstance(e, Persist)][-1]
    assert saved.voters == made(WIDER, 1)
    bench.has_disk = True
    bench.perform([saved])
    bench.beat(one, lease_ms=1000)
    assert bench.sent(Ack)


def test_088_restart_begins_with_the_list_in_force(one: Peer, two: Peer) -> None:
    """Not with the one in the file, which nobody else may want."""
    bench = Bench(voters=WIDER, ceiling=1, priority=0, in_force=made(VOTERS, 3))
    assert bench.node.voters == made(VOTERS, 3)
    bench.meet(one, two)
    assert bench.core.obstacle is not None


def test_088_restart_that_switches_quorum_mode_on_takes_the_file() -> None:
    assert Bench(voters=VOTERS).node.voters == Voters(VOTERS)


def test_088_new_generation_of_the_same_list_is_taken(one: Peer, two: Peer) -> None:
    """By a host that was off while the list changed and changed back, and by one that is new."""
    bench = Bench(voters=VOTERS, ceiling=1, priority=0)
    bench.meet(one, two)
    shows(bench, one, voters=made(VOTERS, 2).id)
    assert bench.node.voters == made(VOTERS, 2)


def test_088_host_that_becomes_a_voter_first_learns_what_was_promised(one: Peer, two: Peer) -> None:
    """It may have been one before it lost its state."""
    bench = Bench(voters=("box60", "box70"), priority=0)
    two_voters = Voters(("box60", "box70")).id
    one.voters = two.voters = two_voters
    bench.meet(one, two)
    bench.advance_ms(600)
    assert bench.role() is not Role.JOINING
    wants(bench, *VOTERS)
    shows(bench, one, voters=made(VOTERS, 1).id)
    shows(bench, two, voters=made(VOTERS, 1).id)
    assert bench.node.is_recovering
    bench.advance_ms(PROMISE_MS)
    for _ in range(4):
        bench.acknowledge_from(one)
        bench.acknowledge_from(two)
        bench.advance_ms(500)
    assert not bench.node.is_recovering


def test_088_list_waits_until_the_leader_says_by_list(one: Peer, two: Peer) -> None:
    bench = led(one, two)
    wants(bench, *WIDER)
    one.by_list = False
    for peer in (one, two):
        shows(bench, peer, wanted=WIDER)
    assert waits_for(bench) == sentences.obstacle(LedByFormer())


def test_blank_voter_that_is_stopped_is_blank_afterwards(one: Peer, two: Peer) -> None:
    """It became a voter while it ran: its ceiling is durable, and it knows nothing of what it promised before."""
    bench = Bench(voters=("box60", "box70"), priority=0)
    one.voters = two.voters = Voters(("box60", "box70")).id
    bench.meet(one, two)
    bench.advance_ms(600)
    wants(bench, *VOTERS)
    for peer in (one, two):
        shows(bench, peer, voters=made(VOTERS, 1).id)
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
    assert waits_for(bench) == sentences.obstacle(LeaderIsFirst())


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
