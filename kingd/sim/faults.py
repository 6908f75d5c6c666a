"""What goes wrong in a run, and how it is put right again: the schedule of a run, carried out on a `Cluster`."""

import random
from collections import Counter
from collections.abc import Callable
from functools import partial

from kingd.core import quorum
from kingd.core.commands import StepDownError
from kingd.core.effect import Effect
from kingd.core.election import Core
from kingd.core.timing import MS, SECOND
from kingd.sim.cluster import WILL_AT_US, Cluster
from kingd.sim.host import DISK_US, Host
from kingd.sim.network import Link
from kingd.sim.options import Options, clock
from kingd.sim.schedule import Fault

_RELOAD_AGAIN_US = 100 * MS
_ON_LINKS = ("partition", "one_way", "deaf", "mute", "multicast_cut", "unicast_cut")


class Faults:
    def __init__(self, cluster: Cluster, options: Options) -> None:
        self.cluster = cluster
        self.present = [h for h in cluster.hosts if h.index not in options.absent]
        self.counts: Counter[str] = Counter()  # by kind: what was really broken
        self._began_us = cluster.now_us
        self._repairs: list[tuple[int, int, Callable[[], None]]] = []
        self._count = 0
        self._wanted = options.voters
        self.rumours_us = 0  # when the last false obituary has arrived
        self._broken: dict[int, tuple[str, set[Link]]] = {}  # fault -> which kind of traffic, over which links
        self._on_host: dict[str, Callable[[Host, Fault, random.Random], object]] = {
            "crash": self._crash,
            "kill": self._kill,
            "false_obituary": self._false_obituary,
            "power": self._power,
            "blackout": self._blackout,
            "amnesia": self._amnesia,
            "pause": self._pause,
            "stutter": self._stutter,
            "priority": self._priority,
            "voters": self._voters,
            "stop": self._stop,
            "step_down": self._step_down,
            "unplug": self._unplug,
            "disk_slow": self._disk_slow,
            "disk_full": self._disk_full,
            "renumber": self._renumber,
            "survey": self._survey,
        }

    def run(self, faults: tuple[Fault, ...], duration_us: int) -> None:
        """Let the cluster run, and break and mend as time goes by."""
        cluster, end_us = self.cluster, self._began_us + duration_us
        for fault in faults:
            self._run_until(min(self._began_us + fault.at_us, end_us))
            if cluster.now_us < end_us and self.cluster.hosts[fault.host] in self.present:
                self._break(fault)
        self._run_until(end_us)

    def _run_until(self, end_us: int) -> None:
        cluster = self.cluster
        while self._repairs and self._repairs[0][0] <= end_us:
            at_us, _, repair = self._repairs.pop(0)
            cluster.run(max(0, at_us - cluster.now_us))
            repair()
        cluster.run(max(0, end_us - cluster.now_us))

    def later(self, delay_us: int, repair: Callable[[], None]) -> None:
        self._count += 1
        self._repairs.append((self.cluster.now_us + delay_us, self._count, repair))
        self._repairs.sort(key=lambda entry: entry[:2])

    def _break(self, fault: Fault) -> None:
        host, rng = self.cluster.hosts[fault.host], random.Random(fault.luck)
        if fault.kind in _ON_LINKS:
            self._cut(fault, self._links(fault.kind, host, rng))
        elif fault.kind == "clog":
            self._clog(fault, self._links("unicast_cut", host, rng))
        elif not self._runs(host) or self._on_host[fault.kind](host, fault, rng) is False:
            return  # it makes no sense now
        self.counts[fault.kind] += 1

    def _runs(self, host: Host) -> bool:
        return host.core is not None and self.cluster.now_us >= host.paused_until_us

    # -- links -----------------------------------------------------------------------------------

    def _links(self, kind: str, host: Host, rng: random.Random) -> set[Link]:
        hosts = self.cluster.hosts
        others = [h for h in hosts if h is not host]
        if not others:
            return set()
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

    def _cut(self, fault: Fault, links: set[Link]) -> None:
        self._count += 1
        number = self._count
        traffic = fault.kind if fault.kind in ("multicast_cut", "unicast_cut") else "all"
        self._broken[number] = (traffic, links)
        self.cluster.note(None, f"#{number} {fault.kind} {_shown(links)}")
        self._apply_cuts()

        def mend() -> None:
            self.cluster.note(None, f"#{number} mended")
            del self._broken[number]
            self._apply_cuts()

        self.later(fault.lasts_us, mend)

    def _apply_cuts(self) -> None:
        network = self.cluster.network
        network.cuts, network.multicast_cuts, network.unicast_cuts = (
            set().union(*(links for traffic, links in self._broken.values() if traffic == wanted))
            for wanted in ("all", "multicast_cut", "unicast_cut")
        )

    def _clog(self, fault: Fault, links: set[Link]) -> None:
        clogs, until_us = self.cluster.network.clogs, self.cluster.now_us + fault.lasts_us
        self.cluster.note(None, f"clog {_shown(links)} for {fault.lasts_us / 1e3:.0f} ms")
        for link in links:
            clogs[link] = max(clogs.get(link, 0), until_us)

        def mend() -> None:
            for link in [link for link, at_us in clogs.items() if at_us <= self.cluster.now_us]:
                del clogs[link]

        self.later(fault.lasts_us, mend)

    # -- hosts -----------------------------------------------------------------------------------

    def _crash(self, host: Host, fault: Fault, rng: random.Random) -> None:
        self.cluster.crash(host, written=rng.randint(0, len(host.pending_disk)), refuses=rng.random() < 0.5)
        self._start_later(host, fault, rng)

    def _kill(self, host: Host, fault: Fault, rng: random.Random) -> None:
        self.cluster.kill(host)
        self._start_later(host, fault, rng)

    def _false_obituary(self, host: Host, _: Fault, __: random.Random) -> None:
        self.cluster.note(host, "false obituary")
        self.cluster.execute_will(host)
        network, now_us = self.cluster.network, self.cluster.now_us
        clogged_us = max(network.clogs.values(), default=0)
        self.rumours_us = max(self.rumours_us, now_us + WILL_AT_US[-1] + network.weather.slow_us, clogged_us)

    def _power(self, host: Host, fault: Fault, rng: random.Random) -> None:
        self._crash(host, fault, rng)
        self.cluster.reboot(host, clock(rng) if host.clock.rate_ppm else host.clock)

    def _blackout(self, _: Host, fault: Fault, rng: random.Random) -> None:
        for host in self.present:
            if host.core is not None:
                self._power(host, fault, rng)

    def _amnesia(self, host: Host, fault: Fault, rng: random.Random) -> bool:
        if not self._may_forget(host):
            return False
        self.cluster.crash(host)
        self.cluster.forget(host)
        self._start_later(host, fault, rng)
        return True

    def _may_forget(self, host: Host) -> bool:
        """Quorum mode assumes that of any majority of the voters one remembers what it promised, by each list that somebody
        has; and that no voter forgets between a change of the list and the first leader by the new one, for it may be
        the only one that majorities of both share. docs/protocol.md 8."""
        lists = {self._wanted, *(h.settings.voters for h in self.present)}
        if all(host.name not in voters for voters in lists):
            return True
        if self.counts["voters"] and not any(self._has_led(h) for h in self.cluster.leaders()):
            return False
        return all(self._is_remembered(host, voters) for voters in lists if host.name in voters)

    def _has_led(self, host: Host) -> bool:
        """By the present list: a leader that was elected by the list before leads for a lease at most."""
        assert host.core is not None
        node = host.core.node
        led_us = self.cluster.local_us(host) - node.listed_us
        return host.settings.voters == self._wanted and led_us > 2 * node.timing.lease_us

    def _is_remembered(self, host: Host, voters: tuple[str, ...]) -> bool:
        remember = [h for h in self.cluster.hosts if h.name in voters and h.ceiling > 0 and h is not host]
        return len(remember) >= len(voters) - quorum.majority(len(voters)) + 1

    def _start_later(self, host: Host, fault: Fault, rng: random.Random) -> None:
        port = rng.randint(1024, 65535) if rng.random() < 0.3 else host.port

        def start() -> None:
            if host.core is not None:
                if not host.core.node.stopping:
                    return
                self.cluster.crash(host)  # it took too long to stop
            host.port = port
            self.cluster.start(host)

        self.later(fault.lasts_us, start)

    def _stop(self, host: Host, fault: Fault, rng: random.Random) -> None:
        self.cluster.stop(host)
        self._start_later(host, fault, rng)

    def _pause(self, host: Host, fault: Fault, _: random.Random) -> None:
        self.cluster.pause(host, until_us=self.cluster.now_us + fault.lasts_us)

    def _stutter(self, _: Host, fault: Fault, rng: random.Random) -> None:
        for host in self.present:
            if self._runs(host) and rng.random() < 0.7:
                self.cluster.pause(host, until_us=self.cluster.now_us + rng.randint(1, 1 + fault.lasts_us // 4))

    def _priority(self, host: Host, _: Fault, rng: random.Random) -> None:
        self.cluster.set_priority(host, rng.choice((0, 50, 100, 150, 200)))

    def _voters(self, _: Host, fault: Fault, rng: random.Random) -> bool:
        """One name more or less; the next change only once every host has this one."""
        voters = self._wanted
        if not voters or any(host.settings.voters != voters for host in self.present):
            return False
        if any(host.name in voters and host.ceiling == 0 for host in self.present):
            return False  # it has forgotten what it promised, and was not told yet
        names = [host.name for host in self.cluster.hosts]
        changed = {rng.choice(names)} ^ set(voters)
        if not changed:
            return False
        self._wanted = tuple(sorted(changed))
        for host in self.present:
            self.later(rng.randint(0, fault.lasts_us), partial(self._reload, host, self._wanted))
        return True

    def _reload(self, host: Host, voters: tuple[str, ...]) -> None:
        """As an operator does who waits when told to, and edits the file of a host that is down once another has taken it."""
        if host.core is not None:
            unsafe = quorum.unsafe_step(host.core.node, voters) is not None
        else:
            unsafe = all(other.settings.voters != voters for other in self.present if other.core is not None)
        if unsafe or self.cluster.now_us < host.paused_until_us:
            self.later(_RELOAD_AGAIN_US, partial(self._reload, host, voters))
        else:
            self.cluster.set_voters(host, voters)

    def _step_down(self, _: Host, fault: Fault, rng: random.Random) -> None:
        to = rng.choice((None, None, rng.choice(self.cluster.hosts).name))
        for_us = rng.choice((0, 500 * MS, 3 * SECOND))
        for host in self.cluster.leaders():
            if self.cluster.now_us >= host.paused_until_us:
                self.cluster.note(host, f"step-down to={to} for={for_us / 1e6} s")
                now_us = self.cluster.local_us(host)
                self.cluster.enter(host, partial(_ask_step_down, to=to, for_us=for_us, now_us=now_us))

    def _unplug(self, host: Host, fault: Fault, _: random.Random) -> None:
        if host.index not in self.cluster.network.unplugged:
            self.cluster.unplug(host)
            self.later(fault.lasts_us, lambda: self.cluster.plug(host))

    def _disk_slow(self, host: Host, fault: Fault, rng: random.Random) -> None:
        host.disk_us = rng.randint(100 * MS, 3 * SECOND)
        self.cluster.note(host, f"disk takes {host.disk_us / 1e3:.0f} ms")

        def mend() -> None:
            host.disk_us = DISK_US

        self.later(fault.lasts_us, mend)

    def _disk_full(self, host: Host, fault: Fault, _: random.Random) -> None:
        host.disk_fails = True
        self.cluster.note(host, "disk is full")

        def mend() -> None:
            host.disk_fails = False

        self.later(fault.lasts_us, mend)

    def _renumber(self, host: Host, _: Fault, rng: random.Random) -> None:
        self.cluster.renumber(host, rng.randint(1024, 65535))

    def _survey(self, host: Host, fault: Fault, _: random.Random) -> None:
        now_us = self.cluster.local_us(host)
        self.cluster.enter(host, lambda core: core.survey(fault.luck, now_us=now_us))

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
            host.disk_us, host.disk_fails = DISK_US, False
            if host.settings.voters != self._wanted:
                if host.core is not None:
                    cluster.crash(host)  # the operator gives up waiting, edits the file and restarts it
                cluster.set_voters(host, self._wanted)
            if host.core is not None and (host not in survivors or host.core.node.stopping):
                cluster.crash(host)
            if host.core is not None and host.paused_until_us > cluster.now_us:
                cluster.resume(host)
            if host.core is not None and host.index in unplugged:
                cluster.plug(host)
        for host in survivors:
            if host.core is None:
                cluster.start(host)


def _ask_step_down(core: Core, *, to: str | None, for_us: int, now_us: int) -> list[Effect]:
    try:
        return core.step_down(to=to, for_us=for_us, now_us=now_us)
    except StepDownError:
        return []


def _shown(links: set[Link]) -> str:
    return " ".join(f"{a + 1}>{b + 1}" for a, b in sorted(links))
