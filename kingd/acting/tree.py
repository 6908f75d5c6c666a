"""All processes that a command has started, whatever they did to get away: found, signalled, killed.

They are what lies below a process that adopts orphans (linux.py), as /proc tells it: no double fork, no session and no
process group of its own leads out of that. Where a control group of its own can be made, it is used too: the kernel kills
what is in it at one stroke. Not found: what somebody else starts on the command's behalf, such as systemd, cron or a
container daemon."""

import os
import signal
from contextlib import suppress
from pathlib import Path

from kingd.records import dataclass

# Version 2, alone or beside version 1.
_TOPS = (Path("/sys/fs/cgroup"), Path("/sys/fs/cgroup/unified"))


@dataclass(frozen=True, slots=True)
class Process:
    """As /proc told of it a moment ago."""

    pid: int
    parent: int
    state: str  # one letter of proc(5)


class Tree:
    def __init__(self, group: Path | None) -> None:
        """`group`: a control group of its own."""
        self._group = group

    def living(self, *, but: int = 0) -> list[Process]:
        """Below this process; `but`: one of which only what is below it counts."""
        return [each for each in below(os.getpid()) if each.state not in "ZX" and each.pid != but]

    def signal(self, number: signal.Signals, *, but: int = 0) -> None:
        for each in self.living(but=but):
            with suppress(ProcessLookupError, PermissionError):
                os.kill(each.pid, number)

    def kill(self, *, but: int = 0) -> list[Process]:
        """Who has not died yet. To be called until there is nobody: who is killed may just have forked."""
        if self._group is not None:
            with suppress(OSError):
                (self._group / "cgroup.kill").write_text("1")
        self.signal(signal.SIGKILL, but=but)
        return self.living(but=but)

    def enter(self) -> None:
        """This process, and all that it starts."""
        if self._group is not None:
            with suppress(OSError):
                (self._group / "cgroup.procs").write_text("0")

    def remove(self) -> None:
        """When nobody lives in it."""
        if self._group is not None:
            with suppress(OSError):
                self._group.rmdir()


def signal_group(group: int, number: int) -> None:
    """A process group, if it is still there and may be signalled."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)


def below(top: int) -> list[Process]:
    """All processes that descend from it, zombies too, without itself. What forks or loses its parent meanwhile may be missing:
    that there is nobody any more is known by who adopts orphans, when it has no child left."""
    found: list[Process] = []
    waiting = [top]
    while waiting:
        own = [each for pid in children(waiting.pop()) if (each := look(pid)) is not None]
        found += own
        waiting += [each.pid for each in own]
    return found


def children(pid: int) -> list[int]:
    """Of all its threads. Not by a look at every process of the machine: when leadership is lost all runs do that at once."""
    found: list[int] = []
    with suppress(OSError):
        for task in os.listdir(f"/proc/{pid}/task"):  # noqa: PTH208 - twice as fast
            with suppress(OSError), open(f"/proc/{pid}/task/{task}/children", "rb") as file:  # noqa: PTH123
                found += map(int, file.read().split())
    return found


def look(pid: int) -> Process | None:
    """None: it is gone."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:  # noqa: PTH123 - a thousand of them, while a time runs out
            rest = file.read().rpartition(b") ")[2].split(maxsplit=2)
    except OSError:
        return None
    return Process(pid, int(rest[1]), rest[0].decode())


def own_group(name: str) -> Path | None:
    """A new control group below that of this process; None: it cannot be, here or for this user."""
    with suppress(OSError):
        (own,) = [line[3:] for line in Path("/proc/self/cgroup").read_text().splitlines() if line.startswith("0::/")]
        for top in _TOPS:
            here = top / own.lstrip("/")
            if os.access(here / "cgroup.procs", os.W_OK) and (here / "cgroup.subtree_control").exists():
                return _made(here / name)
    return None


def _made(group: Path) -> Path | None:
    group.mkdir()
    if os.access(group / "cgroup.kill", os.W_OK) and os.access(group / "cgroup.procs", os.W_OK):
        return group
    group.rmdir()  # a kernel before 5.14
    return None
