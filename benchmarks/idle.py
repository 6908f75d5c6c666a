"""What three hosts cost that have nothing to do: frames, bytes, processor, memory."""

import contextlib
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.bars import bar_of
from benchmarks.measured import Measured
from benchmarks.systems.kingd import Kingd
from benchmarks.systems.system import System, leader
from tests.lan.host import Host, until

_SETTLE_S, _IDLE_S = 3.0, 20.0


def idle(name: str, system: System, *, settle_s: float = _SETTLE_S, idle_s: float = _IDLE_S) -> list[Measured]:
    for host in system.hosts:
        system.start(host)
    found = until(lambda: leader(system, system.hosts), limit_s=60, what="a leader")
    time.sleep(settle_s)
    before, start_s = [_used(system, host) for host in system.hosts], time.monotonic()
    time.sleep(idle_s)
    after, passed_s = [_used(system, host) for host in system.hosts], time.monotonic() - start_s
    rates = [[(b - a) / passed_s for a, b in zip(*pair, strict=True)] for pair in zip(before, after, strict=True)]
    leads = [host.name == found for host in system.hosts]
    rows: list[Measured] = []

    def row(what: str, unit: str, values: Sequence[float]) -> None:
        rows.append(
            Measured(system=name, row=what, unit=unit, values=list(values), bar=bar_of(name, what), judged="max")
        )

    for is_leader, who in ((True, "leader"), (False, "follower")):
        chosen = [rate for rate, ours in zip(rates, leads, strict=True) if ours == is_leader]
        row(f"idle: frames sent, {who}", "/s", [frames for frames, _, _ in chosen])
        row(f"idle: bytes sent, {who}", "B/s", [sent for _, sent, _ in chosen])
        row(f"idle: processor, {who}", "%", [busy_ns / 1e7 for _, _, busy_ns in chosen])
    row("idle: frames sent, all three", "/s", [sum(frames for frames, _, _ in rates)])
    memory = [_memory_mib(system.pids(host)) for host in system.hosts]
    row("idle: RSS", "MiB", [rss for rss, _ in memory])
    row("idle: PSS", "MiB", [pss for _, pss in memory])
    if isinstance(system, Kingd):
        guardians = [_memory_mib([host.guardian]) for host in system.hosts]
        row("idle: guardian, RSS", "MiB", [rss for rss, _ in guardians])
        row("idle: guardian, PSS", "MiB", [pss for _, pss in guardians])
    return rows


def _used(system: System, host: Host) -> tuple[int, int, int]:
    """Frames and bytes that its interface has sent, and nanoseconds of processor that its processes have used."""
    frames, sent = host.namespace.inside(_sent)
    return frames, sent, sum(_busy_ns(pid) for pid in system.pids(host))


def _sent() -> tuple[int, int]:
    """All that left the interface: also ARP, neighbour discovery and group reports."""
    lines = Path("/proc/thread-self/net/dev").read_text(encoding="ascii").splitlines()
    fields = next(line for line in lines if line.strip().startswith("eth0:")).replace(":", " ").split()
    return int(fields[10]), int(fields[9])


def _busy_ns(pid: int) -> int:
    """Of all its threads."""
    return sum(
        int(file.read_text(encoding="ascii").split()[0]) for file in Path(f"/proc/{pid}/task").glob("*/schedstat")
    )


def _memory_mib(pids: Sequence[int]) -> tuple[float, float]:
    """RSS of the largest process (those of one program share most of it), and PSS of all."""
    rollups: list[str] = []
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):  # it has ended, and its parent has not asked after it yet
            rollups.append(Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii"))

    def of_each(name: str) -> list[float]:
        return [int(line.split()[1]) / 1024 for text in rollups for line in text.splitlines() if line.startswith(name)]

    return max(of_each("Rss:")), sum(of_each("Pss:"))
