"""Links that fail in a run: which ones a fault is about, what passes meanwhile, and that they are mended."""

import random
from collections.abc import Callable, Iterable
from itertools import product

from kingd.sim.cluster import Cluster
from kingd.sim.host import Host
from kingd.sim.network import Link

ON_LINKS = ("cut_leader", "partition", "one_way", "deaf", "mute", "multicast_cut", "unicast_cut")
CLOG = "clog"
_OF_SOME_TRAFFIC = ("multicast_cut", "unicast_cut")


class Cuts:
    """Several at once may be about the same link: it works again when the last of them is mended."""

    def __init__(self, cluster: Cluster, later: Callable[[int, Callable[[], None]], None]) -> None:
        self._cluster, self._later = cluster, later
        self._count = 0
        self._broken: dict[int, tuple[str, set[Link]]] = {}  # fault -> which kind of traffic, over which links

    def cut(self, kind: str, host: Host, rng: random.Random, *, lasts_us: int) -> None:
        self.cut_links(kind, self._links(kind, host, rng), lasts_us=lasts_us)

    def cut_links(self, kind: str, links: set[Link], *, lasts_us: int) -> None:
        self._count += 1
        number = self._count
        self._broken[number] = (kind if kind in _OF_SOME_TRAFFIC else "all", links)
        self._cluster.note(None, f"#{number} {kind} {_shown(links)}")
        self._apply_cuts()

        def mend() -> None:
            self._cluster.note(None, f"#{number} mended")
            del self._broken[number]
            self._apply_cuts()

        self._later(lasts_us, mend)

    def clog(self, host: Host, rng: random.Random, *, lasts_us: int) -> None:
        """What is sent that way meanwhile arrives in a burst, afterwards."""
        links = self._links("unicast_cut", host, rng)
        clogs, until_us = self._cluster.network.clogs, self._cluster.now_us + lasts_us
        self._cluster.note(None, f"clog {_shown(links)} for {lasts_us / 1e3:.0f} ms")
        for link in links:
            clogs[link] = max(clogs.get(link, 0), until_us)

        def mend() -> None:
            for link in [link for link, at_us in clogs.items() if at_us <= self._cluster.now_us]:
                del clogs[link]

        self._later(lasts_us, mend)

    def forget(self) -> None:
        """All of them are mended, by somebody else."""
        self._broken.clear()

    def _links(self, kind: str, host: Host, rng: random.Random) -> set[Link]:
        hosts = self._cluster.hosts
        others = [h for h in hosts if h is not host]
        if not others:
            return set()
        if kind == "cut_leader":
            return between([host], others)
        if kind == "deaf":
            return {(h.index, host.index) for h in others}
        if kind == "mute":
            return {(host.index, h.index) for h in others}
        if kind == "partition":
            ways = rng.choice((2, 2, 3))
            sides = {h.index: rng.randrange(ways) for h in hosts}
            return {(a.index, b.index) for a in hosts for b in hosts if sides[a.index] != sides[b.index]}
        other = rng.choice(others)
        there = (host.index, other.index)
        if kind == "one_way" or rng.random() < 0.3:
            return {there}
        return {there, there[::-1]} if rng.random() < 0.5 else {(host.index, h.index) for h in others}

    def _apply_cuts(self) -> None:
        network = self._cluster.network
        network.cuts, network.multicast_cuts, network.unicast_cuts = (
            set().union(*(links for traffic, links in self._broken.values() if traffic == wanted))
            for wanted in ("all", *_OF_SOME_TRAFFIC)
        )


def between(some: Iterable[Host], others: Iterable[Host]) -> set[Link]:
    return {link for a, b in product(some, others) for link in ((a.index, b.index), (b.index, a.index))}


def _shown(links: set[Link]) -> str:
    return " ".join(f"{a + 1}>{b + 1}" for a, b in sorted(links))
