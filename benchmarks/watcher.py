"""What a death costs who only waits for it: a program with a pidfd (pidfd_open(2)), and one datagram to another host.

Nobody tells it sooner without being the kernel. So kingd's own time from SIGKILL to `elected`, in the same networks and in the
same run, is told as a multiple of it. What dies there is a `sleep`, which has next to no memory; the kernel tells of a death
when it has taken the memory back, and how long that takes of a kingd is a row of its own."""

import contextlib
import os
import select
import signal
import subprocess
import sys
import time
from typing import IO

from benchmarks import trials
from benchmarks.bars import bar_of
from benchmarks.measured import Measured
from benchmarks.systems.catalogue import SYSTEMS
from benchmarks.systems.system import System, leader
from tests.lan.host import Host, until
from tests.lan.network import Lan

BARE, MULTIPLE = "SIGKILL, until a watcher's datagram is there", "SIGKILL, in a bare watcher's"
DEATH = "SIGKILL, until the kernel tells of the death"
_PORT = 54321
_READY = b"ready\n"
_PATIENCE_S = 10.0
_SETTLED_S = 0.05  # both sleep by then, as those do who wait for a death
_EAR = """
import socket, sys, time
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ear:
    ear.settimeout(10)
    ear.bind(("", int(sys.argv[1])))
    print("ready", flush=True)
    ear.recv(16)
    print(time.monotonic_ns(), flush=True)
"""
_WATCHER = """
import os, select, socket, sys
pid, address, port = int(sys.argv[1]), sys.argv[2], int(sys.argv[3])
death = os.pidfd_open(pid)
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as mouth:
    mouth.connect((address, port))
    print("ready", flush=True)
    select.select([death], [], [], 10)
    mouth.send(b"dead")
"""


def watcher(count: int) -> list[Measured]:
    """Half of its trials before those of kingd, half after them: whatever else the machine does hits both."""
    with Lan() as lan:
        system = SYSTEMS["kingd"](lan)
        try:
            here, there, *_ = system.hosts
            bare = [_bare_ms(here, there) for _ in range(count // 2)]
            killed = trials.kill(lan, system, count)["SIGKILL"]
            deaths = [_death_ms(system) for _ in range(count)]
            bare += [_bare_ms(here, there) for _ in range(count - count // 2)]
        finally:
            system.close()
    one = Measured(system="watcher", row=BARE, unit="ms", values=bare)
    multiples = [ms / one.value for ms in killed]
    return [
        one,
        Measured(system="kingd", row=DEATH, unit="ms", values=deaths),
        Measured(system="kingd", row=MULTIPLE, unit="x", values=multiples, bar=bar_of("kingd", MULTIPLE)),
    ]


def _death_ms(system: System) -> float:
    """Of the lowest in rank, so that nobody is elected."""
    host = system.hosts[-1]
    death = os.pidfd_open(host.pid)
    try:
        time.sleep(_SETTLED_S)
        start_ns = time.monotonic_ns()
        os.kill(host.pid, signal.SIGKILL)
        select.select([death], [], [], _PATIENCE_S)
        return (time.monotonic_ns() - start_ns) / 1e6
    finally:
        os.close(death)
        system.kill(host)
        system.start(host)
        until(lambda: leader(system, system.hosts), limit_s=_PATIENCE_S, what="a leader")


def _bare_ms(here: Host, there: Host) -> float:
    with contextlib.ExitStack() as stack:
        victim = _started(stack, here, "sleep", "60")
        ear = _python(stack, there, _EAR, str(_PORT))
        _python(stack, here, _WATCHER, str(victim.pid), there.address, str(_PORT))
        time.sleep(_SETTLED_S)
        start_ns = time.monotonic_ns()
        os.kill(victim.pid, signal.SIGKILL)
        return (int(ear.readline()) - start_ns) / 1e6


def _started(stack: contextlib.ExitStack, host: Host, *command: str) -> subprocess.Popen[bytes]:
    """It is killed at the end."""
    process = subprocess.Popen(host.namespace.command(*command), stdout=subprocess.PIPE)
    stack.enter_context(process)
    stack.callback(process.kill)
    return process


def _python(stack: contextlib.ExitStack, host: Host, program: str, *words: str) -> IO[bytes]:
    """What it says, once it waits."""
    says = _started(stack, host, sys.executable, "-I", "-c", program, *words).stdout
    assert says is not None
    line = says.readline()
    assert line == _READY, line
    return says
