"""Carries a plan out on real daemons, and writes down what it did and when.

One thread: it sleeps until the next fault begins or ends. What was done to a host is undone before the next thing is
done to it, and whatever has not ended when a round is over is ended then.
"""

import heapq
import itertools
import shutil
import signal
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.chaos.history import Complaint, Fault, History, Life, Quiet, Record, Setting
from tests.chaos.observed import Observed
from tests.chaos.plan import INTERFACE, LEADER, NETWORK, Round, Step
from tests.lan.control import Refused, ask
from tests.lan.eavesdropper import Eavesdropper
from tests.lan.host import LIMIT_S, Host, until
from tests.lan.network import Lan

_PRIORITY_TOP = 50
_START_LIMIT_S = 120.0  # until all daemons answer: on a machine that does much else it takes long to start five
_ADJECTIVES = {"isolate": "alone"}


class Nemesis:
    def __init__(
        self,
        lan: Lan,
        *,
        seed: int,
        mode: str,
        hosts: Sequence[str],
        folder: Path,
        profile: str = "lan",
        attacker: bool = False,
    ) -> None:
        """The last host has priority 0; in quorum mode the first three vote. `folder`: for what the observer writes.
        `attacker`: all have a key, and somebody without it says again what he hears."""
        self.lan = lan
        self.eavesdropper = Eavesdropper(lan, seed=seed) if attacker else None
        self.voters = tuple(hosts[:3]) if mode == "quorum" else ()
        config = f'[timing]\nprofile = "{profile}"\n[quorum]\nvoters = {list(self.voters)}\n'
        config += lan.with_key(bytes(range(32))) if attacker else ""
        self.hosts = {
            name: lan.host(name, priority=0 if name == hosts[-1] else _PRIORITY_TOP - 10 * number, config=config)
            for number, name in enumerate(hosts)
        }
        self._setting = partial(Setting, seed=seed, mode=mode, hosts=tuple(hosts), voters=self.voters)
        self._records: list[Record] = []
        self._drops: dict[int, list[str]] = {}  # number of the fault -> what the switch drops because of it
        self._busy: set[str] = set()  # hosts to which something is being done
        self._due: list[tuple[float, int, Callable[[], None]]] = []  # a heap: (when, number, what)
        self._numbers = itertools.count(1)
        self._heals: set[Callable[[], None]] = set()  # what among `_due` mends the network
        self._threads: list[threading.Thread] = []
        self._observed = Observed(self.hosts.values(), folder / "observed.jsonl")

    def __enter__(self) -> Self:
        """All daemons run and agree, and the observer asks them. Who listens has heard them from their first word on."""
        if self.eavesdropper is not None:
            self.eavesdropper.__enter__()
        for host in self.hosts.values():
            self._start(host)
        until(self._all_answer, limit_s=_START_LIMIT_S, what="all to answer")
        self.lan.until_complete()
        self._records.append(self._setting(at=time.monotonic_ns()))
        self._observed.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._observed.__exit__(kind, error, trace)
        if self.eavesdropper is not None:
            self.eavesdropper.__exit__(kind, error, trace)

    # -- the run -------------------------------------------------------------------------------------------------------

    def run(self, rounds: Sequence[Round], *, progress: Callable[[str], object] = lambda _: None) -> None:
        for number, one in enumerate(rounds, 1):
            self._run(one)
            progress(f"{number}/{len(rounds)}: {', '.join(step.kind for step in one.steps)}")
            if self.lan.complaints():
                break

    def history(self) -> History:
        """After the run."""
        now = time.monotonic_ns()
        complaints = [
            Complaint(host=host.name, at=now, text=text) for host in self.hosts.values() for text in host.complaints()
        ]
        return History.of([*self._records, *self._observed.records, *complaints])

    def _run(self, one: Round) -> None:
        if self.eavesdropper is not None:
            self.eavesdropper.choose_tactics()
        start = time.monotonic()
        for step in one.steps:
            self._later(start + step.at_s, partial(self._begin, step))
        self._until(start + one.faulty_s)
        self._end_all()
        healed = time.monotonic_ns()
        time.sleep(one.quiet_s)
        self._records.append(Quiet(at=healed, end=time.monotonic_ns()))

    def _end_all(self) -> None:
        """The network last, so that how long a daemon takes to start is no part of how long they take to agree."""
        rest = [what for _, _, what in sorted(self._due)]
        self._due.clear()
        for what in rest:
            if what not in self._heals:
                what()
        for thread in self._threads:
            thread.join()
        self._threads.clear()
        until(self._all_answer, limit_s=_START_LIMIT_S, what="all to answer")
        for what in rest:
            if what in self._heals:
                what()
        self._heals.clear()

    def _all_answer(self) -> bool:
        return bool(self.lan.complaints()) or all(host.status_or_none() for host in self.lan.running)

    def _later(self, when: float, what: Callable[[], None]) -> None:
        heapq.heappush(self._due, (when, next(self._numbers), what))

    def _until(self, end: float) -> None:
        """Do what falls due before that."""
        while self._due and self._due[0][0] < end:
            when, _, what = heapq.heappop(self._due)
            time.sleep(max(0, when - time.monotonic()))
            what()
        time.sleep(max(0, end - time.monotonic()))

    # -- faults --------------------------------------------------------------------------------------------------------

    def _begin(self, step: Step) -> None:
        """What was not begun before its round is over is not begun at all."""
        at = time.monotonic_ns()
        if step.kind == "loss":
            undo = self._drop([f"numgen random mod 100 < {step.percent}"])
            self._lasts(step, at, f"loss {step.percent} %", (), undo)
        elif step.groups:
            pairs = [(a, b) for a in step.groups for b in step.groups if a is not b]
            undo = self._drop([self._between(a, b) for a, b in pairs])
            self._lasts(step, at, "split " + " | ".join(" ".join(group) for group in step.groups), (), undo)
        elif step.pairs:
            undo = self._drop([self._between([a], [b]) for a, b in step.pairs])
            self._lasts(step, at, "cut " + _shown(step.pairs), (), undo)
        else:
            self._begin_at_host(step, at)

    def _begin_at_host(self, step: Step, at: int) -> None:
        host = self._host(step.host)
        if step.kind in NETWORK:
            others = [name for name in self.hosts if name != host.name]
            cuts = {"deaf": self._between(others, [host.name]), "mute": self._between([host.name], others)}
            undo = self._drop([what for kind, what in cuts.items() if step.kind in (kind, "isolate")])
            self._lasts(step, at, f"{host.name} {_ADJECTIVES.get(step.kind, step.kind)}", (), undo)
        elif host.name not in self._busy and host.is_running:
            self._busy.add(host.name)
            self._lasts(step, at, step.kind, (host.name,), self._to_host(step, host))

    def _lasts(self, step: Step, at: int, what: str, hosts: tuple[str, ...], undo: Callable[[], None]) -> None:
        def end() -> None:
            undo()
            self._busy.difference_update(hosts)
            self._records.append(Fault(what=what, hosts=hosts, at=at, end=time.monotonic_ns()))

        if step.kind in NETWORK or step.kind in INTERFACE:
            self._heals.add(end)
        self._later(time.monotonic() + step.for_s, end)

    def _host(self, name: str) -> Host:
        if name != LEADER:
            return self.hosts[name]
        return next((host for host in self.hosts.values() if _says_that_it_leads(host)), self.hosts["a"])

    def _to_host(self, step: Step, host: Host) -> Callable[[], None]:
        """Do it; how to undo it."""
        match step.kind:
            case "kill" | "forget":
                self._kill(host)
                return partial(self._start, host, forget=step.kind == "forget")
            case "crash":
                self._kill(host)
                self._start(host)
                return _nothing
            case "pause":
                return self._pause(host)
            case "stop":
                host.signal(signal.SIGTERM)
                return partial(self._start_after_stop, host)
            case "step-down":
                return self._step_down(host, step.for_s)
            case "priority":
                return self._set_priority(host, step.priority)
            case "renumber":
                return self._renumber(host)
            case "unplug":
                self.lan.pull(host)
                return partial(self.lan.put_back, host)
            case "down":
                host.namespace.ip("link set eth0 down")
                return partial(host.namespace.ip, "link set eth0 up")
            case unknown:
                raise AssertionError(unknown)

    # -- the network ---------------------------------------------------------------------------------------------------

    def _between(self, sources: Sequence[str], targets: Sequence[str]) -> str:
        return self.lan.between([self.hosts[name] for name in sources], [self.hosts[name] for name in targets])

    def _drop(self, matches: list[str]) -> Callable[[], None]:
        number = next(self._numbers)

        def heal() -> None:
            del self._drops[number]
            self._apply()

        self._drops[number] = matches
        self._apply()
        return heal

    def _apply(self) -> None:
        self.lan.drop_exactly([match for matches in self._drops.values() for match in matches])

    def _renumber(self, host: Host) -> Callable[[], None]:
        before, after = host.address, f"10.77.0.{100 + next(self._numbers) % 150}"
        host.namespace.ip(f"address del {before}/24 dev eth0", f"address add {after}/24 brd + dev eth0")
        host.address = after
        return _nothing

    # -- processes -----------------------------------------------------------------------------------------------------

    def _start(self, host: Host, *, forget: bool = False) -> None:
        if forget:
            shutil.rmtree(host.state_folder)
        host.start()
        self._live(host, host.pid, "started")

    def _kill(self, host: Host) -> None:
        pid = host.pid
        host.kill()
        self._live(host, pid, "ended")

    def _start_after_stop(self, host: Host) -> None:
        pid, code = host.pid, host.exit_code()
        self._live(host, pid, "ended")
        if code != 0:
            text = f"{host.name} ended with {code} when it was told to stop"
            self._records.append(Complaint(host=host.name, at=time.monotonic_ns(), text=text))
        self._start(host)

    def _pause(self, host: Host) -> Callable[[], None]:
        host.signal(signal.SIGSTOP)
        until(lambda: _state(host.pid) in "TZ")
        self._live(host, host.pid, "paused")

        def resume() -> None:
            self._live(host, host.pid, "resumed")
            host.signal(signal.SIGCONT)

        return resume

    def _step_down(self, host: Host, for_s: float) -> Callable[[], None]:
        self._order(host, "StepDown", for_ms=int(for_s * 1000))
        return _nothing

    def _set_priority(self, host: Host, priority: int) -> Callable[[], None]:
        self._order(host, "SetPriority", priority=priority)
        return partial(self._order, host, "SetPriority", priority=host.priority)

    def _order(self, host: Host, method: str, **parameters: object) -> None:
        """Waits for no answer before the round is over."""

        def order() -> None:
            # It does not lead any more, or nobody can take over, or it is killed meanwhile.
            with suppress(Refused, OSError):
                ask(host.socket, method, timeout_s=LIMIT_S, **parameters)

        self._threads.append(threading.Thread(target=order))
        self._threads[-1].start()

    def _live(self, host: Host, pid: int, what: str) -> None:
        self._records.append(Life(host=host.name, pid=pid, what=what, at=time.monotonic_ns()))


def _nothing() -> None:
    """What ended by itself."""


def _says_that_it_leads(host: Host) -> bool:
    """Asked with little patience: it may be stopped."""
    try:
        status = ask(host.socket, "Status", timeout_s=0.1)
    except OSError:
        return False
    return bool(status["node"]["role"] == "leader")


def _state(pid: int) -> str:
    """The kernel's letter for it."""
    return Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0]


def _shown(pairs: Sequence[tuple[str, str]]) -> str:
    """`a→b c↔d`"""
    both = {(a, b) for a, b in pairs if (b, a) in pairs}
    return " ".join(f"{a}↔{b}" if (a, b) in both else f"{a}→{b}" for a, b in pairs if (a, b) not in both or a < b)
