"""The driver: datagrams, time and commands go into the core, and its effects are carried out. docs/architecture.md.

Three entry points of one shape (datagram, timer, control request): call the core with the time, perform, re-arm.
Datagrams that wait in the sockets are read before a late timer fires, so that a process that was stopped sees what happened
meanwhile before it judges anybody. Nothing here waits for a disk, DNS or a client. An exception in any callback ends the
process: a half-dead leader is worse than none, and systemd starts a new one."""

import os
import random
import signal
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from kingd import scheduling
from kingd.config import Config
from kingd.control.server import FIRST_LOOK_S, ControlServer
from kingd.control.service import ServiceError
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
from kingd.core.wire.aside import Aside
from kingd.core.wire.codec import decode, encode
from kingd.core.wire.endpoint import Endpoint
from kingd.core.wire.message import Reason, Role, SessionId, Term
from kingd.core.wire.reader import DecodeError
from kingd.core.wire.repeats import Repeats
from kingd.core.wire.seal import Seal
from kingd.daemon import after_start, sentences, systemd
from kingd.daemon.clock import now_us
from kingd.daemon.clock_steps import ClockSteps
from kingd.daemon.deadline import Deadline
from kingd.daemon.durable import Durable
from kingd.daemon.election_settings import election_settings
from kingd.daemon.eligibility import Eligibility
from kingd.daemon.gate import Gate
from kingd.daemon.guardian import Guardian
from kingd.daemon.last_will import LastWill
from kingd.daemon.news import News
from kingd.daemon.peers import Peers
from kingd.daemon.refusals import Refusals
from kingd.daemon.service import ControlService, Settled
from kingd.daemon.store import Owner, Store
from kingd.daemon.traffic import Traffic
from kingd.daemon.troubles import Troubles
from kingd.log import Logger, set_up
from kingd.loop import Loop
from kingd.net.transport import Transport

if TYPE_CHECKING:
    from kingd.daemon.asides import Asides

_log = Logger("kingd")

_RESOLVE_EVERY_S = 60.0
_REMEMBER_EVERY_S = 30.0
_FLOOD_CHECK_EVERY_S = 5.0
_STOCK_EVERY_S = 5.0
_ASKED_MAX = 16  # members whose way to us tells our address: it is looked up for each event
# The loop reads, and then runs timers: only who was stopped in between, or flooded, has something left to read.
_LATE_US = 5_000


class Runtime:
    """One daemon: `run` until it is told to stop."""

    def __init__(
        self,
        config: Config,
        seal: Seal,
        store: Store,
        *,
        reread: Callable[[], Settled],
        guardian: Guardian | None = None,
    ) -> None:
        """`reread` loads the configuration and the keys again; raises ConfigError."""
        self.config = config
        self._store = store
        self.reread = reread
        self.seal = seal
        self._repeats = Repeats()
        self._rng = rng = random.Random(os.urandom(16))  # not the core's
        # A thread that holds the interpreter and waits for a processor holds up the loop: it runs before others as well.
        self._loop = loop = Loop(in_each_thread=self._prefer)
        self._last_will = LastWill(guardian, seal, rng=rng)
        self._peers = Peers(config.network.peers, loop, port=config.network.port, store=store)
        self.eligibility = Eligibility(config, store, loop)
        self.core = Core(
            election_settings(config, self._peers.endpoints, seal),
            node_id=store.node_id,
            session=SessionId(int.from_bytes(os.urandom(8), "big") | 1),
            rng=random.Random(os.urandom(16)),
            now_us=now_us(),
            ceiling=Term(store.ceiling),
            term=Term(store.term),
            hold_us=store.hold_us,
            in_force=store.voters,
            unfit=self.eligibility.at_start(),
        )
        self.refusals = Refusals()
        self.traffic = Traffic(self.core, self.refusals)
        self._durable = Durable(store, self.core, loop, rng=rng, perform=self.perform, on_problem=self._note_problems)
        self._gate = Gate(self.core, self.refusals)
        self.news = News(self.core, loop, here=self.here, detail=self.eligibility.detail)
        self._troubles = Troubles()
        self._late = ""  # why this process may run late on a busy host
        self._exit = 0
        self._deadline = Deadline(loop, self._on_due, on_late=self._on_late)
        self.lag = self._deadline.lag
        self.clock_steps = ClockSteps()
        self._service = ControlService(self, loop)
        self._server = ControlServer(self._service, loop, path=config.control.socket, group=config.control.group)
        self._is_ending = False

    def run(self, on_up: Callable[[], None]) -> int:
        """Exit code: 0 after a planned stop, EX_SOFTWARE after a mistake of ours. SocketBusy, SocketUnusable: not started."""
        self._prefer()
        self._server.start()
        self._transport = self._open_transport()
        self._last_will.watch(self._loop, self._transport)
        self._gate.guard(self._transport, self._loop)
        self._transport.start(self._loop)
        self._durable.begin()
        self._on_due(0)  # what is due now is said before all that can wait: a name service may take its time
        self._loop.keep_thread()  # for the disk
        self._server.look_up_group(wait_s=FIRST_LOOK_S)
        self._handle_signals()
        self._begin_chores()
        self._feed_watchdog()
        systemd.ready(self.news.sentence())
        on_up()
        after_start.load(self._loop)
        try:
            self._loop.run()
        except Exception as error:
            _log.critical("a mistake in kingd, ending", error=error)
            self._exit = os.EX_SOFTWARE
        systemd.stopping()
        self._close()
        return self._exit

    @cached_property
    def asides(self) -> "Asides":
        from kingd.daemon.asides import Asides  # see after_start.py

        return Asides(self, self._loop, self._transport, rng=self._rng)

    def _begin_chores(self) -> None:
        loop, peers = self._loop, self._peers
        self.eligibility.begin(self.core, self.perform)
        if peers.has_names:
            loop.every(_RESOLVE_EVERY_S, lambda: peers.resolve(self._configure))
        loop.every(_REMEMBER_EVERY_S, lambda: peers.remember(self.core))
        loop.every(_FLOOD_CHECK_EVERY_S, self._gate.watch)
        loop.every(_STOCK_EVERY_S, self._take_stock)

    def _open_transport(self) -> Transport:
        network = self.config.network
        return Transport(
            interfaces=network.interfaces,
            port=network.port,
            group4=network.group4,
            group6=network.group6,
            broadcast=network.broadcast,
            peers=self._peers.has_any,
            on_datagram=self._on_datagram,
            on_refused=self._on_refused,
            on_links_changed=self._on_links_changed,
            on_problem=lambda _problem: self._note_problems(),
        )

    def _handle_signals(self) -> None:
        self._loop.on_signal(signal.SIGTERM, self._on_stop_signal)
        self._loop.on_signal(signal.SIGINT, self._on_stop_signal)
        self._loop.on_signal(signal.SIGHUP, self._on_reload_signal)

    def _close(self) -> None:
        self._deadline.cancel()
        self._transport.close()
        self.news.close()
        self._server.close()
        if self._exit == 0:
            self._durable.end(self.core.endpoints())

    def _on_stop_signal(self) -> None:
        if self._is_ending:  # asked twice: now
            self._loop.stop()
            return
        self._is_ending = True
        self._service.drain_to_stop(lambda: self.perform(self.core.stop(now_us=now_us())))

    def reconfigure(self, config: Config, seal: Seal, *, waiting: Sequence[str]) -> None:
        """Put the live keys of a checked configuration, and the cluster's keys, into force. `waiting`: what a restart will."""
        self.config = config
        self.news.waiting = tuple(waiting)
        if self.seal.requires_key and not seal.requires_key:
            _log.warning("unsigned datagrams are believed from now on (security: %s)", seal.mode)
        self.seal = seal
        self._last_will.reseal(seal)
        set_up(config.log.level, config.log.format)
        self._prefer()
        self._server.look_up_group(wait_s=0)
        self._configure()
        self.eligibility.configure(config)
        self.news.tell_systemd()

    def _configure(self) -> None:
        new = election_settings(self.config, self._peers.endpoints, self.seal)
        self.perform(self.core.configure(new, now_us=now_us()))

    def _prefer(self) -> None:
        """In each thread."""
        self._late = scheduling.prefer(self.config.timing.leader_timeout_us)

    def problems(self) -> list[str]:
        found = [str(problem) for problem in self._transport.problems()]
        keys = ", ".join(self.news.waiting)
        waiting = f"changed, and in force only after a restart of kingd: {keys}" if keys else ""
        own = (self._server.problem, self._late, self._last_will.problem, waiting)
        return [*self._durable.problems(), *self.eligibility.problems(), *filter(None, own), *found]

    def _on_reload_signal(self) -> None:
        try:
            self._service.reload()
        except ServiceError as error:
            _log.error("reload: nothing was changed: %s", error.message)

    def _on_datagram(self, data: bytes, source: Endpoint, by_group: bool) -> None:
        now = now_us()
        self._gate.take(data, lambda: self._read(data, source, now), by_group=by_group, now_us=now)

    def _read(self, data: bytes, source: Endpoint, now: int) -> None:
        found = self._repeats.find(data, self.seal)
        if found is not None and self.core.repeat(*found, source=source, now_us=now):
            self.traffic.received(found[0].body)
            self._deadline.set(self.core.deadline_us)
            return
        try:
            datagram = decode(data, cluster=self.core.settings.cluster, seal=self.seal)
        except DecodeError as error:
            self.refusals.note(error.reason, source, data, now_us=now)
            self._gate.refused(now)
            return
        if isinstance(datagram.body, Aside):
            self.asides.take(datagram.header, datagram.body, source)
            return
        self.traffic.received(datagram.body)
        self._repeats.remember(data, datagram)
        self.perform(self.core.receive(datagram, source=source, now_us=now))

    def _on_due(self, late_us: int) -> None:
        if late_us > _LATE_US:
            self._transport.drain()
        self.perform(self.core.tick(now_us=now_us()))

    def _on_late(self, late_us: int) -> None:
        """A leader that stops leading for it says so by its event."""
        if late_us <= self.config.timing.leader_timeout_us:
            return
        if self.core.role is not Role.SEEKING or self.core.status(now_us()).reason is not Reason.STALLED:
            _log.warning(
                "the process did not run for %.1f s (was it stopped, or is the machine overloaded?)", late_us / 1e6
            )

    def _on_links_changed(self, links: int) -> None:
        self.perform(self.core.links_changed(links, now_us=now_us()))
        self._last_will.renew()

    def _on_refused(self, endpoint: Endpoint) -> None:
        self.perform(self.core.refused(endpoint, now_us=now_us()))
        self.asides.doctor.refused(endpoint)

    def _take_stock(self) -> None:
        self.traffic.sample(now_us=now_us())
        self.clock_steps.look()
        self._note_problems()

    def _note_problems(self) -> None:
        now = now_us()
        seen = map(sentences.problem, self.core.status(now).problems)
        self._troubles.note([*seen, *self.problems()], now_us=now)

    def perform(self, effects: list[Effect]) -> None:  # noqa: C901 - a table that mypy checks for a forgotten kind
        """In the order of the list: what goes to other hosts is first in it."""
        for effect in effects:
            match effect:
                case Send(datagram, to):
                    self.traffic.sends(datagram.body, to)
                    self._transport.send(encode(datagram, self.seal), to)
                case Multicast(datagram, everywhere, broadcast):
                    self.traffic.sends(datagram.body, None)
                    data = encode(datagram, self.seal)
                    self._transport.multicast(data, everywhere=everywhere, broadcast=broadcast)
                case Rejoin():
                    self._transport.rejoin()
                case Will():
                    self._last_will.leave(effect)
                case Persist():
                    self._durable.keep(effect)
                case Event():
                    self.news.tell(effect)
                case Surveyed():
                    self._service.on_surveyed(effect)
                case Draining():
                    self._service.on_draining()
                case HandedOver():
                    self._service.on_handed_over(effect)
                case Stopped():
                    self._loop.stop()
        self._deadline.set(self.core.deadline_us)
        self._service.stepped()

    def here(self) -> str | None:
        """This node's own address: the one by which members know it, or knew it."""
        known = self.core.endpoints() or self.core.endpoints(alive=False)
        endpoint = self._transport.own_endpoint(known[:_ASKED_MAX])
        return None if endpoint is None else str(endpoint)

    def _feed_watchdog(self) -> None:
        interval_us = systemd.watchdog_interval_us()
        if interval_us is not None:
            systemd.watchdog()
            self._loop.call_later(interval_us / 2e6, self._feed_watchdog)


def run(
    config: Config, seal: Seal, state_folder: Path, *,
    reread: Callable[[], Settled], guardian: Guardian | None = None, on_up: Callable[[], None],
) -> int:  # fmt: skip
    """Open the state, run the loop, return the exit code. StateBusy, SocketBusy, SocketUnusable: not started."""
    store = Store.open(state_folder, Owner(config.name, config.cluster))
    for warning in store.warnings:
        _log.warning("%s", warning)
    try:
        return Runtime(config, seal, store, reread=reread, guardian=guardian).run(on_up)
    finally:
        store.close()
