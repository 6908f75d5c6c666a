"""What many `kingctl run` cost the daemon of their host: python -m tests.lan.run_many --count 500

Three real daemons elect, and on the host that leads so many runs are started; each has a command that waits. Printed for none,
a tenth and all of them: descriptors, processor time and memory of kingd, how many runs go on at the end of the seconds in which
that was measured, and what they take themselves. Then leadership is given away: each must end with 76."""

import argparse
import os
import resource
import subprocess
import sys
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tests.cli.runs import children
from tests.lan.host import Host, until
from tests.lan.network import Lan

_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE_KIB = os.sysconf("SC_PAGE_SIZE") // 1024
_LIMIT_S = 900.0


@dataclass(frozen=True, slots=True)
class Cost:
    """Of kingd, while `runs` go on."""

    runs: int
    fds: int
    cpu: float  # of one processor
    rss_mib: float
    runs_cpu: float  # of all runs together

    def __str__(self) -> str:
        kingd = f"kingd {self.fds:4} descriptors, {self.cpu:6.2%} of a processor, {self.rss_mib:5.1f} MiB"
        return f"{self.runs:4} runs: {kingd}; the runs {self.runs_cpu:6.2%} of a processor"


def _spent_s(pid: int) -> float:
    """0: it is gone."""
    with suppress(OSError):
        words = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
        return (int(words[11]) + int(words[12])) / _TICKS
    return 0.0


class Runs:
    """On the host that leads. `started`: a file to which each command adds a byte as its first act."""

    def __init__(self, host: Host, folder: Path) -> None:
        self._host = host
        self._started = folder / "started"
        self._started.touch()
        self.all: list[subprocess.Popen[bytes]] = []

    def start(self, count: int) -> None:
        """Until there are so many, a few at a time: to start a program costs more than to let it run."""
        command = ["sh", "-c", 'printf . >>"$0"; exec sleep 100000', str(self._started)]
        argv = [sys.executable, "-m", "kingd.cli", "--socket", str(self._host.socket), "--timeout", "60s", "run", "--"]
        while len(self.all) < count:
            for _ in range(min(10, count - len(self.all))):
                self.all.append(subprocess.Popen([*argv, *command], stdin=subprocess.DEVNULL, stderr=subprocess.PIPE))
            until(lambda: self._started.stat().st_size + self.ended >= len(self.all), limit_s=_LIMIT_S)

    def spent_s(self) -> float:
        """Of front and keeper of each that runs."""
        living = [each.pid for each in self.all if each.poll() is None]
        return sum(_spent_s(pid) + sum(map(_spent_s, children(pid))) for pid in living)

    @property
    def ended(self) -> int:
        return sum(each.poll() is not None for each in self.all)

    def end(self) -> Counter[int]:
        """Exit codes, when all have ended by themselves."""
        return Counter(each.wait(_LIMIT_S) for each in self.all)

    def close(self) -> None:
        for each in self.all:
            each.terminate()
        for each in self.all:
            each.wait(_LIMIT_S)


def measure(host: Host, runs: Runs, *, for_s: float) -> Cost:
    began_s, before_s, runs_before_s = time.monotonic(), _spent_s(host.pid), runs.spent_s()
    time.sleep(for_s)
    spent_s, runs_spent_s = _spent_s(host.pid) - before_s, runs.spent_s() - runs_before_s
    took_s = time.monotonic() - began_s
    return Cost(
        runs=len(runs.all) - runs.ended,
        fds=len(os.listdir(f"/proc/{host.pid}/fd")),  # noqa: PTH208
        cpu=spent_s / took_s,
        runs_cpu=max(0.0, runs_spent_s / took_s),
        rss_mib=int(Path(f"/proc/{host.pid}/statm").read_text().split()[1]) * _PAGE_KIB / 1024,
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=500)
    parser.add_argument("--seconds", type=float, default=20.0, help="of each measurement")
    parser.add_argument("--config", default='[quorum]\nvoters = ["a", "b", "c"]\n', help="TOML for all three")
    arguments = parser.parse_args()
    count = arguments.count
    with Lan() as lan:
        a, *_ = lan.ranked(3, config=arguments.config)
        lan.start()
        lan.until_led_by("a")
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(4096, hard), hard))  # of this process; kingd keeps its own
        runs = Runs(a, lan.folder)
        try:
            for so_many in (0, count // 10, count):
                runs.start(so_many)
                sys.stdout.write(f"{measure(a, runs, for_s=arguments.seconds)}\n")
                sys.stdout.flush()
            went_on = len(runs.all) - runs.ended
            a.kingctl("step-down", "--for", "60s")
            codes = runs.end()
        finally:
            runs.close()
        sys.stdout.write(f"step-down: exit codes {dict(codes)}; leader now: {a.leader()}\n")
    return 0 if went_on == count and set(codes) == {76} else 1


if __name__ == "__main__":
    sys.exit(main())
