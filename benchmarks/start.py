"""From exec to the first datagram, beside a Python that does nothing: their ratio holds on any machine.

On loopback, with a cluster, a port and a folder of its own, and no configuration; whoever listens here is in the group
before the daemon starts."""

import os
import socket
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.bars import bar_of
from benchmarks.measured import Measured
from kingd.config import Config

_PASS, _FIRST = "python3 -I -c pass", "exec to the first datagram"
_GROUP = Config().network.group4
_PATIENCE_S = 10.0


def start(trials: int) -> list[Measured]:
    """In turns, so that whatever else the machine does hits both."""
    values: dict[str, list[float]] = {_PASS: [], _FIRST: []}
    for _ in range(trials):
        values[_PASS].append(_pass_ms())
        values[_FIRST].append(_first_ms())
    rows = [Measured(system="start", row=row, unit="ms", values=ms) for row, ms in values.items()]
    python = rows[0].value
    multiples = [ms / python for ms in values[_FIRST]]
    row = f"{_FIRST}, in {_PASS}"
    return [*rows, Measured(system="start", row=row, unit="x", values=multiples, bar=bar_of("start", row))]


def _pass_ms() -> float:
    began = time.perf_counter()
    subprocess.run([sys.executable, "-I", "-c", "pass"], check=True)
    return (time.perf_counter() - began) * 1e3


def _first_ms() -> float:
    command = Path(sys.executable).with_name("kingd")
    with tempfile.TemporaryDirectory() as folder, _group() as (ear, port):
        words = ["--cluster", f"bench-{os.getpid()}", "--interface", "lo", "--port", str(port)]
        words += ["--state-dir", folder, "--socket", f"{folder}/control.sock"]
        began = time.perf_counter()
        daemon = subprocess.Popen([str(command), *words], stderr=subprocess.DEVNULL)
        try:
            ear.recv(2048)
            return (time.perf_counter() - began) * 1e3
        finally:
            daemon.kill()
            daemon.wait()


@contextmanager
def _group() -> Iterator[tuple[socket.socket, int]]:
    """An ear in the group on loopback, at a free port, which the daemon gets, too: the ear is bound to the group's address."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ear:
        ear.settimeout(_PATIENCE_S)
        ear.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        ear.bind((_GROUP, 0))
        loopback = struct.pack("4s4s", socket.inet_aton(_GROUP), socket.inet_aton("127.0.0.1"))
        ear.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, loopback)
        yield ear, ear.getsockname()[1]
