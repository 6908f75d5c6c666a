"""What members ask each other beside the election: one way in, one way out, one budget, for all who answer. docs/aside.md.

Runs on the election's sockets, and by no rule of it: these datagrams never reach the core."""

import random
from typing import Protocol

from kingd.aside.budget import Budget
from kingd.aside.voice import Say, Voice
from kingd.core.wire.aside import Aside
from kingd.core.wire.codec import encode
from kingd.core.wire.endpoint import Endpoint
from kingd.core.wire.message import Header
from kingd.core.wire.past import Events, Recall
from kingd.core.wire.seal import Seal
from kingd.core.wire.trial import Echo, Trial, Way
from kingd.daemon import doctor
from kingd.daemon.historian import Historian
from kingd.daemon.news import News
from kingd.daemon.refusals import Refusals
from kingd.daemon.traffic import Traffic
from kingd.loop import Loop
from kingd.net.problems import Operation
from kingd.net.transport import Transport


class Daemon(doctor.Daemon, Protocol):
    """What of the runtime it needs, for itself, the doctor and the historian."""

    news: News
    traffic: Traffic
    refusals: Refusals

    @property
    def seal(self) -> Seal: ...


class Asides:
    def __init__(self, daemon: Daemon, loop: Loop, transport: Transport, *, rng: random.Random) -> None:
        self._daemon = daemon
        self._known = daemon.core.acquaintance
        self._transport = transport
        voice, budget = Voice(self._known), Budget()
        self.doctor = doctor.Doctor(daemon, loop, transport, voice=voice, budget=budget, say=self._say, rng=rng)
        self.historian = Historian(daemon.core, daemon.news, loop, voice=voice, budget=budget, say=self._say, rng=rng)

    def take(self, header: Header, body: Aside, source: Endpoint) -> None:
        self._daemon.traffic.received(body)
        if header.source == self._known.id:
            return  # what goes to a group comes back
        if not self._known.is_members(header) or not self._hand_over(header, body, source):
            self._daemon.refusals.count("aside")

    def _hand_over(self, header: Header, body: Aside, source: Endpoint) -> bool:
        """Whether its sender may ask so, or was asked."""
        match body:
            case Trial() | Echo():
                return self.doctor.take(header, body, source)
            case Recall() | Events():
                return self.historian.take(header, body)

    def _say(self, said: list[Say]) -> list[doctor.Failure]:
        failed: list[doctor.Failure] = []
        for each in said:
            self._daemon.traffic.sends(each.datagram.body, each.to)
            data = encode(each.datagram, self._daemon.seal)
            to = each.to or Endpoint("", 0, each.interface)
            operation = _OPERATIONS.get(each.way, Operation.UNICAST)
            if error := self._transport.attempt(data, to, each.way.family, operation):
                failed.append((operation, error, each.interface))
        return failed


_OPERATIONS = {Way.MC4: Operation.MULTICAST, Way.MC6: Operation.MULTICAST, Way.BC4: Operation.BROADCAST}
