"""Random faults on a target that must not run twice: python -m tests.system.strict --faults 1000 --seed 1

Three booted hosts with the package, in quorum mode and with target.exclusive. Their target wants two units: one that ends when
it is told to, at once or a second later, and one that ignores SIGTERM, as its child does. Faults strike at random moments, two
of them at one time at most. The judge is outside of all of that: it reads the hosts' control groups all the time, and a process
of a unit on two hosts at one instant is one too many. Each unit has a lock in one file, too, for what falls between two looks.
As root; exits 3 with what was wrong, and leaves the hosts' journals."""

import argparse
import itertools
import os
import random
import signal
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from tests.system import cluster, images, only_one
from tests.system.lab import Host, everywhere, until

CONFIG = """
[quorum]
voters = ["box1", "box2", "box3"]
[target]
exclusive = true
"""
FAST = '[timing]\nprofile = "fast"\n'
_AT_ONCE = 2
_PAUSE_S = (0.3, 4.3)
_LASTS_S = (0.05, 4.0)
_LOOK_S = 0.004
_STUBBORN = """
[Unit]
Description=Ignores SIGTERM, and So Does Its Child

[Service]
ExecStart=/usr/local/bin/stubborn %H
TimeoutStopSec=2

[Install]
WantedBy=kingd-leader.target
"""
_PROGRAM = """#!/bin/sh
trap "" TERM
exec 9>>/shared/stubborn
flock --nonblock 9 || echo "$1: stubborn" >>/shared/broken
sleep infinity & exec sleep infinity
"""
UNITS = ("only-one.service", "stubborn.service")
_CUTS = """
table bridge faults {
    set mute { type ifname; }
    set deaf { type ifname; }
    chain forward {
        type filter hook forward priority 0;
        iifname @mute drop
        oifname @deaf drop
    }
}
"""


class Observer:
    """Which host has a process of the units, by the kernel's word alone."""

    def __init__(self, hosts: Sequence[Host]) -> None:
        self._thread = threading.Thread(target=self._look_on)
        self._hosts = hosts
        self._ended = threading.Event()
        self._shared = hosts[0].lab.shared
        self._last_ns: dict[Host, int] = {}  # when it was seen there last
        self._at: Host | None = None
        self.runner: Host | None = None
        self.looks = self.starts = self.moves = 0
        self.apart_s = 0.0  # two looks, at most
        self.nearest_s = float("inf")  # from the last process on one host to the first on another
        self.overlaps: list[str] = []

    def __enter__(self) -> "Observer":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _look_on(self) -> None:
        before_ns = time.monotonic_ns()
        while not self._ended.wait(_LOOK_S):
            began_ns = time.monotonic_ns()
            self.apart_s = max(self.apart_s, (began_ns - before_ns) / 1e9)
            before_ns = began_ns
            self._look(began_ns)

    def _look(self, now_ns: int) -> None:
        self.looks += 1
        found = {host: pids for host in self._hosts if (pids := _pids(host))}
        first = next(iter(found), None)
        if first is not None and len(found) > 1 and found[first] & _pids(first):  # while the next one was looked at
            self.overlaps.append(f"{now_ns}: {found}")
        if first is not None and self.runner is None:
            self._note_start(first, now_ns)
        self.runner = first
        self._last_ns.update(dict.fromkeys(found, now_ns))

    def _note_start(self, host: Host, now_ns: int) -> None:
        self.starts += 1
        self.moves += self._at not in (None, host)
        self._at = host
        others = [at_ns for other, at_ns in self._last_ns.items() if other is not host]
        self.nearest_s = min([self.nearest_s, *((now_ns - at_ns) / 1e9 for at_ns in others)])

    def wrong(self) -> list[str]:
        """By the locks, too."""
        assert self._thread.is_alive()
        broken = self._shared / "broken"
        locked = broken.read_text().splitlines() if broken.exists() else []
        taken = [f"{note.host}: only-one" for note in only_one.notes(self._hosts[0].lab) if note.what == "OVERLAP"]
        return self.overlaps + locked + taken

    def __str__(self) -> str:
        looks = f"{self.looks} looks, {self.apart_s * 1000:.0f} ms apart at most"
        starts = f"the units started {self.starts} times, {self.moves} on another host than before"
        return f"{starts}, {self.nearest_s:.2f} s after its last process at the nearest; {looks}"


def _pids(host: Host) -> set[int]:
    return {pid for unit in UNITS for pid in host.pids(unit)}


class Faults:
    """Each lasts for so long, and is over when its function returns: whether there was anything to strike."""

    def __init__(self, hosts: Sequence[Host], observer: Observer, rng: random.Random) -> None:
        self._hosts, self._observer, self._rng = hosts, observer, rng
        self._lab = hosts[0].lab
        self.kinds: dict[str, Callable[[Host, float], bool]] = {
            "kingd is stopped": _stop,
            "kingd is restarted": lambda host, _: _done(host, "systemctl restart kingd"),
            "step-down": lambda host, _: _done(host, "kingctl step-down --for 1s --timeout 20s"),
            "kingd is killed": lambda host, _: _kill(_kingd(host)),
            "guardian is killed": lambda host, _: _kill(_guardian(host)),
            "helper is killed": lambda host, _: _kill(_helper(host)),
            "kingd and helper are killed": lambda host, _: _kill(_kingd(host) + _helper(host)),
            "kingd hangs": lambda host, for_s: _hang(_kingd(host), for_s),
            "helper hangs": lambda host, for_s: _hang(_helper(host), for_s),
            "cut": lambda host, for_s: self._cut(host, for_s, "mute", "deaf"),
            "cut, and helper hangs": self._cut_and_hang,
            "nothing leaves it": lambda host, for_s: self._cut(host, for_s, "mute"),
            "nothing arrives": lambda host, for_s: self._cut(host, for_s, "deaf"),
        }
        self.done: Counter[str] = Counter()
        self.at_runner = 0  # how many struck the host that ran the units
        self._slots = threading.Semaphore(_AT_ONCE)
        self._wires = {host: threading.Lock() for host in hosts}
        self._lab.run("nft", _CUTS)

    def strike(self, pool: ThreadPoolExecutor) -> None:
        """One more, as soon as there is room for it."""
        self._slots.acquire()
        only_one.ends_after(self._lab, self._rng.choice((0.0, 0.3, 1.0)))
        kind = self._rng.choice(list(self.kinds))
        runner = self._observer.runner
        host = self._rng.choice([*([runner] * 3 if runner else []), *self._hosts])
        future = pool.submit(self.kinds[kind], host, self._rng.uniform(*_LASTS_S))
        future.add_done_callback(lambda future: self._over(kind, future, at_runner=host is runner))
        time.sleep(self._rng.uniform(*_PAUSE_S))

    def _over(self, kind: str, future: "Future[bool]", *, at_runner: bool) -> None:
        self._slots.release()
        self.done[kind] += future.result()
        self.at_runner += at_runner and future.result()

    def _cut(self, host: Host, for_s: float, *ways: str) -> bool:
        """Its link stays up."""
        with self._wires[host]:
            for word, wait_s in (("add", for_s), ("delete", 0.0)):
                for way in ways:
                    self._lab.run("nft", f"{word} element bridge faults {way} {{ vb-{host.name} }}")
                time.sleep(wait_s)
        return True

    def _cut_and_hang(self, host: Host, for_s: float) -> bool:
        with ThreadPoolExecutor(1) as pool:
            cut = pool.submit(self._cut, host, for_s, "mute", "deaf")
            is_struck = _hang(_helper(host), for_s)
            return cut.result() and is_struck


def _done(host: Host, command: str) -> bool:
    return host.attempt(command).returncode == 0


def _stop(host: Host, for_s: float) -> bool:
    host.attempt("systemctl stop kingd")
    time.sleep(for_s)
    host.attempt("systemctl start kingd")
    return True


def _kingd(host: Host) -> list[int]:
    return [pid for pid in host.pids("kingd.service") if _read(pid, "comm") != "kingd: guardian\n"]


def _guardian(host: Host) -> list[int]:
    return [pid for pid in host.pids("kingd.service") if _read(pid, "comm") == "kingd: guardian\n"]


def _helper(host: Host) -> list[int]:
    """Neither a systemctl of its own, nor what comes after its end."""
    return [pid for pid in host.pids("kingd-leader.service") if _read(pid, "cmdline").endswith("/leader-target\0")]


def _read(pid: int, name: str) -> str:
    try:
        return Path(f"/proc/{pid}/{name}").read_text()
    except OSError:
        return ""


def _kill(pids: Sequence[int]) -> bool:
    return bool([pid for pid in pids if _signal(pid, signal.SIGKILL)])


def _signal(pid: int, number: signal.Signals) -> bool:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return False
    return True


def _hang(pids: Sequence[int], for_s: float) -> bool:
    try:
        handles = [os.pidfd_open(pid) for pid in pids]
    except ProcessLookupError:
        return False
    for number, wait_s in ((signal.SIGSTOP, for_s), (signal.SIGCONT, 0.0)):
        for handle in handles:
            try:
                signal.pidfd_send_signal(handle, number)
            except ProcessLookupError:  # the watchdog was quicker
                continue
        time.sleep(wait_s)
    for handle in handles:
        os.close(handle)
    return bool(handles)


def put(hosts: Sequence[Host]) -> None:
    """The unit that ignores SIGTERM, beside the one that they have."""
    for host in hosts:
        host.write("/etc/systemd/system/stubborn.service", _STUBBORN)
        host.write("/usr/local/bin/stubborn", _PROGRAM, mode=0o755)
        host.run("systemctl daemon-reload; systemctl enable --quiet stubborn")


def strike_all(hosts: list[Host], *, rng: random.Random, goes_on: Callable[[Faults], bool]) -> list[str]:
    """What was wrong, after the faults; told each 50 of them. All runs again at the end."""
    with Observer(hosts) as observer:
        faults = Faults(hosts, observer, rng)
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            for number in itertools.count(1):
                faults.strike(pool)
                if number % 50 == 0:
                    _tell(faults, observer)
                if observer.wrong() or not goes_on(faults):
                    break
        everywhere(hosts, lambda host: host.run("systemctl start kingd"))
        until(lambda: observer.runner and all(map(observer.runner.pids, UNITS)), "the units run again")
        _tell(faults, observer)
        sys.stdout.write("".join(f"{number:5} {kind}\n" for kind, number in sorted(faults.done.items())))
        return observer.wrong()


def _tell(faults: Faults, observer: Observer) -> None:
    struck = f"{faults.done.total()} faults, {faults.at_runner} of them where the units ran"
    told = f"{struck}; {observer}; two at one instant: {observer.wrong() or 'never'}"
    sys.stdout.write(f"{told}\n")
    sys.stdout.flush()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--faults", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--config", default=CONFIG + FAST, help="TOML for all three")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        empty = Path(folder, "lab")
        empty.mkdir()
        with cluster.installed(images.build_packages(Path(folder)), empty, config=options.config) as hosts:
            put(hosts)
            only_one.runner(hosts)
            wrong = strike_all(
                hosts, rng=random.Random(options.seed), goes_on=lambda faults: faults.done.total() < options.faults
            )
            if wrong:  # the hosts are gone soon
                for host in hosts:
                    Path(f"strict-{host}.log").write_text(host.run("journalctl --no-pager --output=short-monotonic"))
    return 3 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
