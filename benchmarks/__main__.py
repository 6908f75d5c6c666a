"""`python -m benchmarks`: kingd and its peers side by side, in the same network namespaces, in one run.

As root. `--on` and `--rows` choose systems and rows, and each result replaces its former one in docs/results/bench.json, from
which `python -m benchmarks.page` makes docs/performance.md. Exits 1 if a bar is missed. A machine that has something
else to do makes every number worse; the median forgives a little of that, p95 and max do not."""

import argparse
import compileall
import os
import sys
from collections.abc import Callable
from pathlib import Path

import click

import kingd
from benchmarks import trials
from benchmarks.bars import bar_of, beside_peers
from benchmarks.calm import WORTHWHILE, calm
from benchmarks.idle import idle
from benchmarks.kingctl import kingctl
from benchmarks.measured import Measured, load, merge, table
from benchmarks.page import RESULTS
from benchmarks.start import start
from benchmarks.systems.catalogue import SYSTEMS
from benchmarks.systems.system import System
from benchmarks.watcher import watcher
from tests.lan.network import Lan

TRIALS: dict[str, Callable[[Lan, System, int], trials.Values]] = {
    "cold": trials.cold,
    "kill": trials.kill,
    "stop": trials.stop,
    "cable": trials.cable,
}
_OF_ALL = {"start": start, "kingctl": kingctl, "watcher": watcher}
"""Rows that are not of one system each."""
ROWS = (*TRIALS, "idle", *_OF_ALL, "calm")


def main() -> int:
    options = _options()
    if os.geteuid() != 0:
        print("The benchmarks need root, for network namespaces.", file=sys.stderr)
        return 1
    for package in (kingd, click):  # as their packages do at installation
        compileall.compile_dir(Path(package.__file__ or "").parent, quiet=1)
    results: list[Measured] = []
    for row in options.rows:
        for names in [options.on] if row in _OF_ALL or row == "calm" else [[name] for name in options.on]:
            print(f"{row}: {', '.join(names)} ...", file=sys.stderr, flush=True)
            results += _measure(row, names, options)
            merge(options.into, results)
    beside = beside_peers(load(options.into))
    merge(options.into, beside)
    results = list({(of.system, of.row): of for of in (*results, *(each for each in beside if each.bar))}.values())
    print(table(results))
    missed = [result for result in results if not result.is_met]
    for result in missed:
        print(f"MISSED: {result.system}: {result.row}: {result.value:.2f} {result.unit}; {result.verdict}")
    return 1 if missed else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure kingd and its peers.")
    parser.add_argument("--on", type=_list_of(SYSTEMS), default=list(SYSTEMS), help=f"of {', '.join(SYSTEMS)}")
    parser.add_argument("--rows", type=_list_of(ROWS), default=list(ROWS), help=f"of {', '.join(ROWS)}")
    parser.add_argument("--trials", type=int, default=20, metavar="N")
    parser.add_argument("--minutes", type=float, default=10, metavar="M", help="how long calm lasts")
    parser.add_argument("--into", type=Path, default=RESULTS, metavar="FILE", help="default: %(default)s")
    return parser.parse_args()


def _list_of(known: object) -> Callable[[str], list[str]]:
    def parse(text: str) -> list[str]:
        names = text.split(",")
        if unknown := set(names) - set(known):  # type: ignore[call-overload]
            raise argparse.ArgumentTypeError(f"there is no {', '.join(sorted(unknown))}")
        return names

    return parse


def _measure(row: str, names: list[str], options: argparse.Namespace) -> list[Measured]:
    if row in _OF_ALL:
        return _OF_ALL[row](options.trials)
    if row == "calm":
        chosen = [name for name in names if name in WORTHWHILE]
        return calm(chosen, minutes=options.minutes, before=load(options.into))
    (name,) = names
    with Lan() as lan:
        system = SYSTEMS[name](lan)
        try:
            found = idle(name, system) if row == "idle" else _timed(name, TRIALS[row](lan, system, options.trials))
        finally:
            system.close()
    return found


def _timed(name: str, values: trials.Values) -> list[Measured]:
    return [Measured(system=name, row=row, unit="ms", values=ms, bar=bar_of(name, row)) for row, ms in values.items()]


if __name__ == "__main__":
    sys.exit(main())
