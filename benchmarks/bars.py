"""What kingd promises in numbers."""

from collections.abc import Sequence
from dataclasses import replace

from benchmarks.measured import Measured

# (system, row) -> what the median must not exceed; of `idle:` rows and of `calm`, the largest value.
_BARS = {
    ("kingd", "SIGKILL"): 10,
    ("kingd", "SIGKILL, in a bare watcher's"): 3,
    ("kingd", "planned stop"): 5,
    ("kingd", "cable pulled"): 500,
    ("kingd-fast", "cable pulled"): 30,
    ("kingd-quorum", "cable pulled"): 1300,
    ("kingd-quorum-fast", "cable pulled"): 120,
    ("kingd-quorum", "planned stop"): 25,
    ("kingd", "return, from its first datagram"): 150,
    ("kingd", "return, time without a leader"): 8,
    ("kingd", "idle: processor, follower"): 0.2,
    ("kingd", "idle: processor, leader"): 0.3,
    ("kingd", "idle: RSS"): 13,
    ("kingd", "idle: PSS"): 11,
    ("kingd", "idle: guardian, PSS"): 2,
    ("start", "exec to the first datagram, in python3 -I -c pass"): 4,
    ("kingd", "changes of leader under load"): 0,
    ("kingd-fast", "changes of leader under load"): 0,
}
# (system, row) -> (peer, so many times its median) each: the least of them is the bar.
_BESIDE = {
    ("kingd", "cold start"): (("etcd", 1), ("keepalived-0.1", 1)),
    ("kingd-fast", "cold start"): (("keepalived-0.01", 2),),
    ("kingd-fast", "return"): (("keepalived-0.01", 1),),
}


def bar_of(system: str, row: str) -> float | None:
    return _BARS.get((system, row))


def beside_peers(results: Sequence[Measured]) -> list[Measured]:
    """Those whose bar is what peers took, with that bar, or without one where they were not all measured on one day: whatever
    the machine, it did both."""
    found = {(of.system, of.row): of for of in results}
    judged = []
    for (system, row), peers in _BESIDE.items():
        ours = found.get((system, row))
        if ours is None:
            continue
        theirs = [(times, found.get((peer, row))) for peer, times in peers]
        limits = [times * of.statistics["median"] for times, of in theirs if of is not None and of.when == ours.when]
        judged.append(replace(ours, bar=min(limits) if len(limits) == len(peers) else None))
    return judged
