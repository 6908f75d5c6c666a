"""A daemon asked from outside, over its control socket: a Varlink client of its own, so that no mistake of ours cancels
another of ours out. The shapes are those of docs/kingctl.1 and org.kingd.varlink, as far as the tests read them.
"""

import json
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NotRequired, TypedDict


class PeerView(TypedDict):
    id: str
    name: str
    priority: int
    address: str | None


class NodeView(PeerView):
    role: str
    eligible: bool
    ineligible_reason: str | None


class CountView(TypedDict):
    alive: int
    dead: int


class StrangerView(TypedDict):
    address: str
    why: str
    last_seen_ms: int


class QuorumView(TypedDict):
    voters: list[str]
    reachable: int
    ok: bool


class SecurityView(TypedDict):
    mode: str
    keys: list[int]


class StatusView(TypedDict):
    cluster: str
    mode: str
    node: NodeView
    leader: PeerView | None
    term: int
    leader_age_ms: int | None
    reason: str | None
    members: CountView
    quorum: QuorumView
    strangers: list[StrangerView]
    problems: list[str]
    rejected: dict[str, int]
    security: SecurityView


class MemberView(NodeView):
    state: str
    last_heard_ms: int | None


class SurveyRow(TypedDict):
    id: str
    name: str
    leader: str | None
    term: int
    ok: bool
    eligible: bool
    ineligible_reason: str | None
    rtt_ms: float | None


class SurveyView(TypedDict):
    agree: bool
    nodes: list[SurveyRow]


class EventView(TypedDict):
    event: str
    monotonic_ns: int
    role: str
    previous_role: str
    term: int
    seq: int
    leader: PeerView | None
    previous_leader: PeerView | None
    reason: str
    member: NotRequired[PeerView]
    on: NotRequired[bool]


def name_of(peer: PeerView | None) -> str | None:
    return None if peer is None else peer["name"]


class Refused(Exception):
    """The daemon answered with an error; the text is its name, without "org.kingd."."""


def ask(path: Path, method: str, *, timeout_s: float = 5.0, **parameters: object) -> Any:
    """The parameters of the reply. OSError: nobody answers there, or not in time."""
    for reply in _replies(path, {"method": f"org.kingd.{method}", "parameters": parameters}, timeout_s):
        return reply
    raise ConnectionResetError(f"{path}: closed without an answer")


def _connect(connection: socket.socket, path: Path, timeout_s: float) -> None:
    """As kingctl does: where all places in the queue are taken, again."""
    until_s = time.monotonic() + timeout_s
    while True:
        try:
            connection.connect(str(path))
        except BlockingIOError:
            if time.monotonic() > until_s:
                raise
            time.sleep(0.001)
        else:
            return


def _replies(path: Path, request: dict[str, object], timeout_s: float | None) -> Iterator[Any]:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(timeout_s)
        _connect(connection, path, timeout_s or 5.0)
        connection.sendall(json.dumps(request).encode() + b"\0")
        yield from _read(connection)


def _read(connection: socket.socket) -> Iterator[Any]:
    buffer = b""
    while data := connection.recv(65536):
        *complete, buffer = (buffer + data).split(b"\0")
        for raw in complete:
            message = json.loads(raw)
            if "error" in message:
                raise Refused(message["error"].removeprefix("org.kingd."))
            yield message["parameters"]


class Watch:
    """Everything that a daemon says by `Watch`, until it ends or `close`."""

    def __init__(self, path: Path) -> None:
        self.events: list[EventView] = []
        self._connection = socket.socket(socket.AF_UNIX)
        self._connection.settimeout(5)
        self._connection.connect(str(path))
        self._connection.sendall(b'{"method": "org.kingd.Watch", "more": true}\0')
        replies = _read(self._connection)
        self.first: EventView = next(replies)  # the present state: from here on nothing is missed
        self._connection.settimeout(None)
        self._thread = threading.Thread(target=self._record, args=[replies])
        self._thread.start()

    def _record(self, replies: Iterator[EventView]) -> None:
        for event in replies:
            self.events.append(event)

    @property
    def ended(self) -> bool:
        return not self._thread.is_alive()

    def close(self) -> None:
        self._connection.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._connection.close()
