"""A seeded network on a virtual clock: delay, loss, duplication, replay, reordering, noise, clogs, one-way cuts.

It carries bytes, or the datagrams themselves where a run is not about the codec. Every draw comes from one
`random.Random`; deliveries are ordered by (time, sequence), so that one seed reproduces a run exactly."""

import heapq
import random
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from kingd.core.wire.message import Datagram

Payload = Datagram | bytes
Link = tuple[int, int]  # from, to
# When it arrives, its number, source, target, multicast, data, and those of the same multicast that arrive later (the next
# one last), or None: however many get a multicast, it takes one place in the queue.
_Delivery = tuple[int, int, int, int, bool, Payload, list[Any] | None]


@dataclass(slots=True, kw_only=True)
class Weather:
    """How bad the network is. Times in microseconds, rates 0..1."""

    delay_min_us: int = 100
    delay_max_us: int = 2_000
    slow_rate: float = 0.0  # so many datagrams take up to `slow_us`: reordering
    slow_us: int = 50_000
    loss_rate: float = 0.0
    duplicate_rate: float = 0.0
    replay_rate: float = 0.0  # so many come once more, up to `replay_us` later
    replay_us: int = 10_000_000
    noise_rate: float = 0.0  # so many arrive with one bit flipped; bytes only


@dataclass(slots=True)
class Network:
    rng: random.Random
    weather: Weather = field(default_factory=Weather)
    cuts: set[Link] = field(default_factory=set)  # nothing passes that way
    multicast_cuts: set[Link] = field(default_factory=set)
    unicast_cuts: set[Link] = field(default_factory=set)
    clogs: dict[Link, int] = field(default_factory=dict)  # what is sent that way arrives, in a burst, not before
    unplugged: set[int] = field(default_factory=set)  # hosts whose cable is out
    sent: int = 0
    delivered: int = 0
    _queue: list[_Delivery] = field(default_factory=list)
    _count: int = 0

    def passes(self, source: int, target: int, *, multicast: bool) -> bool:
        link = (source, target)
        cuts = self.multicast_cuts if multicast else self.unicast_cuts
        return (
            link not in self.cuts and link not in cuts and source not in self.unplugged and target not in self.unplugged
        )

    def send(self, data: Payload, *, source: int, target: int, multicast: bool, now_us: int) -> None:
        deliveries: list[_Delivery] = []
        self._deliver(data, source, target, multicast, now_us, deliveries, None)
        for delivery in deliveries:
            heapq.heappush(self._queue, delivery)

    def put(self, data: Payload, *, source: int, target: int, multicast: bool, at_us: int) -> None:
        """Arrives at that time, whatever is cut: somebody is there who says it."""
        self.sent += 1
        self._count += 1
        heapq.heappush(self._queue, (at_us, self._count, source, target, multicast, data, None))

    def multicast(self, data: Payload, *, source: int, targets: Iterable[int], now_us: int) -> None:
        deliveries: list[_Delivery] = []
        for target in targets:
            self._deliver(data, source, target, True, now_us, deliveries, deliveries)
        deliveries.sort(reverse=True)
        if deliveries:
            heapq.heappush(self._queue, deliveries.pop())

    def _deliver(
        self,
        data: Payload,
        source: int,
        target: int,
        multicast: bool,
        now_us: int,
        deliveries: list[_Delivery],
        others: list[_Delivery] | None,
    ) -> None:
        """Append what arrives at `target`: nothing, one, or more than one."""
        self.sent += 1
        if source == target:
            self._count += 1
            deliveries.append((now_us + 1, self._count, source, target, multicast, data, others))
            return
        if not self.passes(source, target, multicast=multicast):
            return
        weather, chance = self.weather, self.rng.random
        for _ in range(2 if weather.duplicate_rate and chance() < weather.duplicate_rate else 1):
            if not weather.loss_rate or chance() >= weather.loss_rate:
                seen = self._flip(data) if weather.noise_rate and chance() < weather.noise_rate else data
                at_us = now_us + self._delay_us()
                if self.clogs:
                    at_us = max(at_us, self.clogs.get((source, target), 0))
                self._count += 1
                deliveries.append((at_us, self._count, source, target, multicast, seen, others))
        if weather.replay_rate and chance() < weather.replay_rate:
            at_us = now_us + self.rng.randint(weather.delay_max_us, weather.replay_us)
            self._count += 1
            deliveries.append((at_us, self._count, source, target, multicast, data, others))

    def _delay_us(self) -> int:
        weather = self.weather
        if weather.slow_rate and self.rng.random() < weather.slow_rate:
            return self.rng.randint(weather.delay_max_us, weather.slow_us)
        low_us = weather.delay_min_us  # not randint: this is called for every datagram of every run
        return low_us + int(self.rng.random() * (weather.delay_max_us - low_us + 1))

    def _flip(self, data: Payload) -> Payload:
        assert isinstance(data, bytes)
        bit = self.rng.randrange(len(data) * 8)
        damaged = bytearray(data)
        damaged[bit // 8] ^= 1 << bit % 8
        return bytes(damaged)

    @property
    def next_us(self) -> int | None:
        return self._queue[0][0] if self._queue else None

    def pop(self) -> tuple[int, int, bool, Payload]:
        """source, target, multicast, data of the next delivery."""
        _, _, source, target, multicast, data, others = self._queue[0]
        if others:
            heapq.heapreplace(self._queue, others.pop())
        else:
            heapq.heappop(self._queue)
        self.delivered += 1
        return source, target, multicast, data

    def heal(self) -> None:
        """Every link works, from now on. What was sent before may still be late, or come twice."""
        self.cuts.clear()
        self.multicast_cuts.clear()
        self.unicast_cuts.clear()
        self.clogs.clear()
        self.unplugged.clear()
        self.weather = Weather()
