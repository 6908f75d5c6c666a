"""A lab: N daemons of one cluster on this machine's loopback, in one folder that describes them.

They are real daemons with real sockets; only their interface (lo), their port (a free one, so that no real kingd of
this host is met) and their cluster's name (a random one) differ from a host's. Every process is one that this lab
started (nursery.py), and `stop` ends those and no others.
"""

import json
import random
import re
import shutil
import signal
import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

from kingd.control.answer import section_or_none
from kingd.lab import birth
from kingd.lab.folder import LabError, root
from kingd.lab.node import Node
from kingd.lab.process import load

_POLITE_MAX = 20  # more than so many say goodbye to one another for minutes
_ANSWER_WAIT_S = 60.0  # by far longer than a start takes, also among hundreds
_STOP_WAIT_S = 5.0  # a daemon that has not ended this long after SIGTERM is killed
_SOCKET_SIZE_MAX = 107
_LISTED_MAX = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One daemon, as `ps` shows it."""

    name: str
    priority: int
    pid: int | None
    state: str  # running, silent (it runs and does not answer), ended
    role: str | None = None
    leader: str | None = None
    term: int | None = None

    def as_json(self) -> dict[str, object]:
        return asdict(self)


class Cluster:
    def __init__(self, folder: Path, *, cluster: str, port: int, priorities: dict[str, int]) -> None:
        self.name = folder.name
        self.port = port
        self.cluster = cluster
        self._folder = folder
        self.nodes = [
            Node(folder / name, name=name, priority=priority, cluster=cluster, port=port)
            for name, priority in priorities.items()
        ]

    @classmethod
    def create(cls, name: str, *, nodes: int, profile: str) -> Self:
        """box1 to boxN, priorities N*100 down to 100. Nothing runs yet."""
        folder = _folder_of(name)
        if folder.exists() and not (folder / "lab.json").exists():
            shutil.rmtree(folder)  # a start that did not come as far as its first daemon
        elif folder.exists():
            old = cls.open(name)
            if any(node.process for node in old.nodes):
                raise LabError(
                    f"the lab {name!r} is there already: kingctl lab stop ends it, --name OTHER starts another one"
                )
            old.stop()
        folder.mkdir(mode=0o700)
        chosen: dict[str, object] = {
            "cluster": f"lab-{random.randbytes(4).hex()}",
            "port": _free_port(),
            "priorities": {f"box{i}": 100 * (nodes + 1 - i) for i in range(1, nodes + 1)},
        }
        (folder / "lab.json").write_text(json.dumps(chosen))
        lab = cls.open(name)
        for node in lab.nodes:
            node.prepare(profile)
        return lab

    @classmethod
    def open(cls, name: str) -> Self:
        folder = _folder_of(name)
        try:
            saved = json.loads((folder / "lab.json").read_text())
            return cls(folder, cluster=saved["cluster"], port=saved["port"], priorities=saved["priorities"])
        except FileNotFoundError:
            raise LabError(f"there is no lab {name!r} in {folder.parent}: kingctl lab start makes one") from None
        except (OSError, ValueError, KeyError) as error:
            raise LabError(
                f"{folder}/lab.json cannot be read ({error}); remove {folder} if nothing of it runs"
            ) from None

    def node(self, name: str) -> Node:
        for node in self.nodes:
            if node.name == name:
                return node
        raise LabError(f"there is no {name!r} in the lab {self.name!r}: it has {_names(self.nodes)}")

    def start_all(self, progress: Callable[[int], None] = lambda _ready: None) -> None:
        """Each is a process when this returns: `wait_until_ready` waits for more. `progress` is told how many have found their
        leader."""
        birth.start(self._folder, self.nodes, progress)

    def start(self, *names: str, timeout_s: float = _ANSWER_WAIT_S) -> None:
        """They answer when this returns. LabError: one has ended instead, or is silent for so long."""
        nodes = [self.node(name) for name in names]
        for node in nodes:
            if node.process is not None:
                raise LabError(f"{node.name} runs already, pid {node.process.pid}")
        birth.start(self._folder, nodes)
        _wait_until(nodes, lambda node: node.status() is not None, what="answer", timeout_s=timeout_s)

    def kill(self, *names: str, politely: bool = False, wait_s: float = _STOP_WAIT_S) -> None:
        """All at once."""
        nodes = [self.node(name) for name in names]
        for node in nodes:
            if node.process is None:
                raise LabError(f"{node.name} does not run: kingctl lab start-one {node.name} starts it")
        for node in nodes:
            node.kill(signal.SIGTERM if politely else signal.SIGKILL)
        for node in nodes:
            if not node.wait_until_ended(wait_s):
                raise LabError(f"{node.name} still runs {wait_s:g} s after the signal; its log: {node.log}")

    def wait_until_ready(
        self, *names: str, timeout_s: float, progress: Callable[[int], None] = lambda _ready: None
    ) -> float:
        """Until these daemons (or all) name a leader. How long it took, in seconds. `progress` is told how many do."""
        started_s = time.monotonic()
        nodes = [self.node(name) for name in names] or self.nodes
        _wait_until(nodes, _knows_leader, what="name a leader", timeout_s=timeout_s, progress=progress)
        return time.monotonic() - started_s

    def rows(self, answer_s: float = 1.0) -> list[Row]:
        return [_row(node, answer_s) for node in self.nodes]

    def stop(self, *, wait_s: float = _STOP_WAIT_S) -> None:
        """End what runs, the leader last so that nobody needs to be elected, and remove the folder."""
        nursery = load(self._folder / birth.NURSERY_PID)
        if nursery is not None:  # it still gives birth: whoever started it did not live to see it end
            nursery.signal(signal.SIGTERM)
            nursery.wait(_STOP_WAIT_S)
        for number, patience_s in ((signal.SIGTERM, wait_s), (signal.SIGKILL, _STOP_WAIT_S)):
            running = [node for node in reversed(self.nodes) if node.process is not None]
            if number is signal.SIGTERM and len(running) > _POLITE_MAX:
                continue
            for node in running:
                node.kill(number)
            end_s = time.monotonic() + patience_s
            for node in running:
                node.wait_until_ended(max(0.0, end_s - time.monotonic()))
        left = [node.name for node in self.nodes if node.process is not None]
        if left:
            raise LabError(f"{_listed(left)} cannot be ended; {self._folder} stays, so that you can look")
        shutil.rmtree(self._folder)


def _folder_of(name: str) -> Path:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,31}", name):
        raise LabError(f"{name!r} is no name for a lab: letters, digits and . _ -, at most 32")
    folder = root() / name
    if len(str(folder / "box100" / "control.sock")) > _SOCKET_SIZE_MAX:
        raise LabError(f"{folder} is too long for the sockets in it; choose a shorter one with $KINGD_LAB_DIR")
    return folder


def _free_port() -> int:
    """A UDP port that nobody uses now, below those that the kernel gives to others, and not kingd's own 5466."""
    for _ in range(100):
        port = random.randrange(20000, 32000)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            try:
                probe.bind(("", port))
            except OSError:
                continue
        return port
    raise LabError("no free UDP port between 20000 and 32000")


def _names(nodes: Sequence[Node]) -> str:
    return _listed([node.name for node in nodes])


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(names[:_LISTED_MAX])
    return shown if len(names) <= _LISTED_MAX else f"{shown} and {len(names) - _LISTED_MAX} more"


def _wait_until(
    nodes: Sequence[Node],
    is_so: Callable[[Node], bool],
    *,
    what: str,
    timeout_s: float,
    progress: Callable[[int], None] = lambda _so_far: None,
) -> None:
    """One after the other: who asks 450 daemons all the time keeps them from it. `progress` is told of how many it is so."""
    end_s = time.monotonic() + timeout_s
    for done, node in enumerate(nodes):
        while not is_so(node):
            if node.process is None:
                raise LabError(f"{node.name} ended at once; its log, {node.log}, says:\n{node.last_words()}")
            if time.monotonic() > end_s:
                raise LabError(f"{_names(nodes[done:])} did not {what} within {timeout_s:g} s")
            time.sleep(0.02)
        progress(done + 1)


def _knows_leader(node: Node) -> bool:
    status = node.status()
    return status is not None and status.get("leader") is not None


def _row(node: Node, answer_s: float) -> Row:
    process = node.process
    if process is None:
        return Row(name=node.name, priority=node.priority, pid=None, state="ended")
    status = node.status(answer_s)
    if status is None:
        return Row(name=node.name, priority=node.priority, pid=process.pid, state="silent")
    itself, leader, term = (
        section_or_none(status, "node") or {},
        section_or_none(status, "leader") or {},
        status.get("term"),
    )
    return Row(
        name=node.name,
        priority=_int(itself.get("priority")) or node.priority,
        pid=process.pid,
        state="running",
        role=str(itself.get("role")),
        leader=str(leader["name"]) if "name" in leader else None,
        term=_int(term),
    )


def _int(value: object) -> int | None:
    return value if isinstance(value, int) else None
