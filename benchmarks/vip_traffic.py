"""The two ends of the traffic to a floating address, each a process in a namespace.

`python -m benchmarks.vip_traffic serve PORT`: accepts and closes, on all addresses.
`python -m benchmarks.vip_traffic connect ADDRESS PORT EVERY_MS FILE`: connects again and again until SIGTERM, then writes a
line for each attempt: when it began and when it was accepted (CLOCK_MONOTONIC, ns), 0 = it never was."""

import contextlib
import select
import signal
import socket
import struct
import sys
import time
from pathlib import Path

_GIVEN_UP_NS = 1_000_000_000
_RESET = struct.pack("ii", 1, 0)  # SO_LINGER: nothing is left in TIME_WAIT


def serve(port: int) -> None:
    with socket.create_server(("::", port), family=socket.AF_INET6, dualstack_ipv6=True, backlog=1024) as listener:
        while True:
            listener.accept()[0].close()


class Client:
    def __init__(self, address: str, port: int, every_ns: int) -> None:
        self._where = (address, port)
        self._family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self._every_ns = every_ns
        self._poll = select.poll()
        self._open: dict[int, tuple[socket.socket, int]] = {}
        self.attempts: list[tuple[int, int]] = []
        self.is_over = False

    def run(self) -> None:
        next_ns = time.monotonic_ns()
        while not self.is_over:
            now_ns = time.monotonic_ns()
            if now_ns >= next_ns:
                self._begin(now_ns)
                next_ns = max(next_ns + self._every_ns, now_ns)
            self._collect(max(next_ns - time.monotonic_ns(), 0) / 1e6)
        for fd in list(self._open):
            self._end(fd, 0)

    def _begin(self, now_ns: int) -> None:
        sock = socket.socket(self._family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self._open[sock.fileno()] = sock, now_ns
        try:
            sock.connect(self._where)
        except BlockingIOError:
            self._poll.register(sock, select.POLLOUT)
        except OSError:
            self._end(sock.fileno(), 0)

    def _collect(self, timeout_ms: float) -> None:
        for fd, _ in self._poll.poll(timeout_ms):
            is_refused = self._open[fd][0].getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            self._end(fd, 0 if is_refused else time.monotonic_ns())
        given_up_ns = time.monotonic_ns() - _GIVEN_UP_NS
        for fd, (_, began_ns) in list(self._open.items()):
            if began_ns >= given_up_ns:
                break
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
    client = Client(address, int(port), int(float(every_ms) * 1e6))

    def end(number: int, frame: object) -> None:
        client.is_over = True

    signal.signal(signal.SIGTERM, end)
    client.run()
    Path(file).write_text("".join(f"{began} {accepted}\n" for began, accepted in sorted(client.attempts)))


if __name__ == "__main__":
    main()
