"""`python -m tests.fuzz [TARGET...] --inputs N --seed S`: so many damaged inputs through what reads them.

Prints what became of them. A failure ends it with the input, and with the command that finds it again.
"""

import argparse
import sys
import time

from tests.fuzz import TARGETS, fuzz


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description="Damaged inputs through what reads them.")
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=f"default: all of {', '.join(TARGETS)}")
    parser.add_argument("--inputs", type=int, default=100_000, metavar="N", help="for each target [%(default)s]")
    parser.add_argument("--seed", type=int, default=0, metavar="S", help="of the first batch [%(default)s]")
    options = parser.parse_args()
    if unknown := set(options.targets) - set(TARGETS):
        parser.error(f"no such target: {', '.join(sorted(unknown))}; there are {', '.join(TARGETS)}")
    for name in options.targets or TARGETS:
        start_s = time.perf_counter()
        outcomes = fuzz(name, inputs=options.inputs, seed=options.seed)
        passed_s = time.perf_counter() - start_s
        print(
            f"{name}: {outcomes.total():,} inputs in {passed_s:.0f} s from seed {options.seed}, none failed", flush=True
        )
        for outcome, count in outcomes.most_common():
            print(f"  {count:>12,}  {outcome}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
