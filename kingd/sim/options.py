"""What one seed stands for: the cluster, the weather and the faults of a run, drawn at random and printed in full.

Swarm testing: each run has only some of the faults, in its own mixture, because a run with all of them rarely gets
anywhere."""

import random
from dataclasses import dataclass, fields, replace

from kingd.core.settings import Preempt, Settings
from kingd.core.timing import MS, SECOND, Timing
from kingd.sim.cluster import hosts
from kingd.sim.network import Weather

FAULTS = (
    "crash",  # the process dies, and its guardian with it; it comes back with its disk
    "kill",  # the same, and its guardian sends the obituary
    "false_obituary",  # of a session that lives
    "amnesia",  # the same, without: another node id
    "pause",  # SIGSTOP, or a host that does not get to run
    "stutter",  # short pauses, many hosts
    "partition",  # in two or three
    "one_way",  # one link, one direction
    "deaf",  # hears nobody
    "mute",  # heard by nobody
    "multicast_cut",  # a link passes no multicast
    "unicast_cut",  # a link passes no unicast
    "priority",
    "stop",  # planned, and started again later
    "step_down",
    "unplug",  # no network interface is usable
    "disk",  # takes seconds
    "renumber",  # its port changes
    "survey",
)
_TIMINGS = ((100, 500), (100, 500), (100, 500), (100, 500), (50, 300), (200, 800))
_WAITS_US = (200 * MS, SECOND, 3 * SECOND)


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    seed: int
    heartbeat_ms: int
    leader_timeout_ms: int
    priorities: tuple[int, ...]
    preempts: tuple[int | None, ...]  # microseconds to wait; None: never
    late_start_us: int  # hosts start within so long
    weather: Weather
    faults: tuple[tuple[str, float], ...]  # kind, weight
    fault_every_us: int
    fault_lasts_us: int
    safety_us: int
    survivors: int  # so many hosts take part in the second phase; the others are off
    mesh_max: int  # more members than these are a large cluster

    @property
    def timing(self) -> Timing:
        return Timing(heartbeat_us=self.heartbeat_ms * MS, leader_timeout_us=self.leader_timeout_ms * MS)

    @property
    def preempts_always(self) -> bool:
        return all(wait_us == 0 for wait_us in self.preempts)

    def settings(self) -> list[Settings]:
        return [
            Settings(
                cluster=plain.cluster,
                name=plain.name,
                version=plain.version,
                priority=plain.priority,
                preempt=Preempt(enabled=wait_us is not None, wait_us=wait_us or 0),
                timing=self.timing,
                mesh_max=self.mesh_max,
            )
            for plain, wait_us in zip(hosts(*self.priorities), self.preempts, strict=True)
        ]

    def __str__(self) -> str:
        return "\n".join(f"  {field.name:18} {getattr(self, field.name)}" for field in fields(self))


def draw(seed: int) -> Options:
    rng = random.Random(seed)
    count = rng.randint(3, 7)
    heartbeat_ms, leader_timeout_ms = rng.choice(_TIMINGS)
    options = Options(
        seed=seed,
        heartbeat_ms=heartbeat_ms,
        leader_timeout_ms=leader_timeout_ms,
        priorities=_priorities(rng, count),
        preempts=_preempts(rng, count),
        late_start_us=rng.choice((0, 0, 200 * MS, 3 * SECOND)),
        weather=_weather(rng),
        faults=_faults(rng),
        fault_every_us=int(10 ** rng.uniform(4.7, 6.3)),  # 50 ms .. 2 s
        fault_lasts_us=int(10 ** rng.uniform(5, 6.7)),  # 0.1 .. 5 s
        safety_us=rng.randint(3, 12) * SECOND,
        survivors=rng.choice((count, count, count, rng.randint(1, count))),
        mesh_max=rng.choice((32, 32, rng.randint(0, 3))),
    )
    if "false_obituary" in dict(options.faults):  # one that is replayed in the second phase would depose again
        return replace(options, weather=replace(options.weather, replay_rate=0.0))
    return options


def _priorities(rng: random.Random, count: int) -> tuple[int, ...]:
    kind = rng.randrange(4)
    if kind == 0:
        return (100,) * count
    if kind == 1:
        return tuple(rng.sample(range(1, 201), count))
    return tuple(rng.choice((0, 50, 100, 100, 150)) for _ in range(count))


def _preempts(rng: random.Random, count: int) -> tuple[int | None, ...]:
    if rng.random() < 0.6:
        return (0,) * count
    if rng.random() < 0.3:
        return (None,) * count
    return tuple(rng.choice((0, None, rng.choice(_WAITS_US))) for _ in range(count))


def _weather(rng: random.Random) -> Weather:
    def sometimes(value: float, chance: float = 0.5) -> float:
        return value if rng.random() < chance else 0.0

    delay_us = rng.choice((200, 1_000, 2_000, 10_000, 20_000))
    return Weather(
        delay_min_us=rng.randint(20, delay_us // 2),
        delay_max_us=delay_us,
        slow_rate=round(sometimes(rng.uniform(0, 0.1)), 3),
        slow_us=rng.choice((50 * MS, 200 * MS, SECOND)),
        loss_rate=round(sometimes(rng.uniform(0, 0.3)), 3),
        duplicate_rate=round(sometimes(rng.uniform(0, 0.2)), 3),
        replay_rate=round(sometimes(rng.uniform(0, 0.05)), 3),
        noise_rate=round(sometimes(rng.uniform(0, 0.01), 0.2), 3),
    )


def _faults(rng: random.Random) -> tuple[tuple[str, float], ...]:
    if rng.random() < 0.05:
        return ()
    chosen = [kind for kind in FAULTS if rng.random() < 0.4] or ["crash"]
    return tuple((kind, round(rng.uniform(0.1, 1), 2)) for kind in chosen)
