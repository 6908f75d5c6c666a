"""The doctor's engines on hosts of a simulated cluster: a network of its own carries their datagrams, as bytes."""

import heapq
import itertools
import random
from collections.abc import Callable
from functools import partial

from kingd.aside.budget import Budget
from kingd.aside.voice import Say, Voice
from kingd.core.election import Core
from kingd.core.wire.codec import decode, encode
from kingd.core.wire.endpoint import Endpoint
from kingd.core.wire.message import Datagram
from kingd.core.wire.seal import Seal
from kingd.core.wire.trial import Echo, Trial, Way
from kingd.doctor.answerer import Answerer
from kingd.doctor.examination import Examination
from kingd.doctor.lane import Lane
from kingd.sim.cluster import Cluster
from kingd.sim.host import Host

DELAY_US = 500
SEAL = Seal()
ALL_WAYS = (Way.MC4, Way.MC6, Way.BC4)

Passes = Callable[[int, int, Way, int], bool]
"""From which host to which, how, and when (us since the beginning): does it arrive?"""


class Ward:
    def __init__(self, cluster: Cluster, passes: Passes = lambda *_: True, *, ways: tuple[Way, ...] = ALL_WAYS) -> None:
        self.cluster = cluster
        self.passes = passes
        self.began_us = self.now_us = cluster.now_us
        self.lanes: list[list[Lane]] = [[self._lane(host, ways)] for host in cluster.hosts]
        self.where = {e.host: n for n, (lane,) in enumerate(self.lanes) for e in lane.own.values()}
        self.voices = [Voice(core(host).acquaintance) for host in cluster.hosts]
        self.answerers = [self._answerer(n) for n in range(len(cluster.hosts))]
        self.refused = [0 for _ in cluster.hosts]
        self.bytes: dict[tuple[int, int], int] = {}  # from, to: of unicast
        self.answers: list[Say] = []
        self.deaf: set[int] = set()  # they run a version without a doctor
        self.examination: Examination | None = None
        self._queue: list[tuple[int, int, int, int, bytes, Way]] = []
        self._count = itertools.count()

    def _lane(self, host: Host, ways: tuple[Way, ...]) -> Lane:
        v4, v6 = (
            Endpoint(host.endpoint.host, host.port, "eth0"),
            Endpoint(f"fe80::{host.index + 1:x}", host.port, "eth0"),
        )
        return Lane("eth0", ways, {4: v4, 6: v6}, is_on_network)

    def _answerer(self, index: int) -> Answerer:
        known = core(self.cluster.hosts[index]).acquaintance
        lanes = partial(self.lanes.__getitem__, index)
        rng = random.Random(index)
        return Answerer(known, self.voices[index], Budget(), rng=rng, lanes=lanes, lag_ms=lambda: 7)

    def examine(self, asker: int = 0, *, for_us: int = 0) -> Examination:
        """From beginning to end."""
        voice, known = self.voices[asker], core(self.cluster.hosts[asker]).acquaintance
        found = Examination(known, voice, random.Random(9), self.lanes[asker], began_us=self.now_us, for_us=for_us)
        self.examination = found
        while not found.done:
            self.now_us = min(found.deadline_us, self._queue[0][0] if self._queue else found.deadline_us)
            while self._queue and self._queue[0][0] <= self.now_us:
                _, _, source, target, data, way = heapq.heappop(self._queue)
                self.deliver(source, target, data, way)
            if found.deadline_us <= self.now_us:
                self.send(asker, found.tick(now_us=self.now_us))
        return found

    def send(self, source: int, said: list[Say]) -> None:
        for say in said:
            data = encode(say.datagram, SEAL)
            others = [n for n in range(len(self.lanes)) if n != source]
            targets = others if say.to is None else [self.where[say.to.host]]
            for target in targets:
                if say.to is not None:
                    self.bytes[source, target] = self.bytes.get((source, target), 0) + len(data)
                if self.passes(source, target, say.way, self.now_us - self.began_us):
                    entry = (self.now_us + DELAY_US, next(self._count), source, target, data, say.way)
                    heapq.heappush(self._queue, entry)

    def deliver(self, source: int, target: int, data: bytes, way: Way) -> None:
        datagram = decode(data, cluster=core(self.cluster.hosts[0]).settings.cluster, seal=SEAL)
        endpoint = self.lanes[source][0].own[way.family]
        if target not in self.deaf:
            self.take(target, datagram, endpoint)

    def take(self, target: int, datagram: Datagram, endpoint: Endpoint) -> None:
        """As daemon/asides.py does."""
        header, body = datagram.header, datagram.body
        if not core(self.cluster.hosts[target]).acquaintance.is_members(header):
            self.refused[target] += header.destination in (0, self.cluster.hosts[target].node_id)
        elif isinstance(body, Trial):
            answer = self.answerers[target].take(header, body, endpoint, now_us=self.now_us)
            self.refused[target] += answer is None
            self.answers += answer or []
            self.send(target, answer or [])
        elif (
            isinstance(body, Echo)
            and not self.answerers[target].hears(header, body, now_us=self.now_us)
            and self.examination is not None
        ):
            self.examination.on_echo(header.source, header.session, body, endpoint, now_us=self.now_us)


def is_on_network(host: str) -> bool:
    return host.startswith(("10.", "fe80::"))


def core(host: Host) -> Core:
    assert host.core is not None
    return host.core
