"""N cores on one virtual clock. The driver that `daemon/runtime.py` is for real hosts, for simulated ones.

Hosts crash, restart (with their durable ceiling, or as somebody new), and pause as a stopped process does:
datagrams pile up, the clock runs on, and afterwards all that is queued is delivered before any timer fires. Their
disks take time, their cables are pulled, their addresses change. `Cluster` knows no chance but its seed, and no
goal: swarm.py and the tests steer it."""

import heapq
import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from kingd.core.effect import (
    Draining,
    Effect,
    Event,
    HandedOver,
    Multicast,
    Persist,
    Rejoin,
    Send,
    Stopped,
    Surveyed,
    Will,
)
from kingd.core.election import Core
from kingd.core.settings import Settings
from kingd.core.timing import NEVER, SECOND, Timing
from kingd.core.wire.codec import DATAGRAM_SIZE_MAX, decode, encode
from kingd.core.wire.endpoint import Endpoint
from kingd.core.wire.message import Announce, Ballot, Datagram, Ineligible, NodeId, Probe, Role, SessionId, Term
from kingd.core.wire.reader import DecodeError
from kingd.core.wire.seal import Seal, cluster_id
from kingd.sim.adversary import Adversary
from kingd.sim.checker import Checker
from kingd.sim.exclusion import Exclusion
from kingd.sim.host import Clock, Host, Labour
from kingd.sim.network import Network, Payload, Weather
from kingd.sim.outcome import SafetyError

CLUSTER = "sim"
_QUEUE_MAX = 256  # datagrams that wait for a stopped process, as a socket's buffer holds them
_BUFFER_MAX = 10_000  # for a busy one: as many as 4 MiB hold (kingd/net/sockets.py)
_DECODED_MAX = 4096
_SPINNING = 1_000  # entries at one instant; in a large cluster, so many for each host:
_SPINNING_EACH = 10
_DISK_RETRY_US = SECOND
WILL_AT_US = (1_000, 11_000, 51_000)  # after the death, as kingd/daemon/guardian.py


class Cluster:
    def __init__(
        self, settings: list[Settings], *, seed: int, weather: Weather | None = None, encodes: bool = True
    ) -> None:
        """`encodes`: datagrams travel as bytes, and the codec is looked at too; else as they are, which is faster."""
        self.rng = random.Random(seed)
        self.now_us = 1_000_000
        self.seal = Seal()
        self.network = Network(random.Random(self.rng.getrandbits(64)), weather or Weather())
        self.checker = Checker()
        self.trace: Callable[[str], None] | None = None
        self.trace_datagrams = False
        self.encodes = encodes
        self.digest = 0  # of all that was delivered and all that users were told
        self.record: list[tuple[int, int, bytes]] | None = None  # source, target, what; if `encodes`
        self.labour: Labour | None = None  # None: processors take no time; see `employ`
        self._free_us: list[int] = []  # a heap: when each of the processors that all hosts share is free
        self._ahead_us = 0  # when, from now, the host that was entered is done with what it has read and sent so far
        self.watch: Callable[[Host, Datagram, bool], None] | None = (
            None  # who handles which datagram; whether it sends it
        )
        self.adversary: Adversary | None = None  # see `eavesdrop`
        ids = self.rng.sample(range(1, 1 << 32), len(settings))
        self.hosts = [Host(i, s, NodeId(n)) for i, (s, n) in enumerate(zip(settings, ids, strict=True))]
        self.said = 0  # datagrams: one multicast is one
        self.repeats = 0  # heartbeats that needed no decoding
        self.exclusion = Exclusion(self.hosts)
        self._index = {h.endpoint.host: h.index for h in self.hosts}
        self._decoded: dict[bytes, Datagram] = {}
        self._due: list[tuple[int, int]] = []  # a heap of (when, which host): at most one of each host counts
        self._entries_at = (0, 0)  # instant, entries in it
        self._writes = 0

    def employ(self, labour: Labour | None) -> None:
        """Let processors take time from now on."""
        self.labour = labour
        self._free_us = [self.now_us] * labour.shared if labour is not None else []

    def eavesdrop(self, luck: int) -> None:
        """Let somebody hear all, and say it again, from now on."""
        self.adversary = Adversary(random.Random(luck), len(self.hosts), self._say_again)

    def _say_again(self, speaker: int, target: int, multicast: bool, datagram: Datagram, delay_us: int) -> None:
        data = encode(datagram, self.seal) if self.encodes else datagram
        self.network.put(data, source=speaker, target=target, multicast=multicast, at_us=self.now_us + delay_us)

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
        self._end(host)

    def kill(self, host: Host) -> None:
        """Its guardian lives, and sends the obituary."""
        self.note(host, "killed")
        self.execute_will(host)
        self._end(host)

    def execute_will(self, host: Host) -> None:
        """Send the obituary, whether or not the session has ended."""
        obituary, to = host.will.obituary, host.will.to
        if obituary is None:
            return
        self.checker.mourn(obituary.header.session)
        data = self._encode(obituary) if self.encodes else obituary
        for delay_us in WILL_AT_US:
            for other in self.hosts:
                if other is not host and host.will.group:
                    self._send(host, data, other.index, multicast=True, delay_us=delay_us)
            for endpoint in to:
                self._unicast(host, data, endpoint, delay_us=delay_us)

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
        self._schedule(host)

    def resume(self, host: Host) -> None:
        host.paused_until_us = self.now_us
        self._schedule(host)

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

    def local_us(self, host: Host) -> int:
        """What the host's own clock shows now."""
        return host.clock.read(self.now_us)

    # -- time -----------------------------------------------------------------------------------

    def run(self, duration_us: int) -> None:
        end_us = self.now_us + duration_us
        while self._step(end_us):
            pass
        self.now_us = end_us

    def run_until(self, condition: Callable[[], bool], limit_us: int) -> bool:
        end_us = self.now_us + limit_us
        while not condition():
            if not self._step(end_us):
                self.now_us = end_us
                return condition()
        return True

    def _step(self, end_us: int) -> bool:
        """The next thing that happens, if it happens before `end_us`."""
        host = self._next_host()
        due_us = host.due_us if host is not None else NEVER
        delivery_us = self.network.next_us
        if delivery_us is not None and delivery_us <= due_us:
            if delivery_us > end_us:
                return False
            self.now_us = max(self.now_us, delivery_us)
            self._deliver()
            return True
        if host is None or due_us > end_us:
            return False
        self.now_us = max(self.now_us, due_us)
        self._wake(host)
        return True

    def _next_host(self) -> Host | None:
        """Who is due first. A deadline that was put off (as by each heartbeat) is looked at when it would have been due."""
        while self._due:
            at_us, index = self._due[0]
            host = self.hosts[index]
            if at_us == host.due_us:
                return host
            if at_us != host.queued_us or host.due_us == NEVER:  # it got an earlier one since, or has nothing to do
                heapq.heappop(self._due)
                if at_us == host.queued_us:
                    host.queued_us = NEVER
            else:
                heapq.heapreplace(self._due, (host.due_us, index))
                host.queued_us = host.due_us
        return None

    def _schedule(self, host: Host) -> None:
        if host.core is None:
            host.due_us = NEVER
            return
        due_us = host.clock.when(host.core.deadline_us)
        if host.pending_disk:
            due_us = min(due_us, host.pending_disk[0][0])
        if host.backlog:
            due_us = self.now_us
        host.due_us = max(due_us, host.paused_until_us, host.busy_until_us)
        if host.due_us < host.queued_us:
            host.queued_us = host.due_us
            heapq.heappush(self._due, (host.due_us, host.index))

    def _wake(self, host: Host) -> None:
        if self.labour is not None and host.backlog:
            self._receive(host, *host.backlog.pop(0))
            self._schedule(host)
            return
        backlog, host.backlog = host.backlog, []
        for source, data in backlog:  # queued datagrams first, then timers
            self._receive(host, source, data)
        while host.core and host.pending_disk and host.pending_disk[0][0] <= self.now_us:
            _, order, state = host.pending_disk.pop(0)
            self._write(host, order, state)
        core, now_us = host.core, self.local_us(host)
        if core is not None and core.deadline_us <= now_us:
            self._before(core, None)
            self._after(host, core, core.tick(now_us=now_us), None)
        self._schedule(host)  # nothing may have entered it: what was queued was not for it

    def _write(self, host: Host, order: int, state: Persist) -> None:
        """As `daemon/runtime.py` does: who cannot write must not lead, and tries again."""
        now_us = self.local_us(host)
        if host.disk_fails:
            again_us = self.now_us + _DISK_RETRY_US
            waiting = [(max(at_us, again_us), number, each) for at_us, number, each in host.pending_disk]
            host.pending_disk[:] = [(again_us, order, state), *waiting]
            if not host.unwritable:
                self.note(host, "cannot write its state")
                host.unwritable = True
                self.enter(host, lambda core: core.set_unfit(Ineligible.STATE_NOT_WRITABLE, now_us=now_us))
            return
        host.write(state)
        if host.unwritable:
            host.unwritable = False
            self.enter(host, lambda core: core.set_unfit(Ineligible.STATE_NOT_WRITABLE, until_us=0, now_us=now_us))
        self.enter(
            host,
            lambda core: core.persisted(state.ceiling, hold_us=state.hold_us, in_force=state.voters, now_us=now_us),
        )

    def _deliver(self) -> None:
        source, target, multicast, data = self.network.pop()
        host = self.hosts[target]
        if host.core is None:
            if host.refuses and not multicast:
                self._refuse(self.hosts[source], host)
            return
        sender = self.hosts[source].endpoint
        if self.now_us < host.paused_until_us:
            if len(host.backlog) < _QUEUE_MAX:
                host.backlog.append((sender, data))
                self._schedule(host)
            return
        if self.labour is not None and (host.backlog or self.now_us < host.busy_until_us):
            if len(host.backlog) < _BUFFER_MAX:
                host.backlog.append((sender, data))
                self._schedule(host)
            return
        if host.backlog:
            self._wake(host)
        self._receive(host, sender, data)

    def _refuse(self, sender: Host, host: Host) -> None:
        if sender.core is None or self.now_us < sender.paused_until_us:
            return
        if self.network.passes(host.index, sender.index, multicast=False):
            now_us = self.local_us(sender)
            self.enter(sender, lambda core: core.refused(host.endpoint, now_us=now_us))

    def _receive(self, host: Host, source: Endpoint, data: Payload) -> None:
        core, datagram = host.core, self._decode(data) if isinstance(data, bytes) else data
        if core is None or datagram is None:
            return
        if self.watch is not None:
            self.watch(host, datagram, False)
        header = datagram.header
        self._digest(self.now_us ^ header.sequence << 20 ^ header.leader.term << 8 ^ header.role << 4 ^ host.index)
        if self.trace_datagrams and datagram.header.source != host.node_id:
            self.note(host, f"<- {self._label(datagram)}")
        self._before(core, datagram)
        repeats = self.repeats
        effects = self._hand_over(host, core, source, data, datagram)
        if self.labour is not None:
            woken_us = self.labour.woken_us if self.now_us > host.busy_until_us else 0
            read_us = self.labour.repeated_us if self.repeats > repeats else self.labour.received_us
            self._work(host, woken_us + read_us)
        self._after(host, core, effects, datagram)

    def _hand_over(self, host: Host, core: Core, source: Endpoint, data: Payload, datagram: Datagram) -> list[Effect]:
        """As the runtime does: what repeats the last heartbeat needs no more than its number."""
        now_us = self.local_us(host)
        if isinstance(data, bytes):
            found = host.repeats.find(data, self.seal)
            if found is not None and core.repeat(*found, source=source, now_us=now_us):
                self.repeats += 1
                return []
            host.repeats.remember(data, datagram)
        return core.receive(datagram, source=source, now_us=now_us)

    def _digest(self, what: int) -> None:
        self.digest = (self.digest * 1_000_003 ^ what) & 0x3FFF_FFFF

    # -- into a core, and what comes out -------------------------------------------------------------------

    def enter(self, host: Host, entry: Callable[[Core], list[Effect]]) -> None:
        """Call `host.core`, check what it did, perform it."""
        core = host.core
        assert core is not None
        self._before(core, None)
        self._after(host, core, entry(core), None)

    def _before(self, core: Core, cause: Datagram | None) -> None:
        self._count_entry()
        self.checker.before(core.node, cause)

    def _after(self, host: Host, core: Core, effects: list[Effect], cause: Datagram | None) -> None:
        self.checker.after(core.node, effects, cause, host.ceiling)
        self.exclusion.after(host, self.now_us)
        for effect in effects:
            if isinstance(effect, (Send, Multicast)):
                if self.adversary is not None:
                    target = self._index.get(effect.to.host) if isinstance(effect, Send) else None
                    self.adversary.hear(host.index, target, effect.datagram)
                if self.labour is not None:
                    self._work(host, self.labour.sent_us)
                if self.watch is not None:
                    self.watch(host, effect.datagram, True)
            self._perform(host, effect)
        self._ahead_us = 0
        self._schedule(host)

    def _work(self, host: Host, duration_us: int) -> None:
        """What it sends goes out when it has got so far."""
        begins_us = max(host.busy_until_us, self.now_us)
        if self._free_us:
            begins_us = max(begins_us, heapq.heappop(self._free_us))
            heapq.heappush(self._free_us, begins_us + duration_us)
        host.busy_until_us = begins_us + duration_us
        self._ahead_us = host.busy_until_us - self.now_us

    def _count_entry(self) -> None:
        at_us, count = self._entries_at
        self._entries_at = (self.now_us, count + 1 if at_us == self.now_us else 0)
        if count > max(_SPINNING, _SPINNING_EACH * len(self.hosts)):
            raise SafetyError(f"SPINNING: {count} entries at one instant")

    def _perform(self, host: Host, effect: Effect) -> None:
        match effect:
            case Send():
                self._unicast(host, self._encode(effect.datagram) if self.encodes else effect.datagram, effect.to)
            case Multicast():
                datagram = effect.datagram
                data = self._encode(datagram) if self.encodes else datagram
                self._multicast(host, data, to_itself=isinstance(datagram.body, (Announce, Probe)))
            case Will():
                host.will = effect
            case Persist():
                self._writes += 1
                # One after the other: a list of voters has no order of its own.
                last_us = host.pending_disk[-1][0] if host.pending_disk else 0
                host.pending_disk.append((max(last_us, self.now_us + host.disk_us), self._writes, effect))
            case Event():
                self._on_event(host, effect)
            case Surveyed():
                host.surveys.append(effect)
            case HandedOver():
                host.handed_over.append(effect)
            case Stopped():
                self.note(host, "stopped")
                self._end(host)
            case Rejoin() | Draining():
                pass

    def _end(self, host: Host) -> None:
        host.core = None
        host.will = Will(None)
        host.pending_disk.clear()
        host.backlog.clear()
        host.due_us = NEVER

    def _on_event(self, host: Host, event: Event) -> None:
        leader = event.leader.name if event.leader else None
        about = f" {event.member.name}" if event.member else ""
        what = f"{event.kind}{about} leader={leader} term={event.term} reason={event.reason.word}"
        self.note(host, what)
        self._digest(self.now_us << 8 ^ event.term << 4 ^ event.reason ^ host.index)
        host.events.append((self.now_us, event))

    def _unicast(self, host: Host, data: Payload, to: Endpoint, *, delay_us: int = 0) -> None:
        index = self._index.get(to.host)
        if index is not None and self.hosts[index].port == to.port:
            self._send(host, data, index, multicast=False, delay_us=delay_us)

    def _multicast(self, host: Host, data: Payload, *, to_itself: bool) -> None:
        """The kernel loops it back. Of heartbeats that is left out here: it is a fifth of all, and changes nothing."""
        targets = [other.index for other in self.hosts if other is not host or to_itself]
        if self.record is not None:
            assert isinstance(data, bytes)
            self.record += [(host.index, target, data) for target in targets]
        self.network.multicast(data, source=host.index, targets=targets, now_us=self.now_us + self._ahead_us)

    def _send(self, host: Host, data: Payload, target: int, *, multicast: bool, delay_us: int = 0) -> None:
        if self.record is not None:
            assert isinstance(data, bytes)
            self.record.append((host.index, target, data))
        now_us = self.now_us + self._ahead_us + delay_us
        self.network.send(data, source=host.index, target=target, multicast=multicast, now_us=now_us)

    def _encode(self, datagram: Datagram) -> bytes:
        self.said += 1
        data = encode(datagram, self.seal)
        if len(data) > DATAGRAM_SIZE_MAX:
            raise SafetyError(f"WIRE: {len(data)} bytes: {datagram}")
        if decode(data, cluster=datagram.header.cluster, seal=self.seal) != datagram:
            raise SafetyError(f"WIRE: the codec changed {datagram}")
        while len(self._decoded) >= _DECODED_MAX:
            del self._decoded[next(iter(self._decoded))]
        self._decoded[data] = datagram
        return data

    def _decode(self, data: bytes) -> Datagram | None:
        """What these bytes say. Most were decoded when they were sent; several hosts get the same."""
        known = self._decoded.get(data)
        if known is not None:
            return known
        try:
            return decode(data, cluster=self.hosts[0].settings.cluster, seal=self.seal)
        except DecodeError:
            return None

    def note(self, host: Host | None, what: str) -> None:
        if self.trace is not None:
            self.trace(f"{self.now_us / 1e6:10.6f} {host.name if host else '':6} {what}")

    def _label(self, datagram: Datagram) -> str:
        header = datagram.header
        names = {h.node_id: h.name for h in self.hosts}
        leader = f"{header.leader.term}.{names.get(header.leader.node, '?')}" if header.leader.node else "-"
        source = f"{names.get(header.source, '?')} {header.role.name}"
        return f"{source} leader={leader} floor={header.floor.term} {datagram.body}"

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
