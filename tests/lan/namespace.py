"""A network namespace without a name: it lives while somebody holds it, so nothing is left behind however we end.

It is kept by a descriptor of this process, and a daemon started in it is ended by the kernel when this process ends
(`setpriv --pdeathsig`). What the tests do in it themselves they do in a short-lived thread that has entered it.
"""

import ctypes
import os
import subprocess
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")

_CLONE_NEWNET = 0x40000000
_LIMIT_S = 120.0  # the kernel makes no namespace while it clears away those of the tests before
_libc = ctypes.CDLL(None, use_errno=True)


class Namespace:
    def __init__(self) -> None:
        self._handle = _in_thread(_new)
        self.path = f"/proc/{os.getpid()}/fd/{self._handle}"
        self.ip("link set lo up")
        # No duplicate address detection, so that an IPv6 address is usable at once.
        self.sysctl("net/ipv6/conf/default/accept_dad", 0)

    def inside(self, work: Callable[[], T]) -> T:
        """The result of `work`, done by a thread in this namespace: a socket that it opens stays there."""

        def enter() -> T:
            _check(_libc.setns(self._handle, _CLONE_NEWNET))
            return work()

        return _in_thread(enter)

    def run(self, *command: str, stdin: str = "") -> str:
        """stdout; what the program says on stderr is in the error if it fails."""

        def start() -> str:
            done = subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=_LIMIT_S, check=False)
            assert done.returncode == 0, f"{' '.join(command)}: {done.stderr}{stdin}"
            return done.stdout

        return self.inside(start)

    def ip(self, *lines: str) -> None:
        self.run("ip", "-batch", "-", stdin="\n".join(lines))

    def nft(self, *lines: str) -> None:
        self.run("nft", "-f", "-", stdin="\n".join(lines))

    def sysctl(self, key: str, value: object) -> None:
        self.inside(lambda: Path("/proc/sys", key).write_text(str(value), encoding="ascii"))

    def command(self, *command: str) -> Sequence[str]:
        """For a process that is to stay: it runs in the namespace and ends with the thread that starts it."""
        return ["setpriv", "--pdeathsig", "KILL", "nsenter", f"--net={self.path}", *command]

    def close(self) -> None:
        os.close(self._handle)


def _new() -> int:
    _check(_libc.unshare(_CLONE_NEWNET))
    return os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)


def _check(result: int) -> None:
    if result:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def _in_thread(work: Callable[[], T]) -> T:
    results: list[T] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            results.append(work())
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if errors:
        raise errors[0]
    return results[0]
