"""What `daemon/runtime.py` is for real hosts, for simulated ones: into a core go datagrams, time and commands, and its effects
are carried out. All that enters a core passes here, so the checker looks here, and the trace and the digest are made here.

It moves no clock: who does (`Cluster`) sets `now_us`, the one real time, and says what happens then."""

from collections.abc import Callable

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
from kingd.core.timing import NEVER, SECOND
from kingd.core.wire.endpoint import Endpoint
from kingd.core.wire.message import Datagram, Ineligible
from kingd.sim.adversary import Adversary
from kingd.sim.agenda import Agenda
from kingd.sim.checker import Checker
from kingd.sim.exclusion import Exclusion
from kingd.sim.host import Host
from kingd.sim.labour import Processors
from kingd.sim.mail import Mail
from kingd.sim.network import Network, Payload
from kingd.sim.outcome import SafetyError

_QUEUE_MAX = 256  # datagrams that wait for a stopped process, as a socket's buffer holds them
_BUFFER_MAX = 10_000  # for a busy one: as many as 4 MiB hold (kingd/net/sockets.py)
_SPINNING = 1_000  # entries at one instant; in a large cluster, so many for each host:
_SPINNING_EACH = 10
_DISK_RETRY_US = SECOND

Watch = Callable[[Host, Datagram, bool], None]
"""Who handles which datagram; whether it sends it."""


class Driver:
    def __init__(self, hosts: list[Host], network: Network, mail: Mail, checker: Checker, *, now_us: int) -> None:
        self.now_us = now_us
        self.agenda = Agenda(hosts)
        self.trace: Callable[[str], None] | None = None
        self.trace_datagrams = False
        self.digest = 0  # of all that was delivered and all that users were told
        self.processors: Processors | None = None  # None: they take no time
        self.watch: Watch | None = None
        self.adversary: Adversary | None = None
        self._hosts = hosts
        self._network = network
        self._mail = mail
        self._checker = checker
        self._exclusion = Exclusion(hosts)
        self._entries_at = (0, 0)  # instant, entries in it
        self._writes = 0

    # -- what happens to a host

    def deliver(self) -> None:
        """The next datagram of the network has arrived."""
        source, target, multicast, data = self._network.pop()
        host = self._hosts[target]
        if host.core is None:
            if host.refuses and not multicast:
                self._refuse(self._hosts[source], host)
            return
        sender = self._hosts[source].endpoint
        if self.now_us < host.paused_until_us:
            self._keep(host, sender, data, most=_QUEUE_MAX)
            return
        if self.processors is not None and (host.backlog or self.now_us < host.busy_until_us):
            self._keep(host, sender, data, most=_BUFFER_MAX)
            return
        if host.backlog:
            self.wake(host)
        self._receive(host, sender, data)

    def _keep(self, host: Host, sender: Endpoint, data: Payload, *, most: int) -> None:
        if len(host.backlog) < most:
            host.backlog.append((sender, data))
            self.schedule(host)

    def _refuse(self, sender: Host, host: Host) -> None:
        if sender.core is None or self.now_us < sender.paused_until_us:
            return
        if self._network.passes(host.index, sender.index, multicast=False):
            now_us = self.local_us(sender)
            self.enter(sender, lambda core: core.refused(host.endpoint, now_us=now_us))

    def wake(self, host: Host) -> None:
        """It is due."""
        if self.processors is not None and host.backlog:
            self._receive(host, *host.backlog.pop(0))
            self.schedule(host)
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
        self.schedule(host)  # nothing may have entered it: what was queued was not for it

    def schedule(self, host: Host) -> None:
        self.agenda.put(host, now_us=self.now_us)

    def _write(self, host: Host, order: int, state: Persist) -> None:
        """As `daemon/durable.py` does: who cannot write must not lead, and tries again."""
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

    def _receive(self, host: Host, source: Endpoint, data: Payload) -> None:
        core, datagram = host.core, self._mail.read(data)
        if core is None or datagram is None:
            return
        if self.watch is not None:
            self.watch(host, datagram, False)
        header = datagram.header
        self._digest(self.now_us ^ header.sequence << 20 ^ header.leader.term << 8 ^ header.role << 4 ^ host.index)
        if self.trace_datagrams and datagram.header.source != host.node_id:
            self.note(host, f"<- {self._label(datagram)}")
        self._before(core, datagram)
        effects = self._hand_over(host, core, source, data, datagram)
        if self.processors is not None:
            self.processors.read(host, repeated=effects is None, now_us=self.now_us)
        self._after(host, core, effects or [], datagram)

    def _hand_over(
        self, host: Host, core: Core, source: Endpoint, data: Payload, datagram: Datagram
    ) -> list[Effect] | None:
        """As the runtime does: what repeats the last heartbeat needs no more than its number (None)."""
        now_us = self.local_us(host)
        if isinstance(data, bytes):
            found = host.repeats.find(data, self._mail.seal)
            if found is not None and core.repeat(*found, source=source, now_us=now_us):
                return None
            host.repeats.remember(data, datagram)
        return core.receive(datagram, source=source, now_us=now_us)

    # -- into a core, and what comes out

    def enter(self, host: Host, entry: Callable[[Core], list[Effect]]) -> None:
        """Call `host.core`, check what it did, perform it."""
        core = host.core
        assert core is not None
        self._before(core, None)
        self._after(host, core, entry(core), None)

    def _before(self, core: Core, cause: Datagram | None) -> None:
        self._count_entry()
        self._checker.before(core.node, cause)

    def _count_entry(self) -> None:
        at_us, count = self._entries_at
        self._entries_at = (self.now_us, count + 1 if at_us == self.now_us else 0)
        if count > max(_SPINNING, _SPINNING_EACH * len(self._hosts)):
            raise SafetyError(f"SPINNING: {count} entries at one instant")

    def _after(self, host: Host, core: Core, effects: list[Effect], cause: Datagram | None) -> None:
        self._checker.after(core.node, effects, cause, host)
        self._exclusion.after(host, self.now_us)
        for effect in effects:
            self._perform(host, effect)
        self.schedule(host)

    def _perform(self, host: Host, effect: Effect) -> None:
        match effect:
            case Send(datagram, to):
                sent_us = self._sends(host, datagram, self._mail.target(to))
                self._mail.unicast(host, datagram, to, now_us=sent_us)
            case Multicast(datagram):
                sent_us = self._sends(host, datagram, None)
                self._mail.multicast(host, datagram, now_us=sent_us)
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
                self.end(host)
            case Rejoin() | Draining():
                pass

    def _sends(self, host: Host, datagram: Datagram, target: int | None) -> int:
        """When it goes out: when the host has got so far."""
        if self.adversary is not None:
            self.adversary.hear(host.index, target, datagram)
        if self.processors is not None:
            self.processors.send(host, now_us=self.now_us)
        if self.watch is not None:
            self.watch(host, datagram, True)
        return self.now_us if self.processors is None else host.busy_until_us

    def end(self, host: Host) -> None:
        """Its process is gone."""
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

    # -- what is seen of it

    def local_us(self, host: Host) -> int:
        """What the host's own clock shows now."""
        return host.clock.read(self.now_us)

    def note(self, host: Host | None, what: str) -> None:
        if self.trace is not None:
            self.trace(f"{self.now_us / 1e6:10.6f} {host.name if host else '':6} {what}")

    def _label(self, datagram: Datagram) -> str:
        header = datagram.header
        names = {h.node_id: h.name for h in self._hosts}
        leader = f"{header.leader.term}.{names.get(header.leader.node, '?')}" if header.leader.node else "-"
        source = f"{names.get(header.source, '?')} {header.role.name}"
        return f"{source} leader={leader} floor={header.floor.term} {datagram.body}"

    def _digest(self, what: int) -> None:
        self.digest = (self.digest * 1_000_003 ^ what) & 0x3FFF_FFFF
