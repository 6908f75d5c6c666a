"""What users are told of links that work in one direction only. docs/protocol.md 6."""

from kingd.core.effect import Surveyed
from kingd.core.wire.endpoint import Endpoint
from kingd.core.wire.message import SEQUENCE_MAX, Announce, Obituary, Role
from kingd.daemon import views
from tests.unit.scripted import Bench, Peer, ballot

SEED = Endpoint("10.0.0.9", 5466)


def problems(bench: Bench) -> str:
    return "\n".join(bench.problems())


def announce(bench: Bench, *peers: Peer, for_ms: int) -> None:
    for _ in range(for_ms // 100):
        for peer in peers:
            bench.hear(peer, Announce(name=peer.name, version="0", interval_ms=1000), multicast=True)
        bench.advance_ms(100)


def follower_beside_a_rival(bench: Bench) -> tuple[Peer, Peer]:
    leader, rival = Peer(node=60, priority=300).leads(5), Peer(node=61)
    bench.meet(leader, rival)
    bench.beat(leader)
    rival.role, rival.leader = Role.LEADER, ballot(4, 61)
    return leader, rival


def test_who_says_for_long_that_it_leads_is_named_by_followers_too_and_makes_a_survey_differ() -> None:
    bench = Bench()
    leader, rival = follower_beside_a_rival(bench)
    for _ in range(60):
        bench.beat(leader)
        announce(bench, rival, for_ms=100)
    assert "box61 (10.0.0.61:5466) says that it leads (term 4)" in problems(bench)
    bench.clear()
    bench.perform(bench.core.survey(1, now_us=bench.now_us))
    for _ in range(15):
        bench.beat(leader)
        announce(bench, rival, for_ms=100)
    (surveyed,) = [effect for effect in bench.effects if isinstance(effect, Surveyed)]
    assert not views.survey(surveyed)["agree"]
    rival.role, rival.leader = Role.FOLLOWER, leader.leader
    announce(bench, rival, for_ms=100)
    assert "says that it leads" not in problems(bench)


def test_leader_that_has_just_resigned_is_no_rival() -> None:
    bench = Bench()
    leader, rival = follower_beside_a_rival(bench)
    for _ in range(20):
        bench.beat(leader)
        announce(bench, rival, for_ms=100)
    assert "says that it leads" not in problems(bench)


def test_who_hears_nobody_after_all_fell_silent_says_so_and_not_where_all_have_ended() -> None:
    bench, a, b = Bench(), Peer(node=60), Peer(node=61)
    bench.meet(a, b)
    for peer in (a, b):
        said = peer.says(Announce(name=peer.name, version="0", interval_ms=1000), multicast=True)
        bench.deliver(said, peer.endpoint)
    bench.advance_ms(12_000)
    assert "nothing is heard: box60, box61 fell silent without a word" in problems(bench)
    announce(bench, a, for_ms=100)
    assert "nothing is heard" not in problems(bench)


def test_who_was_told_that_all_have_died_is_not_deaf() -> None:
    bench, a = Bench(), Peer(node=60)
    bench.meet(a)
    a.sequence = SEQUENCE_MAX - 1
    bench.hear(a, Obituary(), multicast=True)
    bench.advance_ms(12_000)
    assert "nothing is heard" not in problems(bench)


def test_who_hears_none_of_the_peers_that_it_knows_says_so() -> None:
    bench = Bench(seeds=(SEED,))
    assert "peers" not in problems(bench)
    bench.advance_ms(3_000)
    assert "none of the 1 peers that are configured or remembered has answered" in problems(bench)
    bench.meet(Peer(node=60))
    assert "peers" not in problems(bench)
