"""What a cluster of N says, counted in the simulator: `python -m benchmarks.simulated --nodes 3,10,50,150,450`.

The simulator carries every datagram of every host on a virtual clock, so the counts are exact, and the same on every
machine. A multicast is one datagram sent and N received. Hosts start evenly within a second per hundred; SIGKILL without
a last will, as when a host loses power: the longest way to the next leader. Prints the table of docs/performance.md."""

import argparse
import sys
import time
from dataclasses import dataclass

from kingd.core.timing import SECOND
from kingd.sim.cluster import Cluster, hosts

_SETTLE_US = 30 * SECOND
_REST_US = 20 * SECOND
_LIMIT_US = 60 * SECOND
_HEADER = (
    "| N | start: sent a node | rest: sent /s a node | rest: received /s a node | rest: sent /s by the leader "
    "| failover: sent, of N | agreed after, ms | simulated in, s |\n|" + "---:|" * 8
)


@dataclass(frozen=True, kw_only=True)
class Row:
    nodes: int
    start_sent: float
    rest_sent_s: float
    rest_received_s: float
    leader_sent_s: float
    failover_sent: float
    failover_ms: float
    took_s: float

    def __str__(self) -> str:
        return (
            f"| {self.nodes} | {self.start_sent:.0f} | {self.rest_sent_s:.2f} | {self.rest_received_s:.1f} "
            f"| {self.leader_sent_s:.0f} | {self.failover_sent:.1f} N | {self.failover_ms:.0f} | {self.took_s:.0f} |"
        )


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.simulated", description="Datagrams of N hosts.")
    parser.add_argument("--nodes", default="3,10,50,150,450", metavar="N,N,...")
    print(_HEADER)
    for nodes in parser.parse_args().nodes.split(","):
        print(_measured(int(nodes)), flush=True)
    return 0


def _measured(nodes: int) -> Row:
    began_s = time.monotonic()
    cluster = Cluster(hosts(*range(nodes, 0, -1)), seed=nodes)
    for host in cluster.hosts:
        cluster.start(host)
        cluster.run(SECOND // 100)
    _until_agreed(cluster, "box1")
    start_sent = cluster.said
    cluster.run(_SETTLE_US)
    sent, received, leader_sent = cluster.said, cluster.network.delivered, _sent_by_leader(cluster)
    cluster.run(_REST_US)
    rest_s = _REST_US / SECOND
    rest_sent, rest_received = cluster.said - sent, cluster.network.delivered - received
    leader_sent = _sent_by_leader(cluster) - leader_sent
    sent, killed_us = cluster.said, cluster.now_us
    cluster.crash(cluster.host("box1"))
    _until_agreed(cluster, "box2")
    return Row(
        nodes=nodes,
        start_sent=start_sent / nodes,
        rest_sent_s=rest_sent / rest_s / nodes,
        rest_received_s=rest_received / rest_s / nodes,
        leader_sent_s=leader_sent / rest_s,
        failover_sent=(cluster.said - sent) / nodes,
        failover_ms=(cluster.now_us - killed_us) / 1e3,
        took_s=time.monotonic() - began_s,
    )


def _sent_by_leader(cluster: Cluster) -> int:
    core = cluster.host("box1").core
    assert core is not None
    return core.node.sequence


def _until_agreed(cluster: Cluster, leader: str) -> None:
    if not cluster.run_until(lambda: cluster.agreed() == leader, _LIMIT_US):
        raise RuntimeError(f"{len(cluster.hosts)} simulated hosts do not agree on {leader}")


if __name__ == "__main__":
    sys.exit(main())
