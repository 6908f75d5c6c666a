"""One seed, one run: a random cluster under random faults, then healed. docs/protocol.md 7.

Phase 1, safety: faults on; the checker looks after every entry. Phase 2, liveness: all links work, the survivors run,
nothing is lost, and `liveness.py` says what must follow."""

import random
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from kingd.sim.cluster import Cluster
from kingd.sim.faults import Faults
from kingd.sim.host import Host
from kingd.sim.lists import have_gone_back, is_set_up_wrong
from kingd.sim.liveness import Recovery, has_majority, is_electable, priority
from kingd.sim.options import Options
from kingd.sim.outcome import LivenessError, Outcome, SafetyError


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    seed: int
    outcome: Outcome
    message: str  # "" or what went wrong
    agreed_us: int  # how long after the heal
    virtual_us: int
    entries: int  # into a core
    datagrams: int
    leader_changes: int
    faults: dict[str, int] = field(default_factory=dict)  # kind -> how many
    digest: int  # of all that was delivered and told: two runs of a seed have the same

    @property
    def verdict(self) -> str:
        """What two runs that fail in the same way have in common: the outcome, and the invariant's or exception's name."""
        if self.outcome is Outcome.CRASH:
            return f"CRASH {self.message.strip().splitlines()[-1].split(':')[0]}"
        return f"{self.outcome.name} {self.message.partition(': ')[2].split(' ')[0].rstrip(':')}"


def run(options: Options, *, trace: Callable[[str], None] | None = None, datagrams: bool = False) -> Result:
    swarm = Swarm(options, trace=trace, datagrams=datagrams)
    outcome, message = Outcome.OK, ""
    try:
        swarm.run()
    except SafetyError as error:
        outcome, message = Outcome.SAFETY, str(error)
    except LivenessError as error:
        outcome, message = Outcome.LIVENESS, str(error)
    except Exception:  # whatever it is, it is a finding, and the next seed is still to run
        outcome, message = Outcome.CRASH, traceback.format_exc()
    cluster = swarm.cluster
    return Result(
        seed=options.seed,
        outcome=outcome,
        message=f"at {cluster.now_us / 1e6:.6f}: {message}" if message else "",
        agreed_us=swarm.agreed_us,
        virtual_us=cluster.now_us - swarm.began_us,
        entries=cluster.checker.entries,
        datagrams=cluster.network.sent,
        leader_changes=cluster.checker.leader_changes,
        faults=dict(swarm.faults.counts),
        digest=cluster.driver.digest,
    )


class Swarm:
    def __init__(self, options: Options, *, trace: Callable[[str], None] | None, datagrams: bool) -> None:
        self.options = options
        self.rng = random.Random(options.luck)
        self.cluster = Cluster(
            options.settings(), seed=self.rng.getrandbits(64), weather=options.weather, encodes=options.encodes
        )
        driver = self.cluster.driver
        driver.trace, driver.trace_datagrams = trace, datagrams
        for host, clock in zip(self.cluster.hosts, options.clocks, strict=True):
            host.clock = clock
        if options.adversary:
            self.cluster.eavesdrop(options.luck)
        self.faults = Faults(self.cluster, options)
        self.began_us = self.cluster.now_us
        self.agreed_us = 0

    def run(self) -> None:
        options = self.options
        for host in self.faults.present:
            self.faults.later(self.rng.randint(0, options.late_start_us), partial(self._start, host))
        self.faults.run(options.faults, options.safety_us)
        self._check_tables()
        survivors = [h for h in self.faults.present if h.index in options.survivors]
        if survivors and not options.timings_ms:
            self._recover(survivors)

    def _start(self, host: Host) -> None:
        if host.core is None:
            self.cluster.start(host)

    def _recover(self, survivors: list[Host]) -> None:
        self.cluster.driver.adversary = None  # what must follow within a bound is promised without it
        self.faults.end(survivors)
        if self.options.voters and not any(h.core is not None and h.core.node.is_voter for h in survivors):
            return  # nobody here can elect anybody
        if self.options.voters and have_gone_back(survivors):
            return  # one has followed to a list that the others gave back, and may have lost its way back
        if self.options.voters and is_set_up_wrong(survivors):
            return  # `status` says there what to do, which nobody does here
        self._give_somebody_a_rank(survivors)
        recovery = Recovery(self.cluster, self.options, survivors, rumours_us=self.faults.rumours_us)
        if is_electable(survivors):
            recovery.run()
        elif not has_majority(survivors):
            recovery.run_without_majority()
        self.agreed_us = recovery.agreed_us
        self._check_tables()

    def _check_tables(self) -> None:
        for host in self.cluster.running():
            assert host.core is not None
            self.cluster.checker.check_tables(host.core.node)

    def _give_somebody_a_rank(self, survivors: list[Host]) -> None:
        """At least one of them must be allowed to lead at all. They run by now: who was restarted has the priority of its
        configuration again."""
        if all(priority(h) == 0 for h in survivors):
            self.cluster.set_priority(self.rng.choice(survivors), 100)
