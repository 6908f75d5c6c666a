"""What a daemon costs in a cluster of three that has nothing to do: memory, processor, packets."""

import os
import time
from pathlib import Path

from benchmarks.measured import Measured
from tests.lan.host import Host
from tests.lan.network import Lan

_IDLE_S = 20.0
_TICKS = os.sysconf("SC_CLK_TCK")


def three_nodes() -> list[Measured]:
    with Lan() as lan:
        hosts = lan.trio()
        time.sleep(2)  # the start is over
        packets, ticks, start = _packets(hosts), _ticks(hosts), time.monotonic()
        time.sleep(_IDLE_S)
        passed_s = time.monotonic() - start
        sent = [(after - before) / passed_s for before, after in zip(packets, _packets(hosts), strict=True)]
        busy = [(after - before) / _TICKS / passed_s * 100 for before, after in zip(ticks, _ticks(hosts), strict=True)]
        memory = [host.memory for host in hosts]
    return [
        Measured(what="daemon, RSS", unit="MiB", values=[of["Rss"] / 1024 for of in memory], bar=24, judged="max"),
        Measured(what="daemon, PSS", unit="MiB", values=[of["Pss"] / 1024 for of in memory]),
        Measured(what="daemon, idle, of one processor", unit="%", values=busy),
        Measured(what="packets of a host, idle, in and out", unit="/s", values=sent),
    ]


def _packets(hosts: tuple[Host, ...]) -> list[int]:
    """All that passed the interface: also ARP, neighbour discovery and group reports."""
    return [sum(host.namespace.inside(_of_this_namespace)) for host in hosts]


def _of_this_namespace() -> tuple[int, int]:
    lines = Path("/proc/thread-self/net/dev").read_text(encoding="ascii").splitlines()
    fields = next(line for line in lines if line.strip().startswith("eth0:")).split()
    return int(fields[2]), int(fields[10])


def _ticks(hosts: tuple[Host, ...]) -> list[int]:
    """Of the processor, in user and in kernel mode."""
    stats = [Path(f"/proc/{host.pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split() for host in hosts]
    return [int(stat[11]) + int(stat[12]) for stat in stats]
