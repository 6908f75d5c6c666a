"""Examinations among simulated hosts: what is counted, and what nobody can make them do. docs/doctor.md."""

import random
from dataclasses import replace

import pytest

from kingd.core.timing import SECOND
from kingd.core.wire.codec import encode
from kingd.core.wire.endpoint import Endpoint
from kingd.core.wire.message import Datagram, Header
from kingd.core.wire.seal import Seal
from kingd.core.wire.trial import UNHEARD, WAYS, Count, Echo, Trial, Way
from kingd.doctor import report
from kingd.doctor.examination import FOR_US_MAX, Examination
from kingd.doctor.patient import HELLOS_MAX, Patient
from tests.scenarios.ward import Ward, core
from tests.scenarios.world import settled

GROUP_WAYS = {Way.MC4, Way.MC6, Way.BC4}


def patient(examination: Examination, index: int, ward: Ward) -> Patient:
    return examination.patients[ward.cluster.hosts[index].node_id]


def losses(found: Patient) -> dict[str, tuple[int, int]]:
    """Each way on which something is missing: got, sent."""
    cells = {f"{way.word} there": cell for (_, way), cell in found.there.items()}
    cells |= {f"{way.word} back": cell for (_, way), cell in found.back.items()}
    return {name: (cell.got, cell.sent) for name, cell in cells.items() if cell.got != cell.sent}


@pytest.mark.parametrize("hosts", [2, 3, 30])
def test_healthy_lan_loses_nothing_and_each_way_was_tried(hosts: int) -> None:
    ward = Ward(settled(*range(hosts, 0, -1)))
    began_us = ward.now_us
    found = ward.examine()
    assert len(found.patients) == hosts - 1
    for each in found.patients.values():
        assert losses(each) == {}
        assert {way for _, way in each.there} == set(WAYS)
        assert {way for _, way in each.back} == set(WAYS)
        assert min(cell.got for cell in each.there.values()) >= 1
        assert min(each.back[0, way].got for way in GROUP_WAYS) >= 3
        view = each.views[ward.cluster.hosts[0].node_id]
        assert (view.state, view.contact_ms < UNHEARD) == (1, True)
        assert each.lag_ms == 7
    assert ward.now_us - began_us < 2 * SECOND
    assert ward.refused == [0] * hosts


@pytest.mark.parametrize("lost", [None, Way.UC4, Way.UC6], ids=str)
def test_healthy_lan_loses_nothing_for_six_minutes(lost: Way | None) -> None:
    """And nothing is asked that is not answered, also where one family's unicast does not arrive."""
    ward = Ward(settled(3, 2, 1), lambda source, _t, way, _: source != 0 or way is not lost)
    found = ward.examine(for_us=360 * SECOND)
    for each in found.patients.values():
        assert losses(each).keys() <= (set() if lost is None else {f"{lost.word} there"})
        assert all(cell.sent > 10 for (_, way), cell in each.there.items() if not way.is_large)
    assert ward.refused == [0, 0, 0]


def test_one_direction_of_multicast_is_told_from_the_other() -> None:
    cut = {(0, 1, Way.MC4), (2, 0, Way.MC4)}
    ward = Ward(settled(3, 2, 1), lambda source, target, way, _: (source, target, way) not in cut)
    found = ward.examine()
    one, two = patient(found, 1, ward), patient(found, 2, ward)
    assert set(losses(one)) == {"mc4 there"}
    assert set(losses(two)) == {"mc4 back"}
    assert one.there[0, Way.MC4].got == 0
    assert one.there[0, Way.MC4].missed == one.there[0, Way.MC4].sent > 3


@pytest.mark.parametrize("only", list(GROUP_WAYS), ids=str)
def test_peer_that_is_reached_by_one_way_only_answers_by_it(only: Way) -> None:
    """And unicast there is seen to be dead."""
    ward = Ward(settled(2, 1), lambda source, _target, way, _: source == 1 or way is only)
    found = patient(ward.examine(), 1, ward)
    assert found.via is not None
    assert found.via.way is only
    assert found.there[0, only].got == found.there[0, only].sent
    assert found.there[0, Way.UC4].got == 0
    assert found.back[0, Way.UC6 if only.family == 6 else Way.UC4].got > 3


def test_peer_that_can_answer_by_multicast_only_is_heard() -> None:
    ward = Ward(settled(2, 1), lambda source, _target, way, _: source == 0 or way is Way.MC4)
    found = patient(ward.examine(), 1, ward)
    assert found.via is not None
    assert {name.partition(" ")[2] for name in losses(found)} == {"back"}
    assert found.back[0, Way.UC4].got == 0 < found.back[0, Way.MC4].got


def test_what_is_too_large_is_lost_alone() -> None:
    ward = Ward(settled(2, 1), lambda source, _target, way, _: source == 1 or not way.is_large)
    assert set(losses(patient(ward.examine(), 1, ward))) == {"large4 there", "large6 there"}


def test_long_examination_sees_when_multicast_ended() -> None:
    ward = Ward(settled(2, 1), lambda _s, _t, way, at_us: way is not Way.MC4 or at_us < 40 * SECOND)
    found = ward.examine(for_us=90 * SECOND)
    cell = patient(found, 1, ward).there[0, Way.MC4]
    assert cell.got > 50
    assert cell.missed > 40
    assert 39 * SECOND < cell.last_us - found.began_us < 42 * SECOND
    assert patient(found, 1, ward).there[0, Way.UC4].missed == 0


def test_who_is_silent_for_an_hour_fills_no_table_and_is_heard_at_last() -> None:
    """What reaches it then is one way only: which of thousands of questions it answers is still known."""
    ward = Ward(settled(2, 1), lambda asker, _t, way, at_us: at_us > 3500 * SECOND and (asker == 1 or way is Way.MC6))
    found = patient(ward.examine(for_us=FOR_US_MAX), 1, ward)
    assert found.attempts > 600
    assert len(found.hellos) == HELLOS_MAX
    assert found.via is not None
    assert found.via.way is Way.MC6


def test_peer_without_a_doctor_is_not_believed_to_be_deaf() -> None:
    ward = Ward(settled(3, 2, 1))
    ward.deaf = {1}
    found = ward.examine()
    assert patient(found, 1, ward).via is None
    assert not patient(found, 1, ward).there
    assert losses(patient(found, 2, ward)) == {}


def test_others_are_asked_about_whom_this_host_does_not_reach() -> None:
    cut = {(0, 1), (1, 0)}
    ward = Ward(settled(4, 3, 2, 1), lambda source, target, *_: (source, target) not in cut)
    found = ward.examine()
    assert patient(found, 1, ward).via is None
    view = patient(found, 2, ward).views[ward.cluster.hosts[1].node_id]
    assert view.contact_ms < 500
    dead = Ward(settled(4, 3, 2, 1), lambda source, target, *_: 1 not in (source, target))
    dead.now_us += 10 * SECOND
    view = patient(dead.examine(), 2, dead).views[dead.cluster.hosts[1].node_id]
    assert view.contact_ms > 2000


def test_no_answer_has_more_bytes_than_its_question() -> None:
    """Of what goes to one host; and the longest answer that there can be fits into a trial."""
    ward = Ward(settled(3, 2, 1))
    ward.examine()
    assert all(ward.bytes[target, 0] <= ward.bytes[0, target] for target in (1, 2))
    counts = tuple(Count(way=way, got=1, sent=1) for way in WAYS)
    echo = Echo(run=1, token=1, number=1, lane=0, by=Way.UC4, lag_ms=0, about=0, host="f" * 45, counts=counts)
    trial = Trial(run=1, token=1, number=1, lane=0, by=Way.UC4, back=Way.UC4)
    seal = Seal([bytes(32)], requires_key=True)
    header = ward.answers[0].datagram.header
    assert len(encode(Datagram(header, echo), seal)) <= len(encode(Datagram(header, trial), Seal())) == 304
    large = len(encode(Datagram(header, replace(echo, by=Way.LARGE4)), seal))
    assert large <= len(encode(Datagram(header, replace(trial, by=Way.LARGE4)), Seal())) == 1232


class Question:
    """Trials of box1's daemon to box2's, one by one."""

    def __init__(self) -> None:
        self.ward = Ward(settled(2, 1))
        self.asker, self.asked = (core(host) for host in self.ward.cluster.hosts)
        self.source = self.ward.lanes[0][0].own[4]

    def ask(
        self, source: Endpoint | None = None, *, number: int, after_us: int = 0, **fields: object
    ) -> list[Echo] | None:
        self.ward.now_us += after_us
        known = {"run": 5, "token": 0, "lane": 0, "by": Way.UC4, "back": Way.UC4} | fields
        header: Header = self.asker.acquaintance.header(1, to=self.asked.id, session=self.asked.session, by_group=False)
        trial = Trial(number=number, **known)  # type: ignore[arg-type]
        said = self.ward.answerers[1].take(header, trial, source or self.source, now_us=self.ward.now_us)
        return None if said is None else [say.datagram.body for say in said if isinstance(say.datagram.body, Echo)]

    def token(self) -> int:
        answer = self.ask(number=1)
        assert answer is not None
        return answer[0].token


def test_each_number_is_answered_once() -> None:
    question = Question()
    token = question.token()
    assert question.ask(number=2, token=token)
    assert question.ask(number=2, token=token) is None
    answer = question.ask(number=3, token=token)
    assert answer is not None
    assert answer[0].counts == (Count(way=Way.UC4, got=2, sent=2),)


def test_recording_of_an_old_run_earns_nothing() -> None:
    """The token was that of the run; and what began it earns sixteen answers at most."""
    question = Question()
    token = question.token()
    assert question.ask(number=2, token=token)
    assert question.ask(number=3, token=token, after_us=5 * SECOND) is None
    assert question.ask(number=2, token=token + 2) is None
    answers = [question.ask(number=1, run=77) for _ in range(40)]
    assert len([answer for answer in answers if answer]) == 16


def test_runs_and_lanes_are_bounded() -> None:
    question = Question()
    assert [bool(question.ask(number=1, run=run)) for run in range(1, 11)] == [True] * 8 + [False] * 2
    answer = question.ask(number=1, run=9, after_us=3 * SECOND)
    assert answer is not None
    token = answer[0].token
    got = [bool(question.ask(number=2 + lane, run=9, lane=lane, token=token)) for lane in range(12)]
    assert got == [True] * 8 + [False] * 4


@pytest.mark.parametrize(("back", "most"), [(Way.UC4, 400), (Way.MC4, 100)])
def test_answers_have_a_budget(back: Way, most: int) -> None:
    question = Question()
    token = question.token()
    answers = [question.ask(number=number, token=token, back=back) for number in range(2, 700)]
    assert len([answer for answer in answers if answer]) in (most, most - 1)
    assert question.ask(number=900, token=token, back=back, after_us=2 * SECOND)


@pytest.mark.parametrize(
    "fields",
    [
        {"back": Way.UC6},  # to another address than it came from
        {"back": Way.LARGE4},  # more than came
        {"by": Way.NONE},
    ],
)
def test_answer_goes_nowhere_else_and_is_no_larger(fields: dict[str, object]) -> None:
    question = Question()
    token = question.token()
    assert question.ask(number=2, token=token, **fields) is None  # type: ignore[arg-type]
    assert question.ask(number=3, token=token, by=Way.LARGE4, back=Way.LARGE4)


def test_only_a_living_session_of_a_member_may_ask() -> None:
    ward = Ward(settled(2, 1))
    known = core(ward.cluster.hosts[1]).acquaintance
    mine = core(ward.cluster.hosts[1])
    header = core(ward.cluster.hosts[0]).acquaintance.header(1, to=mine.id, session=mine.session, by_group=False)
    assert known.is_members(header)
    for wrong in (
        {"session": header.session + 1},
        {"source": header.source + 1},
        {"receiver": header.receiver + 1},
        {"destination": header.destination + 1},
    ):
        assert not known.is_members(replace(header, **wrong))  # type: ignore[arg-type]


def test_examination_without_peers_is_over_at_once() -> None:
    ward = Ward(settled(1))
    began_us = ward.now_us
    assert ward.examine().done
    assert ward.now_us == began_us


def test_random_losses_never_make_more_arrive_than_was_sent() -> None:
    rng = random.Random(3)
    ward = Ward(settled(3, 2, 1), lambda *_: rng.random() > 0.3)
    found = ward.examine(for_us=20 * SECOND)
    for each in found.patients.values():
        for cell in (*each.there.values(), *each.back.values()):
            assert 0 <= cell.got <= max(cell.sent, cell.got)
            assert cell.missed <= cell.sent


def test_who_died_as_it_began_is_reached_by_nobody_since() -> None:
    """Others tell of it as they saw it; where their last answers are lost, that was when it was heard a moment ago."""
    ward = Ward(
        settled(3, 2, 1), lambda source, target, _, at_us: 2 not in {source, target} and (source == 0 or at_us < SECOND)
    )
    found = ward.examine(for_us=4 * SECOND)
    told = next(each["views"] for each in report.peers(found, now_us=ward.now_us) if each["answered"])
    assert isinstance(told, list)
    (view,) = [view for view in told if view["of"] == f"{ward.cluster.hosts[2].node_id:016x}"]
    assert view["contact_ms"] > (ward.now_us - ward.began_us) // 1000
