"""A user of the leader's host without any rights, who does to the control socket all that it offers.

    python -m tests.lan.local_attacker --minutes 10

Three real daemons elect; uid nobody at nice 10 attacks the one that leads, while root asks it by kingctl all the time.
What must be: no change of leadership, and each of root's calls is answered. It asks nothing of our code: bytes and
system calls only, so that what the server does not expect can be sent.
"""

import argparse
import os
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from tests.lan.host import Host
from tests.lan.network import Lan

NOBODY = 65534
TOP = Path(__file__).parents[2]

_OBJECTS = b'{"method":"org.kingd.Status","parameters":{"x":[' + b",".join([b"{}"] * 20000) + b"]}}\0"
_SMALL_OBJECTS = b'{"method":"org.kingd.Status","parameters":{"x":[' + b",".join([b"{}"] * 1300) + b"]}}\0"
_NESTED = b'{"method":"org.kingd.Status","parameters":' + b"[" * 4000 + b"\0"
_DIGITS = b'{"method":"org.kingd.SetPriority","parameters":{"priority":' + b"9" * 4000 + b"}}\0"
_WATCH = b'{"method":"org.kingd.Watch","more":true}\0'
_SURVEY = b'{"method":"org.kingd.Survey"}\0'
_READS = b"".join(b'{"method":"org.kingd.%s"}\0' % name for name in (b"Status", b"Members", b"History"))
_DESCRIBE = b'{"method":"org.varlink.service.GetInterfaceDescription","parameters":{"interface":"org.kingd"}}\0'
_CHANGES = b'{"method":"org.kingd.Reload"}\0{"method":"org.kingd.StepDown","parameters":{"for_ms":1}}\0'


# -- the attacker ----------------------------------------------------------------------------------------------------


class Crowd:
    """Connections that are opened again as soon as they are closed."""

    def __init__(self, path: str, count: int) -> None:
        self._path = path
        self._count = count
        self.open: list[socket.socket] = []

    def fill(self, first: bytes = b"") -> None:
        while len(self.open) < self._count:
            one = socket.socket(socket.AF_UNIX)
            one.setblocking(False)
            try:
                one.connect(self._path)
                if first:
                    one.send(first)
            except OSError:
                one.close()
                return
            self.open.append(one)

    def each(self, action: Callable[[socket.socket], object]) -> None:
        for one in list(self.open):
            try:
                action(one)
            except BlockingIOError:
                continue
            except OSError:
                self.open.remove(one)
                one.close()


def _says(path: str, what: bytes, *, count: int, reads: bool = True) -> None:
    crowd = Crowd(path, count)
    while True:
        crowd.fill()
        crowd.each(lambda one: one.send(what))
        if reads:
            crowd.each(_read)
        else:
            time.sleep(0.001)


def _read(one: socket.socket) -> None:
    if not one.recv(1 << 20):
        raise ConnectionResetError


def _watches_and_never_reads(path: str) -> None:
    crowd = Crowd(path, 80)
    while True:
        crowd.fill(_WATCH)
        crowd.each(lambda one: one.send(b""))  # fails for those that were closed
        time.sleep(0.002)


def _connects(path: str) -> None:
    """As fast as it can; the oldest of many are closed."""
    held: list[socket.socket] = []
    while True:
        one = socket.socket(socket.AF_UNIX)
        one.setblocking(False)
        try:
            one.connect(path)
        except OSError:
            one.close()
        else:
            held.append(one)
        if len(held) > 400:
            held.pop(0).close()


def _half_a_call(path: str) -> None:
    crowd = Crowd(path, 100)
    while True:
        crowd.fill(b'{"method":')
        crowd.each(lambda one: one.send(b" "))
        time.sleep(0.01)


TACTICS: dict[str, Callable[[str], None]] = {
    "big calls of small objects": lambda path: _says(path, _OBJECTS, count=100),
    "calls of small objects": lambda path: _says(path, _SMALL_OBJECTS, count=30),
    "deep nesting": lambda path: _says(path, _NESTED, count=30),
    "long numbers": lambda path: _says(path, _DIGITS, count=30),
    "surveys in a loop": lambda path: _says(path, _SURVEY, count=60),
    "reading calls": lambda path: _says(path, _READS + _DESCRIBE, count=30),
    "answers that are not read": lambda path: _says(path, _READS * 20, count=64, reads=False),
    "changes that it may not make": lambda path: _says(path, _CHANGES, count=10),
    "watchers that never read": _watches_and_never_reads,
    "connections": _connects,
    "half a call": _half_a_call,
}


def attack(path: str) -> None:
    """For ever, with a process a tactic. As nobody at nice 10; the process group is its own."""
    os.setgroups([])
    os.setgid(NOBODY)
    os.setuid(NOBODY)
    os.nice(10)
    for tactic in TACTICS.values():
        if os.fork() == 0:
            tactic(path)
    signal.pause()


class Attacker:
    """Runs from `with` to its end."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> "Attacker":
        command = [sys.executable, "-m", "tests.lan.local_attacker", "--attack", str(self._path)]
        self._process = subprocess.Popen(command, cwd=TOP, start_new_session=True)
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.poll() is None, "the attacker has ended by itself"
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()


# -- root, who asks meanwhile ----------------------------------------------------------------------------------------


@dataclass
class Seen:
    """What root saw."""

    calls: Counter[str] = field(default_factory=Counter)
    failed: list[str] = field(default_factory=list)
    slowest_s: float = 0.0
    changes: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        calls = ", ".join(f"{count} {verb}" for verb, count in self.calls.items())
        lines = [f"root's calls: {calls}; {len(self.failed)} failed, the slowest took {self.slowest_s:.2f} s"]
        lines += [f"changes of leadership: {len(self.changes)}", *self.failed[:20], *self.changes[:20]]
        return "\n".join(lines)


def under_attack(lan: Lan, leader: Host, *, for_s: float) -> Seen:
    """What root sees of the leader, and all three of leadership, in so many seconds of attack."""
    for folder in (lan.folder, leader.folder):
        folder.chmod(0o755)
    seen, since_ns = Seen(), time.monotonic_ns()
    with Attacker(leader.socket):
        end_s = time.monotonic() + for_s
        while time.monotonic() < end_s:
            for verb in ("is-leader", "status", "reload", "members"):
                _ask(leader, verb, seen)
    seen.changes = lan.changes(since_ns)
    return seen


def _ask(leader: Host, verb: str, seen: Seen) -> None:
    began_s = time.monotonic()
    done = leader.kingctl(verb)
    took_s = time.monotonic() - began_s
    seen.calls[verb] += 1
    seen.slowest_s = max(seen.slowest_s, took_s)
    if done.returncode:
        seen.failed.append(f"kingctl {verb}: exit {done.returncode} after {took_s:.2f} s: {done.stderr.strip()}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--config", default="", help="TOML for all three, such as [timing] profile")
    parser.add_argument("--attack", metavar="SOCKET", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.attack:
        with suppress(KeyboardInterrupt):
            attack(arguments.attack)
        return 0
    with Lan() as lan:
        leader, _, _ = lan.trio(config=arguments.config)
        seen = under_attack(lan, leader, for_s=60 * arguments.minutes)
        refused = [line for line in leader.log.splitlines() if "refused a client" in line]
        sys.stdout.write("\n".join([str(seen), "the leader's log:", *refused[-20:], ""]))
    return 1 if seen.failed or seen.changes else 0


if __name__ == "__main__":
    sys.exit(main())
