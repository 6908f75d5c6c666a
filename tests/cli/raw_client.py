"""A client that sends what it is told to, byte for byte, and waits for what happens, never for time to pass."""

import json
import socket
import time
from collections.abc import Callable

from kingd.control.client import call
from kingd.control.service import JsonObject
from tests.cli.fake_kingd import FakeKingd

PATIENCE_S = 10.0


class Raw:
    def __init__(self, kingd: FakeKingd) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.settimeout(PATIENCE_S)
        eventually(self._connects_to(str(kingd.path)))
        self._buffer = b""

    def _connects_to(self, path: str) -> Callable[[], bool]:
        def connects() -> bool:
            try:
                self.socket.connect(path)
            except BlockingIOError:  # the queue is full, and Linux does not wait if there is a time limit
                return False
            return True

        return connects

    def __enter__(self) -> "Raw":
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def send(self, data: bytes) -> "Raw":
        self.socket.sendall(data)
        return self

    def ask(self, method: str, parameters: object = None, **flags: object) -> "Raw":
        return self.send(json.dumps({"method": method, "parameters": parameters or {}, **flags}).encode() + b"\0")

    def reply(self) -> JsonObject:
        while b"\0" not in self._buffer:
            data = self.socket.recv(65536)
            if not data:
                raise EOFError
            self._buffer += data
        raw, _, self._buffer = self._buffer.partition(b"\0")
        message = json.loads(raw)
        assert isinstance(message, dict)
        return message

    def is_closed_by_server(self) -> bool:
        try:
            while self.socket.recv(65536):
                pass
        except ConnectionError:
            pass
        except TimeoutError:
            return False
        return True


def eventually(condition: Callable[[], bool]) -> None:
    end_s = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < end_s
        time.sleep(0.005)


def is_refused(client: "Raw", data: bytes) -> bool:
    """Send; whether that failed: it is cut off, or (after a while) its own buffer is full."""
    try:
        client.send(data)
    except OSError:
        return True
    return False


def is_alive(kingd: FakeKingd) -> bool:
    return call(str(kingd.path), "Status", timeout_s=PATIENCE_S)["term"] == 12
