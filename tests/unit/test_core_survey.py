"""The survey: everybody asked live, the silent ones named. docs/protocol.md 3.2."""

from kingd.core.effect import Surveyed
from kingd.core.rules import challenging
from kingd.core.timing import MS
from kingd.core.wire.message import NO_BALLOT, Announce, NodeId, Reason, Report, SessionId, Survey
from tests.unit.scripted import Bench, Peer, resignation

TOKEN = 7


def surveyed(bench: Bench) -> list[Surveyed]:
    return [effect for effect in bench.effects if isinstance(effect, Surveyed)]


def begin(bench: Bench) -> None:
    bench.clear()
    bench.perform(bench.core.survey(TOKEN, now_us=bench.now_us))


def report(bench: Bench, peer: Peer, leader_name: str = "box70") -> None:
    bench.hear(peer, Report(echo=bench.sent(Survey)[-1].nonce, name=peer.name, leader_name=leader_name))


def test_alone_it_is_answered_at_once() -> None:
    bench = Bench()
    begin(bench)
    (answer,) = surveyed(bench)
    assert answer.token == TOKEN
    assert [(row.name, row.ok, row.leader_name) for row in answer.rows] == [("me", True, "")]


def test_ends_when_the_last_one_has_answered() -> None:
    bench, leader, other = Bench(), Peer(node=70).leads(5), Peer(node=60, priority=10)
    bench.meet(leader, other)
    begin(bench)
    bench.advance_ms(2)
    report(bench, other, "")
    assert not surveyed(bench)
    bench.advance_ms(3)
    report(bench, leader)
    rows = surveyed(bench)[0].rows
    assert [(row.name, row.leader_name, row.term, row.ok, row.rtt_us) for row in rows] == [
        ("me", "box70", 5, True, 0),
        ("box70", "box70", 5, True, 5 * MS),
        ("box60", "", 0, True, 2 * MS),
    ]


def test_silent_member_is_asked_three_times_and_named_after_half_a_second() -> None:
    bench, silent = Bench(), Peer(node=60)
    bench.meet(silent)
    begin(bench)
    bench.advance_ms(499)
    assert not surveyed(bench)
    assert len(bench.sent(Survey)) == 3
    bench.advance_ms(1)
    rows = surveyed(bench)[0].rows
    assert [(row.name, row.ok, row.rtt_us) for row in rows] == [("me", True, 0), ("box60", False, None)]


def test_who_answers_is_not_said_to_be_cut_off() -> None:
    """A follower asked another one in vain once, and has no cause to ask again: the survey does, and is answered."""
    bench, leader, fellow = Bench(), Peer(node=70).leads(5), Peer(node=60, priority=10)
    bench.meet(leader, fellow)
    for beat in range(60):
        bench.beat(leader)
        bench.hear(fellow, Announce(name="box60", version="0", interval_ms=1000), multicast=True)
        if beat == 50:
            challenging.probe(bench.node, NodeId(60), SessionId(fellow.session), fellow.endpoint)
        bench.advance_ms(100)
    assert [p for p in bench.problems() if p.startswith("box60 ")]
    begin(bench)
    report(bench, fellow)
    assert not [p for p in bench.problems() if p.startswith("box60 ")]


def test_departed_member_is_not_asked() -> None:
    bench, gone = Bench(), Peer(node=60)
    bench.meet(gone)
    bench.hear(gone, resignation(NO_BALLOT, Reason.LEADER_LEFT, leaving=True))
    begin(bench)
    assert len(surveyed(bench)[0].rows) == 1


def test_051_duplicate_and_foreign_reports_are_one_row() -> None:
    bench, one, two = Bench(), Peer(node=60), Peer(node=61)
    bench.meet(one, two)
    begin(bench)
    for _ in range(3):
        report(bench, one, "box60")
    bench.hear(two, Report(echo=1, name="x", leader_name="x"))
    assert not surveyed(bench)
    assert bench.node.out.dropped == {"stale-answer": 3}
    report(bench, two, "box60")
    assert len(surveyed(bench)[0].rows) == 3


def test_097_survey_of_450_with_30_dead() -> None:
    peers = [Peer(node=1000 + n) for n in range(450)]
    bench = Bench()
    bench.meet(*peers)
    begin(bench)
    assert len(bench.sent(Survey)) < 100  # not all at once
    bench.advance_ms(100)
    asked = bench.sent(Survey)
    assert len(asked) == 450
    for peer in peers[30:]:
        bench.hear(peer, Report(echo=asked[0].nonce, name=peer.name, leader_name=""))
    bench.advance_ms(500)
    rows = surveyed(bench)[0].rows
    assert len(rows) == 451
    assert {row.name for row in rows if not row.ok} == {peer.name for peer in peers[:30]}


def test_everybody_answers_with_its_view() -> None:
    bench, leader, asker = Bench(), Peer(node=70).leads(5), Peer(node=60)
    bench.meet(leader, asker)
    bench.clear()
    bench.hear(asker, Survey(nonce=99))
    assert bench.answer(asker, Report) == Report(echo=99, name="me", leader_name="box70")
