"""Visit every state of a world, breadth first (the first violation has the shortest trace) or depth first."""

from collections import deque
from dataclasses import dataclass

from kingd.sim.exhaustive.world import Action, State, World

STATES_MAX = 5_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    states: int
    moves: int
    wrong: str | None
    trace: tuple[tuple[Action, State], ...]  # how it came to that
    complete: bool  # every state of the scope was visited


def explore(world: World, *, only: str = "", depth_first: bool = False, states_max: int = STATES_MAX) -> Found:
    """`only`: a violation that does not begin with one of these letters is none."""
    start = world.start()
    seen: dict[State, State | None] = {start: None}
    queue = deque([start])
    take = queue.pop if depth_first else queue.popleft
    moves = 0
    while queue:
        state = take()
        for action, after, wrong in world.successors(state):
            moves += 1
            wrong = wrong if wrong and wrong[0] in (only or wrong) else None
            known = after in seen
            if known and wrong is None:
                continue
            seen.setdefault(after, state)
            wrong = wrong or world.wrong(after)
            if wrong is not None:
                trace = (*_trace(world, seen, state), (action, after))
                return Found(states=len(seen), moves=moves, wrong=wrong, trace=trace, complete=False)
            if world.within(after):
                queue.append(after)
        if len(seen) > states_max:
            return Found(states=len(seen), moves=moves, wrong=None, trace=(), complete=False)
    return Found(states=len(seen), moves=moves, wrong=None, trace=(), complete=True)


def _trace(world: World, seen: dict[State, State | None], state: State) -> tuple[tuple[Action, State], ...]:
    steps: list[tuple[Action, State]] = []
    before = seen[state]
    while before is not None:
        steps.append((next(a for a, after, _ in world.successors(before) if after == state), state))
        state, before = before, seen[before]
    return tuple(reversed(steps))
