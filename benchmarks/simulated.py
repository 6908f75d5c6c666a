"""What a cluster of N says, counted in the simulator: `python -m benchmarks.simulated --nodes 3,10,50,150,450,1000,2000`.

The simulator carries every datagram of every host on a virtual clock, so the counts are exact, and the same on every
machine. A multicast is one datagram sent and N received. Four parts, of which `--parts` chooses: *start*, all hosts one after
the other within a second per hundred, and the failover of what has come of it; *rest* and *failover* of a cluster that
has been at rest for long (kingd/sim/settled.py), for N^2 announcements are more than a simulator can carry. A failover
is SIGKILL without a last will, as when a host loses power: the longest way to the next leader. Each row replaces its
former one in docs/results/simulated.json, from which `python -m benchmarks.scale_page` makes docs/scale.md. *busy* is
the failover once more, where each datagram takes a processor as long as costs.json says (benchmarks/costs.py): what
arrives meanwhile waits."""

import argparse
import gc
import json
import resource
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from benchmarks import costs
from kingd.core.timing import MS, SECOND, Timing
from kingd.core.wire.message import Datagram
from kingd.sim.cluster import Cluster, hosts
from kingd.sim.host import Host
from kingd.sim.labour import Labour
from kingd.sim.settled import settle

RESULTS = Path(__file__).parents[1] / "docs" / "results" / "simulated.json"
START, REST, FAILOVER, BUSY, OVERLOAD = "start", "rest", "failover", "busy", "overload"
_SHARED, _STILL_US = 2, 1_500 * MS
_SETTLE_US = 30 * SECOND
_DELIVERIES = 500_000  # at rest: so many are enough
_REST_US_MAX, _REST_US_MIN = 60 * SECOND, 3 * SECOND
_LIMIT_US = 60 * SECOND
_HEARTBEAT_US = Timing().heartbeat_us
_TRIALS_MAX, _HOSTS = 15, 2_000  # failovers, and hosts in all of them
_LEADER, _NEXT = "box1", "box2"


@dataclass(frozen=True, kw_only=True)
class Row:
    """One part of one N. Rates (`rest`) and counts (`start`, `failover`) of datagrams by kind and by who: "leader" (in a
    failover the next one) and "follower", the mean of all others."""

    nodes: int
    part: str
    sent: float  # a node: a second at rest, else in all
    received: float
    agreed_ms: float | None = None
    sent_max: float = 0  # of several failovers, at different moments between two heartbeats: the row is the median one
    agreed_ms_max: float = 0
    trials: int = 1
    leader_in: dict[str, float] = field(default_factory=dict)
    leader_out: dict[str, float] = field(default_factory=dict)
    follower_in: dict[str, float] = field(default_factory=dict)
    follower_out: dict[str, float] = field(default_factory=dict)
    virtual_s: float  # how long it was looked at
    took_s: float  # of a processor, to simulate it
    memory_mib: int  # the whole simulator's, at most


class Tally:
    """Who handles how many datagrams of each kind, from now on."""

    def __init__(self, cluster: Cluster, leader: str) -> None:
        self._cluster, self._leader = cluster, leader
        self._counts: dict[tuple[bool, bool], Counter[str]] = {
            (leads, sends): Counter() for leads in (True, False) for sends in (True, False)
        }
        self._said, self._delivered, self._began_us = cluster.mail.said, cluster.network.delivered, cluster.now_us
        self._began_s = time.process_time()
        cluster.driver.watch = self._note

    def _note(self, host: Host, datagram: Datagram, sends: bool) -> None:
        self._counts[host.name == self._leader, sends][type(datagram.body).__name__] += 1

    def row(self, part: str, *, agreed: bool = False) -> Row:
        cluster, nodes = self._cluster, len(self._cluster.hosts)
        passed_us = cluster.now_us - self._began_us
        each = passed_us / SECOND if part == REST else 1.0
        cluster.driver.watch = None
        return Row(
            nodes=nodes,
            part=part,
            sent=(cluster.mail.said - self._said) / nodes / each,
            received=(cluster.network.delivered - self._delivered) / nodes / each,
            agreed_ms=passed_us / MS if agreed else None,
            leader_in=self._mean(each, leads=True, sends=False),
            leader_out=self._mean(each, leads=True, sends=True),
            follower_in=self._mean(each * (nodes - 1), leads=False, sends=False),
            follower_out=self._mean(each * (nodes - 1), leads=False, sends=True),
            virtual_s=passed_us / SECOND,
            took_s=time.process_time() - self._began_s,
            memory_mib=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10,
        )

    def _mean(self, of: float, *, leads: bool, sends: bool) -> dict[str, float]:
        return {kind: count / of for kind, count in sorted(self._counts[leads, sends].items())}


def grow(nodes: int) -> list[Row]:
    """From nothing, and the failover of what has come of it."""
    cluster = Cluster(hosts(*range(nodes, 0, -1)), seed=nodes)
    tally = Tally(cluster, _LEADER)
    for host in cluster.hosts:
        cluster.start(host)
        cluster.run(SECOND // 100)
    _until_agreed(cluster, _LEADER)
    return [tally.row(START, agreed=True)]


def rest(nodes: int) -> list[Row]:
    cluster = _settled(nodes)
    cluster.run(SECOND)
    tally = Tally(cluster, _LEADER)
    cluster.run(min(max(_DELIVERIES // nodes // 15 * SECOND, _REST_US_MIN), _REST_US_MAX))
    return [tally.row(REST)]


def fail_over(nodes: int) -> list[Row]:
    return [_failovers(nodes, FAILOVER, None)]


def busy(nodes: int) -> list[Row]:
    return [_failovers(nodes, BUSY, _labour(nodes))]


def overload(nodes: int) -> list[Row]:
    """All hosts share two processors, as in a lab, and their leader stands still for so long that all seek another one."""
    cluster = _settled(nodes)
    cluster.employ(replace(_labour(nodes), shared=_SHARED))
    cluster.run(2 * SECOND)
    tally = Tally(cluster, _LEADER)
    cluster.pause(cluster.host(_LEADER), until_us=cluster.now_us + _STILL_US)
    cluster.run(_STILL_US)
    _until_agreed(cluster, _LEADER)
    return [tally.row(OVERLOAD, agreed=True)]


def _labour(nodes: int) -> Labour:
    """As measured at the number of nodes that is nearest."""
    known = costs.load(costs.RESULTS)
    kernel = known.pop(costs.KERNEL)
    of = known[min(known, key=lambda count: abs(int(count) - nodes))]
    read_us = kernel["received, one of a burst"]
    return Labour(
        woken_us=round(kernel["received, one that wakes the process"] - read_us),
        received_us=round(read_us + of["candidate: Grant received"]),
        repeated_us=round(read_us + of["follower: Heartbeat received"]),
        sent_us=round(kernel["sent"] + of["candidate: Claim sent"]),
    )


def _failovers(nodes: int, part: str, labour: Labour | None) -> Row:
    trials = max(1, min(_TRIALS_MAX, _HOSTS // nodes))
    rows = []
    for trial in range(trials):
        cluster = _settled(nodes, trial)
        cluster.employ(labour)
        cluster.run(SECOND + (trial * _HEARTBEAT_US // trials if trials > 1 else _HEARTBEAT_US // 2))
        rows.append(_failover(cluster, part))
    rows.sort(key=lambda row: row.sent)
    agreed_ms_max = max(row.agreed_ms or 0 for row in rows)
    return replace(rows[trials // 2], sent_max=rows[-1].sent, agreed_ms_max=agreed_ms_max, trials=trials)


def _failover(cluster: Cluster, part: str) -> Row:
    tally = Tally(cluster, _NEXT)
    cluster.crash(cluster.host(_LEADER))
    _until_agreed(cluster, _NEXT)
    return tally.row(part, agreed=True)


PARTS: dict[str, Callable[[int], list[Row]]] = {
    START: grow,
    REST: rest,
    FAILOVER: fail_over,
    BUSY: busy,
    OVERLOAD: overload,
}


def _settled(nodes: int, trial: int = 0) -> Cluster:
    cluster = Cluster(hosts(*range(nodes, 0, -1)), seed=nodes + trial)
    settle(cluster)
    gc.freeze()  # millions of entries, none of them garbage: not to be looked through again and again
    return cluster


def _until_agreed(cluster: Cluster, leader: str) -> None:
    """By the millisecond: to ask all of them after each step would take longer than the steps."""
    end_us = cluster.now_us + _LIMIT_US
    while cluster.agreed() != leader:
        if cluster.now_us > end_us:
            raise RuntimeError(f"{len(cluster.hosts)} simulated hosts do not agree on {leader}")
        cluster.run(MS)


def load(file: Path) -> list[Row]:
    """[] if there is no such file yet."""
    return [Row(**entry) for entry in json.loads(file.read_text(encoding="utf-8"))] if file.exists() else []


def merge(file: Path, rows: list[Row]) -> None:
    kept = {(row.nodes, row.part): row for row in [*load(file), *rows]}
    ordered = sorted(kept.values(), key=lambda row: (row.nodes, list(PARTS).index(row.part)))
    lines = ",\n".join(json.dumps(_rounded(asdict(row))) for row in ordered)
    file.write_text(f"[\n{lines}\n]\n", encoding="utf-8")


def _rounded(value: object) -> object:
    if isinstance(value, dict):
        return {name: _rounded(item) for name, item in value.items()}
    return round(value, 5) if isinstance(value, float) else value


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.simulated", description="Datagrams of N hosts.")
    parser.add_argument("--nodes", default="3,10,50,150,450", metavar="N,N,...", help="[%(default)s]")
    parser.add_argument("--parts", default=",".join(PARTS), metavar="PART,...", help="[%(default)s]")
    parser.add_argument("--into", type=Path, default=RESULTS, metavar="FILE", help="default: %(default)s")
    options = parser.parse_args()
    for nodes in options.nodes.split(","):
        for part in options.parts.split(","):
            rows = PARTS[part](int(nodes))
            merge(options.into, rows)
            for row in rows:
                agreed = f", agreed after {row.agreed_ms:.0f} ms" if row.agreed_ms is not None else ""
                print(
                    f"{row.nodes} {row.part}: sent {row.sent:.2f}, received {row.received:.1f} a node{agreed}; "
                    f"simulated {row.virtual_s:.1f} s in {row.took_s:.0f} s, {row.memory_mib} MiB",
                    flush=True,
                )
    return 0


if __name__ == "__main__":
    sys.exit(main())
