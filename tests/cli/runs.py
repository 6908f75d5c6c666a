"""A `kingctl run` under test, and what an outsider knows of the command: it writes down again and again that it lives."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from kingd.control.service import JsonObject
from tests.cli.fake_kingd import BOX1, BOX2, FakeKingd, status

T = TypeVar("T")
_TICKS = os.sysconf("SC_CLK_TCK")
SHORT_MS = 600  # for which a yes is good
LIMIT_S = 60.0  # generous: what takes so long never comes

# Says when it was executed, what it was told, and, 200 times a second, that it lives.
WITNESS = """
import os, signal, sys, time
record, on_term, heirs = sys.argv[1], sys.argv[2], int(sys.argv[3])
now = lambda: time.clock_gettime_ns(time.CLOCK_BOOTTIME)
def note(word):
    with open(record, "a") as file:
        file.write(f"{word} {os.getpid()} {now()}\\n")
def told(number, frame):
    note(signal.Signals(number).name)
    if number == signal.SIGTERM and on_term != "stay":
        os._exit(int(on_term))
for name in ("INT", "TERM", "HUP", "QUIT", "USR1", "USR2", "CONT", "WINCH"):
    signal.signal(getattr(signal, "SIG" + name), told)
note("exec")
for _ in range(heirs):
    if os.fork() == 0:
        os.setsid()
        if os.fork():
            os._exit(0)
        note("heir")
        break
alive = os.open(f"{record}.{os.getpid()}", os.O_WRONLY | os.O_CREAT)
while True:
    os.pwrite(alive, b"%020d" % now(), 0)
    time.sleep(0.005)
"""


def now_ns() -> int:
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)


def until(condition: Callable[[], T | None], what: Callable[[], object] = lambda: "") -> T:
    end_s = time.monotonic() + LIMIT_S
    while not (found := condition()):
        assert time.monotonic() < end_s, f"in vain: {what()}"
        time.sleep(0.01)
    return found


def drained(kingd: FakeKingd) -> list[object]:
    return [value for call, value in kingd.service.calls if call == "drained"]


def open_to_all(folder: Path) -> None:
    """For who is another user."""
    folder.chmod(0o777)
    for above in folder.parents:
        if above.stat().st_uid == 0 and above.parent != above and above != Path("/tmp"):
            above.chmod(above.stat().st_mode | 0o055)


class Witness:
    """The command, and what became of it."""

    def __init__(self, record: Path) -> None:
        self.record = record

    def argv(self, *, on_term: str = "stay", heirs: int = 0) -> list[str]:
        """`on_term`: an exit code, or "stay"; `heirs`: processes that it leaves behind, each in a session of its own."""
        return [sys.executable, "-SEc", WITNESS, str(self.record), on_term, str(heirs)]

    @property
    def notes(self) -> list[tuple[str, int, int]]:
        """Word, process, CLOCK_BOOTTIME in ns."""
        if not self.record.exists():
            return []
        lines = [line.split() for line in self.record.read_text().splitlines()]
        return [(word, int(pid), int(at_ns)) for word, pid, at_ns in lines]

    @property
    def words(self) -> list[str]:
        return [word for word, _, _ in self.notes]

    @property
    def pids(self) -> set[int]:
        return {pid for _, pid, _ in self.notes}

    def alive(self, pid: int) -> int:
        """When it said so last."""
        file = self.record.with_name(f"{self.record.name}.{pid}")
        return int(file.read_bytes() or b"0") if file.exists() else 0

    @property
    def last_ns(self) -> int:
        """When any of its processes has said so last."""
        return max(self.alive(pid) for pid in self.pids)

    def until_alive(self, count: int = 1) -> None:
        """So many processes of it."""
        until(lambda: sum(self.alive(pid) > 0 for pid in self.pids) >= count, lambda: self.notes)

    def goes_on(self) -> None:
        since_ns = now_ns()
        until(lambda: self.last_ns > since_ns, lambda: self.notes)

    @property
    def living(self) -> list[int]:
        """Its own: the kernel gives the number of one that has ended to another process soon, on a busy machine."""
        noted_ns = {pid: max(at_ns, self.alive(pid)) for _, pid, at_ns in self.notes}
        return [pid for pid, last_ns in noted_ns.items() if lives(pid) and began_ns(pid) <= last_ns]


def began_ns(pid: int) -> int:
    """By CLOCK_BOOTTIME, up to 10 ms early; 0: it is gone."""
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()[19]) * 1_000_000_000 // _TICKS
    except OSError:
        return 0


def lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] not in "ZX"
    except OSError:
        return False


class Run:
    def __init__(self, *argv: str, user: str = "") -> None:
        """`kingctl run` with these arguments."""
        prefix = ["setpriv", f"--reuid={user}", "--clear-groups"] if user else []
        self.process = subprocess.Popen(
            [*prefix, sys.executable, "-m", "kingd.cli", "run", *argv],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    @property
    def front(self) -> int:
        return self.process.pid

    @property
    def keeper(self) -> int:
        (pid,) = children(self.front)
        return pid

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def end(self, *, limit_s: float | None = LIMIT_S) -> tuple[int, str]:
        """Exit code and standard error, when it has ended by itself."""
        _, said = self.process.communicate(timeout=limit_s)
        return self.process.returncode, said

    def close(self) -> None:
        if self.process.poll() is None:
            pids = [self.front, *children(self.front)]
            for pid in pids:
                os.kill(pid, signal.SIGCONT)
            self.process.kill()
        self.process.communicate(timeout=LIMIT_S)


def children(pid: int) -> list[int]:
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def shown(run: Run) -> dict[str, object]:
    """What a command has printed as JSON."""
    out, said = run.process.communicate(timeout=LIMIT_S)
    assert run.process.returncode == 0, said
    answer: dict[str, object] = json.loads(out)
    return answer


VALID_MS = 3000
Start = Callable[..., "Run"]


def leads(term: int = 12, node: JsonObject = BOX2) -> JsonObject:
    """box2 is this host, as the fake says."""
    return status(role="leader", leader=node, term=term, valid_ms=VALID_MS)


FOLLOWS = status(role="follower", leader=BOX1)


class Hang:
    """From `begins` on the daemon says nothing, with all its connections open: no LOST ever comes."""

    def __init__(self, kingd: FakeKingd) -> None:
        self.said_ns = 0  # the last time before that, or a moment later
        self.begins = threading.Event()
        self.ends = threading.Event()
        kingd.service.on_status = self._on_status

    def _on_status(self) -> None:
        if self.begins.is_set():
            self.ends.wait(LIMIT_S)
        else:
            self.said_ns = now_ns()
