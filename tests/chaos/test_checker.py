"""The checker on histories made by hand: it finds what is wrong, and proves nothing that may have been right.

Times are in milliseconds. A host is called by one letter, and so is its node id; its pid is its letter's number.
"""

from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.chaos import plan
from tests.chaos.__main__ import by_chance
from tests.chaos.checker import AGREE_S, Outcome, Verdict, judge, leaderships
from tests.chaos.history import Answers, Complaint, Fault, History, Life, Quiet, Record, Setting, Told, load, save
from tests.chaos.picture import draw

MS = 1_000_000
HEALED, END = 1000, 9000


def answers(
    host: str, begin: int, end: int, *, leader: str | None, term: int, pid: int = 0, role: str = "", first: int = 2
) -> Answers:
    """Equal answers to the questions from `begin` on, the last one answered at `end`; `first`: how long the first took."""
    return Answers(
        host=host, pid=pid or ord(host), node=host, role=role or ("leader" if leader == host else "follower"), leader=leader,
        term=term, first=(begin * MS, (begin + first) * MS), last=((end - 2) * MS, end * MS), count=2,
    )  # fmt: skip


def once(host: str, begin: int, end: int, *, leader: str | None, term: int, pid: int = 0) -> Answers:
    """One question, one answer."""
    said = answers(host, begin, end, leader=leader, term=term, pid=pid, first=end - begin)
    return Answers(**{name: getattr(said, name) for name in said.__slots__} | {"last": said.first, "count": 1})


def told(host: str, at: int, event: str, *, term: int, pid: int = 0, reason: str = "") -> Told:
    role = "leader" if event == "elected" else "follower"
    return Told(host=host, pid=pid or ord(host), at=at * MS, event=event, term=term, role=role, reason=reason)


def life(host: str, what: str, at: int) -> Life:
    return Life(host=host, pid=ord(host), what=what, at=at * MS)


def history(*records: Record, mode: str = "quorum", hosts: Sequence[str] = ("a", "b")) -> History:
    setting = Setting(at=0, seed=1, mode=mode, hosts=tuple(hosts), voters=())
    return History.of([setting, *records])


def quorum(*records: Record) -> Verdict:
    return judge(history(*records))


def availability(*records: Record) -> Verdict:
    """With a heal, after which it stays quiet."""
    return judge(history(*records, Quiet(at=HEALED * MS, end=END * MS), mode="availability"))


def texts(verdict: Verdict, outcome: Outcome) -> str:
    assert verdict.outcome is outcome, verdict.findings
    return "\n".join(finding.text for finding in verdict.findings if finding.outcome is outcome)


AGREED = (answers("a", 0, 10_000, leader="a", term=5), answers("b", 0, 10_000, leader="a", term=5))


def test_one_leader_all_the_time_is_as_promised() -> None:
    for verdict in (quorum(*AGREED), availability(*AGREED)):
        assert verdict.outcome is Outcome.OK
        assert len(verdict.leaderships) == 1


# -- two leaders at one instant


def test_two_that_say_it_in_turn_lead_at_one_instant() -> None:
    found = quorum(answers("a", 0, 100, leader="a", term=5), answers("b", 50, 200, leader="b", term=6))
    assert "two leaders for 46.0 ms: a (pid 97, term 5) and b (pid 98, term 6)" in texts(found, Outcome.SAFETY)


def test_one_answer_within_the_others_leadership_is_an_overlap() -> None:
    found = quorum(answers("a", 0, 100, leader="a", term=5), once("b", 50, 60, leader="b", term=6))
    assert "two leaders" in texts(found, Outcome.SAFETY)


def test_an_event_within_the_others_leadership_is_an_overlap() -> None:
    found = quorum(answers("a", 0, 100, leader="a", term=5), told("b", 50, "elected", term=6))
    assert "two leaders" in texts(found, Outcome.SAFETY)


@pytest.mark.parametrize(
    "other",
    [
        once("b", 95, 120, leader="b", term=6),  # a's last question is older than the answer
        answers("b", 97, 200, leader="b", term=6),
        told("b", 99, "elected", term=6),
    ],
)
def test_what_may_have_been_one_after_the_other_is_no_overlap(other: Record) -> None:
    """a is asked for the last time from 98 to 100: it may have ceased to lead at 98, just after it said so."""
    assert quorum(answers("a", 0, 100, leader="a", term=5), other).outcome is Outcome.OK


def test_two_single_answers_prove_no_overlap() -> None:
    found = quorum(once("a", 0, 100, leader="a", term=5), once("b", 0, 100, leader="b", term=6))
    assert found.outcome is Outcome.OK


def test_a_leader_that_was_stopped_led_from_its_first_answer_to_its_last() -> None:
    """It says the same before and after, so whoever asked it twice must take it for the leader in between."""
    found = quorum(
        answers("a", 0, 100, leader="a", term=5),
        life("a", "paused", 101),
        answers("b", 1500, 1600, leader="b", term=6),
        life("a", "resumed", 2000),
        once("a", 102, 2005, leader="a", term=5),
    )
    assert "two leaders" in texts(found, Outcome.SAFETY)
    assert "the term goes back" in texts(found, Outcome.SAFETY)


def test_the_time_in_which_it_was_stopped_is_not_when_it_answered() -> None:
    """Asked at 102, answered at 2005, stopped until 2000: an answer of 2000 or later."""
    woken = once("a", 102, 2005, leader="a", term=5)
    other = answers("b", 1990, 2500, leader="b", term=6)
    paused = [life("a", "paused", 101), life("a", "resumed", 2000)]
    assert "two leaders" in texts(quorum(*paused, woken, other), Outcome.SAFETY)
    assert quorum(woken, other).outcome is Outcome.OK


def test_a_denial_between_two_answers_ends_the_leadership() -> None:
    said = [
        answers("a", 0, 100, leader="a", term=5),
        answers("a", 102, 110, leader=None, term=5, role="candidate"),
        answers("a", 112, 200, leader="a", term=5),
    ]
    assert [one.term for one in leaderships(history(*said))] == [5, 5]
    assert "leads again in a term that was over" in texts(quorum(*said), Outcome.SAFETY)


def test_deposed_between_two_answers_ends_the_leadership() -> None:
    said = [answers("a", 0, 100, leader="a", term=5), once("a", 200, 210, leader="a", term=5)]
    assert len(leaderships(history(*said))) == 1
    assert len(leaderships(history(*said, told("a", 150, "deposed", term=5)))) == 2


def test_elected_while_a_question_is_under_way_is_no_denial() -> None:
    said: list[Record] = [
        once("a", 0, 10, leader=None, term=4),
        told("a", 5, "elected", term=5),
        answers("a", 12, 100, leader="a", term=5),
    ]
    (one,) = leaderships(history(*said))
    assert (one.surely_from, one.surely_until) == (5 * MS, 98 * MS)


# -- ballots and terms


def test_two_sessions_of_one_node_lead_one_ballot() -> None:
    said = [answers("a", 0, 100, leader="a", term=5), answers("a", 200, 300, leader="a", term=5, pid=1000)]
    assert "one ballot, two leaders" in texts(judge(history(*said, mode="availability")), Outcome.SAFETY)


def test_two_nodes_lead_one_term() -> None:
    """In availability mode a ballot is term and node: these are two."""
    said = [answers("a", 0, 100, leader="a", term=5), answers("b", 200, 300, leader="b", term=5)]
    assert "one ballot, two leaders" in texts(quorum(*said), Outcome.SAFETY)
    assert judge(history(*said, mode="availability")).outcome is Outcome.OK


def test_followers_name_two_leaders_in_one_term() -> None:
    said = [answers("a", 0, 100, leader="c", term=5), answers("b", 200, 300, leader="d", term=5)]
    assert "term 5: a calls c leader, b calls d so" in texts(quorum(*said), Outcome.SAFETY)


def test_the_next_leader_has_a_lower_term() -> None:
    found = quorum(answers("a", 0, 100, leader="a", term=5), answers("b", 200, 300, leader="b", term=4))
    assert "the term goes back: b (pid 98, term 4) leads after a (pid 97, term 5)" in texts(found, Outcome.SAFETY)


def test_a_follower_goes_back_to_an_older_leader() -> None:
    found = availability(*AGREED, answers("b", 10_010, 10_020, leader="c", term=4))
    assert "b (pid 98) goes from term 5 of a back to 4 of c" in texts(found, Outcome.SAFETY)


def test_a_new_session_may_begin_with_an_older_leader() -> None:
    assert availability(*AGREED, answers("b", 10_010, 10_020, leader="c", term=4, pid=1000)).outcome is Outcome.OK


# -- liveness


def test_no_leader_after_the_heal() -> None:
    said = [answers(host, 0, 9500, leader=None, term=4, role="candidate") for host in ("a", "b")]
    assert f"no agreement {AGREE_S:g} s after the heal: a: None in 4, b: None in 4" in texts(
        availability(*said), Outcome.LIVENESS
    )


def test_agreement_that_comes_too_late() -> None:
    late = HEALED + int(AGREE_S * 1000) + 50
    said = [
        answers("b", 0, late, leader=None, term=4, role="candidate"),
        answers("a", 0, 9500, leader="a", term=5),
        answers("b", late + 2, 9500, leader="a", term=5),
    ]
    found = availability(*said)
    assert "no agreement" in texts(found, Outcome.LIVENESS)
    assert found.agreed_s == [AGREE_S + 0.054]


def test_agreement_that_does_not_last() -> None:
    said = [answers("a", 0, 9500, leader="a", term=5), answers("b", 0, 6500, leader="a", term=5)]
    found = availability(*said, answers("b", 6502, 9500, leader=None, term=5))
    assert "do not at the end of the quiet time: a: a in 5, b: None in 5" in texts(found, Outcome.LIVENESS)


def test_agreement_of_one_that_hangs_since_then_does_not_last() -> None:
    said = [answers("a", 0, 9500, leader="a", term=5), answers("b", 0, 3000, leader="a", term=5)]
    assert "do not at the end of the quiet time" in texts(availability(*said), Outcome.LIVENESS)


def test_agreement_on_who_does_not_lead_is_none() -> None:
    said = [answers(host, 0, 9500, leader="a", term=5, role="follower") for host in ("a", "b")]
    assert "no agreement" in texts(availability(*said), Outcome.LIVENESS)


def test_agreement_of_all_but_a_silent_one_is_none() -> None:
    assert "b: silent" in texts(availability(answers("a", 0, 9500, leader="a", term=5)), Outcome.LIVENESS)


def split(*, until: int) -> list[Record]:
    """Both lead when the network is healed; b follows from then on."""
    return [
        answers("a", 0, until, leader="a", term=5),
        answers("b", 0, until, leader="b", term=6),
        answers("a", until + 2, 9500, leader="a", term=7),
        answers("b", until + 2, 9500, leader="a", term=7),
    ]


def resolved(host: str) -> Told:
    return told(host, HEALED + 300, "overlap-resolved", term=7)


def test_overlap_that_ends_and_is_told_at_both_sides() -> None:
    found = availability(*split(until=HEALED + 300), resolved("a"), resolved("b"))
    assert found.outcome is Outcome.OK
    assert [(overlap.begin, overlap.end) for overlap in found.overlaps] == [(2 * MS, (HEALED + 298) * MS)]


@pytest.mark.parametrize(("reason", "outcome"), [("preempted", Outcome.OK), ("overlap-resolved", Outcome.LIVENESS)])
def test_overlap_whose_one_side_handed_over_before_they_met(reason: str, outcome: Outcome) -> None:
    handed_over = told("b", HEALED + 299, "deposed", term=6, reason=reason)
    assert availability(*split(until=HEALED + 300), resolved("a"), handed_over).outcome is outcome


def test_overlap_that_one_side_was_not_told_of() -> None:
    found = availability(*split(until=HEALED + 300), resolved("a"))
    assert "b (pid 98, term 6) was not told overlap-resolved" in texts(found, Outcome.LIVENESS)


def test_overlap_that_does_not_end_in_time() -> None:
    found = availability(*split(until=HEALED + int(AGREE_S * 1000) + 100), resolved("a"), resolved("b"))
    assert "two leaders for too long after the heal" in texts(found, Outcome.LIVENESS)


def test_overlap_that_was_over_before_the_heal_need_not_be_told() -> None:
    assert availability(*split(until=HEALED - 100)).outcome is Outcome.OK


# -- the rest


def test_broken_daemon() -> None:
    complaint = Complaint(host="a", at=50 * MS, text="a logged 'Traceback'")
    assert texts(quorum(*AGREED, complaint), Outcome.CRASH) == "a: a logged 'Traceback'"


def test_two_leaders_are_worse_than_a_broken_daemon() -> None:
    records = [answers("a", 0, 100, leader="a", term=5), answers("b", 50, 200, leader="b", term=6)]
    assert quorum(*records, Complaint(host="a", at=0, text="")).outcome is Outcome.SAFETY


def test_history_that_was_saved_is_judged_alike(tmp_path: Path) -> None:
    whole = history(
        *split(until=100), life("a", "paused", 1), life("a", "resumed", 5), told("a", 3, "elected", term=5),
        Fault(what="loss 20 %", hosts=(), at=0, end=MS), Complaint(host="a", at=0, text="x"),
        Quiet(at=MS, end=2 * MS),
    )  # fmt: skip
    save(tmp_path / "history.jsonl", whole.records())
    again = History.of(load(tmp_path / "history.jsonl"))
    assert again == whole
    assert judge(again).findings == judge(whole).findings


def test_picture_shows_terms_faults_and_overlaps() -> None:
    whole = history(
        *split(until=5000), Fault(what="split a | b", hosts=(), at=0, end=5000 * MS),
        Fault(what="pause", hosts=("a",), at=0, end=100 * MS), Quiet(at=5000 * MS, end=9000 * MS),
    )  # fmt: skip
    picture = draw(whole, judge(whole))
    for shown in (">split a | b</text>", ">pause</text>", ">7</text>", 'class="overlap"', 'class="quiet"'):
        assert shown in picture


@pytest.mark.parametrize("seed", range(50))
def test_plan_of_a_seed_is_always_the_same_and_fits(seed: int) -> None:
    hosts = ("a", "b", "c", "d", "e")
    rounds = plan.draw(seed, hosts, minutes=3)
    assert rounds == plan.draw(seed, hosts, minutes=3)
    assert sum(one.faulty_s + one.quiet_s for one in rounds) < 3 * 60 + 30
    for one in rounds:
        assert all(step.at_s + step.for_s < one.faulty_s + 0.001 or step.kind == "pause" for step in one.steps)
        assert sum(step.kind == "forget" for step in one.steps) <= 1
        for step in one.steps:
            assert sorted(name for group in step.groups for name in group) in ([], list(hosts))


@pytest.mark.parametrize(("heads", "throws", "likely"), [(0, 3, 1.0), (3, 3, 0.125), (2, 3, 0.5), (0, 0, 1.0)])
def test_how_often_chance_alone_makes_so_many_rounds_worse(heads: int, throws: int, likely: float) -> None:
    assert by_chance(heads, throws) == likely
