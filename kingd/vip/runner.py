"""The loop of kingd-vip: what the daemon says and what the kernel has go into each address's state machine, and what comes
out is done. It waits in one place, by CLOCK_BOOTTIME."""

import json
import os
import select
import signal
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from kingd.acting.hold import NEVER_US
from kingd.acting.linux import BootTimer
from kingd.daemon import systemd
from kingd.daemon.clock import now_us
from kingd.log import INFO, WARNING, Logger
from kingd.net.links import address_bits
from kingd.vip.carriers import Carriers
from kingd.vip.config import Address
from kingd.vip.connections import reset
from kingd.vip.floating import Act, Facts, Floating, Present, State
from kingd.vip.frames import Heard, Says, announcements, probe
from kingd.vip.kernel import Kernel, is_router, neighbours
from kingd.vip.tenancy import Tenancy
from kingd.vip.wire import Wire

_DRAINED_AGAIN_US = 500_000
_CLAIM_SAID_AGAIN_US = 10_000_000
_WRITTEN_AGAIN_US = 1_000_000
_MEMBERS_AGAIN_US = 1_000_000

_log = Logger("kingd.vip")


class Runner:
    def __init__(self, socket: str, addresses: Sequence[Address], folder: Path) -> None:
        """`folder`: for status.json, which nothing here reads."""
        self._tenancy = Tenancy(socket)
        self._kernel = Kernel()
        self._wire = Wire(addresses)
        self._addresses = {address: Floating() for address in addresses}
        self._carriers = Carriers({address.interface for address in addresses})
        self._file = folder / "status.json"
        self._told: dict[Address, tuple[State, str]] = {}
        self._said_us: dict[Address, int] = {}  # that somebody else claims it
        self._members: Mapping[bytes, str] = {}
        self._members_us = -_MEMBERS_AGAIN_US  # asked for last
        self._said = self._written = ""
        self._written_us = 0
        self._problem = ""
        self._timer = BootTimer()
        self._signals, self._signal = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._idle_us = (systemd.watchdog_interval_us() or 2 * NEVER_US) // 2
        self._drained_us = 0  # said last
        self._stopping = False

    def run(self) -> None:
        """Until SIGTERM, and until nothing of ours is there."""
        signal.set_wakeup_fd(self._signal, warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)
        strays = self._kernel.sweep(tuple(self._addresses))
        if strays:
            _log.info("removed %d floating addresses that are not in the configuration any more", strays)
        self._wire.follow(self._kernel.links)
        systemd.ready("waiting for the first word of kingd")
        while True:
            self._turn()
            systemd.watchdog()
            if self._stopping and self._is_clear():
                break
            self._wait()
        self._tenancy.close()

    def _on_signal(self, number: int, frame: object) -> None:
        if self._stopping:
            raise SystemExit(1)  # asked twice; the kernel removes what is left
        self._stopping = True
        systemd.stopping()

    def _turn(self) -> None:
        self._kernel.look()
        self._tenancy.turn()
        self._hear()
        if self._tenancy.is_known or self._stopping:  # before that, what a former process has left lives on
            for address, floating in self._addresses.items():
                self._see_to(address, floating)
        if self._tenancy.is_draining and now_us() >= self._drained_us + _DRAINED_AGAIN_US and self._is_clear():
            self._say_drained()
        self._wire.follow(self._kernel.links)
        self._tell_of_carriers()
        self._tell()

    def _see_to(self, address: Address, floating: Floating) -> None:
        is_to_go = self._stopping or self._tenancy.is_draining
        facts = Facts(
            leadership=None if is_to_go else self._tenancy.leadership,
            other_leads=self._tenancy.other_leads,
            succeeds=self._tenancy.succeeds,
            link=self._kernel.links.get(address.interface),
            present=self._kernel.present(address),
        )
        now = now_us()
        for act in floating.turn(facts, now_us=now):
            try:
                self._do(act, address)
            except (OSError, KeyError) as error:
                self._kernel.read()
                if not self._is_done(act, address):
                    why = "the interface has gone" if isinstance(error, KeyError) else error.strerror or error.args[0]
                    floating.failed(f"cannot {act.value} it: {why}", now_us=now)
                return

    def _is_done(self, act: Act, address: Address) -> bool:
        """By somebody else, since the kernel was read."""
        is_there = self._kernel.present(address) is not Present.ABSENT
        return (act is Act.ADD and is_there) or (act is Act.REMOVE and not is_there)

    def _do(self, act: Act, address: Address) -> None:
        mac = self._kernel.links[address.interface].mac
        match act:
            case Act.ADD:
                self._kernel.add(address)
            case Act.REFRESH:
                self._kernel.refresh(address)
            case Act.REMOVE:
                if address.resets:
                    _reset_connections(address)
                self._kernel.remove(address)
            case Act.PROBE:
                self._wire.send(address, [probe(address.packed, mac, nonce=os.urandom(6))])
            case Act.ANNOUNCE:
                says_router = len(address.packed) == 16 and is_router(address.interface)
                frames = announcements(address.packed, mac, is_router=says_router)
                self._wire.send(address, frames)

    def _is_clear(self) -> bool:
        """As the kernel says, and not as we think."""
        self._kernel.read_addresses()
        return all(self._kernel.present(address) is not Present.OURS for address in self._addresses)

    def _say_drained(self) -> None:
        """Again and again, until the daemon says that it is over."""
        self._drained_us = now_us()
        if self._tenancy.why_alone:
            return
        error = self._tenancy.say_drained()
        if error is not None:
            _log.warning("the daemon does not hear that the addresses are gone here: %s", error)

    # -- other hosts ---------------------------------------------------------------------------------------------------

    def _hear(self) -> None:
        for interface, heard in self._wire.heard():
            link = self._kernel.links.get(interface)
            for address, floating in self._addresses.items():
                is_it = (address.interface, address.packed) == (interface, heard.address)
                if is_it and link is not None and heard.mac != link.mac:
                    self._take_in(address, floating, heard)

    def _take_in(self, address: Address, floating: Floating, heard: Heard) -> None:
        if heard.says is Says.QUESTION:
            floating.asked(now_us=now_us())
            return
        if heard.says is Says.ANNOUNCEMENT:
            floating.announced(now_us=now_us())
        if floating.state in (State.PROBING, State.HELD):
            member = self._members_by_mac().get(heard.mac)
            mac = heard.mac.hex(":")
            who = f"{mac}, which is no member's," if member is None else f"{member}, a member ({mac}),"
            self._tell_of_claim(address, floating, who)
            floating.claimed(who, by_member=member is not None, now_us=now_us())

    def _members_by_mac(self) -> Mapping[bytes, str]:
        """Their addresses, as of the last second: who floods us delays nothing else."""
        now = now_us()
        if now >= self._members_us + _MEMBERS_AGAIN_US:
            known = neighbours()
            found = {host: address_bits(host) for host in self._tenancy.members()}
            self._members = {known[packed]: host for host, packed in found.items() if packed in known}
            self._members_us = now
        return self._members

    # -- people --------------------------------------------------------------------------------------------------------

    def _tell(self) -> None:
        for address, floating in self._addresses.items():
            said = (floating.state, floating.why)
            if said != self._told.get(address, (State.IDLE, "")):
                is_good = floating.state in (State.IDLE, State.PROBING, State.HELD) and not floating.why
                what = f": {floating.why}" if floating.why else ""
                _log.log(
                    INFO if is_good else WARNING,
                    "%s on %s: %s%s", address, address.interface, floating.state.value, what,
                )  # fmt: skip
            self._told[address] = said
        self._tell_if_alone()
        self._write()

    def _tell_of_carriers(self) -> None:
        why = self._carriers.turn(self._kernel.links, now_us=now_us())
        if why is not None:
            self._tenancy.say_fitness(why)

    def _tell_of_claim(self, address: Address, floating: Floating, who: str) -> None:
        now = now_us()
        if floating.state is State.HELD and now >= self._said_us.get(address, 0) + _CLAIM_SAID_AGAIN_US:
            self._said_us[address] = now
            _log.warning("%s on %s: %s claims it, too; it is announced again", address, address.interface, who)

    def _tell_if_alone(self) -> None:
        problem = self._tenancy.why_alone
        if problem and problem != self._problem:
            _log.warning("a hand-over does not wait for us, for kingd does not let us ask for that: %s", problem)
        self._problem = problem

    def _write(self) -> None:
        """Counters alone are no reason to write more than once a second."""
        rows = [
            {
                "address": str(address),
                "interface": address.interface,
                "label": address.label or None,
                "state": floating.state.value,
                "why": floating.why or None,
                "lost": floating.lost,
                "conflicts": floating.conflicts,
            }
            for address, floating in self._addresses.items()
        ]
        text = json.dumps({"version": 1, "pid": os.getpid(), "addresses": rows}) + "\n"
        said = "; ".join(f"{row['address']} on {row['interface']}: {row['state']}" for row in rows)
        now = now_us()
        if text == self._written or (said == self._said and now < self._written_us + _WRITTEN_AGAIN_US):
            return
        if said != self._said:
            systemd.status(said)
        self._said, self._written, self._written_us = said, text, now
        new = self._file.with_suffix(".new")
        try:
            new.write_text(text, encoding="utf-8")
            new.replace(self._file)
        except OSError as error:
            _log.warning("%s cannot be written: %s", self._file, error.strerror)

    # -- time ----------------------------------------------------------------------------------------------------------

    def _wait(self) -> None:
        next_us = min(
            [self._tenancy.next_us, self._carriers.next_us, *(each.next_us for each in self._addresses.values())]
        )
        if self._tenancy.is_draining or self._stopping:
            next_us = min(next_us, now_us() + _DRAINED_AGAIN_US)
        self._timer.set(min(next_us, now_us() + self._idle_us, NEVER_US))
        poll = select.poll()
        waited_for = [self._tenancy.fileno(), self._kernel.fileno(), self._timer.fileno(), self._signals]
        for fd in (*waited_for, *(each.fileno() for each in self._wire.sockets)):
            poll.register(fd, select.POLLIN)
        poll.poll()
        with suppress(BlockingIOError):
            os.read(self._signals, 64)


def _reset_connections(address: Address) -> None:
    try:
        count = reset(address.packed)
    except OSError as error:  # the address goes all the same
        _log.warning("%s: its connections cannot be reset: %s", address, error.strerror)
    else:
        _log.info("%s: %d connections were reset", address, count)
