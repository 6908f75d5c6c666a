"""Ask a daemon through its control socket: a blocking Varlink client on a plain socket.

`kingctl leader` runs from cron, from prompts and in front of every job that only the leader may do, so this module
imports what a call needs and nothing else (no asyncio, typing, pathlib or dataclasses: each costs as much as all of
the rest). Everything that can go wrong is one of the five exceptions; each text says what to do.
"""

from __future__ import annotations

import json
import os
import socket
import time

from kingd.control.target import LOOK_S, unit

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

JsonObject = dict[str, object]

ANSWER_SIZE_MAX = 4 << 20  # bytes; a cluster of 450 hosts fills 150 KiB
_DEPTH_MAX = 32  # of objects and lists; ours have five
_CHANGES = ("StepDown", "SetMaintenance", "SetPriority", "Reload")
_LISTENS = "00010000"  # __SO_ACCEPTCON in /proc/net/unix


class KingdError(Exception):
    """What every function here raises. The text is for a person."""


class DaemonNotRunning(KingdError):
    """Nobody answers at the socket."""


class SocketForbidden(DaemonNotRunning):
    """We may not open the socket, or a folder above it: whether somebody answers there is not known."""


class DaemonUnreachable(KingdError):
    """The daemon runs, but its socket's file is gone, is not its own, or may not be opened: it cannot be asked."""


class CallTimedOut(KingdError):
    """The daemon did not answer in time."""


class CallFailed(KingdError):
    """The daemon refused. `name`: the Varlink error, such as "org.kingd.NotLeader"; `parameters`: its parameters."""

    def __init__(self, name: str, parameters: JsonObject) -> None:
        details = parameters.get("message") or ", ".join(f"{key}: {value}" for key, value in parameters.items())
        super().__init__(str(details or name) if name.startswith("org.kingd.") else f"{name} ({details})")
        self.name = name
        self.parameters = parameters


class BadAnswer(KingdError):
    """The daemon said something that this version does not understand."""


def call(
    path: str, method: str, parameters: Mapping[str, object] | None = None, *, timeout_s: float = 5.0
) -> JsonObject:
    """The reply's parameters. `method` without a dot is one of `org.kingd`."""
    connection = _Connection(path, timeout_s)
    try:
        return connection.ask(method, parameters)
    finally:
        connection.close()


class Line:
    """A connection that is kept from call to call, and opened again when it has ended. For who asks often: it needs the
    socket's file once only, and no place of anybody else's.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._connection: _Connection | None = None

    def call(
        self, method: str, parameters: Mapping[str, object] | None = None, *, timeout_s: float = 5.0
    ) -> JsonObject:
        """As `call`. A method that must not be done twice is no good here: what got no answer is asked once more."""
        end_s = time.monotonic() + timeout_s
        if self._connection is not None:
            try:
                return self._ask(method, parameters, end_s)
            except DaemonNotRunning:  # it has ended since the last call: is there another one?
                pass
        self._connection = _Connection(self._path, end_s - time.monotonic())
        return self._ask(method, parameters, end_s)

    def _ask(self, method: str, parameters: Mapping[str, object] | None, end_s: float) -> JsonObject:
        assert self._connection is not None
        self._connection.end_s = end_s
        try:
            return self._connection.ask(method, parameters)
        except CallFailed:  # an answer like another
            raise
        except KingdError:
            self.close()
            raise

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def stream(
    path: str,
    method: str,
    parameters: Mapping[str, object] | None = None,
    *,
    first_s: float = 5.0,
    total_s: float | None = None,
) -> Iterator[JsonObject]:
    """Each reply's parameters, for as long as the daemon sends them.

    `first_s`: how long the first may take; `total_s`: how long all of it may take, None = for ever. The first, which says what
    is so now, has `LOOK_S` at least.
    `DaemonNotRunning` when the daemon ends the stream, as it does when it stops.
    """
    end_s = None if total_s is None else time.monotonic() + total_s
    connection = _Connection(path, first_s if total_s is None else min(first_s, max(total_s, LOOK_S)))
    try:
        connection.send({"method": full(method), "parameters": parameters or {}, "more": True})
        while True:
            message = connection.receive()
            yield parameters_of(message)
            if not message.get("continues"):
                return
            connection.end_s = end_s
    finally:
        connection.close()


class Feed:
    """As `stream`, for who waits for other things too: `read` never waits, and has something to say when `fileno` can be
    read.
    """

    def __init__(
        self, path: str, method: str, parameters: Mapping[str, object] | None = None, *, timeout_s: float
    ) -> None:
        """`timeout_s`: how long it may take to call."""
        self._connection = _Connection(path, timeout_s)
        self._connection.send({"method": full(method), "parameters": parameters or {}, "more": True})

    def read(self) -> list[JsonObject]:
        """Each reply's parameters. `CallFailed`, `DaemonNotRunning`: it has ended, and is to be closed."""
        return [parameters_of(message) for message in self._connection.arrived()]

    def fileno(self) -> int:
        return self._connection.fileno()

    def close(self) -> None:
        """For the daemon too, if a child that was forked still has it."""
        self._connection.shut_down()
        self._connection.close()


def full(method: str) -> str:
    return method if "." in method else f"org.kingd.{method}"


def parameters_of(message: JsonObject) -> JsonObject:
    parameters = message.get("parameters") or {}
    if not isinstance(parameters, dict):
        raise BadAnswer("the daemon's answer is not understood: parameters that are no object")
    error = message.get("error")
    if error is not None:
        raise CallFailed(str(error), parameters)
    return parameters


class _Connection:
    def __init__(self, path: str, timeout_s: float) -> None:
        self._path = path
        self._buffer = bytearray()
        self.end_s: float | None = time.monotonic() + timeout_s
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self._connect()
        except TimeoutError:
            self.close()
            raise timed_out(self._path) from None
        except OSError as error:
            self.close()
            raise why_not(path, error) from None

    def _connect(self) -> None:
        while True:
            self._limit()
            try:
                return self._socket.connect(self._path)
            except BlockingIOError:
                # No room in the queue just now: Linux does not wait for it if there is a time limit.
                time.sleep(0.001)  # often, for others may wait for the same room

    def fileno(self) -> int:
        return self._socket.fileno()

    def close(self) -> None:
        self._socket.close()

    def shut_down(self) -> None:
        try:
            self._socket.shutdown(socket.SHUT_RDWR)
        except OSError:  # it has ended
            return

    def ask(self, method: str, parameters: Mapping[str, object] | None) -> JsonObject:
        self.send({"method": full(method), "parameters": parameters or {}})
        try:
            return parameters_of(self.receive())
        except CallTimedOut as error:
            if method not in _CHANGES:
                raise
            raise CallTimedOut(f"{error} It may still do what was asked for, later (see kingctl status)") from None

    def send(self, message: JsonObject) -> None:
        raw = json.dumps(message).encode() + b"\0"
        try:
            self._limit()
            # Our own flag, because kingctl lets SIGPIPE end it: a daemon that goes away must not.
            self._socket.sendall(raw, socket.MSG_NOSIGNAL)
        except TimeoutError:
            raise timed_out(self._path) from None
        except OSError:
            return  # it has closed, and may have said why: `receive` tells

    def receive(self) -> JsonObject:
        searched = 0
        while (end := self._buffer.find(b"\0", searched)) < 0:
            searched = len(self._buffer)
            if searched > ANSWER_SIZE_MAX:
                raise too_long()
            self._buffer += self._more()
        return self._take(end)

    def arrived(self) -> Iterator[JsonObject]:
        """What is there; without waiting."""
        self._socket.settimeout(0)
        try:
            data = self._socket.recv(65536)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        self._buffer += data
        while (end := self._buffer.find(b"\0")) >= 0:
            yield self._take(end)
        if not data:
            raise gone(self._path)

    def _take(self, end: int) -> JsonObject:
        raw = self._buffer[:end]
        del self._buffer[: end + 1]
        return parsed(raw)

    def _more(self) -> bytes:
        try:
            self._limit()
            data = self._socket.recv(65536)
        except TimeoutError:
            raise timed_out(self._path) from None
        except OSError:
            raise gone(self._path) from None
        if not data:
            raise gone(self._path)
        return data

    def _limit(self) -> None:
        """Give the next operation the time that is left."""
        if self.end_s is None or self.end_s == float("inf"):
            return self._socket.settimeout(None)
        left_s = self.end_s - time.monotonic()
        if left_s <= 0:
            raise TimeoutError
        return self._socket.settimeout(left_s)


def timed_out(path: str) -> CallTimedOut:
    return CallTimedOut(f"kingd at {path} did not answer in time; is it stopped, or the machine overloaded?")


def gone(path: str) -> DaemonNotRunning:
    return DaemonNotRunning(
        f"kingd at {path} closed the connection: it stops or starts again, or refused us; see its log"
    )


def too_long() -> BadAnswer:
    return BadAnswer(f"the daemon's answer is not understood: it is longer than {ANSWER_SIZE_MAX >> 20} MiB")


def parsed(raw: bytes | bytearray) -> JsonObject:
    try:
        message: object = json.loads(raw)
    except RecursionError:
        raise BadAnswer("the daemon's answer is not understood: it is nested too deeply") from None
    except ValueError as error:
        raise BadAnswer(f"the daemon's answer is not understood: {error}") from None
    if not isinstance(message, dict):
        raise BadAnswer("the daemon's answer is not understood: it is no object")
    if not _is_shallow(message, _DEPTH_MAX):  # whoever prints it, say, would run into the same limit
        raise BadAnswer("the daemon's answer is not understood: it is nested too deeply")
    return message


def _is_shallow(value: object, depth: int) -> bool:
    if not isinstance(value, dict | list):
        return True
    inner = value.values() if isinstance(value, dict) else value
    return depth > 0 and all(_is_shallow(each, depth - 1) for each in inner)


def why_not(path: str, error: OSError) -> KingdError:
    hint = f"start it (systemctl start {unit(path)}), or name another one with --socket or --instance"
    if _is_listened_at(path):
        return DaemonUnreachable(
            f"kingd runs, but cannot be asked: {path}: {error.strerror or error}. If that file was removed, kingd makes it "
            "again within a second; if it does not, its log and `systemctl status kingd` say why"
        )
    if isinstance(error, PermissionError):
        return SocketForbidden(f"may not open {path}: permission denied on the socket or a folder above it")
    if isinstance(error, FileNotFoundError):
        return DaemonNotRunning(f"kingd is not running: there is no {path}; {hint}")
    if isinstance(error, ConnectionRefusedError):
        return DaemonNotRunning(f"kingd is not running: nobody answers at {path}; {hint}")
    return DaemonNotRunning(f"kingd is not running: {path}: {error.strerror or error}; {hint}")


def _is_listened_at(path: str) -> bool:
    """Whether somebody listens at a socket that was made with this path, whatever has become of its file. The kernel tells
    of the sockets of our network namespace: what runs in another one is not seen.
    """
    names = {path, os.path.abspath(path), os.path.realpath(path)}  # noqa: PTH100 - pathlib costs as much as all else here
    try:
        with open("/proc/self/net/unix", encoding="utf-8", errors="surrogateescape") as table:  # noqa: PTH123
            rows = [line.rstrip("\n").split(maxsplit=7) for line in table]
    except OSError:
        return False
    return any(len(row) == 8 and row[3] == _LISTENS and row[7] in names for row in rows)
