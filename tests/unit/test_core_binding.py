"""What a recorded datagram means in another session: nothing. docs/protocol.md 3.5, a row of whose table each case is."""

import pytest

from kingd.core.effect import Send
from kingd.core.wire.aside import Aside
from kingd.core.wire.message import (
    NO_SESSION,
    Ack,
    Announce,
    Body,
    Claim,
    Grant,
    Heartbeat,
    Ping,
    Role,
    Roster,
    SessionId,
    Term,
)
from tests.unit.scripted import MY_SESSION, Bench, Peer
from tests.unit.test_codec import BODIES as ALL

BODIES = [body for body in ALL if not isinstance(body, Aside)]  # of those see tests/unit/test_asides.py
IDS = [type(body).__name__ for body in BODIES]
EARLIER = SessionId(MY_SESSION + 1)


@pytest.mark.parametrize("receiver", [EARLIER, NO_SESSION], ids=["an earlier session of mine", "no session"])
@pytest.mark.parametrize("body", BODIES, ids=IDS)
def test_what_was_said_to_another_session_of_this_node_means_nothing(body: Body, receiver: SessionId) -> None:
    bench, one, two = Bench(priority=200), Peer(node=60), Peer(node=70)
    bench.become_leader(one, two)
    bench.clear()
    before = bench.node.members.get(one.says(body).header.source)
    assert before is not None
    view = (before.window.newest, before.role, before.floor, before.heard_us, before.contact_us)
    assert bench.deliver(one.says(body, receiver=receiver), one.endpoint) == []
    assert bench.node.out.dropped["other-session"] == 1
    assert (before.window.newest, before.role, before.floor, before.heard_us, before.contact_us) == view


@pytest.mark.parametrize("body", BODIES, ids=IDS)
def test_what_an_earlier_session_of_its_sender_said_changes_nothing_of_the_present_one(body: Body) -> None:
    """It earns a question at most, which only a session that lives can answer."""
    bench, former = Bench(priority=200), Peer(node=60)
    bench.become_leader(former)
    recorded = former.says(body)
    one = former.restarted()
    bench.meet(one)
    bench.advance_ms(300)
    member = bench.node.members.get(recorded.header.source)
    assert member is not None
    session, contact_us = member.session, member.contact_us
    role, ballot = bench.role(), bench.node.ballot
    bench.deliver(recorded, former.endpoint)
    member = bench.node.members.get(recorded.header.source)
    assert member is not None
    assert (member.session, member.contact_us) == (session, contact_us)
    assert (bench.role(), bench.node.ballot) == (role, ballot)


def test_all_that_is_said_to_one_node_names_its_session() -> None:
    """By construction: whatever it is that a leader, a follower and a candidate say."""
    bench, one, two = Bench(priority=200), Peer(node=60), Peer(node=70)
    bench.become_leader(one, two)
    for body in (Ping(nonce=1, heard=0, polling=True), Claim(term=Term(9), attempt=1), Grant(term=Term(1), attempt=1)):
        bench.hear(one, body)
    bench.perform(bench.core.survey(1, now_us=bench.now_us))
    bench.perform(bench.core.step_down(to=None, for_us=0, now_us=bench.now_us))
    bench.advance_ms(3_000)
    sessions = {one.node: one.session, two.node: two.session}
    said = [e.datagram for e in bench.effects if isinstance(e, Send) and e.datagram.header.destination]
    assert len({type(d.body) for d in said}) >= 6
    for datagram in said:
        assert datagram.header.receiver == sessions[datagram.header.destination], datagram


@pytest.mark.parametrize("body", [Announce(name="box60", version="0", interval_ms=1), Roster(entries=(), alive=400)])
def test_what_was_overtaken_tells_nothing_about_now(body: Body) -> None:
    bench, one = Bench(priority=200), Peer(node=60)
    bench.meet(one)
    late = one.says(body)
    bench.hear(one, Ping(nonce=1, heard=0, polling=False))
    bench.deliver(late, one.endpoint)
    assert bench.node.out.dropped["late"] == 1


def test_claim_of_who_asks_no_more_binds_nobody() -> None:
    """Recorded where it did not arrive, and said again when its sender has given it back."""
    bench, one = Bench(priority=10), Peer(node=60)
    bench.meet(one)
    claim = one.says(Claim(term=Term(9), attempt=1))
    bench.hear(one, Ping(nonce=1, heard=0, polling=False))  # which says that it seeks
    bench.clear()
    bench.deliver(claim, one.endpoint)
    assert not bench.sent(Grant)
    assert bench.node.out.dropped["stale-claim"] == 1


def test_question_is_not_used_up_by_who_says_it_again_from_elsewhere() -> None:
    bench, one = Bench(priority=10), Peer(node=60)
    thief = Peer(node=60)
    thief.endpoint = one.endpoint._replace(host="10.9.9.9")
    words = one.says(Announce(name="box60", version="0", interval_ms=1_000), multicast=True)
    for _ in range(3):
        bench.deliver(words, thief.endpoint)
    bench.deliver(words, one.endpoint)
    bench.acknowledge_from(one)
    assert bench.node.members.get(words.header.source) is not None


def test_heartbeats_alone_renew_no_promise_for_ever() -> None:
    """A voter that is cut off from its leader gets what was held back, slowly: it asks, and then no longer follows."""
    voters = ("box60", "box70", "me")
    bench = Bench(voters=voters, ceiling=1, priority=0)
    one = Peer(node=60, voters=bench.node.voters.id)
    bench.meet(one)
    bench.advance_ms(1_100)
    one.leads(5)
    bench.hear(one, Heartbeat(interval_ms=100, lonely=False, alive=3, lease_ms=1000), multicast=True)
    bench.acknowledge_from(one)
    for _ in range(70):
        bench.advance_ms(100)
        bench.hear(one, Heartbeat(interval_ms=100, lonely=False, alive=3, lease_ms=1000), multicast=True)
    assert bench.role() is not Role.FOLLOWER
    assert not [d for d in bench.datagrams()[-5:] if isinstance(d.body, Ack)]
