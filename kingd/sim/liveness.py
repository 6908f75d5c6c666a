"""The second phase: all works again, and the survivors must find their leader. docs/protocol.md 7.

Within `AGREE_US` exactly one of them leads and every other one says so; if each may preempt at once, the leader is
one that nobody outranks by priority. After that nothing changes any more, except that who waits to preempt may do
it. If not, `LivenessError` says what is pending."""

from collections.abc import Callable

from kingd.core.effect import Event, EventKind
from kingd.core.rules import timers
from kingd.core.rules.eligibility import ineligible
from kingd.core.rules.majority import majority
from kingd.core.state.node import Node
from kingd.core.timing import MS, SECOND, promise_us
from kingd.core.wire.message import Ballot, Ineligible, Reason, Role
from kingd.sim.cluster import Cluster
from kingd.sim.exclusion import says_it_leads
from kingd.sim.host import Host
from kingd.sim.options import Options
from kingd.sim.outcome import LivenessError, SafetyError

AGREE_US = 6 * SECOND
"""From heal to agreement, at a leader timeout of 500 ms or less; in proportion at a longer one. A start, a back-off
without contact that the heal ends, and a merge fit in. Ruling out that a step-down's `--for` still runs is not part
of it: that is added."""

RANK_US = 30 * SECOND
"""From agreement to the right leader: a hand-over that was refused is tried again after 10 s, then after 20."""

_POLL_US = 20 * MS


class Recovery:
    def __init__(self, cluster: Cluster, options: Options, survivors: list[Host], *, rumours_us: int) -> None:
        """`rumours_us`: false obituaries arrive until then, and depose whom they name."""
        self.cluster = cluster
        self.options = options
        self.survivors = survivors
        self.rumours_us = rumours_us
        self.agreed_us = 0  # how long after the heal

    def run(self) -> None:
        cluster, began_us, survivors = self.cluster, self.cluster.now_us, self.survivors
        scale = max(1.0, self.options.leader_timeout_ms / 500)
        cluster.run(max(0, self.rumours_us - began_us))
        cluster.run(4 * self.options.timing.leader_timeout_us)  # the longest that anybody waits for a silent leader
        allowed_us = int(AGREE_US * scale) + max(abstains_us(h) for h in survivors)
        if self.options.voters:  # whoever was restarted waits for what it may have promised
            allowed_us += 2 * promise_us(self.options.timing.lease_us)
        if not self._poll(lambda: cluster.agreed(survivors) is not None, allowed_us):
            raise LivenessError(f"no agreement {allowed_us / 1e6:.1f} s after the heal\n{pending(cluster)}")
        self.agreed_us = max((at_us for h in survivors for at_us, _ in leadership(h)), default=0) - began_us
        self.agreed_us = max(0, self.agreed_us)
        allowed_us = int(RANK_US * scale) + max(abstains_us(h) for h in survivors)
        if not self._poll(self._is_settled, allowed_us):
            raise LivenessError(f"not the right leader {allowed_us / 1e6:.1f} s after agreement\n{pending(cluster)}")
        self._stay_quiet()

    def run_without_majority(self) -> None:
        """Too few voters are left: all must fall silent, and stay so."""
        cluster = self.cluster
        cluster.run(2 * promise_us(self.options.timing.lease_us))
        for _ in range(20):
            cluster.run(self.options.quiet_us // 20)
            for host in self.survivors:
                if says_it_leads(host, cluster.now_us):
                    raise SafetyError(f"Q1: {host.name} leads without a majority\n{pending(cluster)}")

    def _poll(self, condition: Callable[[], bool], limit_us: int) -> bool:
        end_us = self.cluster.now_us + limit_us
        while not condition():
            if self.cluster.now_us >= end_us:
                return False
            self.cluster.run(_POLL_US)
        return True

    def _is_settled(self) -> bool:
        """The right one leads, and nobody is about to change that."""
        leader = self.cluster.agreed(self.survivors)
        if leader is None or any(is_changing(h) for h in self.survivors):
            return False
        mine = priority(self.cluster.host(leader))
        return not self.options.preempts_always or all(priority(h) <= mine for h in self.survivors)

    def _stay_quiet(self) -> None:
        cluster, survivors = self.cluster, self.survivors
        told = {h.index: len(leadership(h)) for h in survivors}
        led = ballot(survivors)
        cluster.run(self.options.quiet_us)
        changes = [
            (at_us, host.name, event) for host in survivors for at_us, event in leadership(host)[told[host.index] :]
        ]
        now_led = ballot(survivors)
        # Somebody who is gone had promised more; his word of it, whose first copy was lost, may be played again only now: the
        # leader raises its term above that (protocol.md 4.6), and nobody is told of a change.
        replays = self.options.weather.replay_rate > 0
        is_raised = replays and led is not None and now_led is not None and now_led.node == led.node and now_led > led
        if self.options.preempts_always and (changes or not (now_led == led or is_raised)):
            first = f"{changes[0][1]} {changes[0][2]}" if changes else f"{led} -> {now_led}"
            raise LivenessError(f"changed after agreement: {first}\n{pending(cluster)}")
        for at_us, name, event in changes:
            if not is_preemption(event):
                raise LivenessError(f"{name} changed at {at_us / 1e6:.3f} after agreement: {event}\n{pending(cluster)}")


def has_majority(survivors: list[Host]) -> bool:
    voters = survivors[0].settings.voters
    return len([h for h in survivors if h.name in voters]) >= majority(len(voters))


def is_electable(survivors: list[Host]) -> bool:
    """Whether a majority of the voters is there, and knows or can learn what it promised. If not, they may still come to
    agree, and need not: at a first start in which somebody broke down it depends on who has heard whom. quorum.md 5."""
    voters = survivors[0].settings.voters
    if not voters:
        return True
    here = [h for h in survivors if h.name in voters]
    nodes = [h.core.node for h in here if h.core is not None]
    begun = {session for node in nodes for session in node.quorum.begun_with}
    knowing = [node for node in nodes if _will_know(node, nodes) or node.session in begun]
    need = majority(len(voters))
    tells = min(need, len(voters) - need + 1)
    is_first_start = not knowing and not any(_may_begin_with_too_few(node, nodes, need, tells) for node in nodes)
    enough = len(knowing) >= tells or is_first_start or len(here) == len(voters)
    return has_majority(survivors) and enough and _may_be_led(survivors)


def _will_know(node: Node, survivors: list[Node]) -> bool:
    """What it promised: it does, or recovers even if all others start again, for the cluster has begun with it. Who has found
    that by itself is stopped by a voter that knows, and has never said to it that it recovers (quorum.md 5)."""
    quorum = node.quorum
    knowing = [other for other in survivors if other.quorum.knows or other.quorum.told_begun]
    has_begun = bool(quorum.begun_with) and all(_told_that_it_is_new(other, node) for other in knowing)
    return quorum.knows or quorum.told_begun or has_begun


def _may_begin_with_too_few(node: Node, survivors: list[Node], need: int, tells: int) -> bool:
    """It is about to find that the cluster begins with a majority, of whom so many have broken down that those that are left
    cannot tell who is left out. What they answer to its newest questions may be on its way."""
    lately_us = node.now_us - SECOND
    new = [m for m in node.members.alive() if m.name in node.voters.names and m.new_us >= 0 and m.heard_us > lately_us]
    here = sum(_told_that_it_is_new(other, node) for other in survivors)
    return 1 + len(new) >= need and 1 + here < tells


def _told_that_it_is_new(teller: Node, node: Node) -> bool:
    """In this session nothing that it may have promised is unknown to itself."""
    member = node.members.find(teller.id, teller.session)
    return member is not None and member.new_us >= 0


def _may_be_led(survivors: list[Host]) -> bool:
    """By the list of a voter with history: hosts that were set up anew begin with the list of their configuration, and learn
    another one only from a leader. Where those that know it have priority 0, nobody leads."""
    nodes = [h.core.node for h in survivors if h.core is not None]
    lists = {node.voters.names for node in nodes if node.is_voter and node.quorum.recovered}
    return not lists or any(node.priority > 0 and node.voters.names in lists for node in nodes)


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
    return node is None or node.transfer is not None or node.succession.yielded is not None or node.campaign is not None


def ballot(among: list[Host]) -> Ballot | None:
    return next((h.core.node.ballot for h in among if h.core and h.role is Role.LEADER), None)


def abstains_us(host: Host) -> int:
    """How long a step-down still keeps it from leading, or others from preempting it."""
    node = host.core.node if host.core else None
    if node is None:
        return 0
    until_us = max(node.orders.unfit.get(Ineligible.STEP_DOWN, 0), node.orders.keeps_until_us)
    return max(0, until_us - node.now_us)


def pending(cluster: Cluster) -> str:
    """Where each node stands, and what it waits for."""
    return "\n".join(f"  {h.name:6} {_describe(h.core.node, cluster) if h.core else 'off'}" for h in cluster.hosts)


_ALWAYS_DUE = ("announce_at_us", "sweep_at_us", "until_us")  # or told elsewhere


def _describe(node: Node, cluster: Cluster) -> str:
    names = {h.node_id: h.name for h in cluster.hosts}
    now_us, promise = node.now_us, node.promise

    def leader(of: Ballot) -> str:
        return f"{of.term}.{names.get(of.node, format(of.node, 'x'))}"

    words = [f"{node.role.name} priority={node.priority} why={node.news.why.word}"]
    if why := ineligible(node):
        words.append(f"ineligible={why.word}")
    live = (
        f" for {(promise.until_us - now_us) // MS} ms" if promise.is_live(now_us) and promise.until_us < 1 << 61 else ""
    )
    words.append(
        f"promised={leader(promise.floor)}{live} seen={node.term_seen} ceiling={node.durable.ceiling} "
        f"failures={node.backoff.failures}"
    )
    if node.in_quorum_mode:
        words.append(
            f"voters={'+'.join(node.voters.names)} of {'.'.join(map(str, node.voters.generation))} "
            f"wanted={'+'.join(node.settings.voters)}"
        )
        untils_us = node.votes.until_us if node.votes else {}
        lease_ms = (node.votes.lease_until_us - now_us) // MS if node.votes else 0
        votes = " ".join(f"{names.get(n)}:{(until_us - now_us) // MS}" for n, until_us in untils_us.items())
        words.append(
            f"lease={lease_ms} ms recovered={node.quorum.recovered} hold={node.durable.hold_us // MS} ms votes={votes}"
        )
    if node.campaign is not None:
        claim = node.campaign.claim
        words.append(
            f"claims={claim.term}{' pre-vote' if claim.pre_vote else ''} required={len(node.campaign.required)}"
        )
    if node.succession.yielded is not None:
        words.append(f"yielded to {names.get(node.succession.yielded.ticket.successor)}")
    if node.namesake.is_there:
        words.append("duplicate")
    for name, at_us in timers.deadlines_us(node).items():
        if at_us < 1 << 61 and name.partition(".")[2] not in _ALWAYS_DUE:
            words.append(f"{name.removesuffix('_at_us')} in {(at_us - now_us) // MS} ms")
    words.append(" ".join(f"{m.name}:{m.state}/{m.role.name}" for m in node.members.verified()))
    if node.succession.refused:
        words.append(
            "refused "
            + " ".join(f"{names.get(n)}:{(u - now_us) // MS} ms" for n, (u, _) in node.succession.refused.items())
        )
    return " | ".join(words)
