"""False elections: nobody is hurt, every processor has twice the work that it can do, and nobody may change the leader."""

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator

from benchmarks.bars import bar_of
from benchmarks.measured import Measured
from benchmarks.systems.system import System, leader
from tests.lan.host import until

_BUSY = "while True: pass"


def calm(name: str, system: System, *, minutes: float) -> list[Measured]:
    """The load begins after the calm: what has been measured of jitter until then is small."""
    for host in system.hosts:
        system.start(host)
    until(lambda: leader(system, system.hosts), limit_s=60, what="a leader")
    time.sleep(3)
    start_ns = time.monotonic_ns()
    with _load():
        time.sleep(minutes * 60)
    changes = sorted(system.words(start_ns))
    for word in changes:
        print(f"  after {(word.at_ns - start_ns) / 1e9:.3f} s {word.speaker} says that {word.leader} leads")
    row = "changes of leader under load"
    return [Measured(system=name, row=row, unit="", values=[len(changes)], bar=bar_of(name, row), judged="max")]


@contextlib.contextmanager
def _load() -> Iterator[None]:
    """Two busy loops for each processor."""
    loops = [subprocess.Popen([sys.executable, "-c", _BUSY]) for _ in range(2 * (os.cpu_count() or 1))]
    try:
        yield
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()
