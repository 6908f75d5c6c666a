"""N cores on one virtual clock. The driver that `daemon/runtime.py` is for real hosts, for simulated ones.

Hosts crash, restart (with their durable ceiling, or without), and pause as a stopped process does: datagrams pile up, the clock
runs on, and afterwards all that is queued is delivered before any timer fires.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass, field

from kingd.core.codec import DecodeError, decode, encode
from kingd.core.effect import Effect, Event, HandedOver, Multicast, Persist, Rejoin, Send, Stopped, Surveyed
from kingd.core.election import Core
from kingd.core.endpoint import Endpoint
from kingd.core.message import NodeId, Role, SessionId, Term
from kingd.core.node import Settings
from kingd.core.seal import Seal, cluster_id
from kingd.sim.checker import Checker
from kingd.sim.network import Network, Weather

CLUSTER = "sim"
_DISK_US = 1_000
_QUEUE_MAX = 256  # datagrams that wait for a stopped process, as a socket's buffer holds them


@dataclass(slots=True)
class Host:
    index: int
    settings: Settings
    node_id: NodeId
    core: Core | None = None  # None: crashed or off
    ceiling: Term = Term(0)  # what its disk holds
    paused_until_us: int = 0
    backlog: list[tuple[int, bool, bytes]] = field(default_factory=list)
    pending_disk: list[tuple[int, Term]] = field(default_factory=list)
    disk_us: int = _DISK_US
    events: list[tuple[int, Event]] = field(default_factory=list)
    surveys: list[Surveyed] = field(default_factory=list)
    handed_over: list[HandedOver] = field(default_factory=list)

    @property
    def name(self) -> str:
        return self.settings.name

    @property
    def role(self) -> Role | None:
        return self.core.node.role if self.core else None


class Cluster:
    def __init__(self, settings: list[Settings], *, seed: int, weather: Weather | None = None) -> None:
        self.rng = random.Random(seed)
        self.now_us = 1_000_000
        self.seal = Seal()
        self.network = Network(random.Random(self.rng.getrandbits(64)), weather or Weather())
        self.checker = Checker()
        self.trace: list[str] | None = None
        self.record: list[tuple[int, int, bytes]] | None = None
        ids = self.rng.sample(range(1, 1 << 32), len(settings))
        self.hosts = [Host(i, s, NodeId(n)) for i, (s, n) in enumerate(zip(settings, ids, strict=True))]

    # -- faults and commands -----------------------------------------------------------------------------------------------

    def start(self, host: Host) -> None:
        assert host.core is None
        host.core = Core(
            host.settings,
            node_id=host.node_id,
            session=SessionId(self.rng.getrandbits(63) + 1),
            rng=random.Random(self.rng.getrandbits(64)),
            now_us=self.now_us,
            ceiling=host.ceiling,
        )
        host.backlog.clear()
        host.pending_disk.clear()
        host.paused_until_us = 0
        self._note(host, "start")
        self._perform(host, host.core.links_changed(1, now_us=self.now_us))

    def start_all(self) -> None:
        for host in self.hosts:
            self.start(host)

    def crash(self, host: Host) -> None:
        self._note(host, "crash")
        host.core = None

    def pause(self, host: Host, *, until_us: int) -> None:
        self._note(host, "pause")
        host.paused_until_us = until_us

    def stop(self, host: Host) -> None:
        assert host.core is not None
        self._note(host, "stop")
        self._perform(host, host.core.stop(now_us=self.now_us))

    def command(self, host: Host, effects: list[Effect]) -> None:
        """Perform what a command to `host.core` returned."""
        self._perform(host, effects)

    def cut(self, a: Host, b: Host, *, one_way: bool = False) -> None:
        self.network.cuts.add((a.index, b.index))
        if not one_way:
            self.network.cuts.add((b.index, a.index))

    def partition(self, *sides: list[Host]) -> None:
        for side in sides:
            for other in sides:
                if side is not other:
                    self.network.cuts.update((a.index, b.index) for a in side for b in other)

    # -- time --------------------------------------------------------------------------------------------------------------

    def run(self, duration_us: int) -> None:
        end_us = self.now_us + duration_us
        while self._step(end_us):
            pass
        self.now_us = end_us

    def run_until(self, condition: Callable[[], bool], limit_us: int) -> bool:
        end_us = self.now_us + limit_us
        while not condition():
            if not self._step(end_us):
                return condition()
        return True

    def _step(self, end_us: int) -> bool:
        """The next thing that happens, if it happens before `end_us`."""
        at_us, host = self._next_timer()
        delivery_us = self.network.next_us
        if delivery_us is not None and (host is None or delivery_us <= at_us):
            if delivery_us > end_us:
                return False
            self.now_us = max(self.now_us, delivery_us)
            self._deliver()
            return True
        if host is None or at_us > end_us:
            return False
        self.now_us = max(self.now_us, at_us)
        self._wake(host)
        return True

    def _next_timer(self) -> tuple[int, Host | None]:
        best: tuple[int, Host | None] = (1 << 62, None)
        for host in self.hosts:
            if host.core is None:
                continue
            at_us = host.core.deadline_us
            if host.pending_disk:
                at_us = min(at_us, host.pending_disk[0][0])
            at_us = max(at_us, host.paused_until_us)
            if at_us < best[0]:
                best = (at_us, host)
        return best

    def _wake(self, host: Host) -> None:
        backlog, host.backlog = host.backlog, []
        for source, multicast, data in backlog:  # queued datagrams first, then timers
            self._receive(host, source, multicast, data)
        while host.core and host.pending_disk and host.pending_disk[0][0] <= self.now_us:
            _, ceiling = host.pending_disk.pop(0)
            host.ceiling = max(host.ceiling, ceiling)
            self._perform(host, host.core.persisted(ceiling, now_us=self.now_us))
        if host.core and host.core.deadline_us <= self.now_us:
            self._perform(host, host.core.tick(now_us=self.now_us))

    def _deliver(self) -> None:
        source, target, multicast, data = self.network.pop()
        host = self.hosts[target]
        if host.core is None:
            return
        if self.now_us < host.paused_until_us:
            if len(host.backlog) < _QUEUE_MAX:
                host.backlog.append((source, multicast, data))
            return
        if host.backlog:
            self._wake(host)
        self._receive(host, source, multicast, data)

    def _receive(self, host: Host, source: int, multicast: bool, data: bytes) -> None:
        if host.core is None:
            return
        try:
            datagram = decode(data, cluster=host.settings.cluster, seal=self.seal)
        except DecodeError:
            return
        effects = host.core.receive(datagram, source=endpoint(source), now_us=self.now_us)
        self._perform(host, effects)

    def _perform(self, host: Host, effects: list[Effect]) -> None:
        if host.core is None:
            return
        self.checker.check(host.core.node)
        for effect in effects:
            match effect:
                case Send(datagram, to):
                    self._send(host, encode(datagram, self.seal), int(to.host.rsplit(".", 1)[1]), multicast=False)
                case Multicast(datagram):
                    data = encode(datagram, self.seal)
                    for other in self.hosts:
                        self._send(host, data, other.index, multicast=True)
                case Persist(ceiling):
                    host.pending_disk.append((self.now_us + host.disk_us, ceiling))
                case Event():
                    self._note(host, f"{effect.kind} term={effect.term} reason={effect.reason.word}")
                    host.events.append((self.now_us, effect))
                    self.checker.on_event(host.core.node, effect)
                case Surveyed():
                    host.surveys.append(effect)
                case HandedOver():
                    host.handed_over.append(effect)
                case Stopped():
                    self._note(host, "stopped")
                    host.ceiling = max(host.ceiling, host.core.node.term_seen)
                    host.core = None
                    return
                case Rejoin():
                    pass

    def _send(self, host: Host, data: bytes, target: int, *, multicast: bool) -> None:
        if self.record is not None:
            self.record.append((host.index, target, data))
        if 0 <= target < len(self.hosts):
            self.network.send(data, source=host.index, target=target, multicast=multicast, now_us=self.now_us)

    def _note(self, host: Host, what: str) -> None:
        if self.trace is not None:
            self.trace.append(f"{self.now_us / 1e6:10.6f} {host.name:6} {what}")

    # -- what the cluster agrees on ------------------------------------------------------------------------------------------

    def running(self) -> list[Host]:
        return [h for h in self.hosts if h.core is not None]

    def leaders(self) -> list[Host]:
        return [h for h in self.running() if h.role is Role.LEADER]

    def view(self, host: Host) -> str | None:
        """Whom this host's users are told leads."""
        if host.core is None or self.now_us < host.paused_until_us:
            return None
        leader = host.core.status(self.now_us).leader
        return leader.name if leader else None

    def agreed(self, among: list[Host] | None = None) -> str | None:
        """The name that every one of them says, if they all say the same and it leads."""
        views = {self.view(h) for h in (among or self.running())}
        if len(views) != 1:
            return None
        name = next(iter(views))
        return name if any(h.name == name for h in self.leaders()) else None

    def host(self, name: str) -> Host:
        return next(h for h in self.hosts if h.name == name)


def endpoint(index: int) -> Endpoint:
    return Endpoint(f"10.0.0.{index}", 5466, "sim0")


def hosts(*priorities: int, **changes: object) -> list[Settings]:
    """Settings of box1, box2, ... with these priorities."""
    return [
        Settings(cluster=cluster_id(CLUSTER), name=f"box{i}", version="0", priority=p, **changes)  # type: ignore[arg-type]
        for i, p in enumerate(priorities, 1)
    ]
