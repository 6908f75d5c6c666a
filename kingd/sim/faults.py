"""What goes wrong in a run, and how it is put right again: one seeded source of faults over a `Cluster`."""

import random
from collections.abc import Callable
from functools import partial

from kingd.core.effect import Effect
from kingd.core.election import Core, StepDownError
from kingd.core.timing import MS, SECOND
from kingd.sim.cluster import DISK_US, Cluster, Host
from kingd.sim.options import Options

Links = set[tuple[int, int]]


_ON_LINKS = ("partition", "one_way", "deaf", "mute", "multicast_cut", "unicast_cut")


class Faults:
    def __init__(self, cluster: Cluster, options: Options, rng: random.Random) -> None:
        self.cluster = cluster
        self.options = options
        self.rng = rng
        self.next_us = cluster.now_us
        self._kinds = [kind for kind, _ in options.faults]
        self._weights = [weight for _, weight in options.faults]
        self._repairs: list[tuple[int, int, Callable[[], None]]] = []
        self._count = 0
        self._broken: dict[int, tuple[str, Links]] = {}  # fault -> which kind of traffic, over which links
        self._on_host: dict[str, Callable[[Host], None]] = {
            "crash": self._crash,
            "kill": self._kill,
            "false_obituary": self._false_obituary,
            "amnesia": self._amnesia,
            "pause": self._pause,
            "stutter": self._stutter,
            "priority": self._priority,
            "stop": self._stop,
            "step_down": self._step_down,
            "unplug": self._unplug,
            "disk": self._disk,
            "renumber": self._renumber,
            "survey": self._survey,
        }
        self._plan()

    def run(self, duration_us: int) -> None:
        """Let the cluster run, and break and mend as time goes by."""
        cluster, end_us = self.cluster, self.cluster.now_us + duration_us
        while cluster.now_us < end_us:
            repair_us = self._repairs[0][0] if self._repairs else end_us
            cluster.run(max(0, min(self.next_us, repair_us, end_us) - cluster.now_us))
            while self._repairs and self._repairs[0][0] <= cluster.now_us:
                self._repairs.pop(0)[2]()
            if cluster.now_us >= self.next_us and cluster.now_us < end_us:
                self._break()
                self._plan()

    def later(self, delay_us: int, repair: Callable[[], None]) -> None:
        self._count += 1
        self._repairs.append((self.cluster.now_us + delay_us, self._count, repair))
        self._repairs.sort(key=lambda entry: entry[:2])

    def _plan(self) -> None:
        mean_us = self.options.fault_every_us
        self.next_us = self.cluster.now_us + self.rng.randint(mean_us // 4, 2 * mean_us)
        if not self._kinds:
            self.next_us = 1 << 62

    def _lasts_us(self) -> int:
        return self.rng.randint(10 * MS, 2 * self.options.fault_lasts_us)

    def _break(self) -> None:
        kind: str = self.rng.choices(self._kinds, self._weights)[0]
        host = self.rng.choice(self.cluster.hosts)
        if kind in _ON_LINKS:
            self._cut(kind, self._links(kind, host))
        elif host.core is not None and self.cluster.now_us >= host.paused_until_us:
            self._on_host[kind](host)

    # -- links -----------------------------------------------------------------------------------

    def _links(self, kind: str, host: Host) -> Links:
        hosts = self.cluster.hosts
        others = [h for h in hosts if h is not host]
        if kind == "deaf":
            return {(h.index, host.index) for h in others}
        if kind == "mute":
            return {(host.index, h.index) for h in others}
        if kind == "partition":
            sides = {h.index: self.rng.randrange(self.rng.choice((2, 2, 3))) for h in hosts}
            return {(a.index, b.index) for a in hosts for b in hosts if sides[a.index] != sides[b.index]}
        other = self.rng.choice(others)
        there = (host.index, other.index)
        if kind == "one_way" or self.rng.random() < 0.3:
            return {there}
        return {there, there[::-1]} if self.rng.random() < 0.5 else {(host.index, h.index) for h in others}

    def _cut(self, kind: str, links: Links) -> None:
        self._count += 1
        fault = self._count
        traffic = kind if kind in ("multicast_cut", "unicast_cut") else "all"
        self._broken[fault] = (traffic, links)
        self.cluster.note(None, f"#{fault} {kind} {sorted((a + 1, b + 1) for a, b in links)}")
        self._apply_cuts()

        def mend() -> None:
            self.cluster.note(None, f"#{fault} mended")
            del self._broken[fault]
            self._apply_cuts()

        self.later(self._lasts_us(), mend)

    def _apply_cuts(self) -> None:
        network = self.cluster.network
        network.cuts, network.multicast_cuts, network.unicast_cuts = (
            set().union(*(links for traffic, links in self._broken.values() if traffic == wanted))
            for wanted in ("all", "multicast_cut", "unicast_cut")
        )

    # -- hosts -----------------------------------------------------------------------------------

    def _crash(self, host: Host) -> None:
        self.cluster.crash(host, refuses=self.rng.random() < 0.5)
        self._start_later(host)

    def _kill(self, host: Host) -> None:
        self.cluster.kill(host)
        self._start_later(host)

    def _false_obituary(self, host: Host) -> None:
        self.cluster.note(host, "false obituary")
        self.cluster.execute_will(host)

    def _amnesia(self, host: Host) -> None:
        self.cluster.crash(host)
        self.cluster.forget(host)
        self._start_later(host)

    def _start_later(self, host: Host) -> None:
        def start() -> None:
            if host.core is not None:
                if not host.core.node.stopping:
                    return
                self.cluster.crash(host)  # it took too long to stop
            if self.rng.random() < 0.3:
                host.port = self.rng.randint(1024, 65535)
            self.cluster.start(host)

        self.later(self._lasts_us(), start)

    def _stop(self, host: Host) -> None:
        self.cluster.stop(host)
        self._start_later(host)

    def _pause(self, host: Host) -> None:
        self.cluster.pause(host, until_us=self.cluster.now_us + self._lasts_us())

    def _stutter(self, _: Host) -> None:
        for host in self.cluster.running():
            if self.cluster.now_us >= host.paused_until_us and self.rng.random() < 0.7:
                self.cluster.pause(host, until_us=self.cluster.now_us + self.rng.randint(10 * MS, 500 * MS))

    def _priority(self, host: Host) -> None:
        self.cluster.set_priority(host, self.rng.choice((0, 50, 100, 150, 200)))

    def _step_down(self, _: Host) -> None:
        for host in self.cluster.leaders():
            if self.cluster.now_us >= host.paused_until_us:
                to = self.rng.choice((None, None, self.rng.choice(self.cluster.hosts).name))
                for_us = self.rng.choice((0, 500 * MS, 3 * SECOND))
                self.cluster.note(host, f"step-down to={to} for={for_us / 1e6} s")
                self.cluster.enter(host, partial(self._ask_step_down, to=to, for_us=for_us))

    def _ask_step_down(self, core: Core, *, to: str | None, for_us: int) -> list[Effect]:
        try:
            return core.step_down(to=to, for_us=for_us, now_us=self.cluster.now_us)
        except StepDownError:
            return []

    def _unplug(self, host: Host) -> None:
        if host.index not in self.cluster.network.unplugged:
            self.cluster.unplug(host)
            self.later(self._lasts_us(), lambda: self.cluster.plug(host))

    def _disk(self, host: Host) -> None:
        host.disk_us = self.rng.randint(100 * MS, 3 * SECOND)

        def mend() -> None:
            host.disk_us = DISK_US

        self.later(self._lasts_us(), mend)

    def _renumber(self, host: Host) -> None:
        self.cluster.renumber(host, self.rng.randint(1024, 65535))

    def _survey(self, host: Host) -> None:
        self._count += 1
        token = self._count
        self.cluster.enter(host, lambda core: core.survey(token, now_us=self.cluster.now_us))

    # -- the end of it -----------------------------------------------------------------------------------

    def end(self, survivors: list[Host]) -> None:
        """Everything works from now on, and the survivors run; the others are off."""
        cluster = self.cluster
        cluster.note(None, f"heal {' '.join(h.name for h in survivors)}")
        self._repairs.clear()
        self._broken.clear()
        unplugged = sorted(cluster.network.unplugged)
        cluster.network.heal()
        for host in cluster.hosts:
            host.disk_us = DISK_US
            if host.core is not None and (host not in survivors or host.core.node.stopping):
                cluster.crash(host)
            if host.core is not None and host.paused_until_us > cluster.now_us:
                cluster.resume(host)
            if host.core is not None and host.index in unplugged:
                cluster.plug(host)
        for host in survivors:
            if host.core is None:
                cluster.start(host)
