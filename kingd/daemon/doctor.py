"""The doctor's two engines on the daemon's clock: datagrams and time go in, what they say goes out. docs/doctor.md.

It has a deadline of its own, and none while nobody is examined: the election's timer does not know of it."""

import random
from collections.abc import Callable
from functools import partial
from typing import Protocol

from kingd.aside.budget import Budget
from kingd.aside.voice import Say, Voice
from kingd.config import Config
from kingd.control.service import JsonObject, ServiceError
from kingd.core.election import Core
from kingd.core.problems import DeafLeader, Problem, SharedId, Unanswering
from kingd.core.settings import digest_of
from kingd.core.wire.endpoint import Endpoint
from kingd.core.wire.message import Header
from kingd.core.wire.trial import Echo, Trial, Way
from kingd.daemon import sentences
from kingd.daemon.clock import now_us
from kingd.daemon.clock_steps import ClockSteps
from kingd.daemon.deadline import Deadline, Lag
from kingd.doctor import report
from kingd.doctor.answerer import Answerer
from kingd.doctor.examination import FOR_US_MAX, Examination
from kingd.doctor.lane import Lane
from kingd.loop import Loop
from kingd.net.problems import Operation
from kingd.net.routing import is_on_network, networks
from kingd.net.transport import Transport

_FAILED_MAX = 64
_UNWATCHED_US = 10_000_000  # nobody has looked for so long: it ends


Failure = tuple[Operation, str, str]
"""What could not be sent: how, the errno's name, on which interface."""


class Daemon(Protocol):
    """What of the runtime it needs."""

    core: Core
    lag: Lag
    config: Config
    clock_steps: ClockSteps


class Doctor:
    def __init__(
        self,
        daemon: Daemon,
        loop: Loop,
        transport: Transport,
        *,
        voice: Voice,
        budget: Budget,
        say: Callable[[list[Say]], list[Failure]],
        rng: random.Random,
    ) -> None:
        """`say`: sends these, and returns what could not be sent."""
        self._daemon = daemon
        self._rng = rng
        self._known = daemon.core.acquaintance
        self._voice = voice
        self._send = say
        self._answerer = Answerer(self._known, voice, budget, rng=rng, lanes=self._lanes, lag_ms=self._lag_ms)
        self._examination: Examination | None = None
        self._looked_us = 0
        self._deadline = Deadline(loop, lambda _late_us: self._go_on())
        self._transport = transport
        self._failed: set[Failure] = set()  # what could not be sent in the last examination

    # -- what it is handed

    def take(self, header: Header, body: Trial | Echo, source: Endpoint) -> bool:
        """From a member. Whether it may ask so, or so often."""
        now = now_us()
        if isinstance(body, Trial):
            answer = self._answerer.take(header, body, source, now_us=now)
            self._say(answer or [])
            return answer is not None
        if not self._answerer.hears(header, body, now_us=now) and self._examination is not None:
            self._examination.on_echo(header.source, header.session, body, source, now_us=now)
            self._arm()
        return True

    def refused(self, endpoint: Endpoint) -> None:
        """That host said that nobody listens there."""
        if self._examination is not None:
            self._examination.on_refused(endpoint)

    # -- what the control socket asks

    def examine(self, for_ms: int) -> JsonObject:
        """Begin one, or join the one that goes on. {"version": 1, "run": id, "for_ms": n}"""
        if not 0 <= for_ms <= FOR_US_MAX // 1000:
            raise ServiceError("OutOfRange", f"for_ms must be from 0 to {FOR_US_MAX // 1000} (an hour), not {for_ms}")
        now = self._looked_us = now_us()
        going_on = self._examination
        if going_on is None or going_on.done:
            self._failed.clear()
            going_on = self._examination = Examination(
                self._known, self._voice, self._rng, self._lanes(), began_us=now, for_us=for_ms * 1000
            )
            self._go_on()
        elif going_on.for_us < for_ms * 1000:
            raise ServiceError("Busy", "a shorter examination goes on: ask again when it is over, in a few seconds")
        return {"version": 1, "run": f"{going_on.run:016x}", "for_ms": going_on.for_us // 1000}

    def examined(self, run: str) -> JsonObject:
        """How far it is, and what is known of this host and its peers so far."""
        examination = self._examination
        if examination is None or run != f"{examination.run:016x}":
            raise ServiceError("OutOfRange", f"there is no examination {run}: it is over, or kingd was started again")
        now = self._looked_us = now_us()
        facts = self._daemon.core.status(now)
        return {
            "version": 1,
            "run": run,
            "done": examination.done,
            "elapsed_ms": (now - examination.began_us) // 1000,
            "more_peers": examination.more,
            "peers": report.peers(examination, now_us=now) if examination.done else [],
            "networks": [_network(lane) for lane in examination.lanes],
            "problems": [
                *map(_problem, facts.problems),
                *self._network_problems(),
            ],
            "port": self._daemon.config.network.port,
            "heartbeat_ms": self._daemon.config.timing.heartbeat_us // 1000,
            "voters": f"{digest_of(facts.voters):08x}",
            "loop_lag_us": self._daemon.lag.worst_us,
            "clock_steps": self._daemon.clock_steps.told(now),
        }

    def _network_problems(self) -> list[JsonObject]:
        found: list[tuple[str, str, str]] = []  # kind, interface, sentence
        for each in self._transport.problems():
            interface = each.link.interface if each.link else each.subject.partition(":")[0]
            found.append((f"{each.operation.name.lower()}-{each.error}", interface, str(each)))
        known = {(kind, interface) for kind, interface, _ in found}
        for operation, error, interface in sorted(self._failed, key=str):
            kind = f"{operation.name.lower()}-{error}"
            if (kind, interface) not in known:
                found.append((kind, interface, f"{interface}: {operation.value} failed ({error}) in this examination"))
        return [{"kind": kind, "interface": where, "text": text, "address": ""} for kind, where, text in found]

    # -- inside

    def _lanes(self) -> list[Lane]:
        lanes: dict[str, Lane] = {}
        opened = self._transport.ordered()
        for way in networks(self._transport.primary(), broadcast=self._daemon.config.network.broadcast):
            ways = [Way.MC4 if way.family == 4 else Way.MC6] * way.can_multicast + [Way.BC4] * way.can_broadcast
            lane = lanes.get(way.own.interface, Lane(way.own.interface))
            group_ways = tuple(sorted({*lane.group_ways, *ways}))
            own, contains = {**lane.own, way.family: way.own}, partial(is_on_network, opened, lane.interface)
            lanes[lane.interface] = Lane(lane.interface, group_ways, own, contains)
        return list(lanes.values())

    def _lag_ms(self) -> int:
        return self._daemon.lag.worst_us // 1000

    def _go_on(self) -> None:
        assert self._examination is not None
        now = now_us()
        if now - self._looked_us > _UNWATCHED_US:
            self._examination = None
            return
        self._say(self._examination.tick(now_us=now))
        self._arm()

    def _arm(self) -> None:
        if self._examination is not None and not self._examination.done:
            self._deadline.set(self._examination.deadline_us)

    def _say(self, said: list[Say]) -> None:
        """What fails is no problem of the transport's, which would look whether it still is."""
        failed = self._send(said)
        self._failed.update(failed[: _FAILED_MAX - len(self._failed)])


def _network(lane: Lane) -> JsonObject:
    return {
        "interface": lane.interface,
        "paths": [way.word for way in lane.group_ways],
        "addresses": [endpoint.host for _, endpoint in sorted(lane.own.items())],
    }


def _problem(found: Problem) -> JsonObject:
    kind, endpoint = type(found).__name__, None
    if isinstance(found, Unanswering):
        kind, endpoint = f"Unanswering{'-key' if found.key_id != found.own_key_id else ''}", found.endpoint
    elif isinstance(found, DeafLeader):
        endpoint = found.endpoint
    elif isinstance(found, SharedId):
        endpoint = found.where
    address = "" if endpoint is None else str(endpoint)
    return {"kind": kind, "text": sentences.problem(found), "interface": "", "address": address}
