"""A cluster that has been at rest for a long time, made at once.

Thousands of hosts come to rest by N^2 announcements, which is more than a simulator can carry. Here each host gets the
tables that it would have by then (docs/large-clusters.md 1), and the leader that it would follow; what happens afterwards is
run as ever. Where there are more hosts than a table holds, the leader and the next three know those of the best rank, and all
others the same chosen ones. What is heard of a host is one object for all that have heard it."""

from collections.abc import Sequence
from dataclasses import replace
from math import sqrt

from kingd.core.effect import Effect
from kingd.core.election import Core
from kingd.core.rules import becoming, following
from kingd.core.scale import MEMBERS_MAX, announce_us
from kingd.core.state.members import Member
from kingd.core.state.pending import Campaign
from kingd.core.state.roles import Candidate
from kingd.core.timing import SECOND
from kingd.core.wire.message import Ballot, Claim, Reason, Role, Term
from kingd.sim.cluster import Cluster
from kingd.sim.host import Host

_NEXT = 3  # in line after the leader: they know everybody
_TERM, _CEILING = Term(4), Term(8)
_SWEEPS_US = 5 * SECOND


def settle(cluster: Cluster, *, among: Sequence[Host] | None = None) -> None:
    """Start all hosts, none of which runs, as if they had done so long ago; the best one leads. `among`: only these (the
    best one first) get their tables, and the others know nobody."""
    settling = Settling(cluster)
    for host in settling.ranked if among is None else among:
        settling.seat(host)


class Settling:
    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._rng = cluster.rng
        self._known = min(len(cluster.hosts), MEMBERS_MAX + 1)  # to those who know everybody, themselves included
        self._interval_us = interval_us = announce_us(self._known)
        cluster.run(2 * interval_us)
        for host in cluster.hosts:
            host.ceiling = _CEILING
            cluster.boot(host)
        self.ranked = sorted(cluster.hosts, key=lambda host: core_of(host).node.rank)
        gaps_us = {h.index: interval_us * sqrt(0.25 + 2 * self._rng.random()) for h in cluster.hosts}
        self._waited_us = {index: int(gap_us * self._rng.random()) for index, gap_us in gaps_us.items()}
        self._left_us = {index: int(gap_us) - self._waited_us[index] for index, gap_us in gaps_us.items()}
        self._ballot = Ballot(_TERM, self.ranked[0].node_id)
        chosen = self.ranked if len(self.ranked) <= MEMBERS_MAX else self._rng.sample(self.ranked, MEMBERS_MAX)
        self._heard_of = [
            self._unverified(host) for host in sorted(chosen, key=lambda host: -self._waited_us[host.index])
        ]

    def seat(self, host: Host) -> None:
        self._cluster.enter(host, lambda core: self._seat(host, core))

    def _seat(self, host: Host, core: Core) -> list[Effect]:
        node, now_us, leader = core.node, core.node.now_us, self.ranked[0]
        mesh = len(self.ranked) <= node.settings.mesh_max
        knows_all = mesh or host in self.ranked[: 1 + _NEXT]
        for other in self.ranked[: self._known] if knows_all else self.ranked[: 1 + _NEXT]:
            if other is not host:
                node.members.add(self._member(other, now_us))
                self._cluster.checker.prove(node.session, core_of(other).node.session)
        if not mesh:
            heard_of = self._heard_of
            if knows_all:  # they ask, and note whom they asked
                heard_of = [replace(m) for m in heard_of]
            for m in heard_of:
                if m.node != node.id and node.members.get(m.node) is None:
                    node.members.hear_of(m)
        node.last.count(self._known)
        node.rounds.announced, node.rounds.announce_at_us = _NEXT, now_us + self._left_us[host.index]
        node.rounds.sweep_at_us = now_us + self._rng.randint(0, _SWEEPS_US)
        if host is leader:
            claim = Claim(term=_TERM, attempt=0, reason=Reason.JOINED)
            node.state = Candidate(Campaign(claim, asked={}, required=set()))  # which everybody has granted
            becoming.lead(node, self._ballot, Reason.JOINED, contact_us=now_us)
        else:
            member = node.members.get(leader.node_id)
            assert member is not None
            following.follow(node, member, self._ballot, Reason.JOINED)
            node.rounds.announce_at_us = now_us + self._left_us[host.index]
        return core.links_changed(1, now_us=now_us)

    def _member(self, host: Host, now_us: int) -> Member:
        node = core_of(host).node
        leads = host is self.ranked[0]
        waited_us = 0 if leads else self._waited_us[host.index]
        return Member(
            node=node.id,
            session=node.session,
            name=host.name,
            version=host.settings.version,
            endpoint=host.endpoint,
            heard_us=now_us - waited_us,
            priority=node.priority,
            role=Role.LEADER if leads else Role.FOLLOWER,
            eligible=True,
            leader=self._ballot,
            floor=self._ballot,
            interval_us=self._interval_us,
            contact_us=now_us,
            endpoint_us=now_us,
            endpoint_seen_us=now_us,
            multicast_us=now_us - waited_us,
            alive=self._known if leads else 0,
        )

    def _unverified(self, host: Host) -> Member:
        node = core_of(host).node
        return Member(
            node=node.id,
            session=node.session,
            name=host.name,
            version=host.settings.version,
            endpoint=host.endpoint,
            heard_us=node.now_us - self._waited_us[host.index],
            priority=node.priority,
            role=Role.FOLLOWER,
            eligible=True,
            interval_us=self._interval_us,
        )


def core_of(host: Host) -> Core:
    assert host.core is not None
    return host.core
