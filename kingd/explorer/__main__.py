"""`python -m kingd.explorer`: explore scopes, all or those named, and say how many states each has. Exit code: 0 all
visited and nothing wrong, 1 a scope is larger than the limit, 2 a violation."""

import argparse
import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace

from kingd.explorer.scopes import SCOPES
from kingd.explorer.search import STATES_MAX, Found, explore
from kingd.explorer.trace import lines
from kingd.explorer.world import World


def main(arguments: list[str] | None = None) -> int:
    args = _parser().parse_args(arguments)
    names = args.scopes or list(SCOPES)
    worst, states = 0, 0
    began = time.monotonic()
    with ProcessPoolExecutor(args.jobs) as pool:
        jobs = [pool.submit(_explore, name, args.more_ticks, args.states) for name in names]
        for name, job in zip(names, jobs, strict=True):
            found, text, took_s = job.result()
            end = "all" if found.complete else "STOPPED" if found.wrong is None else "VIOLATION"
            print(
                f"{name:16} {found.states:9} states {found.moves:9} moves {found.deepest:4} deep {took_s:7.1f} s  {end}",
                flush=True,
            )
            print("".join(f"    {line}\n" for line in text), end="")
            worst = max(worst, 0 if found.complete else 1 if found.wrong is None else 2)
            states += found.states
    took_s = time.monotonic() - began
    print(f"{len(names)} scopes, {states} states in {took_s:.1f} s, {states / took_s:.0f} a second")
    return worst


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m kingd.explorer", description=__doc__)
    parser.add_argument("scopes", nargs="*", choices=[*SCOPES, []], metavar="SCOPE", help=", ".join(SCOPES))
    parser.add_argument("--more-ticks", type=float, default=0, metavar="T", help="let each run for so much longer")
    parser.add_argument(
        "--states", type=int, default=STATES_MAX, metavar="N", help="give up at so many (default %(default)s)"
    )
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, metavar="J", help="processes")
    return parser


def _explore(name: str, more_ticks: float, states_max: int) -> tuple[Found, list[str], float]:
    began = time.monotonic()
    scope = SCOPES[name]
    world = World(replace(scope, ticks=scope.ticks + scope.more * more_ticks))
    found = explore(world, states_max=states_max)
    return found, list(lines(world, found)) if found.wrong else [], time.monotonic() - began


if __name__ == "__main__":
    sys.exit(main())
