"""`python -m kingd.sim`: replay one seed, or hunt through many. Exit code: 0 ok, 1 crash, 2 safety, 3 liveness; the
worst of all.

The only part of the simulator with a clock, processes and a terminal.
"""

import argparse
import os
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor

from kingd.sim.options import draw
from kingd.sim.swarm import Outcome, Result, run

_SHOWN_MAX = 10
_CHUNK = 8


def main(arguments: list[str] | None = None) -> int:
    args = _parser().parse_args(arguments)
    if args.seed is not None:
        return _one(args)
    return _many(range(args.start, args.start + args.seeds), jobs=args.jobs)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m kingd.sim", description="Elections on a virtual clock, under faults."
    )
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--seed", type=int, help="run this one, and print its options and how it ended")
    what.add_argument("--seeds", type=int, metavar="N", help="run N of them on all processors, and print a summary")
    parser.add_argument("--trace", action="store_true", help="with --seed: print events and faults")
    parser.add_argument("--datagrams", action="store_true", help="with --seed: print every datagram that arrives, too")
    parser.add_argument("--start", type=int, default=0, metavar="K", help="with --seeds: the first one (default 0)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, metavar="J", help="with --seeds: processes")
    return parser


def _one(args: argparse.Namespace) -> int:
    print(f"seed {args.seed}\n{draw(args.seed)}")
    shows = args.trace or args.datagrams
    result = run(args.seed, trace=print if shows else None, datagrams=args.datagrams)
    print(
        f"{result.outcome.name} {result.message}\n"
        f"{result.virtual_us / 1e6:.1f} virtual s, {result.datagrams} datagrams, {result.leader_changes} leaders, "
        f"agreed {result.agreed_us / 1e6:.2f} s after the heal, digest {result.digest}"
    )
    return int(result.outcome)


def _many(seeds: range, *, jobs: int) -> int:
    began = time.monotonic()
    results = []
    failed = 0
    for result in outcomes(seeds, jobs=jobs):
        results.append(result)
        if result.outcome is not Outcome.OK:
            failed += 1
            if failed <= _SHOWN_MAX:
                _clear()
                print(
                    f"seed {result.seed}: {result.outcome.name} {result.message}\n  replay: {replay(result.seed)}",
                    flush=True,
                )
        if len(results) % 20 == 0 and sys.stderr.isatty():
            print(f"\r{len(results)} of {len(seeds)} seeds, {failed} failed", end="", file=sys.stderr, flush=True)
    _clear()
    _print_summary(results, time.monotonic() - began)
    return max((int(r.outcome) for r in results), default=0)


def _clear() -> None:
    if sys.stderr.isatty():
        print("\r\033[K", end="", file=sys.stderr, flush=True)


def outcomes(seeds: range, *, jobs: int) -> Iterator[Result]:
    """Results in the order of the seeds, from so many processes."""
    if jobs <= 1:
        yield from map(run, seeds)
        return
    with ProcessPoolExecutor(jobs) as pool:
        yield from pool.map(run, seeds, chunksize=_CHUNK)


def replay(seed: int) -> str:
    return f"python -m kingd.sim --seed {seed} --trace"


def _print_summary(results: list[Result], took_s: float) -> None:
    count = Counter(r.outcome for r in results)
    agreed = sorted(r.agreed_us for r in results if r.outcome is Outcome.OK) or [0]
    failed = [r.seed for r in results if r.outcome is not Outcome.OK]
    print(
        f"{len(results)} seeds in {took_s:.1f} s ({len(results) / max(took_s, 1e-9):.1f} a second): "
        + ", ".join(f"{count[o]} {o.name.lower()}" for o in Outcome if count[o])
    )
    totals = f"{sum(r.virtual_us for r in results) / 1e6:.0f} virtual s, {sum(r.datagrams for r in results)} datagrams"
    at = [agreed[len(agreed) * part // 100] / 1e6 for part in (50, 99)] + [agreed[-1] / 1e6]
    print(f"{totals}, {sum(r.leader_changes for r in results)} leaders")
    print(f"agreed after the heal: median {at[0]:.2f} s, p99 {at[1]:.2f} s, max {at[2]:.2f} s")
    if failed:
        print(f"failed: {' '.join(map(str, failed))}\n  replay: {replay(failed[0])}")


if __name__ == "__main__":
    sys.exit(main())
