"""A failing seed made small: fewer faults, fewer hosts, better weather, less time, and the same invariant still falls.

A `Cut` says what of a drawn run is left, as arguments of the command that replays it. Delta debugging (Zeller, 2002)
over the faults; the rest is tried one by one. Less of a schedule changes what chance does with the rest, so that
each candidate gets a few tries with other luck."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from kingd.sim.host import Clock
from kingd.sim.network import Weather
from kingd.sim.options import Options, draw
from kingd.sim.swarm import run

_LUCKS = 3  # tries of each candidate
_FRACTIONS = (0.25, 0.5, 0.75, 0.9)


def _in_weather(change: Callable[[Weather], Weather]) -> Callable[[Options], Options]:
    return lambda options: replace(options, weather=change(options.weather))


PLAIN: dict[str, Callable[[Options], Options]] = {
    "clocks": lambda options: replace(options, clocks=(Clock(),) * len(options.clocks)),
    "start": lambda options: replace(options, late_start_us=0),
    "delay": _in_weather(lambda weather: replace(weather, delay_min_us=100, delay_max_us=200)),
    "slow": _in_weather(lambda weather: replace(weather, slow_rate=0.0)),
    "loss": _in_weather(lambda weather: replace(weather, loss_rate=0.0)),
    "duplicate": _in_weather(lambda weather: replace(weather, duplicate_rate=0.0)),
    "replay": _in_weather(lambda weather: replace(weather, replay_rate=0.0)),
    "noise": _in_weather(lambda weather: replace(weather, noise_rate=0.0)),
    "bytes": lambda options: replace(options, encodes=False) if not options.weather.noise_rate else options,
    "preempt": lambda options: replace(options, preempts=(0,) * len(options.preempts)),
}
"""What can be made plain, by name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    keep: tuple[int, ...] | None = None  # numbers of the faults that are left; None: all
    absent: tuple[int, ...] = ()  # hosts that never start
    plain: tuple[str, ...] = ()
    luck: int = 0  # 0: as drawn
    until_ms: int | None = None  # of the first phase

    def of(self, options: Options) -> Options:
        for name in self.plain:
            options = PLAIN[name](options)
        faults = options.faults
        return replace(
            options,
            faults=faults if self.keep is None else tuple(faults[i] for i in self.keep),
            absent=self.absent,
            luck=options.luck + self.luck,
            safety_us=options.safety_us if self.until_ms is None else self.until_ms * 1000,
        )

    def arguments(self) -> str:
        """Of the command line, to replay it."""
        words = {
            "--keep": None if self.keep is None else _joined(self.keep) or "none",
            "--absent": _joined(i + 1 for i in self.absent),
            "--plain": _joined(self.plain),
            "--luck": self.luck,
            "--until-ms": self.until_ms,
        }
        return "".join(f" {name} {value}" for name, value in words.items() if value)


def _joined(values: object) -> str:
    assert hasattr(values, "__iter__")
    return ",".join(map(str, values))


class Shrinker:
    """`smaller` is called with each cut that still fails."""

    def __init__(self, seed: int, *, runs_max: int, smaller: Callable[[Cut], None]) -> None:
        self.options = draw(seed)
        self.cut = Cut()
        self.result = run(self.options)
        self.runs = 1
        self._runs_max = runs_max
        self._smaller = smaller
        self._verdict = self.result.verdict

    def shrink(self) -> None:
        """Until nothing more can go, or the runs are used up."""
        if not self.result.outcome:
            return
        before = None
        while before != self.cut and self.runs < self._runs_max:
            before = self.cut
            self._shrink_faults()
            for candidate in self._others():
                self._try(candidate)

    def _shrink_faults(self) -> None:
        """Leave out ever smaller parts, as long as it fails without them."""
        kept = self._kept()
        parts = 2
        while kept and self.runs < self._runs_max:
            size = -(-len(kept) // parts)
            for at in range(0, len(kept), size):
                if self._try(replace(self.cut, keep=kept[:at] + kept[at + size :])):
                    parts = max(parts - 1, 2)
                    break
            else:
                if size == 1:
                    return
                parts = min(2 * parts, len(kept))
            kept = self._kept()

    def _kept(self) -> tuple[int, ...]:
        return tuple(range(len(self.options.faults))) if self.cut.keep is None else self.cut.keep

    def _others(self) -> Iterator[Cut]:
        """One more thing less, each of what is the smallest yet."""
        for host in range(len(self.options.priorities)):
            if host not in self.cut.absent:
                yield replace(self.cut, absent=(*self.cut.absent, host))
        for name in PLAIN:
            if name not in self.cut.plain:
                yield replace(self.cut, plain=(*self.cut.plain, name))
        for fraction in _FRACTIONS:
            until_us = self.cut.of(self.options).safety_us
            yield replace(self.cut, until_ms=int(until_us * fraction) // 1000)

    def _try(self, cut: Cut) -> bool:
        for luck in range(_LUCKS):
            if self.runs >= self._runs_max:
                return False
            self.runs += 1
            candidate = replace(cut, luck=cut.luck + luck)
            result = run(candidate.of(self.options))
            if result.verdict == self._verdict:
                self.cut, self.result = candidate, result
                self._smaller(candidate)
                return True
        return False
