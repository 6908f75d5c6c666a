"""An adversary without the key, for the simulator: it hears all that is said, from the start, and can say it again.

It makes nothing up and changes no byte, for what it says must be signed. What it has recorded it sends whenever it
likes, as often as it likes, to whom it likes, past cuts and losses, over restarts of anybody. It is greedy: when a
host waits for an answer, it gets the recorded ones that would fit, of whatever session; when a host has just started, it gets
what was said to it, and to everybody, before. (Dolev and Yao, 1983; in the simulator secrecy is no matter.)"""

import random
from collections import deque
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field

from kingd.core.wire.message import (
    NOBODY,
    Ack,
    Body,
    Claim,
    Datagram,
    Grant,
    Heartbeat,
    NodeId,
    Offer,
    Ping,
    Pong,
    Probe,
    ProbeAck,
    Ready,
    Refuse,
    Report,
    SessionId,
    Survey,
)

_HEARD_MAX = 4_000
_FITTING_MAX = 8
_AT_A_START = 24
_STRAY_RATE = 0.02  # after so many of what is said something else is said again, to anybody
_DELAYS_US = (50, 500, 5_000, 50_000)

Say = Callable[[int, int, bool, Datagram, int], None]
"""As whom (its index), to whom, whether as a multicast, what, after how many microseconds."""


@dataclass(frozen=True, slots=True)
class Heard:
    speaker: int
    target: int | None  # None: everybody
    datagram: Datagram


@dataclass(slots=True)
class Adversary:
    rng: random.Random
    hosts: int
    say: Say
    spoken: int = 0  # how much it has said
    _heard: deque[Heard] = field(default_factory=lambda: deque(maxlen=_HEARD_MAX))
    _answers: dict[tuple[NodeId, Hashable], deque[Heard]] = field(default_factory=dict)
    _sessions: set[SessionId] = field(default_factory=set)

    def hear(self, speaker: int, target: int | None, datagram: Datagram) -> None:
        """Host `speaker` says this. It may be an answer to keep, and a question to answer."""
        header = datagram.header
        if header.session not in self._sessions:
            self._sessions.add(header.session)
            self._welcome(speaker, header.source)
        heard = Heard(speaker, target, datagram)
        for question in answers(datagram.body):
            kept = self._answers.setdefault((header.destination, question), deque(maxlen=_FITTING_MAX))
            kept.append(heard)
        for question in asks(datagram):
            for fitting in self._answers.get((header.source, question), ()):
                self._again(fitting, speaker)
        if self._heard and self.rng.random() < _STRAY_RATE:
            self._again(self.rng.choice(self._heard), self.rng.randrange(self.hosts))
        self._heard.append(heard)

    def _welcome(self, newcomer: int, node: NodeId) -> None:
        """A session that has heard nothing yet: it gets what earlier ones of its host heard, in the order of then."""
        known = [h for h in self._heard if h.target == newcomer or h.datagram.header.destination in (NOBODY, node)]
        if known:
            first = self.rng.randrange(len(known))
            for heard in known[first : first + _AT_A_START]:
                if heard.speaker != newcomer:
                    self._again(heard, newcomer)

    def _again(self, heard: Heard, target: int) -> None:
        self.spoken += 1
        delay_us = self.rng.choice(_DELAYS_US)
        self.say(heard.speaker, target, heard.datagram.header.multicast, heard.datagram, delay_us)


def asks(datagram: Datagram) -> list[Hashable]:
    """What the sender of this waits for, as `answers` names it."""
    sequence = datagram.header.sequence
    match datagram.body:
        case Heartbeat():
            return [("renewed", sequence), ("heard", sequence)]
        case Pong():
            return [("renewed", sequence), ("heard", sequence)]
        case Claim(term=term):
            return [("judged", term)]
        case Probe(nonce=nonce) | Survey(nonce=nonce):
            return [("echo", nonce)]
        case ProbeAck(nonce=nonce):
            return [("echo", nonce)]
        case Ping(nonce=nonce):
            return [("pong", nonce)]
        case Offer(ballot=ballot):
            return [("ready", ballot)]
        case _:
            return []


def answers(body: Body) -> list[Hashable]:
    """To which questions this would fit."""
    match body:
        case Ack(sequence=sequence):
            return [("renewed", sequence)]
        case Ping(heard=heard):
            return [("heard", heard)] if heard else []
        case Grant(term=term) | Refuse(term=term):
            return [("judged", term)]
        case ProbeAck(echo=echo) | Report(echo=echo):
            return [("echo", echo)]
        case Pong(echo=echo):
            return [("pong", echo)]
        case Ready(ballot=ballot):
            return [("ready", ballot)]
        case _:
            return []
