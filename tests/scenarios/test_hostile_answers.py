"""Answers that nobody would give, to a host that examines and to one that gathers: they cost it nothing. docs/doctor.md."""

import json
import random

import pytest

from kingd.core.timing import MS, SECOND
from kingd.core.wire.codec import encode
from kingd.core.wire.endpoint import Endpoint
from kingd.core.wire.message import NodeId
from kingd.core.wire.trial import UNHEARD, WAYS, Count, Echo, Way
from kingd.doctor import report
from kingd.doctor.examination import Examination
from kingd.doctor.lane import Lane
from kingd.doctor.patient import Patient
from tests.scenarios.ward import SEAL, Ward, core, is_on_network
from tests.scenarios.world import settled

OUTSIDE = Endpoint("192.0.2.66", 53, "eth0")
HOSTS = ("", "10.0.0.77", "fe80::77", "2001:db8::dead", "192.0.2.66", "255.255.255.255", "dead.beef", "::1", ".......")
SOURCES = (
    Endpoint("10.0.0.2", 5466, "eth0"),
    Endpoint("fe80::2", 5466, "eth0"),
    Endpoint("2001:db8::dead", 53, "eth0"),
    Endpoint("10.0.0.2", 5466, "eth1"),
    OUTSIDE,
)


class Hostile:
    """An examination whose every answer is anything at all, said in the name of any peer."""

    def __init__(self, seed: int, *, lanes: int = 1, for_us: int = 0) -> None:
        self.ward = Ward(settled(4, 3, 2, 1))
        self.rng = random.Random(seed)
        self.now_us = self.ward.now_us
        self.known = core(self.ward.cluster.hosts[0]).acquaintance
        own = self.ward.lanes[0][0].own
        found = [Lane(f"eth{n}", (Way.MC4, Way.MC6, Way.BC4)[n:], own, is_on_network) for n in range(lanes)]
        self.examination = Examination(
            self.known, self.ward.voices[0], random.Random(seed), found, began_us=self.now_us, for_us=for_us
        )

    def patient(self) -> Patient:
        return self.rng.choice(list(self.examination.patients.values()))

    def echo(self, **fields: object) -> Echo:
        rng = self.rng
        near = [self.known.id, *self.examination.patients]
        known = {
            "run": self.examination.run,
            "token": rng.choice([7, 7, 7, 0, rng.getrandbits(64)]),
            "number": rng.choice([0, 1, 2, rng.randint(1, 400), UNHEARD]),
            "lane": rng.choice([0, 0, 1, rng.getrandbits(8)]),
            "by": rng.choice(list(Way)),
            "lag_ms": rng.getrandbits(32),
            "about": rng.choice([0, *near, rng.getrandbits(64)]),
            "state": rng.getrandbits(8),
            "ways": rng.getrandbits(8),
            "heard_ms": rng.getrandbits(32),
            "multicast_ms": rng.choice([UNHEARD, rng.getrandbits(32)]),
            "contact_ms": rng.getrandbits(32),
            "port": rng.choice([0, 1, 53, 65535]),
            "host": rng.choice(HOSTS),
            "counts": tuple(self.count() for _ in range(rng.randint(0, len(WAYS)))),
        } | fields
        return Echo(**known)  # type: ignore[arg-type]

    def count(self) -> Count:
        got, sent = (self.rng.getrandbits(self.rng.choice([3, 32])) for _ in range(2))
        return Count(way=self.rng.choice(list(Way)), got=got, sent=sent)

    def hear(self, patient: Patient, echo: Echo, source: Endpoint = SOURCES[0]) -> None:
        seen = patient.sighting
        self.examination.on_echo(seen.node, seen.session, echo, source, now_us=self.now_us)

    def tick(self) -> None:
        """What goes out can be written, and goes to this network alone."""
        for say in self.examination.tick(now_us=self.now_us):
            assert encode(say.datagram, SEAL)
            assert say.to is None or (is_on_network(say.to.host) and say.to.port)

    def told(self) -> str:
        return json.dumps(report.peers(self.examination, now_us=self.now_us))

    def is_bounded(self) -> bool:
        lanes, peers = len(self.examination.lanes), len(self.examination.patients)
        return all(
            len(each.views) <= peers + 1
            and len(each.ways) <= lanes
            and len(each.endpoints) <= 2 * lanes
            and max(len(each.there), len(each.back)) <= lanes * len(Way)
            for each in self.examination.patients.values()
        )


@pytest.mark.parametrize("lanes", [0, 1, 2])
@pytest.mark.parametrize("for_us", [0, 5 * SECOND])
def test_any_answer_at_any_time_in_the_name_of_any_peer(lanes: int, for_us: int) -> None:
    for seed in range(5):
        hostile = Hostile(seed, lanes=lanes, for_us=for_us)
        rng, examination = hostile.rng, hostile.examination
        while not examination.done:
            for _ in range(rng.randint(0, 4)):
                hostile.hear(hostile.patient(), hostile.echo(), rng.choice(SOURCES))
                hostile.told()
                assert hostile.is_bounded()
            hostile.now_us = max(
                hostile.now_us, min(examination.deadline_us, hostile.now_us + rng.randint(0, 100 * MS))
            )
            hostile.tick()
        assert hostile.told()


def test_answer_of_a_network_that_this_host_has_not_is_none() -> None:
    hostile = Hostile(1)
    hostile.tick()
    patient = next(each for each in hostile.examination.patients.values() if each.hellos)
    hostile.hear(patient, hostile.echo(lane=77, counts=(Count(way=Way.UC4, got=1, sent=1),)))
    assert patient.via is None
    assert json.loads(hostile.told())


def test_answer_before_the_question_is_none() -> None:
    """Peers are asked one after the other."""
    hostile = Hostile(1)
    hostile.tick()
    patient = next(each for each in hostile.examination.patients.values() if not each.hellos)
    hostile.hear(patient, hostile.echo(lane=0))
    assert patient.via is None


def test_views_are_kept_of_those_who_are_examined_only() -> None:
    hostile = Hostile(1)
    hostile.tick()
    patient = next(each for each in hostile.examination.patients.values() if each.hellos)
    mine, other = hostile.known.id, next(n for n in hostile.examination.patients if n != patient.sighting.node)
    for about in (mine, other, *(NodeId(1000 + n) for n in range(500))):
        hostile.hear(patient, hostile.echo(token=7, lane=0, about=about))
    assert set(patient.views) == {mine, other}


@pytest.mark.parametrize("named", [Endpoint("2001:db8::dead", 53), Endpoint("fe80::77", 0)])
def test_address_that_a_peer_names_is_asked_on_that_network_only(named: Endpoint) -> None:
    """And the one from which it came as well."""
    for source in (SOURCES[0], named._replace(interface="eth0")):
        hostile = Hostile(1)
        hostile.tick()
        patient = next(each for each in hostile.examination.patients.values() if each.hellos)
        hostile.hear(patient, hostile.echo(token=7, lane=0, host=named.host, port=named.port), source)
        hostile.hear(patient, hostile.echo(token=7, lane=0, host="", port=0), SOURCES[1])
        assert patient.via is not None
        assert named.host not in {each.host for each in patient.endpoints.values()}
