"""What goes wrong in a run, and how it is put right again: the schedule of a run, carried out on a `Cluster`."""

import random
from collections import Counter
from collections.abc import Callable
from functools import partial

from kingd.core.timing import MS, SECOND
from kingd.sim import fitness
from kingd.sim.cluster import WILL_AT_US, Cluster
from kingd.sim.cuts import CLOG, ON_LINKS, Cuts
from kingd.sim.forks import Forks
from kingd.sim.host import DISK_US, Host
from kingd.sim.lists import all_lists, have_one_list, in_force, is_remembered, may_begin_with
from kingd.sim.losses import Losses
from kingd.sim.lots import clock
from kingd.sim.options import Options, timing
from kingd.sim.schedule import AGAIN, FORK, LATE, LOSS, ON_LEADER, RELOAD, TIMING, TOLD, TWO, Fault

_RELOAD_AGAIN_US = 100 * MS
_TYPED_WRONG, _TAKEN_BACK = 0.25, 0.5  # so many edits of lists are, or less than so many


class Faults:
    def __init__(self, cluster: Cluster, options: Options) -> None:
        self.cluster = cluster
        self.present = [h for h in cluster.hosts if h.index not in options.absent]
        self.counts: Counter[str] = Counter()  # by kind: what was really broken
        self._began_us = cluster.now_us
        self._repairs: list[tuple[int, int, Callable[[], None]]] = []
        self._count = 0
        self._wanted = options.voters
        self._timings_ms = options.timings_ms
        self._edits: Counter[int] = Counter()  # of each host's list of voters
        self.rumours_us = 0  # when the last false obituary has arrived
        self._cuts = Cuts(cluster, self.later)
        losses = Losses(cluster, self._cuts, self.later, self.may_forget)
        self._on_host: dict[str, Callable[[Host, Fault, random.Random], object]] = {
            "crash": self._crash,
            "crash_leader": self._crash,
            TIMING: self._timing,
            LOSS: self._loss,
            **dict.fromkeys((RELOAD, TWO, AGAIN), losses.begin),
            TOLD: losses.begin_told,
            LATE: losses.begin_late,
            FORK: Forks(cluster, self._cuts, self.later, self.edit).begin,
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
            fitness.UNFIT: partial(fitness.unfit, cluster, self.present, self.later),
            fitness.MAINTAIN: partial(fitness.in_maintenance, cluster),
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
        if fault.kind in ON_LEADER:
            host = next(iter(self.cluster.leaders()), host)
        if fault.kind in ON_LINKS:
            self._cuts.cut(fault.kind, host, rng, lasts_us=fault.lasts_us)
        elif fault.kind == CLOG:
            self._cuts.clog(host, rng, lasts_us=fault.lasts_us)
        elif not self._runs(host) or self._on_host[fault.kind](host, fault, rng) is False:
            return  # it makes no sense now
        self.counts[fault.kind] += 1

    def _runs(self, host: Host) -> bool:
        return host.core is not None and self.cluster.now_us >= host.paused_until_us

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
        if not self.may_forget(host):
            return False
        self.cluster.crash(host)
        self.cluster.forget(host)
        self._start_later(host, fault, rng)
        return True

    def _loss(self, host: Host, fault: Fault, rng: random.Random) -> bool:
        """A voter is set up anew, perhaps with other timing, and the leader is cut off before it has renewed its promise."""
        leader = next(iter(self.cluster.leaders()), None)
        if leader is None or leader is host or not self.may_forget(host):
            return False
        self.cluster.crash(host)
        self.cluster.forget(host)
        heartbeat_ms, leader_timeout_ms = rng.choice(self._timings_ms)
        self.cluster.set_timing(host, timing(heartbeat_ms, leader_timeout_ms))
        self.later(rng.randint(0, 300 * MS), partial(self._start, host))
        self._cuts.cut("cut_leader", leader, rng, lasts_us=fault.lasts_us)
        return True

    def _start(self, host: Host) -> None:
        if host.core is None:
            self.cluster.start(host)

    def may_forget(self, host: Host) -> bool:
        """Quorum mode assumes that of any majority of the voters one remembers what it promised, by each list that somebody
        has; and that no voter forgets before all voters of a list that has changed have the new one, for it may be the only
        one that knows of it in a majority of the former. docs/quorum.md 10."""
        lists = {self._wanted} | all_lists(self.present)
        if all(host.name not in voters for voters in lists):
            return True
        if self.counts["voters"] and not have_one_list(self.present, self._wanted):
            return False
        return all(is_remembered(self.cluster.hosts, host, voters) for voters in lists if host.name in voters)

    def _start_later(self, host: Host, fault: Fault, rng: random.Random) -> None:
        port = rng.randint(1024, 65535) if rng.random() < 0.3 else host.port

        def start() -> None:
            if host.core is not None:
                if not host.core.node.orders.stopping:
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

    def _voters(self, host: Host, fault: Fault, rng: random.Random) -> bool:
        """An operator writes another list into all configurations: one name more or less than the list in force, or that list
        again. Or a mistyped one into one of them, and takes it back."""
        present = in_force(self.present)
        if not present or any(h.name in present and h.hold_us == 0 for h in self.present):
            return False  # it has forgotten what it promised, and was not told yet
        names = [h.name for h in self.cluster.hosts]
        changed = tuple(sorted({rng.choice(names)} ^ set(present)))
        kind = rng.random()
        if kind < _TYPED_WRONG:
            self._edits[host.index] += 1
            self._reload(host, changed or present, self._edits[host.index])
            self.later(fault.lasts_us, partial(self.edit, host, present))
            return True
        self._wanted = present if kind < _TAKEN_BACK or not changed else changed
        for each in self.present:
            self.later(rng.randint(0, fault.lasts_us), partial(self.edit, each, self._wanted))
        return True

    def _timing(self, host: Host, _: Fault, rng: random.Random) -> None:
        heartbeat_ms, leader_timeout_ms = rng.choice(self._timings_ms)
        self.cluster.set_timing(host, timing(heartbeat_ms, leader_timeout_ms))

    def edit(self, host: Host, voters: tuple[str, ...]) -> None:
        """Its operator writes this list, and reloads."""
        self._edits[host.index] += 1
        self._reload(host, voters, self._edits[host.index])

    def _reload(self, host: Host, voters: tuple[str, ...], edit: int) -> None:
        """As an operator does who tries again when told to wait, unless there is a later edit."""
        if edit != self._edits[host.index]:
            return
        if host.core is None:
            refused = host.hold_us == 0 and not may_begin_with(self.cluster.hosts, host, voters)
        else:
            refused = self.cluster.now_us < host.paused_until_us or host.core.refusal(voters) is not None
        if refused:
            self.later(_RELOAD_AGAIN_US, partial(self._reload, host, voters, edit))
        else:
            self.cluster.set_voters(host, voters)

    def _step_down(self, _: Host, fault: Fault, rng: random.Random) -> None:
        to = rng.choice((None, None, rng.choice(self.cluster.hosts).name))
        for_us = rng.choice((0, 500 * MS, 3 * SECOND))
        for host in self.cluster.leaders():
            if self.cluster.now_us >= host.paused_until_us:
                self.cluster.note(host, f"step-down to={to} for={for_us / 1e6} s")
                now_us = self.cluster.local_us(host)
                self.cluster.enter(host, partial(fitness.ask_step_down, to=to, for_us=for_us, now_us=now_us))

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
        self._cuts.forget()
        unplugged = sorted(cluster.network.unplugged)
        wanted = in_force(survivors)
        cluster.network.heal()
        for host in cluster.hosts:
            host.disk_us, host.disk_fails = DISK_US, False
            if host.settings.voters != wanted:
                cluster.set_voters(host, wanted)
            fitness.end(cluster, host)
            if host.core is not None and (host not in survivors or host.core.node.orders.stopping):
                cluster.crash(host)
            if host.core is not None and host.paused_until_us > cluster.now_us:
                cluster.resume(host)
            if host.core is not None and host.index in unplugged:
                cluster.plug(host)
        for host in survivors:
            if host.core is None:
                cluster.start(host)
