"""The units of kingd-leader.target: which they are, and to start, stop and kill them, and see that they have ended.

They are the units that the target wants, requires or is part of their life by (`_PULLED`), each by its own name, and nothing
beyond: what such a unit starts in its turn is part of it only if it is in its control group, or says PartOf= the target."""

import subprocess
from collections.abc import Sequence
from pathlib import Path

from kingd.log import Logger
from kingd.records import dataclass

TARGET = "kingd-leader.target"
HELPER = "kingd-leader.service"
# What starts or stops with a target, all to be named: what only says WantedBy= is not stopped with it by systemd, and
# for what says PartOf= `systemctl stop` does not wait.
_PULLED = ("Wants", "Requires", "BindsTo", "ConsistsOf", "RequiredBy", "BoundBy")
_SYSTEMCTL = "/usr/bin/systemctl"
_SHOWN = ("Id", "ActiveState", "ControlGroup")
_ENDED = ("inactive", "failed")
_NOT_LOADED = 5  # one of them: it is enabled, and its file is gone; all the others were told
# Version 2, alone or beside systemd's own of version 1.
CGROUPS = tuple(Path(folder) for folder in ("/sys/fs/cgroup", "/sys/fs/cgroup/systemd", "/sys/fs/cgroup/unified"))

_log = Logger("kingd.leader-target")


def start() -> None:
    """It fails where kingd is being stopped: the target needs kingd, and its start would cancel the stop."""
    systemctl("start", "--no-block", "--job-mode=fail", TARGET)


def pulled() -> list[str]:
    """The target, and all that is stopped with it."""
    return [TARGET, *wanted(systemctl("show", *(f"--property={name}" for name in _PULLED), TARGET))]


def stop(units: list[str], *, wait: bool = False) -> None:
    try:
        systemctl("stop", *([] if wait else ["--no-block"]), *units)
    except subprocess.CalledProcessError as error:
        if error.returncode != _NOT_LOADED:
            raise


def wanted(shown: str) -> list[str]:
    """The units in the answer of `systemctl show`."""
    names = {name for line in shown.splitlines() for name in line.partition("=")[2].split()}
    return sorted(names - {HELPER, TARGET})


def kill(units: list[str]) -> None:
    """All that is in their control groups. systemctl fails for a unit that has ended meanwhile, or has no processes."""
    subprocess.run([_SYSTEMCTL, "kill", "--signal=KILL", *units], check=False, stderr=subprocess.DEVNULL)


def running(units: list[str]) -> list[str]:
    """Which of them have not ended: still active or on the way, or with a process left in the control group (of a unit that
    says KillMode=process, for one)."""
    if not units:
        return []
    shown = systemctl("show", *(f"--property={name}" for name in _SHOWN), *units)
    return [unit.name for unit in read(shown) if unit.state not in _ENDED or has_process(unit.group)]


@dataclass(frozen=True, slots=True)
class Unit:
    name: str
    state: str
    group: str  # "" = none


def read(shown: str) -> list[Unit]:
    """`systemctl show` of several units: a block of lines each, with an empty line between two."""
    found = []
    for block in shown.strip().split("\n\n"):
        fields = dict(line.partition("=")[::2] for line in block.splitlines())
        found.append(Unit(*(fields.get(name, "") for name in _SHOWN)))
    return found


def has_process(group: str, *, tops: Sequence[Path] = CGROUPS) -> bool:
    """The control group, or one below it. `tops`: where the hierarchies are."""
    return bool(group.strip("/")) and any(_is_populated(top / group.lstrip("/")) for top in tops)


def _is_populated(folder: Path) -> bool:
    """The group or one below it has a process. One that cannot be read is gone."""
    try:
        if (folder / "cgroup.procs").read_text():
            return True
        return any(_is_populated(below) for below in folder.iterdir() if below.is_dir())
    except OSError:
        return False


def systemctl(*arguments: str) -> str:
    """What it printed. CalledProcessError ends this process, and systemd starts the next one."""
    return subprocess.run([_SYSTEMCTL, *arguments], check=True, stdout=subprocess.PIPE, text=True).stdout
