"""What all members of a large cluster do at the moment of a new leader, and what of it may wait for a moment of its own."""

import pytest

from kingd.core.effect import Persist, Will
from kingd.core.timing import SPREAD_US
from kingd.core.wire.message import Claim, Reason, Role, Term
from tests.unit.scripted import Bench, Peer, resignation


def follower(*, alive: int, term: int) -> Bench:
    """Of a leader that counts so many, and has just begun to lead in this term; it knew of term 5 before."""
    leader = Peer(node=70, priority=200).leads(5)
    bench = Bench(mesh_max=4)
    bench.meet(leader, Peer(node=71, priority=199))
    bench.beat(leader, alive=alive)
    bench.clear()
    bench.beat(leader.leads(term), alive=alive)
    assert bench.role() is Role.FOLLOWER
    return bench


@pytest.mark.parametrize(
    ("alive", "term", "spread_us"),
    [(40, 6, SPREAD_US), (3, 6, 0), (40, 30, 0)],
    ids=["large", "small", "the next claim waits for it"],
)
def test_state_of_a_follower_may_be_written_later(alive: int, term: int, spread_us: int) -> None:
    bench = follower(alive=alive, term=term)
    assert [effect.spread_us for effect in bench.effects if isinstance(effect, Persist)][:1] == [spread_us]


def test_will_of_a_follower_may_be_left_later() -> None:
    bench = follower(alive=40, term=6)
    bench.clear()
    bench.meet(Peer(node=72, priority=198))  # comes next now, and is to get the obituary
    bench.advance_ms(200)
    assert [effect.spread_us for effect in bench.effects if isinstance(effect, Will)] == [SPREAD_US]


def test_will_of_a_follower_is_not_left_anew_for_another_leader() -> None:
    """The new one was to get it, too; who comes next now is found with the next look through the table."""
    former, heir = Peer(node=70, priority=200).leads(5), Peer(node=71, priority=199)
    bench = Bench(mesh_max=4)
    bench.meet(former, heir, Peer(node=72, priority=198))
    bench.beat(former, alive=40)
    bench.advance_ms(400)
    bench.clear()
    bench.hear(former, resignation(former.leader, Reason.LEADER_LEFT, to=71, session=heir.session, leaving=True))
    bench.hear(heir, Claim(term=Term(6), attempt=1, pre_vote=False, reason=Reason.LEADER_LEFT, ticket=None, lease_ms=0))
    bench.beat(heir.leads(6), alive=40)
    assert bench.leader_name() == heir.name
    assert not [effect for effect in bench.effects if isinstance(effect, Will)]
    for _ in range(60):
        bench.beat(heir, alive=40)
        bench.advance_ms(100)
    assert [effect.to[0] for effect in bench.effects if isinstance(effect, Will)] == [heir.endpoint]


def test_will_of_a_leader_is_left_at_once() -> None:
    bench = Bench(mesh_max=1)
    bench.become_leader(*[Peer(node=60 + n, priority=10) for n in range(4)])
    wills = [effect for effect in bench.effects if isinstance(effect, Will)]
    assert (wills[-1].group, wills[-1].spread_us) == (True, 0)
