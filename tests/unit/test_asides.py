"""What members ask beside the election: who is answered, by whom, how often; the election sees nothing of it. docs/aside.md."""

import random
from collections.abc import Iterator
from types import SimpleNamespace
from typing import cast, get_args

import pytest

from kingd.config import Config
from kingd.core.facts import Glance
from kingd.core.wire.aside import Aside
from kingd.core.wire.codec import decode, encode
from kingd.core.wire.layout import ASIDES, BODIES
from kingd.core.wire.message import Body, NodeId
from kingd.core.wire.past import Events, Recall
from kingd.core.wire.seal import Seal
from kingd.core.wire.trial import Echo, Trial, Way
from kingd.daemon.asides import Asides
from kingd.daemon.asides import Daemon as AsidesDaemon
from kingd.daemon.clock_steps import ClockSteps
from kingd.daemon.deadline import Lag
from kingd.daemon.news import News
from kingd.daemon.refusals import Refusals
from kingd.daemon.traffic import Traffic
from kingd.loop import Loop
from kingd.net.problems import Operation
from kingd.net.transport import Transport
from tests.unit.scripted import CLUSTER, ME, Bench, Peer

SEAL = Seal()
TRIAL = Trial(run=1, token=0, number=1, lane=0, by=Way.UC4, back=Way.UC4)
RECALL = Recall(nonce=1, before=0)
ECHO = Echo(run=1, token=1, number=1, lane=0, by=Way.UC4, lag_ms=0, about=0)
ALL: list[Aside] = [TRIAL, ECHO, RECALL, Events(echo=1)]


class Host:
    """It has met `box`."""

    def __init__(self, loop: Loop, monkeypatch: pytest.MonkeyPatch) -> None:
        self.bench, self.box = Bench(), Peer(node=60)
        self.bench.meet(self.box)
        self.bench.clear()
        core, self.refusals = self.bench.core, Refusals()
        self.sent: list[Body] = []
        for module in ("historian", "doctor"):
            monkeypatch.setattr(f"kingd.daemon.{module}.now_us", lambda: self.bench.now_us)
        daemon = SimpleNamespace(
            core=core,
            news=News(core, loop, here=lambda: None),
            traffic=Traffic(core, self.refusals),
            refusals=self.refusals,
            lag=Lag(),
            clock_steps=ClockSteps(),
            config=Config(),
            seal=SEAL,
        )
        transport = cast(Transport, SimpleNamespace(attempt=self._attempt, primary=list, ordered=list))
        self.asides = Asides(cast(AsidesDaemon, daemon), loop, transport, rng=random.Random(1))

    def _attempt(self, data: bytes, to: object, _family: int, operation: Operation) -> str:
        assert (to, operation) == (self.box.endpoint, Operation.UNICAST)
        self.sent.append(decode(data, cluster=CLUSTER, seal=SEAL).body)
        return ""

    def hear(self, peer: Peer, body: Aside, *, to: int = ME) -> None:
        self.asides.take(peer.says(body, to=to).header, body, peer.endpoint)

    @property
    def refused(self) -> int:
        return self.refusals.counts.get("aside", 0)


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> Iterator[Host]:
    loop = Loop()
    yield Host(loop, monkeypatch)
    loop.close()


def test_types_of_the_layout_are_those_of_the_messages() -> None:
    assert {BODIES[kind].name for kind in ASIDES} == {kind.__name__.upper() for kind in get_args(Aside)}
    assert {type(body) for body in ALL} == set(get_args(Aside))


@pytest.mark.parametrize(("question", "answer"), [(TRIAL, Echo), (RECALL, Events)])
def test_each_question_of_a_member_has_who_answers_it(host: Host, question: Aside, answer: type[Body]) -> None:
    host.hear(host.box, question)
    assert [type(body) for body in host.sent] == [answer]
    assert host.refused == 0


@pytest.mark.parametrize("body", ALL, ids=lambda body: type(body).__name__)
def test_strangers_others_and_former_sessions_are_counted_and_no_more(host: Host, body: Aside) -> None:
    for peer, to in ((Peer(node=61), ME), (host.box.restarted(), ME), (host.box, NodeId(61))):
        before = host.refused
        host.hear(peer, body, to=to)
        assert host.refused == before + 1
    assert host.sent == []


def test_answer_that_nobody_asked_for_is_counted(host: Host) -> None:
    host.hear(host.box, Events(echo=1))
    assert host.refused == 1


def test_all_answers_share_one_budget(host: Host) -> None:
    for _ in range(401):
        host.hear(host.box, RECALL)
    assert (len(host.sent), host.refused) == (400, 1)
    host.hear(host.box, TRIAL)
    assert (len(host.sent), host.refused) == (400, 2)
    host.bench.now_us += 1_000_000
    host.hear(host.box, TRIAL)
    assert isinstance(host.sent[-1], Echo)


@pytest.mark.parametrize("body", ALL, ids=lambda body: type(body).__name__)
def test_election_sees_nothing_of_it(host: Host, body: Aside) -> None:
    bench, box = host.bench, host.box
    datagram = box.says(body)
    member = bench.node.members.get(datagram.header.source)
    assert member is not None
    seen = (member.heard_us, member.window.newest, bench.core.deadline_us)
    bench.now_us += 1000
    # Its header is no member's: it has the time that strangers have, and the floodgate decides.
    assert bench.core.glance(encode(datagram, SEAL), by_group=False) is Glance.STRANGER
    host.asides.take(datagram.header, body, box.endpoint)
    assert bench.core.receive(datagram, source=box.endpoint, now_us=bench.now_us) == []  # a driver without asides
    assert (member.heard_us, member.window.newest, bench.core.deadline_us) == seen
    assert bench.node.out.dropped == {"type": 1}
