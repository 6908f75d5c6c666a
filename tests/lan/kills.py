"""`python -m tests.lan.kills --count 1000`: what acts on leadership is killed or stopped, and nothing is left behind.

On each of three hosts: kingd with its guardian, kingd-vip with two addresses, the hooks runner, and a `kingctl run --wait` that
is started again when it has ended. One or several of them at once are killed (kingd, guardian and kingd-vip are stopped, too)
on a host that is drawn each time. 4 s later no host that does not lead may have an address, a process of a run or of a hook,
and when all run again exactly the leader has them. As root; exits 1 with what was wrong."""

import argparse
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from tests.lan.contained import contained
from tests.lan.host import Host, until
from tests.lan.network import Lan
from tests.lan.vip import V4, V6, Vip, addresses

_GONE_S = 4.0
_LIMIT_S = 60.0
_KINDS = ("kingd", "guardian", "kingd-vip", "run", "hooks")
_STOPPED = ("kingd", "guardian", "kingd-vip")  # the others only die: what a stopped one runs, runs on
_HOOK = """#!/bin/sh
[ "$KINGD_EVENT" = elected ] || exit 0
setsid sleep {mark} &
sleep 2.5
"""
_RUN = "setsid sleep {mark} & exec sleep {mark}"


class Actor:
    """One host, and all on it that acts because it leads. What a run or a hook has started sleeps for a number of seconds that
    nobody else does."""

    def __init__(self, host: Host, number: int) -> None:
        self.host, self.vip = host, Vip(host)
        self._marks = {"run": f"100{number}.5", "hook": f"200{number}.5"}
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._stopped: list[int] = []
        folder = host.folder / "hooks.d"
        folder.mkdir(mode=0o755)
        hook = folder / "10-elected"
        hook.write_text(_HOOK.format(mark=self._marks["hook"]))
        hook.chmod(0o755)
        host.config.write_text(f'[hooks]\ndir = "{folder}"\ntimeout = "10s"\n')

    def start(self) -> None:
        """Whatever does not run."""
        if not self.host.is_running:
            self.host.start()
        if not self.vip.is_running:
            self.vip.start(is_ready=False)
        run = ["run", "--wait", "--", "sh", "-c", _RUN.format(mark=self._marks["run"])]
        self._keep("run", sys.executable, "-m", "kingd.cli", "--socket", str(self.host.socket), *run)
        # Its end takes along what is in its unit; here a process namespace stands for that.
        alone = ("unshare", "--pid", "--fork", "--kill-child", "--mount-proc")
        state = self.host.folder / "hooks"
        state.mkdir(exist_ok=True)
        files = (f"--config={self.host.config}", f"--socket={self.host.socket}", f"--state-dir={state}")
        self._keep("hooks", *alone, sys.executable, "-m", "kingd.hooks", *files)

    def _keep(self, name: str, *command: str) -> None:
        process = self._processes.get(name)
        if process is None or process.poll() is not None:
            with (self.host.folder / f"{name}.log").open("ab") as log:
                self._processes[name] = subprocess.Popen(
                    command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
                )

    def strike(self, kinds: Sequence[str], number: signal.Signals, rng: random.Random) -> None:
        targets = [pid for kind in kinds if (pid := self._pid(kind, rng))]
        for pid in targets:
            with suppress(ProcessLookupError):
                os.kill(pid, number)
        if number is signal.SIGSTOP:
            self._stopped = targets
            return
        if "kingd" in kinds:
            self.host.exit_code()
        if "kingd-vip" in kinds:
            self.vip.exit_code()

    def _pid(self, kind: str, rng: random.Random) -> int:
        if kind == "kingd":
            return self.host.pid
        if kind == "guardian":
            return self.host.guardian
        if kind == "kingd-vip":
            return self.vip.pid
        process = self._processes[kind]
        inside = _children(process.pid)  # while it waits to lead, a run has no second process
        if kind == "hooks":
            return inside[0] if inside else 0
        return rng.choice([process.pid, *inside[:1]])

    def mend(self, kinds: Sequence[str]) -> None:
        """A daemon without its guardian ends by itself, or is ended here."""
        if self._stopped:
            self.host.kill()
            self.vip.kill()
        for pid in self._stopped:  # a guardian that hears nothing
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._stopped = []
        if self.host.is_running and "guardian" in kinds:
            self.host.kill()

    def holds(self) -> Counter[str]:
        asleep = sleepers()
        found = Counter({name: asleep[mark] for name, mark in self._marks.items()})
        found["address"] = len(addresses(self.host).keys() & {V4, V6})
        return +found


def _children(pid: int) -> list[int]:
    with suppress(OSError):
        return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return []


def sleepers() -> Counter[str]:
    """How many sleep for so long."""
    found: Counter[str] = Counter()
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            name, _, seconds = (folder / "cmdline").read_bytes().decode().rstrip("\0").partition("\0")
            if name == "sleep":
                found[seconds] += 1
    return found


def leaders(actors: Sequence[Actor]) -> set[str]:
    return {each.host.name for each in actors if each.host.is_running and each.host.role() == "leader"}


def left(actors: Sequence[Actor], deaf: Actor | None) -> set[str]:
    """What is on a host that does not lead, nor led a moment before; `deaf`: who cannot be asked."""
    found = {f"{each.host.name}: {what}" for each in actors for what in each.holds()}
    time.sleep(0.1)
    leading = leaders([each for each in actors if each is not deaf])
    return {each for each in found if each.partition(":")[0] not in leading}


def is_well(actors: Sequence[Actor]) -> bool:
    for each in actors:
        each.start()
    leading = leaders(actors)
    if len(leading) != 1 or not all(each.host.role() for each in actors):
        return False
    wanted = Counter({"address": 2, "run": 2})
    return all(
        each.holds() - Counter(hook=9) == (wanted if each.host.name in leading else Counter()) for each in actors
    )


def run(lan: Lan, count: int, rng: random.Random, tell: Callable[[str], None]) -> list[str]:
    """What was wrong."""
    actors = [Actor(host, number) for number, host in enumerate(lan.ranked(3))]
    struck: Counter[str] = Counter()
    for number in range(count):
        until(lambda: is_well(actors), limit_s=_LIMIT_S, what=lambda: f"all to be well: {_summary(actors)}")
        led = [each for each in actors if each.host.role() == "leader"]
        actor = rng.choice([*led, *led, *actors])
        how = rng.choice([signal.SIGKILL, signal.SIGKILL, signal.SIGSTOP])
        possible = _STOPPED if how is signal.SIGSTOP else _KINDS
        kinds = rng.sample(possible, rng.randrange(1, len(possible) + 1))
        actor.strike(kinds, how, rng)
        time.sleep(_GONE_S)
        deaf = actor if how is signal.SIGSTOP and "kingd" in kinds else None
        wrong = left(actors, deaf)
        if wrong and (wrong := wrong & left(actors, deaf)):  # twice: leadership may just move
            return [f"{number}: {how.name} of {kinds} on {actor.host.name}: still {wrong}; {_summary(actors)}"]
        actor.mend(kinds)
        struck[f"{how.name} of {len(kinds)}"] += 1
        if number % 50 == 49 or number + 1 == count:
            tell(f"{number + 1} faults, nothing was left: {dict(struck)}")
    return []


def _summary(actors: Sequence[Actor]) -> list[str]:
    return [f"{each.host.summary()} has {dict(each.holds())}" for each in actors]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.lan.kills")
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()

    def tell(line: str) -> None:
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()

    def work() -> int:
        with Lan() as lan:
            wrong = run(lan, options.count, random.Random(options.seed), tell)
        for line in wrong:
            tell(line)
        return 1 if wrong else 0

    return contained(work)


if __name__ == "__main__":
    sys.exit(main())
