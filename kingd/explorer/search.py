"""Visit every state of a world, breadth first (the first violation has the shortest trace) or depth first."""

from collections import deque
from dataclasses import dataclass

from kingd.explorer.heal import Heal
from kingd.explorer.world import Action, State, World

STATES_MAX = 5_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    states: int
    moves: int
    wrong: str | None
    trace: tuple[tuple[Action, State], ...]  # how it came to that
    complete: bool  # every state of the scope was visited
    deepest: int  # steps to the state that takes the most (breadth first: and never more than it takes)


def explore(world: World, *, only: str = "", depth_first: bool = False, states_max: int = STATES_MAX) -> Found:
    """`only`: a violation that does not begin with one of these letters is none."""
    start = world.start()
    heal = Heal(world) if world.scope.heals else None
    seen: dict[State, State | None] = {start: None}
    queue = deque([start])
    take = queue.pop if depth_first else queue.popleft
    moves = 0
    last = start
    while queue:
        state = take()
        for action, after, wrong in world.successors(state):
            moves += 1
            wrong = wrong if wrong and wrong[0] in (only or wrong) else None
            known = after in seen
            if known and wrong is None:
                continue
            seen.setdefault(after, state)
            last = after
            wrong = wrong or world.wrong(after) or (None if heal is None else heal.wrong(after))
            if wrong is not None:
                trace = (*_trace(world, seen, state), (action, after))
                return Found(
                    states=len(seen), moves=moves, wrong=wrong, trace=trace, complete=False, deepest=len(trace)
                )
            if world.within(after):
                queue.append(after)
        if len(seen) > states_max:
            break
    deepest = _steps(seen, last)
    return Found(states=len(seen), moves=moves, wrong=None, trace=(), complete=not queue, deepest=deepest)


def _steps(seen: dict[State, State | None], state: State) -> int:
    before = seen[state]
    return 0 if before is None else 1 + _steps(seen, before)


def _trace(world: World, seen: dict[State, State | None], state: State) -> tuple[tuple[Action, State], ...]:
    steps: list[tuple[Action, State]] = []
    before = seen[state]
    while before is not None:
        steps.append((next(a for a, after, _ in world.successors(before) if after == state), state))
        state, before = before, seen[before]
    return tuple(reversed(steps))
