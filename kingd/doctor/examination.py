"""The side of an examination that asks. docs/doctor.md.

In: whom this node knows, the networks that it has, the time, and the answers. Out: what to send, and in the end what was sent
and what arrived, peer by peer, network by network, way by way, in both directions. It judges nothing (analysis.py does).

It begins with hellos, until a peer has answered and sent its token; then come rounds of numbered trials; then a few more, so
that the last counts come home. With `for_us` a round a second goes on until then."""

import random
from collections.abc import Sequence

from kingd.aside.voice import Say, Voice
from kingd.core.acquaintance import Acquaintance, Sighting
from kingd.core.timing import MS, SECOND
from kingd.core.wire.endpoint import Endpoint
from kingd.core.wire.message import NodeId, SessionId
from kingd.core.wire.trial import Echo, Trial, Way
from kingd.doctor.lane import Lane
from kingd.doctor.patient import Patient, Place, Via
from kingd.records import dataclass, field

PEERS_MAX = 32
LANES_MAX = 8
FOR_US_MAX = 3600 * SECOND
# Each so long after the one before.
_HELLO_US = (0, 80 * MS, 100 * MS, 120 * MS, 150 * MS, 200 * MS, 200 * MS, 200 * MS)
_HELLO_SLOWLY_US = 5 * SECOND  # and then, in a long examination
_FIRST_ROUND_US = 150 * MS
_ROUNDS_US = 800 * MS
_ROUNDS = (3, 16)  # at least, at most
_TRIALS_MAX = 600  # of all rounds, to all peers
_WAYS_GUESS = 7
_LARGE_EVERY = 4  # rounds: what is too large once is always
_SOAK_EVERY_US = SECOND
_ERRANDS_TO, _ERRANDS_OF = 3, 4  # so many silent ones, asked by so many others
_SYNC_US = (60 * MS, 80 * MS, 80 * MS, 80 * MS)  # after the last round
_REST_US = 150 * MS


@dataclass(slots=True)
class Examination:
    """See above: made when it begins, and `done` when it is over."""

    known: Acquaintance
    voice: Voice
    rng: random.Random
    lanes: Sequence[Lane]
    began_us: int
    for_us: int  # 0: as short as possible
    run: int = 0
    patients: dict[NodeId, Patient] = field(default_factory=dict)
    more: int = 0  # peers that are too many
    done: bool = False
    _number: int = 0
    _group_sent: dict[Place, int] = field(default_factory=dict)
    _group_us: int = 0
    _step_us: int = 0
    _rounds_end_us: int = 0
    _syncs: int = 0
    _end_us: int = 0

    def __post_init__(self) -> None:
        self.run = self.rng.getrandbits(64) | 1
        self.lanes = self.lanes[:LANES_MAX]
        everybody = [each for each in self.known.sightings(self.began_us) if str(each.state) != "left"]
        asked = [each for each in everybody if each.verified][:PEERS_MAX]
        self.more = len(everybody) - len(asked)
        least, most = _ROUNDS
        rounds = max(least, min(most, _TRIALS_MAX // max(1, _WAYS_GUESS * len(asked))))
        self._step_us = _ROUNDS_US // rounds
        self._group_us = self.began_us + _FIRST_ROUND_US
        self._rounds_end_us = self.began_us + max(_FIRST_ROUND_US + _ROUNDS_US, self.for_us)
        self._end_us = self._rounds_end_us + sum(_SYNC_US) + _REST_US if asked else self.began_us
        for place, sighting in enumerate(asked):
            offset_us = place * self._step_us // len(asked)  # not all at once: their answers come back at once
            self.patients[sighting.node] = self._patient(sighting, self.began_us + offset_us // 4)

    def _patient(self, sighting: Sighting, next_us: int) -> Patient:
        patient = Patient(sighting, next_us)
        self._add(patient, sighting.endpoint)
        return patient

    def _add(self, patient: Patient, endpoint: Endpoint) -> None:
        lane = next((n for n, lane in enumerate(self.lanes) if lane.interface == endpoint.interface), None)
        if lane is None and not patient.endpoints and self.lanes:
            lane = 0  # beyond a router: by whichever network the kernel chooses
        if lane is not None:
            patient.endpoints.setdefault((lane, 6 if ":" in endpoint.host else 4), endpoint)

    # -- what comes in

    @property
    def deadline_us(self) -> int:
        if self.done:
            return self._end_us
        return min([self._end_us, self._group_due_us, self._sync_due_us, *(p.next_us for p in self.patients.values())])

    @property
    def _group_due_us(self) -> int:
        return self._group_us if self._group_us < self._rounds_end_us else self._end_us

    @property
    def _sync_due_us(self) -> int:
        left = self._syncs < len(_SYNC_US)
        return self._rounds_end_us + sum(_SYNC_US[: self._syncs + 1]) if left else self._end_us

    def on_echo(self, source: NodeId, session: SessionId, echo: Echo, endpoint: Endpoint, *, now_us: int) -> None:
        patient = self.patients.get(source)
        if patient is None or echo.run != self.run or self.done or echo.lane >= len(self.lanes):
            return
        if session != patient.sighting.session:
            patient.has_moved_on = True
            return
        if patient.via is None:
            if not patient.hellos:  # it has not been asked yet: this is no answer
                return
            patient.begin(echo, self._group_sent)
            patient.next_us = max(now_us, self.began_us + _FIRST_ROUND_US)
        if echo.token != patient.token:
            return
        self._learn(patient, endpoint)
        if echo.host:
            self._learn(patient, Endpoint(echo.host, echo.port, endpoint.interface))
        patient.ways[echo.lane] = echo.ways
        patient.count(self._group_sent)
        patient.take(echo, now_us=now_us)
        if echo.about == self.known.id or echo.about in self.patients:
            patient.sees(echo, now_us=now_us)

    def _learn(self, patient: Patient, endpoint: Endpoint) -> None:
        """No round trip has proven that it is there: only what is on that network is asked, for anybody may be named."""
        is_proven = endpoint[:2] == patient.sighting.endpoint[:2]
        is_near = any(lane.interface == endpoint.interface and lane.contains(endpoint.host) for lane in self.lanes)
        if is_proven or (is_near and endpoint.port):
            self._add(patient, endpoint)

    def on_refused(self, endpoint: Endpoint) -> None:
        for patient in self.patients.values():
            if any((e.host, e.port) == (endpoint.host, endpoint.port) for e in patient.endpoints.values()):
                patient.refused += 1

    def tick(self, *, now_us: int) -> list[Say]:
        said: list[Say] = []
        if self.done or now_us >= self._end_us:
            self.done = True
            return said
        if self._group_due_us <= now_us:
            said += self._to_all()
            self._group_us = now_us + self._pause_us(now_us)
        for patient in self.patients.values():
            if patient.next_us <= now_us:
                said += self._next(patient, now_us)
        if self._sync_due_us <= now_us:
            self._syncs += 1
            said += self._errands() if self._syncs == 1 else []
            said += [say for patient in self.patients.values() if patient.via for say in self._sync(patient)]
        return said

    def _pause_us(self, now_us: int) -> int:
        is_short = now_us < self.began_us + _FIRST_ROUND_US + _ROUNDS_US
        return self._step_us if is_short else _SOAK_EVERY_US

    # -- what goes out

    def _to_all(self) -> list[Say]:
        said = []
        for number, lane in enumerate(self.lanes):
            for way in lane.group_ways:
                said.append(self.voice.to_all(self._trial(number, way, Way.NONE), lane.interface))
                self._group_sent[number, way] = self._group_sent.get((number, way), 0) + 1
        return said

    def _next(self, patient: Patient, now_us: int) -> list[Say]:
        if patient.via is None:
            return self._hello(patient, now_us)
        if now_us >= self._rounds_end_us:
            patient.next_us = self._end_us
            return []
        is_soak = now_us >= self.began_us + _FIRST_ROUND_US + _ROUNDS_US
        patient.next_us = now_us + self._pause_us(now_us)
        patient.trials += 1
        return self._one(patient) if is_soak else self._round(patient)

    def _hello(self, patient: Patient, now_us: int) -> list[Say]:
        """Asked and answered by unicast first, then by one way after the other to all of the network: some may work."""
        pause_us = _HELLO_US[patient.attempts] if patient.attempts < len(_HELLO_US) else _HELLO_SLOWLY_US
        patient.next_us = min(now_us + pause_us, self._end_us)
        said = []
        for via, back in self._turns(patient):
            said.append(self._ask(patient, via, back))
            patient.is_asked(self._number, via)
        patient.attempts += 1
        return said

    def _turns(self, patient: Patient) -> list[tuple[Via, Way]]:
        turns: list[tuple[Via, Way]] = []
        for (number, family), endpoint in patient.endpoints.items():
            alone, groups = Via(number, _unicast(family), endpoint), self.lanes[number].group_ways
            at = patient.attempts % (len(groups) + 1)
            if at == 0:
                turns.append((alone, alone.way))
            else:
                way = groups[at - 1]
                by_group = Via(number, way, endpoint)
                turns += [(by_group, _unicast(way.family)), (alone, way), (by_group, way)]
        return turns

    def _round(self, patient: Patient) -> list[Say]:
        """By each of its addresses, and once by each way to all of its network."""
        said = [say for lane, family in list(patient.endpoints) for say in self._alone(patient, lane, family)]
        for lane in dict.fromkeys(lane for lane, _ in patient.endpoints):
            via = self._via(patient, lane)
            said += [self._ask(patient, via, back) for back in self.lanes[lane].group_ways]
            if via.way.is_group:  # what comes by unicast is not asked for by unicast there
                groups = {way.family: way for way in reversed(self.lanes[lane].group_ways)}
                said += [self._ask(patient, Via(lane, way, via.endpoint), _unicast(f)) for f, way in groups.items()]
        return said

    def _alone(self, patient: Patient, lane: int, family: int) -> list[Say]:
        way = _unicast(family)
        endpoint = patient.endpoints[lane, family]
        said = [self._ask(patient, Via(lane, way, endpoint), way)]
        if patient.trials % _LARGE_EVERY == 1:
            large = Way.LARGE4 if family == 4 else Way.LARGE6
            said += [self._ask(patient, Via(lane, large, endpoint), back) for back in (way, large)]
        return said

    def _via(self, patient: Patient, lane: int) -> Via:
        """How to ask on that network for an answer to all of it: as it answered first, or by each of its addresses in turn."""
        assert patient.via is not None
        if patient.via.way.is_group and patient.via.lane == lane:
            return patient.via
        families = [family for number, family in patient.endpoints if number == lane]
        family = families[patient.trials % len(families)]
        return Via(lane, _unicast(family), patient.endpoints[lane, family])

    def _one(self, patient: Patient) -> list[Say]:
        """A second of a long examination: by each address in turn, an answer by each way in turn."""
        alone = [Via(lane, _unicast(family), endpoint) for (lane, family), endpoint in patient.endpoints.items()]
        lanes = dict.fromkeys(via.lane for via in alone)
        turns = [
            (via, back)
            for via in dict.fromkeys([*alone, *(self._via(patient, lane) for lane in lanes)])
            for back in (_unicast(via.way.family), *self.lanes[via.lane].group_ways)
        ]
        return [self._ask(patient, *turns[patient.trials % len(turns)])]

    def _errands(self) -> list[Say]:
        """Whether others reach whom this host does not."""
        silent = [node for node, patient in self.patients.items() if patient.via is None][:_ERRANDS_TO]
        asked = [patient for patient in self.patients.values() if patient.via is not None][:_ERRANDS_OF]
        said = []
        for patient in asked:
            via = self._via(patient, next(iter(patient.endpoints))[0])
            said += [self._ask(patient, via, Way.NONE, about=node) for node in silent]
        return said

    def _sync(self, patient: Patient) -> list[Say]:
        """Each answer has the counts, its own trial included: the last ones come home by it."""
        ways = {lane: self.lanes[lane].group_ways for lane, _ in patient.endpoints}
        return [
            self._ask(patient, via, back)
            for lane in ways
            for via in (self._via(patient, lane),)
            for back in (_unicast(via.way.family), *ways[lane][:1])
            if patient.comes_home((lane, back))
        ]

    def _ask(self, patient: Patient, via: Via, back: Way, *, about: int = 0) -> Say:
        trial = self._trial(via.lane, via.way, back, token=patient.token, about=about or self._about(patient))
        if patient.via is not None:
            patient.sends((via.lane, via.way))
        seen = patient.sighting
        return self.voice.to_one(trial, via.way, via.endpoint, node=seen.node, session=seen.session)

    def _about(self, patient: Patient) -> int:
        """Of whom it is to say what it sees: of all, in turn, this node first."""
        others = [node for node in self.patients if node != patient.sighting.node]
        silent = [node for node in others if self.patients[node].via is None][:_ERRANDS_TO]
        asked = silent if self._syncs and silent else [self.known.id, *others]
        patient.asked += 1
        return asked[(patient.asked - 1) % len(asked)]

    def _trial(self, lane: int, by: Way, back: Way, *, token: int = 0, about: int = 0) -> Trial:
        self._number += 1
        return Trial(run=self.run, token=token, number=self._number, lane=lane, by=by, back=back, about=about)


def _unicast(family: int) -> Way:
    return Way.UC4 if family == 4 else Way.UC6
