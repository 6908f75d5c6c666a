"""Why this host may not lead, beside what the election itself knows: what its check says, and what its operator wants.

One owner of the two, for the runtime; the reasons meet in the core (`rules/eligibility.py`). docs/fitness.md."""

from collections.abc import Callable

from kingd.config import Config
from kingd.core.effect import Effect
from kingd.core.election import Core
from kingd.core.wire.message import Ineligible
from kingd.daemon.clock import now_us
from kingd.daemon.fitness import Fitness
from kingd.daemon.maintenance import Maintenance
from kingd.daemon.store import Store
from kingd.loop import Loop

_LOOK_EVERY_S = 1.0


class Eligibility:
    def __init__(self, config: Config, store: Store, loop: Loop) -> None:
        self._loop = loop
        self.fitness = Fitness(has_check=bool(config.check.command))
        self.maintenance = Maintenance(store, loop)

    def at_start(self) -> dict[Ineligible, int]:
        return self.fitness.at_start() | self.maintenance.at_start()

    def begin(self, core: Core, perform: Callable[[list[Effect]], object]) -> None:
        self._core, self._perform = core, perform
        for each in (self.fitness, self.maintenance):
            each.begin(self._set_unfit)
        self._loop.every(_LOOK_EVERY_S, self._look)

    def _set_unfit(self, why: Ineligible, until_us: int) -> None:
        self._perform(self._core.set_unfit(why, until_us=until_us, now_us=now_us()))

    def configure(self, config: Config) -> None:
        self.fitness.configure(has_check=bool(config.check.command))

    def detail(self, reason: str | None) -> str | None:
        """More than the word that everybody is told."""
        match reason:
            case "maintenance":
                return self.maintenance.detail() or None
            case "check-failed" | "check-pending":
                return self.fitness.detail() or None
            case _:
                return None

    def problems(self) -> list[str]:
        return [*self.fitness.problems(), *self.maintenance.problems()]

    def _look(self) -> None:
        if not self._core.stopped:
            for each in (self.fitness, self.maintenance):
                each.look()
