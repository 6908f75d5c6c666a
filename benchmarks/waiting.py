"""`python -m benchmarks.waiting`: what a starting host's wait is for: how often one that waits less leads beside a leader.

In the simulator: one host leads, and two more start at the same moment; one of them claims when its wait is over, and
nobody has objected. *loss*: the network loses a fifth of all datagrams. *stall*: the leader does not run for 200 to 300 ms,
which it does not ask anybody about afterwards (`Timing.stall_us`), from a moment in the 100 ms before they start. Who asks
for the leader, and waits only for answers, could do better with the first and no better with the second: a host that does not
run answers nobody, and it is not known yet, so nobody misses its answer."""

import argparse
import random
from dataclasses import replace

from kingd.core.timing import MS, SECOND, Timing
from kingd.sim.cluster import Cluster, hosts

_LOSS = 0.2
_STALL_MS = (200, 300)
_WAITS_MS = (500, 400, 300, 200, 100)


def waiting(wait_us: int) -> Timing:
    class Waiting(Timing):
        __slots__ = ()
        join_wait_us = wait_us

    return Waiting()


def led_twice(wait_ms: int, seed: int, *, loss: bool) -> bool:
    """Whether there were two leaders."""
    rng = random.Random(seed)
    settings = [replace(each, timing=waiting(wait_ms * MS)) for each in hosts(100, 90, 80)]
    cluster = Cluster(settings, seed=seed)
    leader, *others = cluster.hosts
    cluster.start(leader)
    assert cluster.run_until(lambda: cluster.leaders() == [leader], 20 * SECOND)
    cluster.run(SECOND + rng.randrange(100 * MS))
    if loss:
        cluster.network.weather = replace(cluster.network.weather, loss_rate=_LOSS)
    else:
        cluster.pause(leader, until_us=cluster.now_us + rng.randint(*_STALL_MS) * MS)
        cluster.run(rng.randrange(100 * MS))
    for host in others:
        cluster.start(host)
    return cluster.run_until(lambda: len(cluster.leaders()) > 1, 2 * SECOND)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__.partition(":")[2], formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--trials", type=int, default=2000, metavar="N", help="default: %(default)s")
    trials: int = parser.parse_args().trials
    print("| wait, ms | loss | stall |\n|---:|---:|---:|")
    for wait_ms in _WAITS_MS:
        found = [sum(led_twice(wait_ms, seed, loss=loss) for seed in range(trials)) for loss in (True, False)]
        print(f"| {wait_ms} | " + " | ".join(f"{count} of {trials}" for count in found) + " |", flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
