"""The side of an examination that is asked: counts the trials that come, and answers those that are for it. docs/doctor.md.

In: trials, and the time. Out: what to send, or None for what is not answered (counted as `aside`). It asks nobody, and keeps
nothing for whom it does not know.

A trial with a token that wants no answer, about another member, is an errand: it has this host ask that one itself; what comes
of it is in later answers about it. So it is told whether others reach whom the asker does not.

What it lets others do is bounded. It answers members only, each trial once, with no more bytes than it had, to where it came
from or to the network on which it came; before the asker has shown the token that it was sent, a few times at most. All runs
together share the host's budget (kingd.aside.budget)."""

import random
from collections.abc import Callable, Sequence

from kingd.aside.budget import Budget
from kingd.aside.voice import Say, Voice
from kingd.core.acquaintance import Acquaintance, Sighting
from kingd.core.state.members import ReplayWindow, State
from kingd.core.wire.endpoint import Endpoint
from kingd.core.wire.message import NOBODY, Header, NodeId, SessionId
from kingd.core.wire.trial import UNHEARD, Count, Echo, Trial, Way
from kingd.doctor.lane import Lane
from kingd.records import dataclass, field

_RUNS_MAX = 8
_LANES_MAX = 8
_RUN_US = 4_000_000  # without a trial that shows the token, or one to all by who has shown it, a run is over ...
_UNPROVEN_US = 2_000_000  # ... and sooner if none ever did
_UNPROVEN_ANSWERS = 16
_ERRANDS_MAX = 64
_ERRAND_EVERY_US = 200_000  # to one node
_STATES = (None, State.ALIVE, State.DEAD, State.LEFT)  # as on the wire


@dataclass(slots=True)
class _Tally:
    """By one way, on one lane."""

    window: ReplayWindow = field(default_factory=ReplayWindow)
    got: int = 0
    sent: int = 0


@dataclass(slots=True)
class _Errand:
    """To one node."""

    sent_us: int
    proven_us: int = -1  # it had heard what was sent then


@dataclass(slots=True)
class _Run:
    """One examination, as who is asked knows it."""

    token: int
    until_us: int
    proven: bool = False
    unproven_answers: int = 0
    lanes: dict[int, dict[Way, _Tally]] = field(default_factory=dict)

    def tally(self, lane: int, way: Way) -> _Tally | None:
        """None: there are too many lanes."""
        if lane not in self.lanes and len(self.lanes) >= _LANES_MAX:
            return None
        return self.lanes.setdefault(lane, {}).setdefault(way, _Tally())

    def counts(self, lane: int) -> tuple[Count, ...]:
        return tuple(Count(way=way, got=t.got, sent=t.sent) for way, t in sorted(self.lanes.get(lane, {}).items()))


class Answerer:
    def __init__(
        self,
        known: Acquaintance,
        voice: Voice,
        budget: Budget,
        *,
        rng: random.Random,
        lanes: Callable[[], Sequence[Lane]],
        lag_ms: Callable[[], int],
    ) -> None:
        """`lanes`: this host's networks now; `lag_ms`: how late its loop was at worst of late."""
        self._known = known
        self._voice = voice
        self._budget = budget
        self._rng = rng
        self._lanes = lanes
        self._lag_ms = lag_ms
        self._runs: dict[tuple[SessionId, int], _Run] = {}
        self._errand = rng.getrandbits(64) | 1  # the run of all its own hellos
        self._errands: dict[int, _Errand] = {}  # by node

    def take(self, header: Header, trial: Trial, source: Endpoint, *, now_us: int) -> list[Say] | None:
        """The answer, if one is wanted. None: it may not be asked so, or not so often."""
        run = self._run(header, trial, now_us)
        if run is None or trial.by is Way.NONE:
            return None
        if header.destination == NOBODY:
            if run.proven:
                run.until_us = now_us + _RUN_US
            tally = run.tally(trial.lane, trial.by) if trial.by.is_group else None
            return [] if tally is not None and _counted(tally, trial) else None
        lane = next((lane for lane in self._lanes() if lane.interface == source.interface), Lane(source.interface))
        if not _may_answer_by(trial.back, trial, source, lane):
            return None
        if trial.token != run.token:
            run.unproven_answers += 1
            if trial.token or run.unproven_answers > _UNPROVEN_ANSWERS:
                return None
        else:
            run.proven, run.until_us = True, now_us + _RUN_US
            tally = run.tally(trial.lane, trial.by)
            if tally is None or not _counted(tally, trial):
                return None
        return self._answer(header, trial, source, lane, run, now_us)

    def _run(self, header: Header, trial: Trial, now_us: int) -> _Run | None:
        self._runs = {key: run for key, run in self._runs.items() if run.until_us > now_us}
        key = header.session, trial.run
        run = self._runs.get(key)
        is_first = run is None and header.destination != NOBODY and trial.token == 0
        if is_first and len(self._runs) < _RUNS_MAX:
            run = self._runs[key] = _Run(self._rng.getrandbits(64) | 1, now_us + _UNPROVEN_US)
        return run

    def _answer(
        self, header: Header, trial: Trial, source: Endpoint, lane: Lane, run: _Run, now_us: int
    ) -> list[Say] | None:
        if not self._budget.has_one(now_us, by_group=trial.back.is_group):
            return None
        if trial.back is Way.NONE:
            return self._go(trial, now_us) if trial.token and trial.about else []
        if trial.token:
            tally = run.tally(trial.lane, trial.back)
            if tally is None:
                return None
            tally.sent += 1
        other = lane.own.get(4 if ":" in source.host else 6)
        echo = self._echo(trial, other, lane.ways, run, now_us)
        return [self._voice.to_one(echo, trial.back, source, node=header.source, session=header.session)]

    def _go(self, trial: Trial, now_us: int) -> list[Say]:
        """On an errand: a hello to that member, no larger than the trial."""
        seen, last = self._known.sighting(NodeId(trial.about), now_us), self._errands.get(trial.about)
        if seen is None or (last is not None and now_us - last.sent_us < _ERRAND_EVERY_US):
            return []
        if last is None and len(self._errands) >= _ERRANDS_MAX:
            del self._errands[next(iter(self._errands))]
        proven_us = -1 if last is None else last.proven_us
        self._errands[trial.about] = _Errand(now_us, proven_us)
        way = Way.UC6 if ":" in seen.endpoint.host else Way.UC4
        hello = Trial(run=self._errand, token=0, number=trial.number, lane=0, by=way, back=way)
        return [self._voice.to_one(hello, way, seen.endpoint, node=seen.node, session=seen.session)]

    def hears(self, header: Header, echo: Echo, *, now_us: int) -> bool:
        """Whether that came of an errand."""
        errand = self._errands.get(header.source)
        if echo.run != self._errand or errand is None:
            return False
        errand.proven_us = errand.sent_us
        return True

    def _contact_us(self, seen: Sighting, now_us: int) -> int | None:
        """How long ago it was proven to hear this one: by the election, or by an errand."""
        errand = self._errands.get(seen.node)
        ago = [now_us - errand.proven_us] if errand is not None and errand.proven_us >= 0 else []
        return min([*ago, *([] if seen.contact_us is None else [seen.contact_us])], default=None)

    def _echo(self, trial: Trial, other: Endpoint | None, ways: int, run: _Run, now_us: int) -> Echo:
        seen = self._known.sighting(NodeId(trial.about), now_us) if trial.about else None
        return Echo(
            run=trial.run,
            token=run.token,
            number=trial.number,
            lane=trial.lane,
            by=trial.back,
            lag_ms=min(self._lag_ms(), UNHEARD),
            about=trial.about,
            state=_STATES.index(seen.state) if seen else 0,
            ways=ways,
            heard_ms=_ms(seen.heard_us) if seen else 0,
            multicast_ms=_ms(seen.multicast_us) if seen else 0,
            contact_ms=_ms(self._contact_us(seen, now_us)) if seen else 0,
            port=other.port if other else 0,
            host=other.host if other else "",
            counts=run.counts(trial.lane),
        )


def _may_answer_by(back: Way, trial: Trial, source: Endpoint, lane: Lane) -> bool:
    """To where it came from, or to that network; a large answer only to a large question."""
    if back is Way.NONE or back.is_group:
        return back is Way.NONE or back in lane.group_ways
    return back.family == (6 if ":" in source.host else 4) and (trial.by.is_large or not back.is_large)


def _counted(tally: _Tally, trial: Trial) -> bool:
    """Each number once."""
    if not tally.window.accept(trial.number):
        return False
    tally.got += 1
    return True


def _ms(ago_us: int | None) -> int:
    return UNHEARD if ago_us is None else min(max(ago_us, 0) // 1000, UNHEARD)
