"""The end of a scope with `heals`: an operator gives all hosts one list, and all that they say arrives from then on.

In: a state that an exploration has visited. Out: what is wrong, or None: from each such state, for each of the lists and each
order of hosts, one of them comes to lead, all others follow it, and no invariant is broken on the way. What happens then
happens in one order, that of a good network: whatever is on its way arrives before a timer fires."""

from dataclasses import replace

from kingd.core.settings import digest_of
from kingd.core.wire.message import Role
from kingd.explorer.scope import HANDOVER, Fault
from kingd.explorer.world import State, World

_TICKS = 60  # a back-off without contact fits in

Names = tuple[str, ...]


class Heal:
    def __init__(self, world: World) -> None:
        scope = world.scope
        self._from = world
        self._world = World(
            replace(scope, heals=(), faults=(), carries=HANDOVER, ticks=scope.ticks + _TICKS, announces=True)
        )
        self._world.resume(world)
        self._found: dict[tuple[State, Names], str | None] = {}

    def wrong(self, state: State) -> str | None:
        """Why they do not elect."""
        if any(self._from.locals.views[local].role is None for local in state[1]):
            return None  # it is not started again
        here = self._world.adopt(self._from, state)
        found = []
        for names in self._from.scope.heals:
            if (here, names) not in self._found:
                self._found[here, names] = self._given(here, names)
            if self._found[here, names] is None:
                return None
            found.append(self._found[here, names])
        return found[0]

    def _given(self, state: State, names: Names) -> str | None:
        for host in range(len(state[1])):
            _, state, wrong = self._world.act(state, host, Fault("reload", host, names))
            if wrong is not None:
                return wrong
        return self._elect(state, names)

    def _elect(self, state: State, names: Names) -> str | None:
        while not self._is_led(state, digest_of(names)):
            step = self._next(state)
            if step is None:
                return f"STUCK: nobody leads by {'+'.join(names)}, or not all have it"
            state, wrong = step
            if wrong is not None:
                return wrong
        return None

    def _is_led(self, state: State, wanted: int) -> bool:
        views = [self._world.locals.views[local] for local in state[1]]
        listed = all(view.says is not None and view.says.voters.digest == wanted for view in views)
        return listed and any(view.role is Role.LEADER for view in views)

    def _next(self, state: State) -> tuple[State, str | None] | None:
        """What a good network and good clocks do first."""
        found = next((step for step in self._world.calmly(state) if step[1] != state), None)
        if found is None:
            return None
        _, after, wrong = found
        return after, wrong or self._world.wrong(after)
