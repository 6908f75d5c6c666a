"""`python -m benchmarks [NAME...]`: what the README promises in numbers, measured on this machine, beside its bar.

As root, for the hosts are network namespaces (tests/lan). Exits 1 if a bar is missed. A machine that has something else
to do makes every number worse; the median forgives a little of that, p95 and max do not.
"""

import argparse
import os
import sys
from collections.abc import Callable

from benchmarks import failover, footprint, kingctl
from benchmarks.measured import Measured, table

BENCHMARKS: dict[str, Callable[[], list[Measured]]] = {
    "cable": failover.cable,
    "kill": failover.kill,
    "stop": failover.stop,
    "kingctl": kingctl.leader,
    "footprint": footprint.three_nodes,
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure what kingd promises.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"default: all of {', '.join(BENCHMARKS)}")
    names = parser.parse_args().names or list(BENCHMARKS)
    if unknown := set(names) - set(BENCHMARKS):
        parser.error(f"no such benchmark: {', '.join(sorted(unknown))}; there are {', '.join(BENCHMARKS)}")
    if os.geteuid() != 0:
        print("The benchmarks need root, for network namespaces.", file=sys.stderr)
        return 1
    results: list[Measured] = []
    for name in names:
        print(f"{name} ...", file=sys.stderr, flush=True)
        results += BENCHMARKS[name]()
    print(table(results))
    missed = [result for result in results if not result.is_met]
    for result in missed:
        print(
            f"MISSED: {result.what}: {result.judged} is {result.value:.1f}, the bar is {result.bar:.1f} {result.unit}"
        )
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
