"""A control group of version 1, in which a process neither runs nor can be killed while it is frozen."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.cli.runs import until
from tests.conftest import require

_TOP = Path("/sys/fs/cgroup/freezer")


class Freezer:
    def __init__(self, group: Path) -> None:
        self._tasks, self._state = group / "tasks", group / "freezer.state"

    def freeze(self, pid: int) -> None:
        self._tasks.write_text(str(pid))
        self._state.write_text("FROZEN")
        until(lambda: self._state.read_text() == "FROZEN\n")

    def thaw(self) -> None:
        self._state.write_text("THAWED")

    @property
    def is_empty(self) -> bool:
        return not self._tasks.read_text()


@contextmanager
def made() -> Iterator[Freezer]:
    require((_TOP / "tasks").exists() and os.geteuid() == 0, "what cannot be killed takes the freezer of version 1")
    group = _TOP / f"kingd-test-{os.getpid()}"
    group.mkdir()
    freezer = Freezer(group)
    yield freezer
    freezer.thaw()
    until(lambda: freezer.is_empty)
    group.rmdir()
