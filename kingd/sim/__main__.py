"""`python -m kingd.sim`: replay one seed, hunt through many, make a failing one small.

Exit code: 0 ok, 1 crash, 3 an invariant does not hold, 4 no agreement after the heal (the first of
these that any seed came to); 2 is a wrong command line. This and `hunt.py` are the only parts of the simulator with a
clock, processes and a terminal."""

import argparse
import contextlib
import os
import signal
import sys
import time

from kingd.sim.hunt import Totals, results
from kingd.sim.options import Mode, Options, draw
from kingd.sim.outcome import Outcome
from kingd.sim.shrink import PLAIN, Cut, Shrinker
from kingd.sim.swarm import Result, run

_RUNS_MAX = 2_000
_INTERRUPTED = 130  # as a shell says of who ends by SIGINT
_PROGRESS_S = 60.0  # where nobody looks on


def main(arguments: list[str] | None = None) -> int:
    args = _parser().parse_args(arguments)
    if args.shrink is not None:
        return _shrink(args.shrink, runs_max=args.runs)
    if args.seed is not None:
        return _one(args)
    return _many(args)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m kingd.sim", description="Elections on a virtual clock, under faults."
    )
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--seed", type=int, help="run this one, and print its options and how it ended")
    what.add_argument("--seeds", type=int, metavar="N", help="run N of them on all processors, up to the first failure")
    what.add_argument("--shrink", type=int, metavar="SEED", help="make this failing one small, and print its trace")
    parser.add_argument("--start", type=int, default=0, metavar="K", help="with --seeds: the first one (default 0)")
    parser.add_argument(
        "--keep-going", action="store_true", help="with --seeds: tell each failure in a line, and go on"
    )
    parser.add_argument("--mode", choices=list(Mode), help="with --seeds: only those that drew this")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, metavar="J", help="with --seeds: processes")
    parser.add_argument(
        "--runs", type=int, default=_RUNS_MAX, metavar="N", help=f"with --shrink: at most N runs (default {_RUNS_MAX})"
    )
    parser.add_argument("--trace", action="store_true", help="with --seed: print events and faults")
    parser.add_argument("--datagrams", action="store_true", help="with --seed: print every datagram that arrives, too")
    cut = parser.add_argument_group("with --seed: less of it (--shrink prints these)")
    cut.add_argument("--keep", type=_numbers, metavar="I,J", help="only these faults of the schedule (or: none)")
    cut.add_argument("--absent", type=_numbers, default=(), metavar="I,J", help="hosts that never start: 1 is box1")
    cut.add_argument("--plain", type=_names, default=(), metavar="A,B", help=f"of {', '.join(PLAIN)}")
    cut.add_argument("--luck", type=int, default=0, metavar="N", help="other chances than those drawn")
    cut.add_argument("--until-ms", type=int, metavar="MS", help="length of the first phase")
    return parser


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(word) for word in text.split(",")) if text != "none" else ()


def _names(text: str) -> tuple[str, ...]:
    names = tuple(text.split(","))
    if unknown := set(names) - set(PLAIN):
        raise argparse.ArgumentTypeError(f"{', '.join(sorted(unknown))}: not one of {', '.join(PLAIN)}")
    return names


def _one(args: argparse.Namespace) -> int:
    cut = Cut(
        keep=args.keep,
        absent=tuple(i - 1 for i in args.absent),
        plain=args.plain,
        luck=args.luck,
        until_ms=args.until_ms,
    )
    result = _show(cut.of(draw(args.seed)), trace=args.trace or args.datagrams, datagrams=args.datagrams)
    return int(result.outcome)


def _show(options: Options, *, trace: bool, datagrams: bool = False) -> Result:
    print(f"seed {options.seed}\n{options}")
    result = run(options, trace=print if trace else None, datagrams=datagrams)
    print(
        f"{result.outcome.name} {result.message}\n"
        f"{result.virtual_us / 1e6:.1f} virtual s, {result.datagrams} datagrams, {result.leader_changes} elections won, "
        f"agreed {result.agreed_us / 1e6:.2f} s after the heal, digest {result.digest:08x}"
    )
    return result


def _many(args: argparse.Namespace) -> int:
    seeds = range(args.start, args.start + args.seeds)
    mode = Mode(args.mode) if args.mode else None
    totals, progress, seed, ending = Totals(), _Progress(seeds), args.start - 1, ""
    status = 0
    try:
        with contextlib.closing(results(seeds, jobs=args.jobs, mode=mode, keeps_going=args.keep_going)) as found:
            for result in found:
                totals.add(result)
                seed = result.seed
                if result.outcome and not args.keep_going:
                    ending = _failure_in_full(result)
                    break
                if result.outcome:
                    progress.clear()
                    print(_failure(result), flush=True)
                progress.show(totals, seed)
    except KeyboardInterrupt:
        ending, status = f"interrupted; to go on: --start {seed + 1} --seeds {seeds.stop - seed - 1}", _INTERRUPTED
    progress.clear()
    print(totals)
    if ending:
        print(ending)
    return int(totals.worst) or status


class _Progress:
    """On stderr: on a terminal a line that changes, else one a minute."""

    def __init__(self, seeds: range) -> None:
        self._seeds = seeds
        self._tty = sys.stderr.isatty()
        self._every_s = 0.5 if self._tty else _PROGRESS_S
        self._next_s = time.monotonic() + self._every_s

    def show(self, totals: Totals, seed: int) -> None:
        if time.monotonic() < self._next_s:
            return
        self._next_s = time.monotonic() + self._every_s
        failed = totals.seeds - totals.count[Outcome.OK]
        text = f"up to seed {seed}: {totals.seeds} of {len(self._seeds)}, {totals.seeds_per_s:.0f} a second, {failed} failed"
        print(f"\r{text}\033[K" if self._tty else text, end="" if self._tty else "\n", file=sys.stderr, flush=True)

    def clear(self) -> None:
        if self._tty:
            print("\r\033[K", end="", file=sys.stderr, flush=True)


def _failure(result: Result) -> str:
    """One line. Of a traceback the last one says most, of all else the first."""
    lines = result.message.strip().splitlines()
    return f"seed {result.seed}: {result.outcome.name} {lines[-1 if result.outcome is Outcome.CRASH else 0]}"


def _failure_in_full(result: Result) -> str:
    return (
        f"seed {result.seed}: {result.outcome.name} {result.message}\n"
        f"  replay: {replay(result.seed)}\n  shrink: python -m kingd.sim --shrink {result.seed}"
    )


def replay(seed: int) -> str:
    return f"python -m kingd.sim --seed {seed} --trace"


def _shrink(seed: int, *, runs_max: int) -> int:
    def smaller(cut: Cut) -> None:
        if sys.stderr.isatty():
            print(f"\r{shrinker.runs} runs: {cut.arguments()[:150]}\033[K", end="", file=sys.stderr, flush=True)

    shrinker = Shrinker(seed, runs_max=runs_max, smaller=smaller)
    shrinker.shrink()
    if sys.stderr.isatty():
        print("\r\033[K", end="", file=sys.stderr, flush=True)
    cut = shrinker.cut
    _show(cut.of(shrinker.options), trace=bool(shrinker.result.outcome))
    if shrinker.result.outcome:
        faults, hosts = len(shrinker.options.faults), len(shrinker.options.priorities)
        left = faults if cut.keep is None else len(cut.keep)
        print(
            f"{shrinker.runs} runs: {faults} faults and {hosts} hosts shrunk to {left} and {hosts - len(cut.absent)}\n"
            f"  replay: {replay(seed)}{cut.arguments()}"
        )
    return int(shrinker.result.outcome)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # who is ended says where to go on
    sys.exit(main())
