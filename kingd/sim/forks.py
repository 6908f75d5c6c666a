"""An operator whose lists of voters fork: two that both follow one, of which each is known to some hosts only.

A leader makes the first and is cut off at that moment, alone or with others. The rest are given the former one again, elect,
and are given another one: some are cut off as it is made. These are given the first again, and hear those who have it."""

import random
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from itertools import combinations, product

from kingd.core.rules.majority import majority
from kingd.core.timing import MS, SECOND
from kingd.sim.cluster import Cluster
from kingd.sim.cuts import Cuts, between
from kingd.sim.host import Host
from kingd.sim.schedule import Fault

_LOOKS, _LOOKS_US = 1000, MS
_UNHEARD, _UNHEARD_US = 0.7, 500 * MS
_GIVEN_US = 50 * MS
_ELECTS_US = 5 * SECOND

Names = tuple[str, ...]


class Forks:
    def __init__(
        self,
        cluster: Cluster,
        cuts: Cuts,
        later: Callable[[int, Callable[[], None]], None],
        edit: Callable[[Host, Names], None],
    ) -> None:
        self._cluster, self._cuts, self._later, self._edit = cluster, cuts, later, edit

    def begin(self, _: Host, fault: Fault, rng: random.Random) -> bool:
        leader = self._leader(self._cluster.hosts)
        if leader is None or leader.core is None:
            return False
        present = leader.core.node.voters.names
        others = [h for h in self._cluster.hosts if h is not leader]
        rng.shuffle(others)
        first, *seconds = (tuple(sorted({h.name} ^ set(present))) for h in (*others, leader))
        gone = _gone(leader, others, present, rng)
        rest = [h for h in others if h not in gone]
        met_us = rng.randint(2 * SECOND, _ELECTS_US)

        def forked() -> None:
            """The first list is known to those who are gone."""
            self._cut(gone, rest, met_us)
            self._give(rest, present, rng)
            self._later(rng.randint(SECOND, met_us), change)

        def change() -> None:
            next_leader = self._leader(rest)
            if next_leader is None:
                return
            found = _divisions(rest, next_leader, lambda left: _elect(first, [*gone, *left]), seconds)
            if found:
                second, left = rng.choice(found)
                self._give(rest, second, rng)
                self._deafen([h for h in rest if h not in left], left, rng)
                self._when_made(next_leader, second, partial(divided, left))

        def divided(left: Sequence[Host]) -> None:
            """The second list is known to those who stay with its leader; the others meet whoever has the first."""
            self._cut([*gone, *left], [h for h in rest if h not in left], fault.lasts_us + _ELECTS_US)
            self._give(left, first, rng)

        self._give(self._cluster.hosts, first, rng)
        self._deafen(gone, rest, rng)
        self._when_made(leader, first, forked)
        return True

    def _deafen(self, said: Sequence[Host], to: Sequence[Host], rng: random.Random) -> None:
        """What is on its way when a list is made tells of it: so more often than not it is not heard at all."""
        if rng.random() < _UNHEARD:
            links = {(a.index, b.index) for a, b in product(said, to)}
            cut = partial(self._cuts.cut_links, "all", links, lasts_us=_UNHEARD_US)
            self._later(rng.randint(0, _GIVEN_US), cut)

    def _leader(self, among: list[Host]) -> Host | None:
        return next((h for h in self._cluster.leaders() if h in among), None)

    def _give(self, hosts: Iterable[Host], names: Names, rng: random.Random) -> None:
        for host in hosts:
            self._later(rng.randint(0, _GIVEN_US), partial(self._edit, host, names))

    def _cut(self, some: list[Host], others: list[Host], lasts_us: int) -> None:
        self._cuts.cut_links("all", between(some, others), lasts_us=lasts_us)

    def _when_made(self, leader: Host, names: Names, then: Callable[[], None], looks: int = _LOOKS) -> None:
        """As soon as this leader has that list."""
        if leader.core is not None and looks and leader.core.node.voters.names == names:
            then()
        elif leader.core is not None and looks:
            self._later(_LOOKS_US, partial(self._when_made, leader, names, then, looks - 1))


def _gone(leader: Host, others: list[Host], present: Names, rng: random.Random) -> list[Host]:
    """Who is cut off with the leader; the rest can elect."""
    count = len(others) - rng.choice((0, 0, 1, 2))
    return [leader, *others[count:]] if _elect(present, others[:count]) else [leader]


def _divisions(
    hosts: list[Host], leader: Host, elects: Callable[[Sequence[Host]], bool], lists: list[Names]
) -> list[tuple[Names, Sequence[Host]]]:
    """A list that this leader can make and elect by, and who of these hosts is cut off meanwhile and can elect with others."""
    followers = [h for h in hosts if h is not leader]
    lefts = [left for count in (1, 2) for left in combinations(followers, count) if elects(left)]
    return [
        (names, left) for names, left in product(lists, lefts) if _elect(names, [h for h in hosts if h not in left])
    ]


def _elect(names: Names, hosts: list[Host]) -> bool:
    """If they all have that list."""
    return len({h.name for h in hosts} & set(names)) >= majority(len(names))
