"""What the control socket asks, answered from the core at the moment of asking (`kingd.control.service.Service`)."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace
from typing import Protocol

from kingd.config import Config, ConfigError, apply_live, changed_keys, needs_restart
from kingd.control.service import JsonObject, Push, ServiceError
from kingd.core.effect import Effect, HandedOver, Surveyed
from kingd.core.election import Core
from kingd.core.problems import StepDownError
from kingd.core.timing import DRAIN_US_MAX, SECOND
from kingd.core.wire.message import Role
from kingd.core.wire.seal import Seal
from kingd.daemon import sentences, views
from kingd.daemon.clock import now_us
from kingd.daemon.deadline import Lag
from kingd.daemon.drains import Drains
from kingd.daemon.eligibility import Eligibility
from kingd.daemon.holders import Holders
from kingd.daemon.news import News
from kingd.daemon.refusals import Refusals
from kingd.daemon.traffic import Traffic

_log = logging.getLogger("kingd")

_LOOK_EVERY_S = 0.1
_STEP_DOWN_LIMIT_S = 10.0 + DRAIN_US_MAX / SECOND
_PRIORITY_MAX = 65535
_SURVEY_EVERY_S = 0.2  # all of the cluster answers: whoever asks again and again shares what the others get
_STILL_RUNS = (
    "the units of kingd-leader.target did not end within 30 s, so this host leads on: see which one it is (systemctl "
    "list-dependencies kingd-leader.target, systemctl status), end it, then step down again"
)

Settled = tuple[Config, Seal]
"""A checked configuration, and the keys that it names."""


class Daemon(Protocol):
    """What of the runtime the answers are made from."""

    core: Core
    config: Config
    news: News
    refusals: Refusals
    eligibility: Eligibility
    traffic: Traffic
    lag: Lag
    reread: Callable[[], Settled]

    @property
    def seal(self) -> Seal: ...
    def perform(self, effects: list[Effect]) -> None: ...
    def reconfigure(self, config: Config, seal: Seal, *, waiting: Sequence[str]) -> None: ...
    def here(self) -> str | None: ...
    def problems(self) -> list[str]: ...


class ControlService:
    def __init__(self, daemon: Daemon) -> None:
        self._daemon = daemon
        self._surveys: dict[int, asyncio.Future[JsonObject]] = {}
        self._survey_at_s = 0.0  # the next one, at the earliest
        self._step_downs: list[asyncio.Future[JsonObject]] = []
        self._drains = Drains(self._on_drains_changed, self._on_drained)
        self._holders = Holders(self._held)
        self._tell_holders = lambda _draining: self._holders.changed()
        self._leaves = asyncio.Event()  # while it waits to stop: now
        self._is_leaving = False
        self._configured_priority = daemon.config.priority  # not in force after SetPriority

    def status(self) -> JsonObject:
        now, daemon = now_us(), self._daemon
        facts = daemon.core.status(now)
        return views.status(
            facts,
            daemon.config,
            detail=daemon.eligibility.detail(facts.ineligible_reason),
            here=daemon.here(),
            since=daemon.news.since,
            strangers=daemon.refusals.strangers(now),
            problems=daemon.problems(),
            security={"mode": daemon.seal.mode, "keys": list(daemon.seal.key_ids)},
            rejected=daemon.traffic.rejected(),
            rejected_lately=daemon.traffic.rejected_lately(),
            configured_priority=self._configured_priority,
        )

    def members(self) -> JsonObject:
        return views.members(self._daemon.core.members(now_us()), here=self._daemon.here())

    def counters(self) -> JsonObject:
        daemon = self._daemon
        lag: JsonObject = {"version": 1, "loop_lag_us": daemon.lag.worst_us}
        return lag | daemon.traffic.told() | daemon.news.tally.told()

    def history(self) -> JsonObject:
        return {"version": 1, "events": self._daemon.news.history()}

    async def survey(self) -> JsonObject:
        """Whoever asks while one is under way, or is to come, shares its answer."""
        pending = next(iter(self._surveys.values()), None)
        if pending is None:
            loop = asyncio.get_running_loop()
            pending = loop.create_future()
            token = id(pending)
            self._surveys[token] = pending
            at_s = max(loop.time(), self._survey_at_s)
            self._survey_at_s = at_s + _SURVEY_EVERY_S
            loop.call_at(at_s, self._begin_survey, token)
        return await asyncio.shield(pending)

    def _begin_survey(self, token: int) -> None:
        self._daemon.perform(self._daemon.core.survey(token, now_us=now_us()))

    def on_surveyed(self, result: Surveyed) -> None:
        _answer(self._surveys.pop(result.token), views.survey(result))

    def watch(self) -> AsyncIterator[JsonObject]:
        return self._daemon.news.watch()

    async def drain(self, name: str) -> AsyncIterator[JsonObject]:
        told: asyncio.Queue[bool] = asyncio.Queue()
        number = self._drains.open(name, told.put_nowait)
        try:
            draining = self._drains.is_on
            while True:
                yield {"version": 1, "draining": draining, "exclusive": self._daemon.config.target.exclusive}
                draining = await told.get()
        finally:
            self._drains.close(number)

    def hold(self, name: str | None, push: Push) -> Callable[[], None]:
        # First the hand-over that waits for it, then the yes: no order to hand over can come between.
        number = None if name is None else self._drains.open(name, self._tell_holders)
        leave = self._holders.add(push)

        def end() -> None:
            leave()
            if number is not None:
                self._drains.close(number)

        return end

    def _held(self) -> JsonObject:
        now = now_us()
        return views.held(self._daemon.core.status(now), boottime_us=now, draining=self._drains.is_on)

    def on_changed(self) -> None:
        """Of leadership, perhaps."""
        self._holders.changed()

    def drained(self, name: str) -> JsonObject:
        self._drains.ended(name)
        return {"version": 1}

    def _on_drains_changed(self, any_: bool) -> None:
        core = self._daemon.core
        if not core.stopped:
            self._daemon.perform(core.set_drains(any_, now_us=now_us()))

    def _on_drained(self) -> None:
        self._leaves.set()
        self._daemon.perform(self._daemon.core.drained(now_us=now_us()))

    async def drain_to_stop(self) -> None:
        """What runs because this host leads is ended while it leads: `DRAIN_US_MAX` at most."""
        self._leaves.clear()
        self._is_leaving = True
        if self._drains and self._leads() and not self._drains.is_on:
            _log.info("stopping when what runs because this host leads has ended")
            self._drains.turn(on=True)
        end_us = now_us() + DRAIN_US_MAX
        while self._drains.owed and self._leads() and now_us() < end_us:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._leaves.wait(), _LOOK_EVERY_S)
        if self._drains.owed and self._leads():
            _log.warning("stopping, and it has not said that it has ended: %s", ", ".join(self._drains.owed))

    def _leads(self) -> bool:
        return self._daemon.core.role is Role.LEADER

    def on_draining(self) -> None:
        core = self._daemon.core
        if core.draining is not None:
            _log.info("handing over (%s) when what runs because this host leads has ended", core.draining.word)
        elif core.role is Role.LEADER:
            _log.warning("the hand-over came to nothing: this host leads on, and what it runs may start again")
        if core.draining is not None or not self._is_leaving:  # else a hand-over failed, and the stop goes on
            self._drains.turn(on=core.draining is not None)

    async def step_down(self, *, to: str | None, for_ms: int) -> JsonObject:
        daemon = self._daemon
        try:
            effects = daemon.core.step_down(to=to, for_us=for_ms * 1000, now_us=now_us())
        except StepDownError as error:
            name, sentence = sentences.hindrance(error.why)
            raise ServiceError(name, f"{sentence}; {daemon.news.sentence()}") from None
        pending: asyncio.Future[JsonObject] = asyncio.get_running_loop().create_future()
        self._step_downs.append(pending)
        daemon.perform(effects)
        try:
            async with asyncio.timeout(_STEP_DOWN_LIMIT_S):
                return await pending
        except TimeoutError:
            raise ServiceError("TimedOut", f"nobody has taken over; {daemon.news.sentence()}") from None

    def on_handed_over(self, result: HandedOver) -> None:
        facts = self._daemon.core.status(now_us())
        leader = views.peer(facts.leader, here=self._daemon.here(), tags=facts.leader_tags) if result.to else None
        pending, self._step_downs = self._step_downs, []
        for future in pending:
            if result.drained:
                _answer(future, {"version": 1, "leader": leader})
            elif not future.done():
                future.set_exception(ServiceError("TimedOut", _STILL_RUNS))

    def set_priority(self, priority: int) -> JsonObject:
        if not 0 <= priority <= _PRIORITY_MAX:
            raise ServiceError("OutOfRange", f"priority must be from 0 to {_PRIORITY_MAX}, not {priority}")
        daemon = self._daemon
        previous = daemon.config.priority
        daemon.config = replace(daemon.config, priority=priority)
        daemon.perform(daemon.core.set_priority(priority, now_us=now_us()))
        _log.info(
            "priority is %d now, was %d (by kingctl, until a reload or the end of the daemon)", priority, previous
        )
        return {"version": 1, "priority": priority, "previous": previous, "persistent": False}

    def set_fitness(self, name: str, *, unfit: str | None, for_ms: int) -> JsonObject:
        fitness = self._daemon.eligibility.fitness
        fitness.say(name, unfit, for_us=for_ms * 1000)
        eligible = self._daemon.core.status(now_us()).eligible
        return {"version": 1, "eligible": eligible, "reloads": fitness.reloads}

    async def set_maintenance(self, *, on: bool, for_ms: int | None, reason: str) -> JsonObject:
        maintenance = self._daemon.eligibility.maintenance
        return await maintenance.order(on=on, for_s=None if for_ms is None else for_ms / 1000, reason=reason)

    def reload(self) -> JsonObject:
        """Validate, then swap: a bad file changes nothing."""
        daemon = self._daemon
        try:
            new, seal = daemon.reread()
        except ConfigError as error:
            raise ServiceError("BadConfig", str(error)) from None
        refusal = daemon.core.refusal(tuple(sorted(new.quorum.voters)))
        if refusal is not None:
            raise ServiceError("BadConfig", f"quorum.voters: {sentences.obstacle(refusal)}")
        changed = changed_keys(daemon.config, new)
        waiting = [key for key in changed if needs_restart(key)]
        applied = [key for key in changed if not needs_restart(key)]
        if seal.key_ids != daemon.seal.key_ids and "security.key_file" not in applied:
            applied.append("security.key_file")  # the same file with other keys in it, or one that was not there before
        notes = self._take_priority_back(new.priority)
        daemon.reconfigure(apply_live(daemon.config, new), seal, waiting=waiting)
        self._drains.tell()
        _log.info("reloaded: %s", ", ".join(applied) or "nothing changed that works without a restart")
        obstacle = daemon.core.obstacle
        pending = [] if obstacle is None else [f"quorum.voters: {sentences.obstacle(obstacle)}"]
        if pending:
            _log.info("not in force yet: %s", "; ".join(pending))
            applied = [key for key in applied if key != "quorum.voters"]
        if waiting:
            _log.warning("these need a restart to take effect: %s", ", ".join(waiting))
        for note in notes:
            _log.warning("%s", note)
        return {"version": 1, "applied": applied, "needs_restart": waiting, "pending": pending, "notes": notes}

    def _take_priority_back(self, configured: int) -> list[str]:
        """The configuration's is in force again."""
        former, self._configured_priority = self._configured_priority, configured
        live = self._daemon.config.priority
        if live in (former, configured):
            return []
        return [f"priority is back to {configured} of the configuration; it was {live} by kingctl"]


def _answer(future: asyncio.Future[JsonObject], answer: JsonObject) -> None:
    if not future.done():  # its client may have gone
        future.set_result(answer)
