"""What the control socket asks, answered from the core at the moment of asking (`kingd.control.service.Service`)."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Protocol

from kingd.config import Config, ConfigError, apply_live, changed_keys, needs_restart
from kingd.control.service import Answer, JsonObject, Push, ServiceError, Tell
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
from kingd.daemon.shared import Shared
from kingd.daemon.traffic import Traffic
from kingd.log import Logger
from kingd.loop import Loop, Timer
from kingd.records import replace

if TYPE_CHECKING:
    from kingd.daemon.asides import Asides

_log = Logger("kingd")

_LOOK_EVERY_S = 0.1
_STEP_DOWN_LIMIT_S = 10.0 + DRAIN_US_MAX / SECOND
_PRIORITY_MAX = 65535
_SURVEY = 1  # its number: there is one at a time
_STILL_RUNS = (
    "did not end within 30 s, so this host leads on: see what holds it up (journalctl, and of kingd-leader.target systemctl "
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
    def asides(self) -> "Asides": ...
    @property
    def seal(self) -> Seal: ...
    def perform(self, effects: list[Effect]) -> None: ...
    def reconfigure(self, config: Config, seal: Seal, *, waiting: Sequence[str]) -> None: ...
    def here(self) -> str | None: ...
    def problems(self) -> list[str]: ...


class ControlService:
    def __init__(self, daemon: Daemon, loop: Loop) -> None:
        self._daemon = daemon
        self._loop = loop
        self._surveyed = Shared(loop, self._begin_survey)
        self._step_downs: dict[Timer, Answer] = {}  # by what ends their patience
        self._drains = Drains(self._on_drains_changed, self._on_drained)
        self._holders = Holders(loop, self._held)
        self._standing = daemon.core.standing  # as of the last step
        self._tell_holders = lambda _draining: self._holders.changed()
        self._is_leaving = False
        self._then_stop: Callable[[], None] | None = None  # when what runs here because this host leads has ended
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

    def examine(self, for_ms: int) -> JsonObject:
        return self._daemon.asides.doctor.examine(for_ms)

    def examined(self, run: str) -> JsonObject:
        return self._daemon.asides.doctor.examined(run)

    def survey(self, answer: Answer) -> None:
        self._surveyed.ask(answer)

    def _begin_survey(self) -> None:
        self._daemon.perform(self._daemon.core.survey(_SURVEY, now_us=now_us()))

    def on_surveyed(self, result: Surveyed) -> None:
        self._surveyed.answered(views.survey(result))

    def histories(self, answer: Answer) -> None:
        self._daemon.asides.historian.histories(answer)

    def watch(self, tell: Tell) -> Callable[[], None]:
        return self._daemon.news.watch(tell)

    def drain(self, name: str, tell: Tell) -> Callable[[], None]:
        def say(draining: bool) -> None:
            tell({"version": 1, "draining": draining})

        number = self._drains.open(name, say)
        say(self._drains.is_on)
        # Not at once: who is told to end may be dropped for not reading, in the middle of what the core wanted done.
        return lambda: self._loop.call_soon(partial(self._drains.close, number))

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
        daemon = self._daemon
        exclusive = daemon.config.target.exclusive
        return views.held(daemon.core.status(now), boottime_us=now, draining=self._drains.is_on, exclusive=exclusive)

    def stepped(self) -> None:
        """The core has: who runs something because this host leads is told what has changed. Events would not do: of a loss
        that resolves itself there is none."""
        self._daemon.news.stepped()
        if not self._holders.are_there:
            return
        standing = self._daemon.core.standing
        if standing != self._standing or self._holders.are_unsure:
            self._standing = standing
            self._holders.changed()
        self._holders.lasts(self._daemon.core.leads_until_us)

    def drained(self, name: str) -> JsonObject:
        self._drains.ended(name)
        return {"version": 1}

    def _on_drains_changed(self, any_: bool) -> None:
        core = self._daemon.core
        if not core.stopped:
            self._daemon.perform(core.set_drains(any_, now_us=now_us()))

    def _on_drained(self) -> None:
        self._loop.call_soon(self._stop_if_drained)
        self._daemon.perform(self._daemon.core.drained(now_us=now_us()))

    def drain_to_stop(self, then: Callable[[], None]) -> None:
        """What runs because this host leads is ended while it leads: `DRAIN_US_MAX` at most."""
        self._is_leaving = True
        self._then_stop, self._stop_by_us = then, now_us() + DRAIN_US_MAX
        if self._drains and self._leads() and not self._drains.is_on:
            _log.info("stopping when what runs because this host leads has ended")
            self._drains.turn(on=True)
        self._look_whether_drained()

    def _look_whether_drained(self) -> None:
        if self._then_stop is not None:
            self._loop.call_later(_LOOK_EVERY_S, self._look_whether_drained)
            self._stop_if_drained()

    def _stop_if_drained(self) -> None:
        is_owed = bool(self._drains.owed) and self._leads()
        if self._then_stop is None or (is_owed and now_us() < self._stop_by_us):
            return
        if is_owed:
            _log.warning("stopping, and it has not said that it has ended: %s", ", ".join(self._drains.owed))
        then, self._then_stop = self._then_stop, None
        then()

    def _leads(self) -> bool:
        return self._daemon.core.role is Role.LEADER

    def on_draining(self) -> None:
        core = self._daemon.core
        if core.draining is not None:
            _log.info("handing over (%s) when what runs because this host leads has ended", core.draining.word)
        elif core.role is Role.LEADER:
            why = f"; it has not said that it has ended: {', '.join(self._drains.owed)}" if self._drains.owed else ""
            _log.warning("the hand-over came to nothing: this host leads on, and what it runs may start again%s", why)
        if core.draining is not None or not self._is_leaving:  # else a hand-over failed, and the stop goes on
            self._drains.turn(on=core.draining is not None)

    def step_down(self, answer: Answer, *, to: str | None, for_ms: int) -> None:
        daemon = self._daemon
        try:
            effects = daemon.core.step_down(to=to, for_us=for_ms * 1000, now_us=now_us())
        except StepDownError as error:
            name, sentence = sentences.hindrance(error.why)
            raise ServiceError(name, f"{sentence}; {daemon.news.sentence()}") from None
        patience = self._loop.call_later(_STEP_DOWN_LIMIT_S, lambda: self._give_up(patience))
        self._step_downs[patience] = answer
        daemon.perform(effects)

    def _give_up(self, patience: Timer) -> None:
        sentence = f"nobody has taken over; {self._daemon.news.sentence()}"
        self._step_downs.pop(patience)(ServiceError("TimedOut", sentence))

    def on_handed_over(self, result: HandedOver) -> None:
        facts = self._daemon.core.status(now_us())
        leader = views.peer(facts.leader, here=self._daemon.here(), tags=facts.leader_tags) if result.to else None
        waiting, self._step_downs = self._step_downs, {}
        still_runs = ServiceError("TimedOut", f"{', '.join(self._drains.owed)} {_STILL_RUNS}")
        for patience, answer in waiting.items():
            patience.cancel()
            answer({"version": 1, "leader": leader} if result.drained else still_runs)

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

    def set_maintenance(self, answer: Answer, *, on: bool, for_ms: int | None, reason: str) -> None:
        maintenance = self._daemon.eligibility.maintenance
        maintenance.order(answer, on=on, for_s=None if for_ms is None else for_ms / 1000, reason=reason)

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
        self._holders.changed()
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
