"""What a host that has nothing to do does with its processor: `python -m benchmarks.turns`, as root.

Three daemons on a switch; in each, every call that its loop makes is timed on the processor's clock, and within those what the
core, the wire format and the sockets take of it. The timing itself costs some microseconds a call. Most of the rest is what a
program pays that wakes up ten times a second: its code and data have left the caches meanwhile. So how many calls a
heartbeat's step makes, and how long it takes where they have not, and where they surely have, is told too (simulated); and what
a Python takes that does nothing but to wake up so often, and one that sends a datagram each time."""

import argparse
import itertools
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

from kingd import __main__ as kingd_main
from kingd import loop
from kingd.core.effect import Effect, Multicast
from kingd.core.election import Core
from kingd.core.timing import SECOND
from kingd.core.wire.message import Heartbeat
from kingd.daemon import runtime
from kingd.daemon.service import ControlService
from kingd.net.sockets import OpenLink
from kingd.sim.cluster import Cluster
from kingd.sim.cluster import hosts as simulated_hosts
from tests.lan.host import until
from tests.lan.network import Lan

_SETTLE_S, _SECONDS = 5.0, 20.0
_CACHES = 64 << 20  # bytes: more than they hold
_FILE = "turns"
_BARE = """
import select, socket, sys, time
sends, seconds = int(sys.argv[1]), float(sys.argv[2])
sender, poll = socket.socket(socket.AF_INET, socket.SOCK_DGRAM), select.epoll()
sender.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton("127.0.0.1"))
began, busy = time.monotonic(), time.process_time()
for turn in range(1, int(seconds * 10)):
    poll.poll(max(0.0, began + turn / 10 - time.monotonic()))
    if sends:
        sender.sendto(bytes(190), ("239.192.75.68", 9))
print(f"{(time.process_time() - busy) / (time.monotonic() - began) * 100:.2f}")
"""
_INSIDE = "--inside"  # of this module: kingd with the arguments that follow, timed


class Account:
    """Microseconds of processor, by what took them."""

    def __init__(self) -> None:
        self.us: dict[str, list[float]] = {}

    def time(self, name: str, work: Callable[..., Any]) -> Callable[..., Any]:
        def timed(*args: Any, **named: Any) -> Any:
            began_ns = time.thread_time_ns()
            try:
                return work(*args, **named)
            finally:
                self.us.setdefault(name, []).append((time.thread_time_ns() - began_ns) / 1e3)

        return timed

    def lines(self, seconds: float) -> Iterator[str]:
        for name, us in sorted(self.us.items(), key=lambda found: -sum(found[1])):
            share = sum(us) / seconds / 1e4
            yield f"{name:52} {len(us) / seconds:6.1f} a second, {sum(us) / len(us):6.0f} us each, {share:5.3f} %"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.turns", description="What costs, at rest.")
    parser.parse_args()
    called, warm_us, cold_us = _step()
    print(
        f"a heartbeat's step of the core: {called:.0f} calls of functions, {warm_us:.0f} us where nothing else runs between, "
        f"{cold_us:.0f} us out of cold caches\n"
    )
    for sends in (False, True):
        print(
            f"a Python that wakes up ten times a second{' and sends' if sends else ''}: {_bare(sends=sends)} % of a processor"
        )
    with Lan() as lan:
        hosts = lan.ranked(3)
        for host in hosts:
            host.wrapper = [sys.executable, "-m", "benchmarks.turns", _INSIDE, str(host.folder / _FILE)]
            host.start()
        files = [host.folder / _FILE for host in hosts[:2]]
        until(lambda: all(file.exists() for file in files), limit_s=_SETTLE_S + 3 * _SECONDS, what="the accounts")
        for who, file in zip(("the leader", "a follower"), files, strict=True):
            print(f"{who}\n{file.read_text(encoding='utf-8')}")
    return 0


def _bare(*, sends: bool) -> str:
    command = [sys.executable, "-I", "-c", _BARE, str(int(sends)), str(_SECONDS)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def _step() -> tuple[float, float, float]:
    """Of a leader of three that does nothing but to beat, medians: how many calls it makes, and how many microseconds it takes,
    where nothing runs between, and where all caches hold something else."""
    cluster = Cluster(simulated_hosts(30, 20, 10), seed=1)
    cluster.start_all()
    cluster.run(5 * SECOND)
    other = bytes(_CACHES)
    warm_us = _each(cluster, time.thread_time_ns) / 1e3
    cold_us = _each(cluster, time.thread_time_ns, before=lambda: other.count(1)) / 1e3
    calls = itertools.count()
    sys.setprofile(lambda _frame, what, _: next(calls) if what == "call" else None)
    called = _each(cluster, calls.__next__) - 1  # a look is one more
    sys.setprofile(None)
    return called, warm_us, cold_us


def _each(cluster: Cluster, count: Callable[[], int], *, before: Callable[[], object] = lambda: None) -> float:
    """By how much `count` rises in a heartbeat's step."""
    rises: list[int] = []
    tick = Core.tick

    def counted(core: Core, *, now_us: int) -> list[Effect]:
        before()
        began = count()
        effects = tick(core, now_us=now_us)
        rise = count() - began
        if _beats(effects):
            rises.append(rise)
        return effects

    with patch.object(Core, "tick", counted):
        cluster.run(20 * SECOND)
    return statistics.median(rises)


def _beats(effects: list[Effect]) -> bool:
    return [type(each.datagram.body) for each in effects if isinstance(each, Multicast)] == [Heartbeat]


def _inside(file: Path) -> int:
    """Instead of kingd: the same, timed."""
    account = Account()
    for name in ("call_at", "call_later", "call_soon", "add_reader"):
        _time_works(account, name)
    for where, name in (
        (Core, "tick"), (Core, "receive"), (Core, "repeat"), (OpenLink, "send"), (ControlService, "stepped"),
        (runtime, "encode"), (runtime, "decode"),
    ):  # fmt: skip
        setattr(where, name, account.time(f"  {where.__name__.rpartition('.')[2]}.{name}", getattr(where, name)))
    threading.Thread(target=_account, args=(account, file), daemon=True).start()
    kingd_main.main()
    return 0


def _time_works(account: Account, name: str) -> None:
    """`name`: of a method of the loop, whose last argument is what it is to call."""
    method = getattr(loop.Loop, name)

    def call(self: loop.Loop, *args: Any) -> object:
        *others, work = args
        return method(self, *others, account.time(_name(work), work))

    setattr(loop.Loop, name, call)


def _name(work: Callable[..., Any]) -> str:
    """Of `partial(loop.every, 5.0, what)`: that of `what`."""
    while isinstance(work, partial):
        work = work.args[-1] if work.args and callable(work.args[-1]) else work.func
    return str(getattr(work, "__qualname__", work))


def _account(account: Account, file: Path) -> None:
    time.sleep(_SETTLE_S)
    account.us.clear()
    began_s, busy_s = time.monotonic(), time.process_time()
    time.sleep(_SECONDS)
    seconds = time.monotonic() - began_s
    share = (time.process_time() - busy_s) / seconds * 100
    whole = file.with_suffix(".part")
    whole.write_text(f"{share:.2f} % of a processor\n" + "\n".join(account.lines(seconds)) + "\n", encoding="utf-8")
    whole.rename(file)


if __name__ == "__main__":
    if sys.argv[1:2] == [_INSIDE]:
        target, sys.argv = Path(sys.argv[2]), sys.argv[3:]
        sys.exit(_inside(target))
    sys.exit(main())
