"""A peer as a `System`: a program on each of three hosts that tells by a pipe who leads."""

from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.systems.process import Pipe, Process
from benchmarks.systems.system import Word
from tests.lan.host import Host
from tests.lan.network import Lan

Command = Callable[[Host, Path], Sequence[str]]
"""Of a host and the FIFO into which its program tells (which is its stdout too): what is run there."""

Reader = Callable[[Host, str], tuple[str | None] | None]
"""Of a host and a line that its program wrote: whom it calls leader, or None if the line is about something else."""


class Peer:
    everybody_tells: bool
    is_ranked: bool

    def __init__(
        self, lan: Lan, *, command: Command, read: Reader, beat_s: float, everybody_tells: bool, is_ranked: bool
    ) -> None:
        self.hosts = lan.ranked(3)
        self.everybody_tells, self.is_ranked, self.beat_s = everybody_tells, is_ranked, beat_s
        self.heard: list[Word] = []
        self._command, self._read = command, read
        self._running: dict[str, tuple[Process, Pipe]] = {}

    def start(self, host: Host) -> None:
        assert host.name not in self._running
        fifo = host.folder / "words"
        pipe = Pipe(fifo, self.heard, host.name, lambda line: self._read(host, line))
        self._running[host.name] = Process(host, self._command(host, fifo), output=pipe.writer), pipe

    def stop(self, host: Host) -> None:
        process, pipe = self._running.pop(host.name)
        process.stop()
        self._forget(host, pipe)

    def kill(self, host: Host) -> None:
        process, pipe = self._running.pop(host.name)
        process.kill()
        self._forget(host, pipe)

    def _forget(self, host: Host, pipe: Pipe) -> None:
        """What it said before is not what it says when it is back."""
        pipe.close()
        self.heard[:] = [word for word in self.heard if word.speaker != host.name]

    def pids(self, host: Host) -> list[int]:
        return self._running[host.name][0].pids

    def words(self, since_ns: int) -> list[Word]:
        return [word for word in list(self.heard) if word.at_ns > since_ns]

    def said(self, host: Host) -> str | None:
        own = [word for word in list(self.heard) if word.speaker == host.name]
        return own[-1].leader if own else None

    def close(self) -> None:
        for host in self.hosts:
            if host.name in self._running:
                self.kill(host)
