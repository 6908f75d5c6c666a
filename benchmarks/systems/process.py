"""A program of a peer in a host's namespace, and a pipe by which it tells what happens."""

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.systems.system import Word
from tests.lan.host import Host

_LIMIT_S = 30.0


class Process:
    def __init__(self, host: Host, command: Sequence[str], *, output: int) -> None:
        """`output`: a descriptor for its stdout and stderr. Call it from the main thread: the program ends with the thread
        that started it."""
        self._popen = subprocess.Popen(
            host.namespace.command("setsid", *command),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd=host.folder,
        )  # a session of its own, as a service has: the kernel shares the processor among them (sched(7), autogroup)

    @property
    def pids(self) -> list[int]:
        return with_descendants(self._popen.pid)

    def stop(self) -> None:
        everybody = self.pids
        self._popen.send_signal(signal.SIGTERM)
        try:
            self._popen.wait(_LIMIT_S)
        except subprocess.TimeoutExpired:
            _kill(everybody)
            self._popen.wait()
            raise

    def kill(self) -> None:
        _kill(self.pids)
        self._popen.wait()


def with_descendants(pid: int) -> list[int]:
    found = [pid]
    for parent in found:
        for task in Path(f"/proc/{parent}/task").glob("*/children"):
            found += [int(child) for child in task.read_text(encoding="ascii").split()]
    return found


def _kill(pids: Sequence[int]) -> None:
    for pid in reversed(pids):  # a child first: one that outlives its parent may still say goodbye
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue  # it ended with its parent


class Pipe:
    """Lines that a program writes into a FIFO become words, stamped when they are read."""

    def __init__(
        self, path: Path, heard: list[Word], speaker: str, parse: Callable[[str], tuple[str | None] | None]
    ) -> None:
        """`parse` makes of a line whom it calls leader, in a tuple, or None if the line is about something else."""
        path.unlink(missing_ok=True)
        os.mkfifo(path)
        self._end = os.open(path, os.O_RDONLY | os.O_NONBLOCK)  # does not wait for a writer
        os.set_blocking(self._end, True)
        self.writer = os.open(path, os.O_WRONLY)
        self._heard, self._speaker, self._parse = heard, speaker, parse
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def _read(self) -> None:
        rest = b""
        while data := os.read(self._end, 65536):
            now_ns = time.monotonic_ns()
            *lines, rest = (rest + data).split(b"\n")
            for line in lines:
                if (found := self._parse(line.decode(errors="replace"))) is not None:
                    self._heard.append(Word(now_ns, self._speaker, found[0]))

    def close(self) -> None:
        """Once the program has ended: nobody else may write."""
        os.close(self.writer)
        self._thread.join()
        os.close(self._end)
