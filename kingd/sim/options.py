"""What one seed stands for: the cluster, the weather and the faults of a run, drawn at random and printed in full.

Most runs are short and dense, with three to five hosts: twice as many in the same time find as much (docs/evidence.md).
Some are long or large. Times are in proportion to the leader timeout of the profile."""

import random
from dataclasses import dataclass, fields, replace
from enum import StrEnum
from typing import TypeVar

from kingd.core.settings import Preempt, Settings
from kingd.core.timing import MS, SECOND, Timing
from kingd.sim.cluster import hosts
from kingd.sim.host import Clock
from kingd.sim.network import Weather
from kingd.sim.schedule import AGAIN, FORK, KINDS, LATE, LOSS, ON_LEADER, RELOAD, TIMING, TOLD, TWO, Fault, plan

_T = TypeVar("_T")
_SIZES = {1: 1, 2: 7, 3: 50, 4: 14, 5: 20, 6: 2, 7: 4, 8: 1, 9: 1}
_TIMINGS = {(100, 500): 62, (50, 300): 15, (200, 800): 8, (10, 30): 14, (1000, 5000): 1}  # heartbeat, timeout, in ms
_AVAILABILITY, _NEVER_BOUGHT = 0.4, 0.05  # so many runs are in availability mode, have a voter that is never there
_IN_BYTES, _NOISY = 0.02, 0.01  # in so many runs datagrams travel as bytes, and are damaged: that costs twice the time
_EAVESDROPPED = 0.3
_WITH_ADVERSARY = (
    *ON_LEADER,
    "crash",
    "kill",
    "amnesia",
    "pause",
    "partition",
    "deaf",
    "unicast_cut",
    "voters",
    "stop",
)
_MIXED = 0.1
_LED_BY_VOTERS = 0.5
_TOLD = 0.1
_FORKING = 0.1
_WITHOUT_LOSSES = 0.5  # so many of these are what they were before there were such faults
TIMINGS_MIXED = ((100, 500), (10, 30), (200, 1500), (1000, 5000))
SHORT_MS = ((10, 30), (100, 500), (200, 1500))
_WITH_MIXED = (TIMING, *ON_LEADER, "crash", "deaf", "mute", "voters")
_USUAL_MS = 500
_WAITS_US = (200 * MS, SECOND, 3 * SECOND)
_RATE_PPM_MAX = 10_000  # 1 %: what the leases allow for
_NEW_YEAR_US = 10**12
_SHORT, _MIDDLE = 0.9, 0.98  # so many runs are short, or short and middling


class Mode(StrEnum):
    AVAILABILITY = "availability"
    QUORUM = "quorum"
    ADVERSARY = "adversary"  # either of these, with somebody who has heard all
    MIXED = "mixed"  # quorum mode, where the hosts' timing differs


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    seed: int
    luck: int  # seed of all that is left to chance in the run: the network, ids, waiting times
    heartbeat_ms: int
    leader_timeout_ms: int
    priorities: tuple[int, ...]
    voters: tuple[str, ...]  # of the hosts and of one that does not exist; () = availability mode
    preempts: tuple[int | None, ...]  # microseconds to wait; None: never
    clocks: tuple[Clock, ...]
    late_start_us: int  # hosts start within so long
    weather: Weather
    encodes: bool  # datagrams travel as bytes
    safety_us: int
    survivors: tuple[int, ...]  # who takes part in the second phase; the others are off
    mesh_max: int  # more members than these are a large cluster
    quiet_us: int  # nothing changes for so long at the end
    absent: tuple[int, ...] = ()  # hosts that never start: shrinking sends them home
    adversary: bool = False  # somebody hears all, and says it again
    timings_ms: tuple[tuple[int, int], ...] = ()  # of each host, where they differ: no agreement is promised then
    faults: tuple[Fault, ...] = ()

    @property
    def timing(self) -> Timing:
        return timing(self.heartbeat_ms, self.leader_timeout_ms)

    @property
    def mode(self) -> Mode:
        return Mode.QUORUM if self.voters else Mode.AVAILABILITY

    def is_of(self, mode: Mode) -> bool:
        match mode:
            case Mode.ADVERSARY:
                return self.adversary
            case Mode.MIXED:
                return bool(self.timings_ms)
            case _:
                return mode is self.mode

    @property
    def preempts_always(self) -> bool:
        return all(wait_us == 0 for wait_us in self.preempts)

    def settings(self) -> list[Settings]:
        return [
            replace(
                plain,
                preempt=Preempt(enabled=wait_us is not None, wait_us=wait_us or 0),
                timing=timing(*self.timings_ms[i]) if self.timings_ms else self.timing,
                voters=self.voters,
                mesh_max=self.mesh_max,
            )
            for i, (plain, wait_us) in enumerate(zip(hosts(*self.priorities), self.preempts, strict=True))
        ]

    def __str__(self) -> str:
        return "\n".join(
            f"  {field.name:18} {getattr(self, field.name)}" for field in fields(self) if field.name != "faults"
        )


def draw(seed: int) -> Options:
    rng = random.Random(seed)
    count = _weighted(rng, _SIZES)
    heartbeat_ms, leader_timeout_ms = _weighted(rng, _TIMINGS)
    scale = max(leader_timeout_ms / _USUAL_MS, 0.3)  # the announcements of a fast profile are not faster
    safety_us = int(_length_s(rng) * SECOND * scale)
    weather = _weather(rng, min(scale, leader_timeout_ms / _USUAL_MS))
    options = Options(
        seed=seed,
        luck=rng.getrandbits(64),
        heartbeat_ms=heartbeat_ms,
        leader_timeout_ms=leader_timeout_ms,
        priorities=_priorities(rng, count),
        voters=_voters(rng, count),
        preempts=_preempts(rng, count),
        clocks=_clocks(rng, count),
        late_start_us=int(rng.choice((0, 0, 200 * MS, SECOND)) * scale),
        weather=weather,
        encodes=weather.noise_rate > 0 or rng.random() < _IN_BYTES,
        safety_us=safety_us,
        survivors=_survivors(rng, count),
        mesh_max=rng.choice((32, 32, rng.randint(0, 3))),
        quiet_us=int(rng.choice((SECOND // 2, SECOND // 2, SECOND // 2, 3 * SECOND // 2)) * scale),
        faults=plan(
            rng,
            kinds=_kinds(rng),
            hosts=count,
            until_us=safety_us,
            every_us=int(10 ** rng.uniform(4.3, 5.7) * scale),  # 20 .. 500 ms
            lasts_us=int(10 ** rng.uniform(4.6, 6.2) * scale),  # 40 ms .. 1.6 s
        ),
    )
    options = _mixed(_eavesdropped(options))
    # Replayed in the second phase it would depose again.
    if any(fault.kind == "false_obituary" for fault in options.faults):
        return replace(options, weather=replace(weather, replay_rate=0.0))
    return options


def may_be_of(mode: Mode, seed: int) -> bool:
    """False: what `draw` makes of this seed is not of that mode. It takes a tenth of the time, and most seeds are not."""
    match mode:
        case Mode.ADVERSARY:
            return _luck_of(mode, seed).random() < _EAVESDROPPED
        case Mode.MIXED:
            return _luck_of(mode, seed).random() < _MIXED
        case _:
            return True


def _luck_of(mode: Mode, seed: int) -> random.Random:
    return random.Random(f"{'timing' if mode is Mode.MIXED else mode} {seed}")


def _eavesdropped(options: Options) -> Options:
    """Some runs have an adversary. It needs leaders that come and go, and come back: fewer faults, and more time. Drawn from
    luck of its own, so that all other seeds stay what they were."""
    rng = _luck_of(Mode.ADVERSARY, options.seed)
    if rng.random() >= _EAVESDROPPED:
        return options
    scale = max(options.leader_timeout_ms / _USUAL_MS, 0.3)
    safety_us = int(rng.uniform(6, 12) * SECOND * scale)
    faults = plan(
        rng,
        kinds=tuple(kind for kind in _WITH_ADVERSARY if rng.random() < 0.6) or ("crash",),
        hosts=len(options.priorities),
        until_us=safety_us,
        every_us=int(rng.uniform(0.3, 1.2) * SECOND * scale),
        lasts_us=int(rng.uniform(0.3, 1.5) * SECOND * scale),
    )
    return replace(options, adversary=True, safety_us=safety_us, faults=faults)


def timing(heartbeat_ms: int, leader_timeout_ms: int) -> Timing:
    return Timing(heartbeat_us=heartbeat_ms * MS, leader_timeout_us=leader_timeout_ms * MS)


def _mixed(options: Options) -> Options:
    """In some runs in quorum mode hosts have different timing, and change it; some lose their state. The first of them has a
    long lease more often than not."""
    rng = _luck_of(Mode.MIXED, options.seed)
    if not options.voters or rng.random() >= _MIXED:
        return options
    forks = random.Random(f"forks {options.seed}")
    if forks.random() < _FORKING:
        return _forking(options, forks)
    losses = random.Random(f"losses {options.seed}")
    if losses.random() >= _WITHOUT_LOSSES:
        told = random.Random(f"told {options.seed}")
        return _telling(options, told) if told.random() < _TOLD else _losing(options, losses)
    timings = tuple(rng.choice(TIMINGS_MIXED) for _ in options.priorities)
    faults = plan(
        rng,
        kinds=(LOSS, *(kind for kind in _WITH_MIXED if rng.random() < 0.4)),
        hosts=len(timings),
        until_us=(safety_us := int(rng.uniform(8, 24) * SECOND)),
        every_us=int(rng.uniform(0.5, 3) * SECOND),
        lasts_us=int(rng.uniform(0.2, 8) * SECOND),
    )
    return replace(options, timings_ms=timings, safety_us=safety_us, faults=faults)


def _losing(options: Options, rng: random.Random) -> Options:
    """Voters lose their state one after the other. They start with short leases, and are enough for two of them to lose it.
    Where who does not vote leads, all votes are those of others."""
    count = rng.choice((4, 5, 5, 5, 6))
    names = [f"box{i}" for i in range(1, count + 1)]
    voters = sorted(rng.sample(names, rng.choice((3, min(5, count), min(5, count)))))
    best = names if rng.random() < _LED_BY_VOTERS else voters
    ranks = zip(names, _priorities(rng, count), strict=True)
    faults = plan(
        rng,
        kinds=(RELOAD, TWO, AGAIN, LATE, *(kind for kind in (TIMING, "crash") if rng.random() < 0.2)),
        hosts=count,
        until_us=(safety_us := int(rng.uniform(8, 20) * SECOND)),
        every_us=4 * SECOND,
        lasts_us=2 * SECOND,
    )
    return replace(
        options,
        priorities=tuple(rank if name in best else 200 for name, rank in ranks),
        preempts=_preempts(rng, count),
        clocks=_clocks(rng, count),
        survivors=tuple(range(count)),
        voters=tuple(voters),
        timings_ms=tuple(rng.choice(SHORT_MS[1:]) for _ in range(count)),
        safety_us=safety_us,
        faults=faults,
    )


def _telling(options: Options, rng: random.Random) -> Options:
    """The same, once, of five voters: who leads is none of them, and they claim nothing, so that no term rises meanwhile."""
    count = 6
    names = rng.sample([f"box{i}" for i in range(1, count + 1)], 5)
    fault = Fault(
        at_us=rng.randint(5 * SECOND, 7 * SECOND),
        kind=TOLD,
        host=0,
        lasts_us=rng.randint(10 * MS, 2 * SECOND),
        luck=rng.getrandbits(32),
    )
    return replace(
        options,
        priorities=tuple(0 if f"box{i}" in names else 200 for i in range(1, count + 1)),
        preempts=_preempts(rng, count),
        clocks=_clocks(rng, count),
        survivors=tuple(range(count)),
        voters=tuple(sorted(names)),
        timings_ms=tuple(rng.choice(SHORT_MS[1:]) for _ in range(count)),
        safety_us=25 * SECOND,
        faults=(fault,),
    )


def _forking(options: Options, rng: random.Random) -> Options:
    """An operator whose lists fork, once. Of four voters majorities of two such lists may share nobody."""
    count = rng.choice((4, 4, 5, 6))
    names = [f"box{i}" for i in range(1, count + 1)]
    fault = Fault(
        at_us=rng.randint(3 * SECOND, 5 * SECOND),
        kind=FORK,
        host=0,
        lasts_us=rng.randint(10 * MS, 2 * SECOND),
        luck=rng.getrandbits(32),
    )
    return replace(
        options,
        priorities=_priorities(rng, count),
        preempts=_preempts(rng, count),
        clocks=_clocks(rng, count),
        survivors=tuple(range(count)),
        voters=tuple(sorted(rng.sample(names, rng.choice((4, 4, 4, min(5, count)))))),
        timings_ms=(rng.choice(SHORT_MS[:2]),) * count,
        safety_us=16 * SECOND,
        faults=(fault,),
    )


def _weighted(rng: random.Random, weights: dict[_T, int]) -> _T:
    return rng.choices(list(weights), list(weights.values()))[0]


def _length_s(rng: random.Random) -> float:
    kind = rng.random()
    if kind < _SHORT:
        return rng.uniform(1, 3.5)
    return rng.uniform(3.5, 10) if kind < _MIDDLE else rng.uniform(10, 30)


def _priorities(rng: random.Random, count: int) -> tuple[int, ...]:
    kind = rng.randrange(4)
    if kind == 0:
        return (100,) * count
    if kind == 1:
        return tuple(rng.sample(range(1, 201), count))
    return tuple(rng.choice((0, 50, 100, 100, 150)) for _ in range(count))


def _voters(rng: random.Random, count: int) -> tuple[str, ...]:
    if rng.random() < _AVAILABILITY:
        return ()
    names = [f"box{i}" for i in range(1, count + 1)]
    if rng.random() < _NEVER_BOUGHT:
        names.append("box0")
    return tuple(sorted(rng.sample(names, rng.choice((min(3, len(names)), len(names), rng.randint(1, len(names)))))))


def _preempts(rng: random.Random, count: int) -> tuple[int | None, ...]:
    if rng.random() < 0.6:
        return (0,) * count
    if rng.random() < 0.3:
        return (None,) * count
    return tuple(rng.choice((0, None, rng.choice(_WAITS_US))) for _ in range(count))


def _clocks(rng: random.Random, count: int) -> tuple[Clock, ...]:
    if rng.random() < 0.3:
        return (Clock(),) * count
    if rng.random() < 0.3:  # the worst that is allowed for
        return tuple(Clock(rng.randrange(_NEW_YEAR_US), rng.choice((-1, 1)) * _RATE_PPM_MAX) for _ in range(count))
    return tuple(clock(rng) for _ in range(count))


def clock(rng: random.Random) -> Clock:
    return Clock(rng.randrange(_NEW_YEAR_US), rng.randint(-_RATE_PPM_MAX, _RATE_PPM_MAX))


def _survivors(rng: random.Random, count: int) -> tuple[int, ...]:
    return tuple(sorted(rng.sample(range(count), rng.choice((count, count, count, rng.randint(1, count))))))


def _weather(rng: random.Random, scale: float) -> Weather:
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


def _kinds(rng: random.Random) -> tuple[str, ...]:
    if rng.random() < 0.05:
        return ()
    return tuple(kind for kind in KINDS if rng.random() < 0.35) or ("crash",)
