"""Many seeds on all processors: their results as they come, and what they add up to."""

import signal
import time
from collections import Counter
from collections.abc import Generator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from itertools import islice

from kingd.sim.options import Mode, draw, may_be_of
from kingd.sim.outcome import Outcome
from kingd.sim.swarm import Result, run

_CHUNK = 50
_AHEAD = 4  # chunks that wait for each process


def one(seed: int) -> Result:
    return run(draw(seed))


def _chunk(seeds: range, mode: Mode | None, keeps_going: bool) -> list[Result]:
    """Up to the first that fails, where nobody wants to wait for the rest."""
    found = []
    for seed in seeds:
        if mode is not None and not may_be_of(mode, seed):
            continue
        options = draw(seed)
        if mode is None or options.is_of(mode):
            found.append(run(options))
            if found[-1].outcome and not keeps_going:
                break
    return found


def results(
    seeds: range, *, jobs: int, mode: Mode | None = None, keeps_going: bool = False
) -> Generator[Result, None, None]:
    """In the order of the seeds; with a mode only of those that have drawn it."""
    chunks = (seeds[at : at + _CHUNK] for at in range(0, len(seeds), _CHUNK))
    if jobs <= 1:
        for chunk in chunks:
            yield from _chunk(chunk, mode, keeps_going)
        return
    with ProcessPoolExecutor(jobs, initializer=_leave_interrupts_to_the_parent) as pool:
        try:
            waiting = [pool.submit(_chunk, chunk, mode, keeps_going) for chunk in islice(chunks, jobs * _AHEAD)]
            while waiting:
                found = waiting.pop(0).result()
                waiting.extend(pool.submit(_chunk, chunk, mode, keeps_going) for chunk in islice(chunks, 1))
                yield from found
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _leave_interrupts_to_the_parent() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)


@dataclass
class Totals:
    count: Counter[Outcome] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    agreed_us: list[int] = field(default_factory=list)
    virtual_ms: Counter[int] = field(default_factory=Counter)  # of one schedule -> how many had that; and so on
    entries: Counter[int] = field(default_factory=Counter)
    broken: Counter[int] = field(default_factory=Counter)
    datagrams: int = 0
    leaders: int = 0
    began_s: float = field(default_factory=time.monotonic)

    def add(self, result: Result) -> None:
        self.count[result.outcome] += 1
        self.faults.update(result.faults)
        if result.outcome is Outcome.OK:
            self.agreed_us.append(result.agreed_us)
        self.virtual_ms[result.virtual_us // 1000] += 1
        self.entries[result.entries] += 1
        self.broken[sum(result.faults.values())] += 1
        self.datagrams += result.datagrams
        self.leaders += result.leader_changes

    @property
    def worst(self) -> Outcome:
        """A crash before an invariant before no agreement."""
        return min((outcome for outcome in self.count if outcome), default=Outcome.OK)

    @property
    def seeds(self) -> int:
        return self.count.total()

    @property
    def seeds_per_s(self) -> float:
        return self.seeds / max(time.monotonic() - self.began_s, 1e-9)

    def __str__(self) -> str:
        took_s = time.monotonic() - self.began_s
        agreed = sorted(self.agreed_us) or [0]
        median, p99 = (agreed[len(agreed) * part // 100] / 1e6 for part in (50, 99))
        outcomes = ", ".join(f"{self.count[o]} {o.name.lower()}" for o in Outcome if self.count[o])
        return (
            f"{self.seeds} seeds in {took_s:.1f} s ({self.seeds_per_s:.1f} a second): {outcomes}\n"
            f"{_sum(self.virtual_ms) / 1e3:.0f} virtual s, {_sum(self.entries)} steps checked, {self.datagrams} datagrams, "
            f"{self.leaders} elections won\n"
            f"a schedule: median {_median(self.virtual_ms) / 1e3:.1f} virtual s, {_median(self.entries)} steps, "
            f"{_median(self.broken)} faults\n"
            f"faults: {self.faults.total()}: {', '.join(f'{kind} {n}' for kind, n in sorted(self.faults.items()))}\n"
            f"agreed after the heal: median {median:.2f} s, p99 {p99:.2f} s, max {agreed[-1] / 1e6:.2f} s"
        )


def _sum(count: Counter[int]) -> int:
    return sum(value * times for value, times in count.items())


def _median(count: Counter[int]) -> int:
    left = count.total() // 2
    for value in sorted(count):
        left -= count[value]
        if left < 0:
            return value
    return 0
