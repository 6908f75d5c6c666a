"""A ballot has one lease, which all that a vote answers names; a vote counts from when it was asked for. docs/quorum.md 3."""

from dataclasses import replace

import pytest

from kingd.core.timing import MS, Timing, promise_us
from kingd.core.wire.message import Grant, Ping, Pong, Role
from tests.unit.scripted import Bench, Peer, ballot
from tests.unit.test_core_quorum import LEASE_MS, claims, elected, is_leader, started, voter


@pytest.fixture
def one() -> Peer:
    return voter(60)


@pytest.fixture
def two() -> Peer:
    return voter(70)


def test_pong_renews_for_the_lease_that_it_names(one: Peer, two: Peer) -> None:
    """The leader counts on its own lease, and this voter heard neither its claim for a longer one nor a heartbeat."""
    bench = started(one, two, priority=0)
    bench.advance_ms(1)
    claims(bench, one, 5)
    one.leads(5)
    bench.beat(one, lease_ms=LEASE_MS)
    while not bench.sent(Ping):
        bench.advance_ms(10)
    one.leads(6)
    bench.hear(one, Pong(echo=bench.sent(Ping)[-1].nonce, lease_ms=10 * LEASE_MS))
    assert bench.node.promise.until_us - bench.now_us == promise_us(10 * LEASE_MS * MS)


def reload_timing(bench: Bench, voter: Peer, leader_timeout_ms: int) -> None:
    """The voter grants what the leader asks for then."""
    timing = Timing(leader_timeout_us=leader_timeout_ms * MS)
    bench.perform(bench.core.configure(replace(bench.node.settings, timing=timing), now_us=bench.now_us))
    bench.hear(voter, Grant(term=bench.claim.term, attempt=bench.claim.attempt))
    assert bench.node.ballot.term == bench.claim.term


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
