"""One seed, one run: a random cluster under random faults, then healed. docs/protocol.md 7.

Phase 1, safety: faults on; the checker looks after every entry. Phase 2, liveness: all links work, the survivors
run, nothing is lost. Within `AGREE_US` exactly one of them leads and every other one says so; if each may preempt
at once, the leader is one that nobody outranks by priority. After that nothing changes any more, except that who
waits to preempt may do it."""

import random
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from functools import partial

from kingd.core.effect import Event, EventKind
from kingd.core.message import Ballot, Reason, Role
from kingd.core.node import Node
from kingd.core.timing import MS, SECOND
from kingd.sim.checker import SafetyError
from kingd.sim.cluster import Cluster, Host
from kingd.sim.faults import Faults
from kingd.sim.options import Options, draw

AGREE_US = 6 * SECOND
"""From heal to agreement, at a leader timeout of 500 ms; in proportion at another. A start, a back-off without contact
that the heal ends, and a merge fit in. Ruling out that a step-down's `--for` still runs is not part of it: that is
added."""

RANK_US = 30 * SECOND
"""From agreement to the right leader: a hand-over that was refused is tried again after 10 s, then after 20."""

QUIET_US = 3 * SECOND
"""How long nothing may change after that."""

_POLL_US = 20 * MS


class Outcome(IntEnum):
    """The exit code."""

    OK = 0
    CRASH = 1
    SAFETY = 2
    LIVENESS = 3


class LivenessError(AssertionError):
    """The healed cluster did not get where it must."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    seed: int
    outcome: Outcome
    message: str  # "" or what went wrong
    agreed_us: int  # how long after the heal
    virtual_us: int
    datagrams: int
    leader_changes: int
    digest: str  # of all that was delivered and told: two runs of a seed have the same


def run(seed: int, *, trace: Callable[[str], None] | None = None, datagrams: bool = False) -> Result:
    options = draw(seed)
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
        seed=seed,
        outcome=outcome,
        message=f"at {cluster.now_us / 1e6:.6f}: {message}" if message else "",
        agreed_us=swarm.agreed_us,
        virtual_us=cluster.now_us,
        datagrams=cluster.network.sent,
        leader_changes=cluster.checker.leader_changes,
        digest=cluster.digest.hexdigest(),
    )


class Swarm:
    def __init__(self, options: Options, *, trace: Callable[[str], None] | None, datagrams: bool) -> None:
        rng = random.Random(options.seed ^ 0x6B696E67)
        self.options = options
        self.cluster = Cluster(options.settings(), seed=rng.getrandbits(64), weather=options.weather)
        self.cluster.trace, self.cluster.trace_datagrams = trace, datagrams
        self.faults = Faults(self.cluster, options, random.Random(rng.getrandbits(64)))
        self.rng = rng
        self.agreed_us = 0

    def run(self) -> None:
        for host in self.cluster.hosts:
            self.faults.later(self.rng.randint(0, self.options.late_start_us), partial(self._start, host))
        self.faults.run(self.options.safety_us)
        self._check_tables()
        survivors = sorted(self.rng.sample(self.cluster.hosts, self.options.survivors), key=lambda h: h.index)
        self._give_somebody_a_rank(survivors)
        self.faults.end(survivors)
        self._converge(survivors)
        self._check_tables()

    def _start(self, host: Host) -> None:
        if host.core is None:
            self.cluster.start(host)

    def _check_tables(self) -> None:
        for host in self.cluster.running():
            assert host.core is not None
            self.cluster.checker.check_tables(host.core.node)

    def _give_somebody_a_rank(self, survivors: list[Host]) -> None:
        """At least one of them must be allowed to lead at all."""
        host = self.rng.choice(survivors)
        if host.core is not None and host.core.node.stopping:
            self.cluster.crash(host)
        if all(priority(h) == 0 for h in survivors):
            if host.core is not None:
                self.cluster.set_priority(host, 100)
            else:
                self.cluster.configure_at_rest(host, priority=100)

    # -- liveness -----------------------------------------------------------------------------------

    def _converge(self, survivors: list[Host]) -> None:
        cluster, began_us = self.cluster, self.cluster.now_us
        scale = max(1.0, self.options.leader_timeout_ms / 500)
        cluster.run(4 * self.options.timing.leader_timeout_us)  # the longest that anybody waits for a silent leader
        allowed_us = int(AGREE_US * scale) + max(abstains_us(h) for h in survivors)
        if not self._poll(lambda: cluster.agreed(survivors) is not None, allowed_us):
            raise LivenessError(f"no agreement {allowed_us / 1e6:.1f} s after the heal\n{pending(cluster)}")
        self.agreed_us = max((at_us for h in survivors for at_us, _ in leadership(h)), default=0) - began_us
        self.agreed_us = max(0, self.agreed_us)
        allowed_us = int(RANK_US * scale) + max(abstains_us(h) for h in survivors)
        if not self._poll(lambda: self._is_settled(survivors), allowed_us):
            raise LivenessError(f"not the right leader {allowed_us / 1e6:.1f} s after agreement\n{pending(cluster)}")
        self._stay_quiet(survivors)

    def _poll(self, condition: Callable[[], bool], limit_us: int) -> bool:
        end_us = self.cluster.now_us + limit_us
        while not condition():
            if self.cluster.now_us >= end_us:
                return False
            self.cluster.run(_POLL_US)
        return True

    def _is_settled(self, survivors: list[Host]) -> bool:
        """The right one leads, and nobody is about to change that."""
        leader = self.cluster.agreed(survivors)
        if leader is None or any(is_changing(h) for h in survivors):
            return False
        mine = priority(self.cluster.host(leader))
        return not self.options.preempts_always or all(priority(h) <= mine for h in survivors)

    def _stay_quiet(self, survivors: list[Host]) -> None:
        cluster = self.cluster
        told = {h.index: len(leadership(h)) for h in survivors}
        led = ballot(survivors)
        cluster.run(QUIET_US)
        changes = [
            (at_us, host.name, event) for host in survivors for at_us, event in leadership(host)[told[host.index] :]
        ]
        if self.options.preempts_always and (changes or ballot(survivors) != led):
            first = f"{changes[0][1]} {changes[0][2]}" if changes else f"{led} -> {ballot(survivors)}"
            raise LivenessError(f"changed after agreement: {first}\n{pending(cluster)}")
        for at_us, name, event in changes:
            if not is_preemption(event):
                raise LivenessError(f"{name} changed at {at_us / 1e6:.3f} after agreement: {event}\n{pending(cluster)}")


LEADERSHIP = (EventKind.ELECTED, EventKind.DEPOSED, EventKind.LEADER_CHANGED, EventKind.LEADER_LOST)


def leadership(host: Host) -> list[tuple[int, Event]]:
    return [(at_us, event) for at_us, event in host.events if event.kind in LEADERSHIP]


def is_preemption(event: Event) -> bool:
    was, now = event.previous_leader, event.leader
    if event.kind is EventKind.DEPOSED:
        return event.reason in (Reason.PREEMPTED, Reason.PRIORITY_CHANGED)
    return now is not None and (was is None or now.priority > was.priority)


def priority(host: Host) -> int:
    return host.core.node.priority if host.core else host.settings.priority


def is_changing(host: Host) -> bool:
    node = host.core.node if host.core else None
    return node is None or node.handover is not None or node.yielded is not None or node.campaign is not None


def ballot(among: list[Host]) -> Ballot | None:
    return next((h.core.node.ballot for h in among if h.core and h.role is Role.LEADER), None)


def abstains_us(host: Host) -> int:
    """How long a step-down still keeps it from leading, or others from preempting it."""
    node = host.core.node if host.core else None
    return max(0, node.abstain_until_us - node.now_us, node.keeps_until_us - node.now_us) if node else 0


def pending(cluster: Cluster) -> str:
    """Where each node stands, and what it waits for."""
    return "\n".join(f"  {h.name:6} {_describe(h.core.node, cluster) if h.core else 'off'}" for h in cluster.hosts)


_DEADLINES = ("join", "isolated", "ping", "heartbeat", "seek", "preempt", "namesake", "stop")


def _describe(node: Node, cluster: Cluster) -> str:
    names = {h.node_id: h.name for h in cluster.hosts}
    now_us, promise = cluster.now_us, node.promise

    def leader(of: Ballot) -> str:
        return f"{of.term}.{names.get(of.node, format(of.node, 'x'))}"

    words = [f"{node.role.name} priority={node.priority} why={node.why.word}"]
    if node.ineligible_reason:
        words.append(f"ineligible={node.ineligible_reason}")
    live = (
        f" for {(promise.until_us - now_us) // MS} ms" if promise.is_live(now_us) and promise.until_us < 1 << 61 else ""
    )
    words.append(
        f"promised={leader(promise.ballot)}{live} seen={node.term_seen} ceiling={node.ceiling} failures={node.failures}"
    )
    if node.campaign is not None:
        claim = node.campaign.claim
        words.append(f"claims={claim.term}{' prepare' if claim.prepare else ''} required={len(node.campaign.required)}")
    if node.yielded is not None:
        words.append(f"yielded to {names.get(node.yielded.ticket.successor)}")
    if node.duplicate:
        words.append("duplicate")
    for name in _DEADLINES:
        at_us = getattr(node, f"{name}_at_us")
        if at_us < 1 << 61:
            words.append(f"{name} in {(at_us - now_us) // MS} ms")
    words.append(" ".join(f"{m.name}:{m.state}/{m.role.name}" for m in node.members))
    if node.refused_handover:
        words.append(
            "refused "
            + " ".join(f"{names.get(n)}:{(u - now_us) // MS} ms" for n, (u, _) in node.refused_handover.items())
        )
    return " | ".join(words)
