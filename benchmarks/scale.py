"""How many daemons one machine carries, and what each costs: real daemons of a lab on loopback.

`python -m benchmarks.scale --nodes 450`. The clean-up is complete whatever happens: all daemons belong to a lab of its own.
Counted from outside: processor time and memory from /proc, datagrams from the kernel's counters of UDP (so nothing else
should use loopback meanwhile), views by asking every daemon.
"""

import argparse
import os
import random
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.measured import Measured, merge, table
from benchmarks.page import RESULTS
from kingd.control.client import call
from kingd.lab.cluster import Cluster
from kingd.lab.node import Node

_IDLE_S = 15.0
SETTLE_S = 8.0
_AGREE_S = 60.0
_UNASKED_S = 2.0  # after a death: hundreds of answers take a processor from who is to agree, and each keeps when it did
_MIB = 1024.0
_PROCESSORS = 4  # of the machine that the bars are for: of two, the same work takes twice the share


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scale", description="Real daemons on this machine.")
    parser.add_argument("--nodes", type=int, default=450, metavar="N")
    nodes = parser.parse_args().nodes
    results: list[Measured] = []
    with lab(nodes) as (cluster, started_s):
        results.append(_one(nodes, "start, until all name one leader", "s", started_s, bar=30))
        for part in (_rest, _survey, king_dies, third_dies):
            time.sleep(SETTLE_S)
            results += part(cluster, nodes)
            merge(RESULTS, results)  # what was measured is kept, whatever comes next
            print(table(results), flush=True)
    return 0 if all(result.is_met for result in results) else 1


def _one(nodes: int, row: str, unit: str, value: float, bar: float | None = None) -> Measured:
    return Measured(system=f"{nodes} daemons", row=row, unit=unit, values=[value], bar=bar)


@contextmanager
def lab(nodes: int) -> Iterator[tuple[Cluster, float]]:
    start_s = time.monotonic()
    cluster = Cluster.create(f"scale-{os.getpid()}", nodes=nodes, profile="lan")
    try:
        cluster.start_all()
        _until_all_say(cluster.nodes, "box1")
        yield cluster, time.monotonic() - start_s
    finally:
        cluster.stop()


def _until_all_say(nodes: list[Node], leader: str) -> float:
    """When the last of them was asked and said so, CLOCK_MONOTONIC in seconds."""
    waiting = list(nodes)
    end_s = time.monotonic() + _AGREE_S
    while waiting:
        waiting = [node for node in waiting if _leader(node) != leader]
        if waiting and time.monotonic() > end_s:
            raise RuntimeError(f"{len(waiting)} daemons do not name {leader}, {waiting[0].name} among them")
    return time.monotonic()


def _leader(node: Node) -> str | None:
    status = node.status(timeout_s=5)
    leader = status["leader"] if status else None
    return str(leader["name"]) if isinstance(leader, dict) else None


# -- at rest


def _rest(cluster: Cluster, nodes: int) -> list[Measured]:
    pids = {node.name: node.process.pid for node in cluster.nodes if node.process}
    before, datagrams, start_s = {name: _busy_s(pid) for name, pid in pids.items()}, _datagrams(), time.monotonic()
    time.sleep(_IDLE_S)
    passed_s = time.monotonic() - start_s
    busy = {name: (_busy_s(pid) - before[name]) / passed_s * 100 for name, pid in pids.items()}
    received, sent = (after - earlier for after, earlier in zip(_datagrams(), datagrams, strict=True))
    memory = [_memory(pid) for pid in _family(list(pids.values()))]
    followers = [share for name, share in busy.items() if name != "box1"]
    return [
        _one(nodes, "processor at rest, of four", "%", sum(busy.values()) / _PROCESSORS, bar=25),
        Measured(
            system=f"{nodes} daemons", row="processor at rest, a follower, of one", unit="%", values=followers, bar=0.5
        ),
        _one(nodes, "processor at rest, the leader, of one", "%", busy["box1"], bar=1),
        _one(nodes, "memory in all (PSS, guardians too)", "MiB", sum(m["Pss"] for m in memory), bar=4096),
        Measured(
            system=f"{nodes} daemons", row="memory of one process (RSS)", unit="MiB", values=[m["Rss"] for m in memory]
        ),
        _one(nodes, "datagrams received, a second and node", "/s", received / passed_s / nodes),
        _one(nodes, "datagrams sent, a second and node", "/s", sent / passed_s / nodes),
    ]


def _busy_s(pid: int) -> float:
    """Of all its threads. (The ticks in /proc/PID/stat are too coarse for what sleeps most of the time.)"""
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9


def _family(pids: list[int]) -> list[int]:
    """With their children: guardians."""
    children = (Path(f"/proc/{pid}/task/{pid}/children").read_text().split() for pid in pids)
    return [*pids, *(int(child) for of_one in children for child in of_one)]


def _memory(pid: int) -> dict[str, float]:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]
    return {line.split(":")[0]: int(line.split()[1]) / _MIB for line in lines if line.startswith(("Pss:", "Rss:"))}


def _datagrams() -> tuple[int, int]:
    """Received and sent over IPv4, by everybody in this network namespace."""
    names, values = (
        line.split() for line in Path("/proc/net/snmp").read_text().splitlines() if line.startswith("Udp:")
    )
    counters = dict(zip(names, values, strict=True))
    return int(counters["InDatagrams"]), int(counters["OutDatagrams"])


# -- what happens to them


def _survey(cluster: Cluster, nodes: int) -> list[Measured]:
    took_s, answered = [], []
    for _ in range(5):
        start_s = time.monotonic()
        answer = call(cluster.nodes[-1].socket, "Survey", timeout_s=10)
        took_s.append(time.monotonic() - start_s)
        rows = answer["nodes"]
        assert isinstance(rows, list)
        answered.append(float(nodes - sum(row["ok"] for row in rows)))
    return [
        Measured(system=f"{nodes} daemons", row="survey", unit="s", values=took_s, bar=1),
        Measured(
            system=f"{nodes} daemons",
            row="survey: daemons that it misses",
            unit="",
            values=answered,
            bar=0,
            judged="max",
        ),
    ]


def king_dies(cluster: Cluster, nodes: int) -> list[Measured]:
    """By the survivors' own words: when each was told of the next one."""
    survivors = cluster.nodes[1:]
    _, sent = _datagrams()
    start_ns = time.monotonic_ns()
    cluster.kill("box1")
    time.sleep(_UNASKED_S)
    _until_all_say(survivors, "box2")
    counted = _datagrams()[1] - sent
    agreed_ns = max(_told_ns(node, start_ns) for node in survivors)
    cluster.start("box1")
    _until_all_say(cluster.nodes, "box1")
    return [
        _one(nodes, "SIGKILL of the king, until all agree on the next", "s", (agreed_ns - start_ns) / 1e9, bar=1),
        _one(nodes, "SIGKILL of the king: datagrams sent a node, until all were asked", "", counted / nodes, bar=6),
    ]


def _told_ns(node: Node, since_ns: int) -> int:
    events = call(node.socket, "History", timeout_s=10)["events"]
    assert isinstance(events, list)
    told = [
        event["monotonic_ns"]
        for event in events
        if event["monotonic_ns"] >= since_ns and event["event"] in ("elected", "leader-changed")
    ]
    return int(told[-1])


def third_dies(cluster: Cluster, nodes: int) -> list[Measured]:
    """The king among them."""
    doomed = [cluster.nodes[0].name, *random.sample([node.name for node in cluster.nodes[2:]], nodes // 3 - 1)]
    left = [node for node in cluster.nodes if node.name not in doomed]
    start_ns = time.monotonic_ns()
    cluster.kill(*doomed)
    time.sleep(_UNASKED_S)
    _until_all_say(left, "box2")
    agreed_s = (max(_told_ns(node, start_ns) for node in left) - start_ns) / 1e9
    start_s = time.monotonic()
    cluster.start(*doomed)
    return [
        _one(nodes, "SIGKILL of a third, until the others agree", "s", agreed_s),
        _one(
            nodes,
            "the third started again, until all name one leader",
            "s",
            _until_all_say(cluster.nodes, "box1") - start_s,
        ),
    ]


if __name__ == "__main__":
    sys.exit(main())
