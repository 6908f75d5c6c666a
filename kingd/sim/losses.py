"""Voters that lose their state one after the other within one lease, or twice before they have recovered.

All begins with a leader that some of its voters do not hear, and that reloads its timing meanwhile: each vote that its lease is
made of may be known to others only."""

import random
from collections.abc import Callable
from functools import partial

from kingd.core.state.roles import Leader
from kingd.core.timing import MS, SECOND, promise_us
from kingd.sim.cluster import Cluster
from kingd.sim.cuts import Cuts, between
from kingd.sim.host import Host
from kingd.sim.options import SHORT_MS, TIMINGS_MIXED, timing
from kingd.sim.schedule import AGAIN, RELOAD, Fault

_LONGEST = 0.5
_LATE_MIN = 3
_OF_TOLD = 5
_ELECTS_US = 4 * SECOND
_DELAY_US = 20 * MS
_LOOKS, _LOOKS_US = 200, 2 * MS


class Losses:
    def __init__(
        self,
        cluster: Cluster,
        cuts: Cuts,
        later: Callable[[int, Callable[[], None]], None],
        may_forget: Callable[[Host], bool],
    ) -> None:
        self._cluster, self._cuts, self._later, self._may_forget = cluster, cuts, later, may_forget

    def begin(self, _: Host, fault: Fault, rng: random.Random) -> bool:
        """Strangers do not hear the leader from now on; the losers do, until each loses its state. At the end one stranger or
        more hear the leader again, and nobody else does."""
        leader = next(iter(self._cluster.leaders()), None)
        if leader is None or leader.core is None:
            return False
        voters = [h for h in self._cluster.running() if h is not leader and h.name in leader.core.node.voters.names]
        rng.shuffle(voters)
        losers = voters[: 1 if fault.kind == RELOAD else 2]
        if not losers or not self._may_forget(losers[0]):
            return False
        hear = len(losers) + rng.choice((0, 1))
        faithful, strangers = voters[len(losers) : hear], voters[hear:]  # the former hear the leader all the time
        former_us = leader.core.node.timing.lease_us
        self._cluster.set_timing(leader, timing(*_long(rng)))
        lease_us = leader.settings.timing.lease_us
        first_us, second_us, met_us = _times_us(fault.kind, rng, former_us, lease_us)
        if fault.kind == AGAIN:
            self._later(first_us + rng.randint(400 * MS, 1600 * MS), partial(self._lose_again, losers[-1], rng))
        end_us = max(met_us, first_us + lease_us) + fault.lasts_us
        self._cuts.cut_links("all", between([leader], strangers), lasts_us=met_us)
        for host, at_us in zip(losers, (first_us, second_us), strict=False):
            unheard = [leader] if at_us == first_us else [leader, *faithful]
            self._later(at_us, partial(self._lose, host, unheard, rng, end_us - at_us))
        if strangers:
            met = [leader, *faithful, *rng.sample(strangers, rng.choice((1, 1, rng.randint(1, len(strangers)))))]
            others = [h for h in self._cluster.hosts if h not in met]
            self._later(
                met_us, lambda: self._cuts.cut_links("all", between(met, others), lasts_us=max(1, end_us - met_us))
            )
        return True

    def begin_told(self, _: Host, fault: Fault, rng: random.Random) -> bool:
        """Of five voters one hears the leader all the time. The first loser is told by that one; the second one asks a stranger
        before it meets the leader, and the first loser, which asks for votes when it has recovered."""
        leader = next(iter(self._cluster.leaders()), None)
        if leader is None or leader.core is None:
            return False
        voters = [h for h in self._cluster.running() if h is not leader and h.name in leader.core.node.voters.names]
        rng.shuffle(voters)
        if len(voters) < _OF_TOLD or not self._may_forget(voters[0]):
            return False
        first, second, faithful, met, other = voters[:_OF_TOLD]
        longer = timing(*TIMINGS_MIXED[-1])
        first_us = rng.randint(300 * MS, 1500 * MS)
        met_us = first_us + longer.lease_us - rng.randint(1000 * MS, 2500 * MS)
        second_us = met_us - rng.randint(1200 * MS, 2000 * MS)
        recovers_us = first_us + promise_us(longer.lease_us)
        end_us = recovers_us + _ELECTS_US + fault.lasts_us
        self._cuts.cut_links("all", between([leader], [met, other]), lasts_us=met_us)
        self._later(_DELAY_US, partial(self._cluster.set_timing, leader, longer))  # what was on its way has come
        self._later(first_us, partial(self._lose, first, [leader], rng, end_us - first_us))
        self._later(second_us, partial(self._lose, second, [leader, faithful], rng, end_us - second_us))
        apart = between([leader, faithful, met], [first, second, other])
        self._later(met_us, partial(self._cuts.cut_links, "all", apart, lasts_us=end_us - met_us))
        self._later(recovers_us, partial(self._cluster.set_priority, first, 1))
        self._later(end_us, partial(self._cluster.set_priority, first, 0))
        return True

    def begin_late(self, _: Host, fault: Fault, rng: random.Random) -> bool:
        """A voter's start makes the leader raise its term, and the leader stops as it asks for that: what the first answers is
        heard late, and forgotten meanwhile; one is asked late; nobody else is."""
        leader = next(iter(self._cluster.leaders()), None)
        if leader is None or leader.core is None:
            return False
        voters = [h for h in self._cluster.running() if h is not leader and h.name in leader.core.node.voters.names]
        rng.shuffle(voters)
        if len(voters) < _LATE_MIN or not self._may_forget(voters[0]):
            return False
        self._cluster.set_timing(leader, timing(*_long(rng)))
        self._later(rng.randint(1000 * MS, 1500 * MS), partial(self._restart, leader, voters, fault.lasts_us, rng))
        return True

    def _restart(self, leader: Host, voters: list[Host], lasts_us: int, rng: random.Random) -> None:
        late, restarted, *strangers = voters[1:]
        if leader.core is None or restarted.core is None:
            return
        end_us = leader.settings.timing.lease_us + 2 * SECOND + lasts_us
        asked_us = rng.randint(700 * MS, 1800 * MS)
        self._cuts.cut_links("all", between([leader], strangers), lasts_us=end_us)
        self._cluster.network.clogs[leader.index, late.index] = self._cluster.now_us + asked_us
        self._cluster.crash(restarted)
        self._later(rng.randint(0, 50 * MS), partial(self._start, restarted))

        def look(times: int) -> None:
            state = leader.core.node.state if leader.core is not None else None
            if not isinstance(state, Leader) or times == 0:
                return
            if state.raising is None or state.raising.request is None:
                self._later(_LOOKS_US, partial(look, times - 1))
                return
            self._cluster.pause(leader, until_us=self._cluster.now_us + asked_us + rng.randint(50 * MS, 500 * MS))
            self._cuts.cut_links("all", between([leader, late], [restarted]), lasts_us=end_us)
            self._later(rng.randint(20 * MS, 100 * MS), partial(self._lose, voters[0], [leader], rng, end_us))
            others = [h for h in self._cluster.hosts if h is not leader and h is not late]
            cut = partial(self._cuts.cut_links, "all", between([leader, late], others), lasts_us=end_us)
            self._later(asked_us - 50 * MS, cut)

        look(_LOOKS)

    def _lose(self, host: Host, unheard: list[Host], rng: random.Random, lasts_us: int) -> None:
        if host.core is not None and self._may_forget(host):
            self._cuts.cut_links("all", between(unheard, [host]), lasts_us=lasts_us)
            self._set_up_anew(host, rng)

    def _lose_again(self, host: Host, rng: random.Random) -> None:
        """Before it has recovered. It comes back at another address."""
        if host.core is not None and host.hold_us == 0 and self._may_forget(host):
            host.port = rng.randint(1024, 65535)
            self._set_up_anew(host, rng)

    def _set_up_anew(self, host: Host, rng: random.Random) -> None:
        self._cluster.crash(host)
        self._cluster.forget(host)
        self._cluster.set_timing(host, timing(*rng.choice(SHORT_MS[:2])))
        self._later(rng.randint(0, 100 * MS), partial(self._start, host))

    def _start(self, host: Host) -> None:
        if host.core is None:
            self._cluster.start(host)


def _times_us(kind: str, rng: random.Random, former_us: int, lease_us: int) -> tuple[int, int, int]:
    """When the first loses its state, the second, and the leader meets a stranger, whose lease was and is so long: before it is
    over, and after a loser has asked the stranger."""
    if kind == RELOAD:  # by the votes for the former lease it still leads then
        first_us = rng.randint(50 * MS, 400 * MS)
        return first_us, first_us, first_us + rng.randint(600 * MS, max(700 * MS, former_us - 100 * MS))
    first_us = rng.randint(300 * MS, 1500 * MS)
    if kind == AGAIN:
        return first_us, first_us + rng.randint(0, 100 * MS), first_us + lease_us
    met_us = first_us + max(2 * SECOND, lease_us) - rng.randint(100 * MS, 1500 * MS)
    return first_us, max(first_us, met_us - rng.randint(600 * MS, 1600 * MS)), met_us


def _long(rng: random.Random) -> tuple[int, int]:
    return TIMINGS_MIXED[-1] if rng.random() < _LONGEST else rng.choice(TIMINGS_MIXED)
