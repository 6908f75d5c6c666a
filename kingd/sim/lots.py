"""The lots that `options.draw` draws: of each thing in a run, what it may be, and how often."""

import random
from typing import TypeVar

from kingd.core.timing import MS, SECOND
from kingd.sim.host import Clock
from kingd.sim.network import Weather
from kingd.sim.schedule import KINDS

_T = TypeVar("_T")
_AVAILABILITY, _NEVER_BOUGHT = 0.4, 0.05  # so many runs are in availability mode, have a voter that is never there
_NOISY = 0.01  # in so many runs datagrams are damaged
_WAITS_US = (200 * MS, SECOND, 3 * SECOND)
_RATE_PPM_MAX = 10_000  # 1 %: what the leases allow for
_NEW_YEAR_US = 10**12
_SHORT, _MIDDLE = 0.9, 0.98  # so many runs are short, or short and middling


def weighted(rng: random.Random, weights: dict[_T, int]) -> _T:
    return rng.choices(list(weights), list(weights.values()))[0]


def length_s(rng: random.Random) -> float:
    kind = rng.random()
    if kind < _SHORT:
        return rng.uniform(1, 3.5)
    return rng.uniform(3.5, 10) if kind < _MIDDLE else rng.uniform(10, 30)


def priorities(rng: random.Random, count: int) -> tuple[int, ...]:
    kind = rng.randrange(4)
    if kind == 0:
        return (100,) * count
    if kind == 1:
        return tuple(rng.sample(range(1, 201), count))
    return tuple(rng.choice((0, 50, 100, 100, 150)) for _ in range(count))


def voters(rng: random.Random, count: int) -> tuple[str, ...]:
    if rng.random() < _AVAILABILITY:
        return ()
    names = [f"box{i}" for i in range(1, count + 1)]
    if rng.random() < _NEVER_BOUGHT:
        names.append("box0")
    return tuple(sorted(rng.sample(names, rng.choice((min(3, len(names)), len(names), rng.randint(1, len(names)))))))


def preempts(rng: random.Random, count: int) -> tuple[int | None, ...]:
    if rng.random() < 0.6:
        return (0,) * count
    if rng.random() < 0.3:
        return (None,) * count
    return tuple(rng.choice((0, None, rng.choice(_WAITS_US))) for _ in range(count))


def clocks(rng: random.Random, count: int) -> tuple[Clock, ...]:
    if rng.random() < 0.3:
        return (Clock(),) * count
    if rng.random() < 0.3:  # the worst that is allowed for
        return tuple(Clock(rng.randrange(_NEW_YEAR_US), rng.choice((-1, 1)) * _RATE_PPM_MAX) for _ in range(count))
    return tuple(clock(rng) for _ in range(count))


def clock(rng: random.Random) -> Clock:
    return Clock(rng.randrange(_NEW_YEAR_US), rng.randint(-_RATE_PPM_MAX, _RATE_PPM_MAX))


def survivors(rng: random.Random, count: int) -> tuple[int, ...]:
    return tuple(sorted(rng.sample(range(count), rng.choice((count, count, count, rng.randint(1, count))))))


def weather(rng: random.Random, scale: float) -> Weather:
    def sometimes(value: float, chance: float = 0.5) -> float:
        return value if rng.random() < chance else 0.0

    delay_us = max(100, int(rng.choice((200, 1_000, 2_000, 10_000, 20_000)) * scale))
    return Weather(
        delay_min_us=rng.randint(20, delay_us // 2),
        delay_max_us=delay_us,
        slow_rate=round(sometimes(rng.uniform(0, 0.1)), 3),
        slow_us=max(delay_us, int(rng.choice((50 * MS, 200 * MS, SECOND)) * scale)),
        loss_rate=round(sometimes(rng.uniform(0, 0.3)), 3),
        duplicate_rate=round(sometimes(rng.uniform(0, 0.2)), 3),
        replay_rate=round(sometimes(rng.uniform(0, 0.05)), 3),
        noise_rate=round(sometimes(rng.uniform(0, 0.01), _NOISY), 3),
    )


def kinds(rng: random.Random) -> tuple[str, ...]:
    if rng.random() < 0.05:
        return ()
    return tuple(kind for kind in KINDS if rng.random() < 0.35) or ("crash",)
