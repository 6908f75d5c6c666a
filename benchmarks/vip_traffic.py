"""The two ends of the traffic to a floating address, each a process in a namespace.

`python -m benchmarks.vip_traffic serve PORT`: accepts, on all addresses, and says again what it hears.
`python -m benchmarks.vip_traffic connect ADDRESS PORT EVERY_MS FILE`: connects again and again until SIGTERM, then writes a
line for each attempt: when it began and when it was accepted (CLOCK_MONOTONIC, ns), 0 = it never was.
`python -m benchmarks.vip_traffic hold ADDRESS PORT EVERY_MS FILE`: the same of bytes on one connection, which is opened again
when it has ended: when each was sent, and when it came back. FILE.last is touched with each that does."""

import contextlib
import select
import signal
import socket
import struct
import sys
import time
from pathlib import Path
from typing import Protocol

_GIVEN_UP_NS = 1_000_000_000
_RESET = struct.pack("ii", 1, 0)  # SO_LINGER: nothing is left in TIME_WAIT


def serve(port: int) -> None:
    with socket.create_server(("::", port), family=socket.AF_INET6, dualstack_ipv6=True, backlog=1024) as listener:
        poll = select.poll()
        poll.register(listener, select.POLLIN)
        held: dict[int, socket.socket] = {}
        while True:
            for fd, _ in poll.poll():
                if fd == listener.fileno():
                    sock = listener.accept()[0]
                    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    held[sock.fileno()] = sock
                    poll.register(sock, select.POLLIN)
                elif not _says_again(held[fd]):
                    poll.unregister(fd)
                    held.pop(fd).close()


def _says_again(sock: socket.socket) -> bool:
    """Whether it goes on."""
    try:
        data = sock.recv(4096)
        sock.sendall(data)
    except OSError:
        return False
    return bool(data)


class Traffic(Protocol):
    """A client: whatever it began, and what became of it."""

    attempts: list[tuple[int, int]]

    def begin(self, now_ns: int) -> None: ...
    def wait(self, timeout_s: float) -> None:
        """For an answer, no longer than that."""

    def close(self) -> None: ...


def run(client: Traffic, every_ns: int) -> None:
    """Until SIGTERM."""
    is_over = False

    def end(number: int, frame: object) -> None:
        nonlocal is_over
        is_over = True

    signal.signal(signal.SIGTERM, end)
    next_ns = time.monotonic_ns()
    while not is_over:
        now_ns = time.monotonic_ns()
        if now_ns >= next_ns:
            client.begin(now_ns)
            next_ns = max(next_ns + every_ns, now_ns)
        client.wait(max(next_ns - time.monotonic_ns(), 0) / 1e9)
    client.close()


class Holder:
    def __init__(self, address: str, port: int, last: Path) -> None:
        self._where = (address, port)
        self._family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self._last = last
        self._sock: socket.socket | None = None
        self._sent: list[int] = []  # what has not come back
        self.attempts: list[tuple[int, int]] = []

    def begin(self, now_ns: int) -> None:
        try:
            if self._sock is None:
                self._sock = socket.socket(self._family, socket.SOCK_STREAM)
                self._sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self._sock.settimeout(_GIVEN_UP_NS / 1e9)
                self._sent.append(now_ns)
                self._sock.connect(self._where)
                self._sock.setblocking(False)
                self._sock.send(b".")
            else:
                self._sent.append(now_ns)
                self._sock.send(b".")
        except BlockingIOError:
            self.attempts.append((self._sent.pop(), 0))
        except OSError:
            self._lose()

    def wait(self, timeout_s: float) -> None:
        if self._sock is None or not select.select([self._sock], [], [], timeout_s)[0]:
            time.sleep(timeout_s if self._sock is None else 0)
            return
        try:
            count = len(self._sock.recv(4096))
        except OSError:
            count = 0
        if not count:
            self._lose()
            return
        now_ns = time.monotonic_ns()
        self.attempts += [(sent_ns, now_ns) for sent_ns in self._sent[:count]]
        del self._sent[:count]
        self._last.touch()

    def _lose(self) -> None:
        self.attempts += [(sent_ns, 0) for sent_ns in self._sent]
        self._sent = []
        self.close()

    def close(self) -> None:
        if self._sock is not None:
            self._sock.close()
            self._sock = None


class Client:
    def __init__(self, address: str, port: int) -> None:
        self._where = (address, port)
        self._family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self._poll = select.poll()
        self._open: dict[int, tuple[socket.socket, int]] = {}
        self.attempts: list[tuple[int, int]] = []

    def begin(self, now_ns: int) -> None:
        sock = socket.socket(self._family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self._open[sock.fileno()] = sock, now_ns
        try:
            sock.connect(self._where)
        except BlockingIOError:
            self._poll.register(sock, select.POLLOUT)
        except OSError:
            self._end(sock.fileno(), 0)

    def wait(self, timeout_s: float) -> None:
        for fd, _ in self._poll.poll(timeout_s * 1000):
            is_refused = self._open[fd][0].getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            self._end(fd, 0 if is_refused else time.monotonic_ns())
        given_up_ns = time.monotonic_ns() - _GIVEN_UP_NS
        for fd, (_, began_ns) in list(self._open.items()):
            if began_ns >= given_up_ns:
                break
            self._end(fd, 0)

    def close(self) -> None:
        for fd in list(self._open):
            self._end(fd, 0)

    def _end(self, fd: int, accepted_ns: int) -> None:
        sock, began_ns = self._open.pop(fd)
        with contextlib.suppress(KeyError):
            self._poll.unregister(fd)
        sock.close()
        self.attempts.append((began_ns, accepted_ns))


def main() -> None:
    what, *rest = sys.argv[1:]
    if what == "serve":
        serve(int(rest[0]))
    address, port, every_ms, file = rest
    client: Traffic = Client(address, int(port))
    if what == "hold":
        client = Holder(address, int(port), Path(f"{file}.last"))
    run(client, int(float(every_ms) * 1e6))
    Path(file).write_text("".join(f"{began} {accepted}\n" for began, accepted in sorted(client.attempts)))


if __name__ == "__main__":
    main()
