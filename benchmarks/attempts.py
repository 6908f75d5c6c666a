"""Hundreds of daemons at normal priority on one machine, again and again: `python -m benchmarks.attempts --count 10`.

Each attempt is a lab of its own: it starts, its king is killed, a third is killed. With `--calm 10` there is one attempt, and
instead of that a compiler runs beside the daemons for ten minutes: nobody may change the leader. docs/performance.md, "Many
hosts". What real-time priority does is benchmarks.scale's; here it is refused."""

import argparse
import contextlib
import os
import subprocess
import sys
import sysconfig
import time
from collections.abc import Iterator

from benchmarks.measured import Measured, merge, table
from benchmarks.page import RESULTS
from benchmarks.scale import SETTLE_S, king_dies, lab, third_dies
from kingd.control.client import KingdError, call
from kingd.lab.cluster import Cluster
from kingd.lab.folder import LabError
from kingd.lab.node import Node

_CHANGES = ("elected", "deposed", "leader-changed", "leader-lost")
# Not all agreed within a minute, or one did not answer, or knew of no change.
_FAILED = (RuntimeError, LabError, KingdError, IndexError)
# row -> (what of it is judged, its bar in seconds)
_JUDGED = {
    "SIGKILL of the king, until all agree on the next": (("median", 1.0), ("max", 3.0)),
    "SIGKILL of a third, until the others agree": (("max", 2.0),),
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.attempts", description="Real daemons, normal priority.")
    parser.add_argument("--nodes", type=int, default=450, metavar="N")
    parser.add_argument("--count", type=int, default=10, metavar="N", help="attempts")
    parser.add_argument("--calm", type=float, metavar="MINUTES", help="one attempt, beside a compiler")
    options = parser.parse_args()
    if os.sched_getscheduler(0) != os.SCHED_OTHER:
        print("This measures normal priority: run it without chrt.", file=sys.stderr)
        return 2
    system = f"{options.nodes} daemons, normal priority"
    results = _calm(system, options) if options.calm is not None else _attempts(system, options)
    print(table(results))
    return 0 if all(result.is_met for result in results) else 1


def _attempts(system: str, options: argparse.Namespace) -> list[Measured]:
    values: dict[str, list[float]] = {}
    failed = 0
    results: list[Measured] = []
    for attempt in range(1, options.count + 1):
        try:
            for row, value in _attempt(options.nodes):
                values.setdefault(row, []).append(value)
                print(f"attempt {attempt}: {row}: {value:.2f}", flush=True)
        except _FAILED as error:
            failed += 1
            print(f"attempt {attempt}: {type(error).__name__}: {error}", flush=True)
        results = _judged(system, failed, values)
        merge(RESULTS, results)  # what was measured is kept, whatever comes next
    return results


def _judged(system: str, failed: int, values: dict[str, list[float]]) -> list[Measured]:
    row = "attempts in which not all agreed within a minute"
    results = [Measured(system=system, row=row, unit="", values=[failed], bar=0)]
    for row, found in values.items():
        for judged, bar in _JUDGED.get(row, (("median", None),)):
            named = row if judged == "median" else f"{row}, the slowest"
            results.append(Measured(system=system, row=named, unit="s", values=found, bar=bar, judged=judged))
    return results


def _attempt(nodes: int) -> Iterator[tuple[str, float]]:
    with lab(nodes) as (cluster, started_s):
        yield "start, until all name one leader", started_s
        for part in (king_dies, third_dies):
            time.sleep(SETTLE_S)
            for of in part(cluster, nodes):
                if of.unit == "s":
                    yield of.row, of.value


def _calm(system: str, options: argparse.Namespace) -> list[Measured]:
    with lab(options.nodes) as (cluster, _):
        time.sleep(SETTLE_S)
        since_ns = time.monotonic_ns()
        with _compiler():
            time.sleep(options.calm * 60)
        told = _changes_told(cluster, since_ns)
    row = f"hosts that were told of a change of leader beside a compiler, in {options.calm:g} min"
    results = [Measured(system=system, row=row, unit="", values=[told], bar=0)]
    merge(RESULTS, results)
    return results


@contextlib.contextmanager
def _compiler() -> Iterator[None]:
    """Python's own, over its library, in a session of its own as a build has (sched(7), autogroup)."""
    library = sysconfig.get_path("stdlib")
    program = (
        "import pathlib, sys\n"
        "while True:\n"
        "    for file in pathlib.Path(sys.argv[1]).rglob('*.py'):\n"
        "        try: compile(file.read_bytes(), str(file), 'exec')\n"
        "        except (SyntaxError, ValueError): pass\n"
    )
    process = subprocess.Popen([sys.executable, "-W", "ignore", "-c", program, library], start_new_session=True)
    try:
        yield
        assert process.poll() is None, "the compiler has ended"
    finally:
        process.kill()
        process.wait()


def _changes_told(cluster: Cluster, since_ns: int) -> int:
    return sum(_was_told(node, since_ns) for node in cluster.nodes)


def _was_told(node: Node, since_ns: int) -> bool:
    """Or may have been: of many events only the newest are kept."""
    events = call(node.socket, "History", timeout_s=30)["events"]
    assert isinstance(events, list)
    since = [event for event in events if event["monotonic_ns"] >= since_ns]
    return len(since) == len(events) or any(event["event"] in _CHANGES for event in since)


if __name__ == "__main__":
    sys.exit(main())
