"""The explorations that the tests look at: each scope and each mutant once, on all processors."""

import os
from collections.abc import Callable
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

from kingd.explorer.scope import Scope
from kingd.explorer.scopes import SCOPES
from kingd.explorer.search import explore
from kingd.explorer.trace import lines
from kingd.explorer.world import World


class Seen(NamedTuple):
    """One thing that happened to some host, in some order of events."""

    host: str
    given: str  # what entered it: the type of a datagram, "timer" or a fault
    before: str  # its role, in lower case
    after: str
    sent: tuple[str, ...]  # the types of what it sent


@dataclass(frozen=True, slots=True)
class Explored:
    states: int
    complete: bool
    wrong: str | None
    trace: str
    seen: frozenset[Seen]
    pictures: frozenset[tuple[str, ...]]  # the hosts' roles at one moment; "-" = does not run

    def happened(self, given: str, *, host: str = "", before: str = "", after: str = "", sent: str = "") -> list[Seen]:
        """All that fits; "" = any."""
        return [
            s
            for s in sorted(self.seen)
            if s.given == given
            and s.host.startswith(host)
            and s.before.startswith(before)
            and s.after.startswith(after)
            and (not sent or sent in s.sent)
        ]

    def saw(self, *roles: str) -> bool:
        """Whether the hosts, or the first of them, were in these roles at one moment; "" = any."""
        return any(all(a in ("", b) for a, b in zip(roles, picture, strict=False)) for picture in self.pictures)


Mutant = Callable[[], AbstractContextManager[object]]


def run(scope: Scope, mutant: Mutant = nullcontext, only: str = "") -> Explored:
    with mutant():
        world = World(scope)
        found = explore(world, only=only)
    return Explored(
        states=found.states,
        complete=found.complete,
        wrong=found.wrong,
        trace="\n".join(lines(world, found)) if found.wrong else "",
        seen=frozenset(Seen(*seen) for seen in world.locals.seen),
        pictures=frozenset(
            tuple("-" if role is None else role.name.lower() for role in picture) for picture in world.pictures
        ),
    )


@cache
def _pool() -> ProcessPoolExecutor:
    return ProcessPoolExecutor(os.cpu_count())


@cache
def begin(scope: Scope, mutant: Mutant = nullcontext, only: str = "") -> Future[Explored]:
    return _pool().submit(run, scope, mutant, only)


def explored(scope: Scope) -> Explored:
    """All that can happen in it, which is nothing wrong."""
    found = begin(scope).result()
    assert found.wrong is None, found.trace
    assert found.complete
    return found


def within(name: str) -> Explored:
    """All that can happen in the scope of this name."""
    return explored(SCOPES[name])


def everywhere(*names: str) -> list[Seen]:
    return [seen for name in names for seen in within(name).seen]


def is_freed(found: Explored) -> bool:
    """A leader raised its term for c, which had promised above it, led on, and all follow it."""
    raised = [s for s in found.seen if s.host == "a" and s.before == s.after == "leader" and "claim" in s.sent]
    left = [s for s in found.seen if s.host == "a" and s.before == "leader" != s.after and "resign" not in s.sent]
    return bool(raised) and not left and found.saw("leader", "follower", "follower")
