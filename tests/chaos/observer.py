"""`python -m tests.chaos.observer NAME=SOCKET...`: asks every daemon every few milliseconds, and writes what it hears.

A process of its own, so that nothing which the nemesis does delays a time stamp. One `Status` at a time is under way to
each daemon, and one `Watch`. Nothing waits: a daemon that is stopped keeps its question, and what it says to it in the
very moment in which it wakes is what we want to know. It ends, and writes the rest, when its standard input ends.
"""

import json
import selectors
import socket
import struct
import sys
import time
from dataclasses import dataclass
from typing import Any, TextIO

from tests.chaos.history import Answers, Told, line

_EVERY_NS = 10_000_000
_AGAIN_NS = 20_000_000  # a socket that nobody listens on
_SLOW_NS = 100_000_000
"""An answer that took so long begins a row of its own: the daemon may have been stopped meanwhile."""


class Connection:
    """To one daemon's socket, made anew whenever it ends."""

    def __init__(self, observer: "Observer", host: str, path: str) -> None:
        self.observer = observer
        self.host = host
        self.pid = 0
        self.due_ns = 0
        self._path = path
        self._socket: socket.socket | None = None
        self._buffer = b""

    request = ""
    more = False

    @property
    def is_open(self) -> bool:
        return self._socket is not None

    def ask(self) -> None:
        """Open it if it is not, and send the question."""
        try:
            if self._socket is None:
                self._open()
            assert self._socket is not None
            self._socket.send(json.dumps({"method": self.request, "more": self.more}).encode() + b"\0")
        except _ENDED:
            self.close()

    def _open(self) -> None:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        try:
            connection.connect(self._path)
        except OSError:
            connection.close()
            raise
        self._socket = connection
        self.pid = peer_pid(connection)
        self.observer.selector.register(connection, selectors.EVENT_READ, self)

    def on_readable(self) -> None:
        assert self._socket is not None
        try:
            data = self._socket.recv(1 << 20)
        except _ENDED:
            data = b""
        if not data:
            self.close()
            return
        *complete, self._buffer = (self._buffer + data).split(b"\0")
        for raw in complete:
            self.on_reply(json.loads(raw)["parameters"])

    def on_reply(self, reply: dict[str, Any]) -> None:
        raise NotImplementedError

    def close(self) -> None:
        if self._socket is not None:
            self.observer.selector.unregister(self._socket)
            self._socket.close()
        self._socket, self._buffer = None, b""
        self.due_ns = time.monotonic_ns() + _AGAIN_NS


# Nobody listens there, or no longer; or so many ask a daemon which is stopped that there is no room.
_ENDED = (FileNotFoundError, ConnectionRefusedError, ConnectionResetError, BrokenPipeError, BlockingIOError)


def peer_pid(connection: socket.socket) -> int:
    """Of the process that listens."""
    pid, _, _ = struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    assert isinstance(pid, int)
    return pid


@dataclass(frozen=True, slots=True)
class _Answer:
    node: str
    role: str
    leader: str | None
    term: int


class Asking(Connection):
    request = "org.kingd.Status"

    def __init__(self, observer: "Observer", host: str, path: str) -> None:
        super().__init__(observer, host, path)
        self._asked_ns = 0
        self._answer: _Answer | None = None
        self._first = self._last = (0, 0)
        self._count = 0

    def ask(self) -> None:
        self._asked_ns = time.monotonic_ns()
        self.due_ns = sys.maxsize
        super().ask()

    def on_reply(self, reply: dict[str, Any]) -> None:
        bracket = (self._asked_ns, time.monotonic_ns())
        self.due_ns = bracket[1] + _EVERY_NS
        leader = reply["leader"]
        answer = _Answer(reply["node"]["id"], reply["node"]["role"], leader["id"] if leader else None, reply["term"])
        if answer != self._answer or bracket[1] - bracket[0] > _SLOW_NS:
            self.flush()
            self._answer, self._first = answer, bracket
        self._last = bracket
        self._count += 1

    def close(self) -> None:
        self.flush()
        super().close()

    def flush(self) -> None:
        """What was said in a row up to now."""
        if self._answer is not None:
            said = self._answer
            self.observer.write(
                Answers(
                    host=self.host, pid=self.pid, node=said.node, role=said.role, leader=said.leader, term=said.term,
                    first=self._first, last=self._last, count=self._count,
                )
            )  # fmt: skip
        self._answer, self._count = None, 0


class Watching(Connection):
    request, more = "org.kingd.Watch", True

    def ask(self) -> None:
        self.due_ns = sys.maxsize
        super().ask()

    def on_reply(self, reply: dict[str, Any]) -> None:
        if reply.get("initial"):  # the present state, and no change
            return
        self.observer.write(
            Told(
                host=self.host, pid=self.pid, at=reply["monotonic_ns"], event=reply["event"], term=reply["term"],
                role=reply["role"], reason=reply["reason"],
            )
        )  # fmt: skip


class Observer:
    def __init__(self, sockets: dict[str, str], out: TextIO) -> None:
        self.selector = selectors.DefaultSelector()
        self._out = out
        self._connections = [kind(self, *item) for item in sockets.items() for kind in (Asking, Watching)]

    def write(self, record: Answers | Told) -> None:
        self._out.write(line(record) + "\n")

    def run(self, stop: TextIO) -> None:
        self.selector.register(stop, selectors.EVENT_READ)
        while True:
            for connection in self._connections:
                if connection.due_ns <= time.monotonic_ns():
                    connection.ask()
            wait_ns = min(connection.due_ns for connection in self._connections) - time.monotonic_ns()
            for key, _ in self.selector.select(min(max(0, wait_ns) / 1e9, 1)):
                if key.data is None:
                    return
                key.data.on_readable()

    def close(self) -> None:
        for connection in self._connections:
            connection.close()
        self._out.flush()


def main() -> None:
    observer = Observer(dict(pair.split("=", 1) for pair in sys.argv[1:]), sys.stdout)
    observer.run(sys.stdin)
    observer.close()


if __name__ == "__main__":
    main()
