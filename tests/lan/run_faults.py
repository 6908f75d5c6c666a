"""Random faults on hosts that each wait to lead and then run a command: python -m tests.lan.run_faults --count 1000 --seed 1

In quorum mode no two of them run theirs at one instant, whatever is done to kingd, to the network and to `kingctl run`. The
judge is outside of all of that: a lock in one file that every command takes as its first act, and that is free again when its
last process has ended, and the times (CLOCK_BOOTTIME) at which each process noted that it lives."""

import argparse
import os
import random
import shutil
import signal
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.cli.runs import LIMIT_S, Run, Witness, lives, until
from tests.lan.contained import contained
from tests.lan.control import ask
from tests.lan.host import Host
from tests.lan.network import Lan

# What holds the lock is whoever has file 9 open: the command and all that it starts.
_LOCKED = 'exec 9>>"$1"; flock -n 9 || echo "$0" >>"$2"; shift 2; exec "$@"'


class Service:
    """`kingctl run --wait` on one host, started again when nothing of it is left, as a service manager does."""

    def __init__(self, host: Host, lock: Path) -> None:
        self.host = host
        self.lock = lock
        self.codes: Counter[int] = Counter()
        self.witnesses: list[Witness] = []
        self.run: Run | None = None
        self.keepers: set[int] = set()
        self._ends = False
        self._thread = threading.Thread(target=self._go_on)

    def __enter__(self) -> "Service":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Its processes are killed, and what they ran is then gone too."""
        self._ends = True
        while self._thread.is_alive():
            if self.run is not None:
                self.run.signal(signal.SIGKILL)
            self._thread.join(0.5)
        until(lambda: not any(each.living for each in self.witnesses))

    def _go_on(self) -> None:
        while not self._ends:
            number = len(self.witnesses)
            self.witnesses.append(Witness(self.host.folder / f"record{number}"))
            on_term = "stay" if number % 4 == 0 else "143"  # staying costs 25 s at each hand-over on purpose
            command = ["sh", "-c", _LOCKED, self.host.name, str(self.lock), f"{self.lock}.broken"]
            argv = self.witnesses[-1].argv(on_term=on_term, heirs=1)
            self.run = Run("--socket", str(self.host.socket), "--wait", "--", *command, *argv)
            code, _ = self.run.end(limit_s=None)
            self.codes[code] += 1
            until(lambda: not any(map(lives, self.keepers)), lambda: self.keepers)
            self.keepers = set()  # their numbers are soon those of other processes

    @property
    def witness(self) -> Witness:
        return self.witnesses[-1]

    def keeper(self) -> int:
        assert self.run is not None
        self.keepers.add(self.run.keeper)
        return self.run.keeper

    @property
    def runs_now(self) -> bool:
        """All of its command."""
        witness = self.witness
        return len(witness.living) >= 2 and all(witness.alive(pid) for pid in witness.living)


class Scene:
    """Three voters with a service each, and what can be done to the one that leads."""

    def __init__(self, lan: Lan, hosts: Sequence[Host], services: Sequence[Service], rng: random.Random) -> None:
        self.lan = lan
        self.hosts = hosts
        self.services = services
        self.rng = rng
        self.faults: dict[str, Callable[[Service], None]] = {
            "cut": self.cut,
            "kingd is stopped": self.stop_kingd,
            "kingd is killed": self.kill_kingd,
            "kingd ends": self.end_kingd,
            "step-down": self.step_down,
            "priority": self.lower_priority,
            "front is killed": lambda service: self.hit(service, front=signal.SIGKILL),
            "front is stopped": lambda service: self.hit(service, front=signal.SIGSTOP),
            "keeper is killed": lambda service: self.hit(service, keeper=signal.SIGKILL),
            "keeper is stopped": lambda service: self.hit(service, keeper=signal.SIGSTOP),
            "cut, and front is killed": lambda service: self.cut(service, front=signal.SIGKILL),
            "cut, and front is stopped": lambda service: self.cut(service, front=signal.SIGSTOP),
            "cut, and keeper is stopped": lambda service: self.cut(service, keeper=signal.SIGSTOP),
            "kingd and keeper are killed": self.kill_both,
        }

    def leading(self) -> Service:
        """Whose command runs, as soon as all agree on who leads."""

        def found() -> Service | None:
            leaders = {host.leader() for host in self.hosts}
            running = [each for each in self.services if each.runs_now]
            return running[0] if len(running) == 1 and leaders == {running[0].host.name} else None

        return until(found, lambda: [host.summary() for host in self.hosts])

    def strike(self, kind: str) -> None:
        service = self.leading()
        run = service.run
        self.faults[kind](service)
        until(lambda: not service.witness.living or service.run is not run)
        self.mend(service, run)

    def mend(self, service: Service, run: Run | None) -> None:
        self.lan.heal()
        for pid in (run.front if run is not None else 0, *service.keepers):
            with suppress(ProcessLookupError):
                if pid and lives(pid):
                    os.kill(pid, signal.SIGCONT)
        for host in self.hosts:
            if host.is_running:
                host.signal(signal.SIGCONT)
            else:
                host.start()
        for host, priority in zip(self.hosts, (30, 20, 10), strict=True):
            until(lambda host=host: host.role() not in (None, "joining"), host.summary)  # type: ignore[misc]
            ask(host.socket, "SetPriority", priority=priority)

    # -- faults

    def hit(self, service: Service, *, front: int = 0, keeper: int = 0) -> None:
        assert service.run is not None
        pid = service.keeper()
        if front:
            os.kill(service.run.front, front)
        if keeper:
            os.kill(pid, keeper)

    def cut(self, service: Service, *, front: int = 0, keeper: int = 0) -> None:
        others = [host for host in self.hosts if host is not service.host]
        if front or keeper:
            self.hit(service, front=front, keeper=keeper)
        self.lan.split([service.host], others)

    def stop_kingd(self, service: Service) -> None:
        service.host.signal(signal.SIGSTOP)

    def kill_kingd(self, service: Service) -> None:
        service.host.kill()

    def end_kingd(self, service: Service) -> None:
        """As systemd does it: it waits for the command, up to 25 s."""
        service.host.signal(signal.SIGTERM)
        assert service.host.process is not None
        service.host.process.wait(LIMIT_S)
        assert service.host.exit_code() == 0

    def step_down(self, service: Service) -> None:
        service.host.kingctl("step-down", "--for", "1s", "--timeout", "60s", timeout_s=90)

    def lower_priority(self, service: Service) -> None:
        ask(service.host.socket, "SetPriority", priority=1)

    def kill_both(self, service: Service) -> None:
        self.hit(service, keeper=signal.SIGKILL)
        service.host.kill()


def overlaps(services: Sequence[Service]) -> list[str]:
    """What the times say: of each command, from its first note to the last sign of life of any of its processes."""
    spans = sorted(
        (min(at_ns for _, _, at_ns in witness.notes), witness.last_ns, f"{service.host.name} {witness.record.name}")
        for service in services
        for witness in service.witnesses
        if witness.notes
    )
    found, ended_ns, last = [], 0, ""
    for began_ns, over_ns, who in spans:
        if began_ns <= ended_ns:
            found.append(f"{who} began {(ended_ns - began_ns) / 1e6:.1f} ms before the last sign of life of {last}")
        if over_ns > ended_ns:
            ended_ns, last = over_ns, who
    return found


@contextmanager
def scene(lan: Lan, *, seed: int) -> Iterator[Scene]:
    hosts = lan.ranked(3, config='[quorum]\nvoters = ["a", "b", "c"]\n')
    lan.start()
    lan.until_led_by("a")
    a, b, c = (Service(host, lan.folder / "lock") for host in hosts)
    with a, b, c:
        yield Scene(lan, hosts, (a, b, c), random.Random(seed))


def judge(found: Scene) -> list[str]:
    broken = found.lan.folder / "lock.broken"
    return overlaps(found.services) + (broken.read_text().split() if broken.exists() else [])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    kept = Path("run-faults").absolute()
    return contained(lambda: strike_all(options.count, options.seed, kept))


def strike_all(count: int, seed: int, kept: Path) -> int:
    """`kept`: a folder for what there was, if it was wrong."""
    done: Counter[str] = Counter()
    with Lan() as lan, scene(lan, seed=seed) as found:
        for number in range(count):
            kind = found.rng.choice(list(found.faults))
            found.strike(kind)
            done[kind] += 1
            if (wrong := judge(found)) or number % 50 == 49 or number + 1 == count:
                runs = sum(bool(each.notes) for service in found.services for each in service.witnesses)
                sys.stdout.write(f"{number + 1} faults, {runs} commands ran, two at one instant: {wrong or 'never'}\n")
                sys.stdout.flush()
            if wrong:
                shutil.copytree(lan.folder, kept, dirs_exist_ok=True)
                return 3
    sys.stdout.write("".join(f"{number:5} {kind}\n" for kind, number in sorted(done.items())))
    sys.stdout.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
