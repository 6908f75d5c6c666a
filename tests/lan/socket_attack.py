"""Does to a control socket all that it offers to a user without rights, until it is killed: python3 socket_attack.py SOCKET

Started by root it becomes nobody, at nice 10, with a process a tactic. It asks nothing of our code: bytes and system calls
only, so that what the server does not expect can be sent, and that it runs on a host that has no more than Python.
"""

import os
import socket
import sys
import time
from collections.abc import Callable

_NOBODY = 65534

_OBJECTS = b'{"method":"org.kingd.Status","parameters":{"x":[' + b",".join([b"{}"] * 20000) + b"]}}\0"
_SMALL_OBJECTS = b'{"method":"org.kingd.Status","parameters":{"x":[' + b",".join([b"{}"] * 1300) + b"]}}\0"
_NESTED = b'{"method":"org.kingd.Status","parameters":' + b"[" * 4000 + b"\0"
_DIGITS = b'{"method":"org.kingd.SetPriority","parameters":{"priority":' + b"9" * 4000 + b"}}\0"
_WATCH = b'{"method":"org.kingd.Watch","more":true}\0'
_SURVEY = b'{"method":"org.kingd.Survey"}\0'
_READS = b"".join(b'{"method":"org.kingd.%s"}\0' % name for name in (b"Status", b"Members", b"History"))
_DESCRIBE = b'{"method":"org.varlink.service.GetInterfaceDescription","parameters":{"interface":"org.kingd"}}\0'
_CHANGES = b'{"method":"org.kingd.Reload"}\0{"method":"org.kingd.StepDown","parameters":{"for_ms":1}}\0'


class Crowd:
    """Connections that are opened again as soon as they are closed."""

    def __init__(self, path: str, count: int) -> None:
        self._path = path
        self._count = count
        self.open: list[socket.socket] = []

    def fill(self, first: bytes = b"") -> None:
        while len(self.open) < self._count:
            one = socket.socket(socket.AF_UNIX)
            one.setblocking(False)
            try:
                one.connect(self._path)
                if first:
                    one.send(first)
            except OSError:
                one.close()
                return
            self.open.append(one)

    def each(self, action: Callable[[socket.socket], object]) -> None:
        for one in list(self.open):
            try:
                action(one)
            except BlockingIOError:
                continue
            except OSError:
                self.open.remove(one)
                one.close()


def _says(path: str, what: bytes, *, count: int, reads: bool = True) -> None:
    crowd = Crowd(path, count)
    while True:
        crowd.fill()
        crowd.each(lambda one: one.send(what))
        if reads:
            crowd.each(_read)
        else:
            time.sleep(0.001)


def _read(one: socket.socket) -> None:
    if not one.recv(1 << 20):
        raise ConnectionResetError


def _watches_and_never_reads(path: str) -> None:
    crowd = Crowd(path, 80)
    while True:
        crowd.fill(_WATCH)
        crowd.each(lambda one: one.send(b""))  # fails for those that were closed
        time.sleep(0.002)


def _connects(path: str) -> None:
    """As fast as it can; the oldest of many are closed."""
    held: list[socket.socket] = []
    while True:
        one = socket.socket(socket.AF_UNIX)
        one.setblocking(False)
        try:
            one.connect(path)
        except OSError:
            one.close()
        else:
            held.append(one)
        if len(held) > 400:
            held.pop(0).close()


def _half_a_call(path: str) -> None:
    crowd = Crowd(path, 100)
    while True:
        crowd.fill(b'{"method":')
        crowd.each(lambda one: one.send(b" "))
        time.sleep(0.01)


TACTICS: dict[str, Callable[[str], None]] = {
    "big calls of small objects": lambda path: _says(path, _OBJECTS, count=100),
    "calls of small objects": lambda path: _says(path, _SMALL_OBJECTS, count=30),
    "deep nesting": lambda path: _says(path, _NESTED, count=30),
    "long numbers": lambda path: _says(path, _DIGITS, count=30),
    "surveys in a loop": lambda path: _says(path, _SURVEY, count=60),
    "reading calls": lambda path: _says(path, _READS + _DESCRIBE, count=30),
    "answers that are not read": lambda path: _says(path, _READS * 20, count=64, reads=False),
    "changes that it may not make": lambda path: _says(path, _CHANGES, count=10),
    "watchers that never read": _watches_and_never_reads,
    "connections": _connects,
    "half a call": _half_a_call,
}


def attack(path: str) -> None:
    """For ever, unless a tactic ends, which none should."""
    os.setgroups([])
    os.setgid(_NOBODY)
    os.setuid(_NOBODY)
    os.nice(10)
    for tactic in TACTICS.values():
        if os.fork() == 0:
            tactic(path)
    sys.exit(f"a tactic has ended: {os.wait()}")


if __name__ == "__main__":
    attack(sys.argv[1])
