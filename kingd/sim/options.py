"""What one seed stands for: the cluster, the weather and the faults of a run, drawn at random and printed in full.

Most runs are short and dense, with three to five hosts: twice as many in the same time find as much (docs/evidence.md).
Some are long or large. Times are in proportion to the leader timeout of the profile."""

import random
from dataclasses import dataclass, fields, replace
from enum import StrEnum

from kingd.core.settings import Preempt, Settings
from kingd.core.timing import MS, SECOND, Timing
from kingd.sim import lots
from kingd.sim.cluster import hosts
from kingd.sim.host import Clock
from kingd.sim.network import Weather
from kingd.sim.schedule import AGAIN, FORK, LATE, LOSS, ON_LEADER, RELOAD, TIMING, TOLD, TWO, Fault, plan

_SIZES = {1: 1, 2: 7, 3: 50, 4: 14, 5: 20, 6: 2, 7: 4, 8: 1, 9: 1}
_TIMINGS = {(100, 500): 62, (50, 300): 15, (200, 800): 8, (10, 30): 14, (1000, 5000): 1}  # heartbeat, timeout, in ms
_IN_BYTES = 0.02  # in so many runs datagrams travel as bytes: that costs twice the time
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
    count = lots.weighted(rng, _SIZES)
    heartbeat_ms, leader_timeout_ms = lots.weighted(rng, _TIMINGS)
    scale = max(leader_timeout_ms / _USUAL_MS, 0.3)  # the announcements of a fast profile are not faster
    safety_us = int(lots.length_s(rng) * SECOND * scale)
    weather = lots.weather(rng, min(scale, leader_timeout_ms / _USUAL_MS))
    options = Options(
        seed=seed,
        luck=rng.getrandbits(64),
        heartbeat_ms=heartbeat_ms,
        leader_timeout_ms=leader_timeout_ms,
        priorities=lots.priorities(rng, count),
        voters=lots.voters(rng, count),
        preempts=lots.preempts(rng, count),
        clocks=lots.clocks(rng, count),
        late_start_us=int(rng.choice((0, 0, 200 * MS, SECOND)) * scale),
        weather=weather,
        encodes=weather.noise_rate > 0 or rng.random() < _IN_BYTES,
        safety_us=safety_us,
        survivors=lots.survivors(rng, count),
        mesh_max=rng.choice((32, 32, rng.randint(0, 3))),
        quiet_us=int(rng.choice((SECOND // 2, SECOND // 2, SECOND // 2, 3 * SECOND // 2)) * scale),
        faults=plan(
            rng,
            kinds=lots.kinds(rng),
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
    ranks = zip(names, lots.priorities(rng, count), strict=True)
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
        preempts=lots.preempts(rng, count),
        clocks=lots.clocks(rng, count),
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
        preempts=lots.preempts(rng, count),
        clocks=lots.clocks(rng, count),
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
        priorities=lots.priorities(rng, count),
        preempts=lots.preempts(rng, count),
        clocks=lots.clocks(rng, count),
        survivors=tuple(range(count)),
        voters=tuple(sorted(rng.sample(names, rng.choice((4, 4, 4, min(5, count)))))),
        timings_ms=(rng.choice(SHORT_MS[:2]),) * count,
        safety_us=16 * SECOND,
        faults=(fault,),
    )
