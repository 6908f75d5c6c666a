"""`make demo`: the whole story with real daemons on loopback. Who leads; kill it; who leads now and how long that
took; and back.

The times are the daemons' own words, not guesses: before each fault this process watches every survivor, notes
CLOCK_MONOTONIC at the moment of the fault, and subtracts it from the instant that the survivor's event carries.
Whatever happens, also Ctrl-C and SIGTERM: at the end no daemon runs and no file is left.
"""

import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from types import FrameType

from kingd.cli.exits import INTERRUPTED, NO, OK, say
from kingd.cli.text import clean
from kingd.control.answer import number, section_or_none, text
from kingd.control.client import JsonObject, KingdError, stream
from kingd.lab.birth import environment
from kingd.lab.cluster import Cluster
from kingd.lab.folder import LabError
from kingd.lab.node import Node

_FAULT_WAIT_S = 15.0  # far more than any election takes: longer is a failure of the demo


def play(nodes: int) -> int:
    for number_ in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number_, _interrupt)
    try:
        lab = Cluster.create(f"demo-{os.getpid()}", nodes=nodes, profile="lan")
        try:
            _story(lab)
        finally:
            lab.stop()
            _tell("All daemons are stopped, and their folder is removed.")
    except KeyboardInterrupt:
        return INTERRUPTED
    except (LabError, KingdError) as error:
        say(str(error))
        return NO
    return OK


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _story(lab: Cluster) -> None:
    first, second = lab.nodes[0], lab.nodes[1]
    _tell(f"{len(lab.nodes)} daemons on loopback, UDP port {lab.port}, cluster {lab.cluster}:")
    _tell("  " + ", ".join(f"{node.name} (priority {node.priority})" for node in lab.nodes))
    lab.start_all()
    took_s = lab.wait_until_ready(timeout_s=20)
    _tell(f"  all of them name a leader {took_s:.2f} s after the start.")
    for node in lab.nodes:
        _show(node, "leader")
    _show(second, "survey")

    _tell(f"\nThe crash: kill -9 {first.name}.")
    _measured(lab, first, lambda: lab.kill(first.name), new_leader=second)
    _show(second, "leader")
    _show(second, "survey")

    _tell(f"\n{first.name} starts again. It has the highest priority, so it leads again.")
    _measured(lab, first, lambda: lab.start(first.name), new_leader=first)
    lab.wait_until_ready(timeout_s=20)
    _show(second, "leader")

    _tell(f"\nThe planned stop: SIGTERM to {first.name}, which hands over before it goes.")
    _measured(lab, first, lambda: lab.kill(first.name, politely=True), new_leader=second)
    _show(lab.nodes[2], "leader")
    _show(lab.nodes[2], "history")
    _tell("")


def _measured(lab: Cluster, subject: Node, fault: Callable[[], None], *, new_leader: Node) -> None:
    """Do it, and print how long it took until a node other than `subject` said that `new_leader` leads."""
    with _Watchers([node for node in lab.nodes if node is not subject]) as watchers:
        started_ns = time.monotonic_ns()
        fault()
        node, event = watchers.wait_for(new_leader.name, since_ns=started_ns)
    took_ms = (number(event, "monotonic_ns") - started_ns) / 1e6
    why = clean(event.get("reason"))
    _tell(f"  {new_leader.name} leads, says {node.name}, after {took_ms:.1f} ms ({why}, term {number(event, 'term')}).")


class _Watchers:
    """What several daemons say, each read by a thread of its own into one queue."""

    def __init__(self, nodes: list[Node]) -> None:
        self._events: queue.SimpleQueue[tuple[Node, JsonObject]] = queue.SimpleQueue()
        self._nodes = nodes

    def __enter__(self) -> "_Watchers":
        for node in self._nodes:
            # Daemon threads: they end with this process, or when their kingd does.
            threading.Thread(target=self._read, args=(node,), daemon=True).start()
        waiting = {node.name for node in self._nodes}
        while waiting:
            waiting.discard(self._next(time.monotonic() + _FAULT_WAIT_S)[0].name)  # its first: the present state
        return self

    def __exit__(self, *_: object) -> None:
        self._nodes = []

    def wait_for(self, leader: str, *, since_ns: int) -> tuple[Node, JsonObject]:
        end_s = time.monotonic() + _FAULT_WAIT_S
        while True:
            node, event = self._next(end_s)
            known = section_or_none(event, "leader")
            if known is not None and text(known, "name") == leader and number(event, "monotonic_ns") >= since_ns:
                return node, event

    def _next(self, end_s: float) -> tuple[Node, JsonObject]:
        try:
            return self._events.get(timeout=max(0.0, end_s - time.monotonic()))
        except queue.Empty:
            raise LabError(f"no daemon said within {_FAULT_WAIT_S:.0f} s what was expected") from None

    def _read(self, node: Node) -> None:
        with suppress(KingdError):
            for event in stream(node.socket, "Watch", total_s=_FAULT_WAIT_S * 4):
                self._events.put((node, event))


def _show(node: Node, *verb: str) -> None:
    """Run kingctl on that node, as a user would, and show what it says."""
    _tell(f"[{node.name}] $ kingctl {' '.join(verb)}")
    variables = {**environment(), "KINGCTL_SOCKET": node.socket}
    done = subprocess.run(
        [sys.executable, "-P", "-m", "kingd.cli", *verb], env=variables, capture_output=True, text=True, check=False
    )
    for line in (done.stdout + done.stderr).splitlines():
        _tell(f"  {line}")


def _tell(line: str) -> None:
    print(line, flush=True)
