"""A user of the leader's host without any rights, who does to the control socket all that it offers (socket_attack.py).

    python -m tests.lan.local_attacker --minutes 10

Three real daemons elect; uid nobody attacks the one that leads, while root asks it by kingctl all the time. What must be: no
change of leadership, and each of root's calls is answered.
"""

import argparse
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from tests.lan import socket_attack
from tests.lan.host import Host
from tests.lan.network import Lan

PROGRAM = Path(socket_attack.__file__)


class Attacker:
    """Runs from `with` to its end."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> "Attacker":
        command = [sys.executable, str(PROGRAM), str(self._path)]
        self._process = subprocess.Popen(command, start_new_session=True)
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.poll() is None, "the attacker has ended by itself"
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()


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
        root_asks(leader.kingctl, seen, for_s=for_s)
    seen.changes = lan.changes(since_ns)
    return seen


def root_asks(kingctl: Callable[[str], "subprocess.CompletedProcess[str]"], seen: Seen, *, for_s: float) -> None:
    end_s = time.monotonic() + for_s
    while time.monotonic() < end_s:
        for verb in ("is-leader", "status", "reload", "members"):
            began_s = time.monotonic()
            done = kingctl(verb)
            took_s = time.monotonic() - began_s
            seen.calls[verb] += 1
            seen.slowest_s = max(seen.slowest_s, took_s)
            if done.returncode:
                seen.failed.append(
                    f"kingctl {verb}: exit {done.returncode} after {took_s:.2f} s: {done.stderr.strip()}"
                )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--config", default="", help="TOML for all three, such as [timing] profile")
    arguments = parser.parse_args()
    with Lan() as lan:
        leader, _, _ = lan.trio(config=arguments.config)
        seen = under_attack(lan, leader, for_s=60 * arguments.minutes)
        refused = [line for line in leader.log.splitlines() if "refused a client" in line]
        sys.stdout.write("\n".join([str(seen), "the leader's log:", *refused[-20:], ""]))
    return 1 if seen.failed or seen.changes else 0


if __name__ == "__main__":
    sys.exit(main())
