"""N cores on one virtual clock.

Hosts crash, restart (with their durable ceiling, or as somebody new), and pause as a stopped process does:
datagrams pile up, the clock runs on, and afterwards all that is queued is delivered before any timer fires. Their
disks take time, their cables are pulled, their addresses change. `Cluster` knows no chance but its seed, and no
goal: swarm.py and the tests steer it. What goes into a core and comes out of it is in driver.py."""

import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from kingd.core.election import Core
from kingd.core.settings import Settings
from kingd.core.timing import NEVER, Timing
from kingd.core.wire.message import Ballot, Datagram, NodeId, Role, SessionId, Term
from kingd.core.wire.seal import cluster_id
from kingd.sim.adversary import Adversary
from kingd.sim.checker import Checker
from kingd.sim.driver import Driver
from kingd.sim.host import Clock, Host
from kingd.sim.labour import Labour, Processors
from kingd.sim.mail import Mail
from kingd.sim.network import Network, Weather

CLUSTER = "sim"
_BEGIN_US = 1_000_000
WILL_AT_US = (1_000, 11_000, 51_000)  # after the death, as kingd/daemon/guardian.py


class Cluster:
    def __init__(
        self, settings: list[Settings], *, seed: int, weather: Weather | None = None, encodes: bool = True
    ) -> None:
        """`encodes`: datagrams travel as bytes, and the codec is looked at too; else as they are, which is faster."""
        self.rng = random.Random(seed)
        self.network = Network(random.Random(self.rng.getrandbits(64)), weather or Weather())
        self.checker = Checker()
        ids = self.rng.sample(range(1, 1 << 32), len(settings))
        self.hosts = [Host(i, s, NodeId(n)) for i, (s, n) in enumerate(zip(settings, ids, strict=True))]
        self.mail = Mail(self.hosts, self.network, encodes=encodes)
        self.driver = Driver(self.hosts, self.network, self.mail, self.checker, now_us=_BEGIN_US)
        self.enter, self.note, self.local_us = self.driver.enter, self.driver.note, self.driver.local_us

    @property
    def now_us(self) -> int:
        return self.driver.now_us

    def employ(self, labour: Labour | None) -> None:
        """Let processors take time from now on."""
        self.driver.processors = None if labour is None else Processors(labour, now_us=self.now_us)

    def eavesdrop(self, luck: int) -> None:
        """Let somebody hear all, and say it again, from now on."""

        def say(speaker: int, target: int, multicast: bool, datagram: Datagram, delay_us: int) -> None:
            self.mail.again(speaker, target, multicast, datagram, at_us=self.now_us + delay_us)

        self.driver.adversary = Adversary(random.Random(luck), len(self.hosts), say)

    # -- faults and commands -----------------------------------------------------------------------------------

    def start(self, host: Host) -> None:
        self.boot(host)
        self.note(host, f"start id={host.node_id:x} port={host.port} priority={host.settings.priority}")
        links = int(host.index not in self.network.unplugged)
        self.enter(host, lambda core: core.links_changed(links, now_us=self.local_us(host)))

    def boot(self, host: Host) -> None:
        """Its process begins, and knows of no link yet."""
        assert host.core is None
        host.refuses = False
        host.core = Core(
            host.settings,
            node_id=host.node_id,
            session=SessionId(self.rng.getrandbits(63) + 1),
            rng=random.Random(self.rng.getrandbits(64)),
            now_us=self.local_us(host),
            ceiling=host.ceiling,
            term=host.term,
            hold_us=host.open_hold(),
            in_force=host.voters,
            unfit=host.unfit_at(self.now_us),
        )
        host.begin_anew()

    def start_all(self) -> None:
        for host in self.hosts:
            self.start(host)

    def crash(self, host: Host, *, written: int = 0, refuses: bool = False) -> None:
        """Its guardian ends with it, as when the host dies (or only both of them: then its port refuses). `written`: of what
        was on its way to the disk so much made it."""
        self.note(host, "crash")
        host.refuses = refuses
        for _, _, state in host.pending_disk[:written]:
            host.write(state)
        self.driver.end(host)

    def kill(self, host: Host) -> None:
        """Its guardian lives, and sends the obituary."""
        self.note(host, "killed")
        self.execute_will(host)
        self.driver.end(host)

    def execute_will(self, host: Host) -> None:
        """Send the obituary, whether or not the session has ended."""
        obituary, to = host.will.obituary, host.will.to
        if obituary is None:
            return
        self.checker.mourn(obituary.header.session)
        data = self.mail.pack(obituary)
        for at_us in (self.now_us + delay_us for delay_us in WILL_AT_US):
            for other in self.hosts:
                if other is not host and host.will.group:
                    self.mail.put(host, data, other.index, multicast=True, now_us=at_us)
            for endpoint in to:
                self.mail.post(host, data, endpoint, now_us=at_us)

    def reboot(self, host: Host, clock: Clock) -> None:
        """The host that does not run begins to count its time anew."""
        assert host.core is None
        host.clock = clock

    def forget(self, host: Host) -> None:
        """Its disk is lost: what starts next is another node."""
        assert host.core is None
        host.node_id = NodeId(self.rng.randrange(1, 1 << 32))
        host.ceiling = host.term = Term(0)
        host.hold_us, host.voters = 0, None

    def pause(self, host: Host, *, until_us: int) -> None:
        self.note(host, f"pause for {(until_us - self.now_us) / 1e3:.0f} ms")
        host.paused_until_us = until_us
        self.driver.schedule(host)

    def resume(self, host: Host) -> None:
        host.paused_until_us = self.now_us
        self.driver.schedule(host)

    def stop(self, host: Host) -> None:
        self.note(host, "stop")
        self.enter(host, lambda core: core.stop(now_us=self.local_us(host)))

    def set_voters(self, host: Host, voters: tuple[str, ...]) -> None:
        """In its configuration, and in the core if it runs: it comes into force when that is safe."""
        host.settings = replace(host.settings, voters=voters)
        self.note(host, f"voters {' '.join(voters)}")
        if host.core is not None:
            settings = replace(host.core.node.settings, voters=voters)
            self.enter(host, lambda core: core.configure(settings, now_us=self.local_us(host)))

    def set_timing(self, host: Host, timing: Timing) -> None:
        host.settings = replace(host.settings, timing=timing)
        self.note(host, f"timing {timing}")
        if host.core is not None:
            settings = replace(host.core.node.settings, timing=timing)
            self.enter(host, lambda core: core.configure(settings, now_us=self.local_us(host)))

    def set_priority(self, host: Host, priority: int) -> None:
        self.note(host, f"priority {priority}")
        self.enter(host, lambda core: core.set_priority(priority, now_us=self.local_us(host)))

    def unplug(self, host: Host) -> None:
        self.note(host, "cable out")
        self.network.unplugged.add(host.index)
        if host.core:
            self.enter(host, lambda core: core.links_changed(0, now_us=self.local_us(host)))

    def plug(self, host: Host) -> None:
        self.note(host, "cable in")
        self.network.unplugged.discard(host.index)
        if host.core:
            self.enter(host, lambda core: core.links_changed(1, now_us=self.local_us(host)))

    def renumber(self, host: Host, port: int) -> None:
        self.note(host, f"port {port}")
        host.port = port
        self.enter(host, lambda core: core.links_changed(1, now_us=self.local_us(host)))

    def cut(self, a: Host, b: Host, *, one_way: bool = False) -> None:
        self.network.cuts.add((a.index, b.index))
        if not one_way:
            self.network.cuts.add((b.index, a.index))

    def partition(self, *sides: list[Host]) -> None:
        for side in sides:
            for other in sides:
                if side is not other:
                    self.network.cuts.update((a.index, b.index) for a in side for b in other)

    # -- time -----------------------------------------------------------------------------------

    def run(self, duration_us: int) -> None:
        end_us = self.now_us + duration_us
        while self._step(end_us):
            pass
        self.driver.now_us = end_us

    def run_until(self, condition: Callable[[], bool], limit_us: int) -> bool:
        end_us = self.now_us + limit_us
        while not condition():
            if not self._step(end_us):
                self.driver.now_us = end_us
                return condition()
        return True

    def _step(self, end_us: int) -> bool:
        """The next thing that happens, if it happens before `end_us`."""
        driver = self.driver
        host = driver.agenda.next()
        due_us = host.due_us if host is not None else NEVER
        delivery_us = self.network.next_us
        if delivery_us is not None and delivery_us <= due_us:
            if delivery_us > end_us:
                return False
            driver.now_us = max(driver.now_us, delivery_us)
            driver.deliver()
            return True
        if host is None or due_us > end_us:
            return False
        driver.now_us = max(driver.now_us, due_us)
        driver.wake(host)
        return True

    # -- what the cluster agrees on -----------------------------------------------------------------------------------

    def running(self) -> list[Host]:
        return [h for h in self.hosts if h.core is not None]

    def leaders(self) -> list[Host]:
        return [h for h in self.running() if h.role is Role.LEADER]

    def view(self, host: Host) -> str | None:
        """Whom this host's users are told leads."""
        if host.core is None or self.now_us < host.paused_until_us:
            return None
        leader = host.core.status(self.local_us(host)).leader
        return leader.name if leader else None

    def agreed(self, among: list[Host] | None = None) -> str | None:
        """The name that every one of them says, if they all say the same and it leads, alone, under the same ballot."""
        hosts = self.running() if among is None else among
        leaders = [h for h in hosts if h.role is Role.LEADER]
        if len(leaders) != 1 or leaders[0].core is None:
            return None
        ballot = leaders[0].core.node.ballot
        return leaders[0].name if all(self._believes(h, ballot) for h in hosts) else None

    def _believes(self, host: Host, ballot: Ballot) -> bool:
        core = host.core
        if core is None or core.node.leader != ballot or self.now_us < host.paused_until_us:
            return False
        return core.status(self.local_us(host)).ballot == ballot

    def host(self, name: str) -> Host:
        return next(h for h in self.hosts if h.name == name)


def hosts(*priorities: int, **changes: Any) -> list[Settings]:
    """Settings of box1, box2, ... with these priorities."""
    plain = Settings(cluster=cluster_id(CLUSTER), name="", version="0")
    return [replace(plain, name=f"box{i}", priority=p, **changes) for i, p in enumerate(priorities, 1)]
