"""A simulated cluster for the scenarios: a few seeds each, and what users were told."""

from kingd.core.effect import Event, EventKind
from kingd.core.timing import SECOND
from kingd.core.wire.message import Role
from kingd.daemon import sentences
from kingd.sim.cluster import Cluster, hosts
from kingd.sim.host import Host
from kingd.sim.network import Weather

SEEDS = (1, 2, 3, 4)
LEADERSHIP = (EventKind.ELECTED, EventKind.DEPOSED, EventKind.LEADER_CHANGED, EventKind.LEADER_LOST)


def cold(*priorities: int, seed: int = 1, weather: Weather | None = None, **changes: object) -> Cluster:
    """Hosts box1, box2, ... with these priorities; none of them runs."""
    return Cluster(hosts(*priorities, **changes), seed=seed, weather=weather)


def settled(*priorities: int, seed: int = 1, weather: Weather | None = None, **changes: object) -> Cluster:
    """They run, and agree on the best of them."""
    cluster = cold(*priorities, seed=seed, weather=weather, **changes)
    cluster.start_all()
    agrees_on(cluster, best(cluster.hosts).name, within_s=10)
    cluster.run(3 * SECOND)
    return cluster


def best(among: list[Host]) -> Host:
    return min(among, key=lambda host: (-host.settings.priority, host.node_id))


def agrees_on(cluster: Cluster, name: str, *, within_s: float, among: list[Host] | None = None) -> None:
    found = cluster.run_until(lambda: cluster.agreed(among) == name, round(within_s * SECOND))
    views = {host.name: cluster.view(host) for host in cluster.hosts}
    assert found, f"not agreed on {name} within {within_s} s: {views}"


def told(host: Host, since_us: int = 0) -> list[Event]:
    """What this host's users were told about leadership."""
    return [event for at_us, event in host.events if (at_us > since_us or not since_us) and event.kind in LEADERSHIP]


def disturbed(cluster: Cluster, since_us: int, among: list[Host] | None = None) -> list[str]:
    """Every change of leadership that anybody was told of, in words; empty: nothing happened."""
    return [
        f"{h.name}: {e.kind} ({e.reason.word})"
        for h in (cluster.hosts if among is None else among)
        for e in told(h, since_us)
    ]


def term(cluster: Cluster) -> int:
    (leader,) = cluster.leaders()
    assert leader.core is not None
    return leader.core.node.ballot.term


def leaderless_us(cluster: Cluster, limit_us: int, *, among: list[Host] | None = None) -> int:
    """From now: until they all agree again (on anybody)."""
    began_us = cluster.now_us
    assert cluster.run_until(lambda: cluster.agreed(among) is None, limit_us), "nobody noticed"
    assert cluster.run_until(lambda: cluster.agreed(among) is not None, limit_us), "nobody leads"
    return cluster.now_us - began_us


def never_two_leaders(cluster: Cluster, duration_us: int) -> None:
    assert not cluster.run_until(lambda: len(cluster.leaders()) > 1, duration_us), [h.name for h in cluster.leaders()]


def roles(cluster: Cluster) -> tuple[Role | None, ...]:
    return tuple(host.role for host in cluster.hosts)


def problems(host: Host, now_us: int) -> list[str]:
    """As its users are told them."""
    assert host.core is not None
    return [sentences.problem(found) for found in host.core.status(now_us).problems]
