"""False elections: nobody is hurt, every processor has twice the work that it can do, and nobody may change the leader."""

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace

from benchmarks.bars import bar_of
from benchmarks.measured import Measured
from benchmarks.systems.catalogue import SYSTEMS
from benchmarks.systems.system import System, leader
from tests.lan.host import until
from tests.lan.network import Lan

WORTHWHILE = ("kingd", "kingd-fast", "kingd-fast-normal", "keepalived-0.01")
"""The others need so much silence before they suspect anybody that no load makes them."""

_SHOWN_MAX = 20
_BUSY = "while True: pass"


def calm(names: Sequence[str], *, minutes: float, before: Sequence[Measured]) -> list[Measured]:
    """All of them at once, each on a network of its own, under one load. It begins after the calm: what has been measured
    of jitter until then is small. Runs of the same length and day are added to those of `before`."""
    with contextlib.ExitStack() as stack:
        systems = {name: _started(name, stack) for name in names}
        time.sleep(3)
        start_ns = time.monotonic_ns()
        with _load():
            time.sleep(minutes * 60)
        runs = [_changes(name, system, start_ns, minutes) for name, system in systems.items()]
    return [_added(run, before) for run in runs]


def _added(run: Measured, before: Sequence[Measured]) -> Measured:
    for former in before:
        if (former.system, former.row, former.unit, former.when) == (run.system, run.row, run.unit, run.when):
            return replace(run, values=[*former.values, *run.values])
    return run


def _started(name: str, stack: contextlib.ExitStack) -> System:
    system = SYSTEMS[name](stack.enter_context(Lan()))
    stack.callback(system.close)
    for host in system.hosts:
        system.start(host)
    until(lambda: leader(system, system.hosts), limit_s=60, what="a leader")
    return system


def _changes(name: str, system: System, start_ns: int, minutes: float) -> Measured:
    changes = sorted(system.words(start_ns), key=lambda word: word.at_ns)
    for word in changes[:_SHOWN_MAX]:
        print(f"  {name}: after {(word.at_ns - start_ns) / 1e9:.3f} s {word.speaker} says that {word.leader} leads")
    row = "changes of leader under load"
    return Measured(
        system=name, row=row, unit=f"in {minutes:g} min", values=[len(changes)], bar=bar_of(name, row), judged="max"
    )


@contextlib.contextmanager
def _load() -> Iterator[None]:
    """Two busy loops for each processor, each in a session of its own, which the kernel takes for a user of its own."""
    count = 2 * (os.cpu_count() or 1)
    loops = [subprocess.Popen([sys.executable, "-c", _BUSY], start_new_session=True) for _ in range(count)]
    try:
        yield
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()
