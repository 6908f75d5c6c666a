"""`python -m tests.sim.findings`: how often the simulator finds each broken core of tests/model, by processor time.

That is what a mixture of schedules (`kingd/sim/options.py`) is to be judged by: one that is cheaper must not find less."""

import argparse
import time
from collections import Counter

from kingd.sim.hunt import one
from tests.model import forgetful, mutants

MUTANTS = {
    name: made
    for module in (mutants, forgetful)
    for name, made in vars(module).items()
    if getattr(made, "__module__", "") == module.__name__ and name[0] != "_"
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.sim.findings", description=__doc__)
    parser.add_argument("mutants", nargs="*", default=list(MUTANTS), help="names of functions there (default: all)")
    parser.add_argument("--start", type=int, default=0, metavar="K", help="the first seed (default 0)")
    parser.add_argument("--seconds", type=float, default=10, help="of processor time, for each mutant (default 10)")
    args = parser.parse_args()
    for name in args.mutants:
        began_s, seed, found = time.process_time(), args.start, Counter[str]()
        with MUTANTS[name]():
            while time.process_time() - began_s < args.seconds:
                result = one(seed)
                seed += 1
                if result.outcome:
                    found[result.verdict] += 1
        words = ", ".join(f"{verdict} {times}" for verdict, times in found.most_common())
        print(f"{name:40} {found.total():4} of {seed - args.start:5}  {words}", flush=True)


if __name__ == "__main__":
    main()
