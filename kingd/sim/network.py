"""A seeded network of bytes on a virtual clock: delay, loss, duplication, reordering, one-way cuts.

Every draw comes from one `random.Random`; deliveries are ordered by (time, sequence), so that one seed reproduces a run exactly.
"""

import heapq
import random
from dataclasses import dataclass, field


@dataclass(slots=True, kw_only=True)
class Weather:
    """How bad the network is. Times in microseconds, rates 0..1."""

    delay_min_us: int = 100
    delay_max_us: int = 2_000
    slow_rate: float = 0.0  # so many datagrams take up to `slow_us`: reordering
    slow_us: int = 50_000
    loss_rate: float = 0.0
    duplicate_rate: float = 0.0


@dataclass(slots=True)
class Network:
    rng: random.Random
    weather: Weather = field(default_factory=Weather)
    cuts: set[tuple[int, int]] = field(default_factory=set)  # (from, to): nothing passes that way
    multicast_cuts: set[tuple[int, int]] = field(default_factory=set)
    unicast_cuts: set[tuple[int, int]] = field(default_factory=set)
    sent: int = 0
    delivered: int = 0
    _queue: list[tuple[int, int, int, int, bool, bytes]] = field(default_factory=list)
    _count: int = 0

    def send(self, data: bytes, *, source: int, target: int, multicast: bool, now_us: int) -> None:
        self.sent += 1
        link = (source, target)
        if link in self.cuts or link in (self.multicast_cuts if multicast else self.unicast_cuts):
            return
        if source == target:
            self._put(data, source, target, multicast, now_us + 1)
            return
        copies = 2 if self.rng.random() < self.weather.duplicate_rate else 1
        for _ in range(copies):
            if self.rng.random() >= self.weather.loss_rate:
                self._put(data, source, target, multicast, now_us + self._delay_us())

    def _delay_us(self) -> int:
        weather = self.weather
        if weather.slow_rate and self.rng.random() < weather.slow_rate:
            return self.rng.randint(weather.delay_max_us, weather.slow_us)
        return self.rng.randint(weather.delay_min_us, weather.delay_max_us)

    def _put(self, data: bytes, source: int, target: int, multicast: bool, at_us: int) -> None:
        self._count += 1
        heapq.heappush(self._queue, (at_us, self._count, source, target, multicast, data))

    @property
    def next_us(self) -> int | None:
        return self._queue[0][0] if self._queue else None

    def pop(self) -> tuple[int, int, bool, bytes]:
        """source, target, multicast, data of the next delivery."""
        _, _, source, target, multicast, data = heapq.heappop(self._queue)
        self.delivered += 1
        return source, target, multicast, data

    def heal(self) -> None:
        self.cuts.clear()
        self.multicast_cuts.clear()
        self.unicast_cuts.clear()
        self.weather = Weather()
