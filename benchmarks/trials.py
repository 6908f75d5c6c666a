"""How long three hosts are without a leader: a system is hurt at a random moment of its heartbeat, again and again.

From the instant before the fault to the moment of a survivor's own word that there is a new leader. How each system
tells is in benchmarks/systems."""

import random
import time
from collections.abc import Callable, Iterator, Sequence

from benchmarks.systems.kingd import leaderless_ms
from benchmarks.systems.system import System, Word, leader
from benchmarks.wire import Cables, Recorder
from tests.lan.host import Host, until
from tests.lan.network import Lan

Values = dict[str, list[float]]
"""Milliseconds by row."""

_LIMIT_S = 60.0
_LEFT_ALONE_S = 1.0  # whoever returns leads by then, and says when: its first client would cost it milliseconds
_SETTLED_S = 1.5  # what a start leaves behind is over, and each has been heard once more since


def cold(lan: Lan, system: System, trials: int) -> Values:
    """All three start at once, until each says who leads."""
    found: list[float] = []
    for _ in range(trials):
        start_ns = time.monotonic_ns()
        for host in system.hosts:
            system.start(host)
        _settle(system)
        found.append(_ms(_last(system.words(start_ns)), start_ns))
        for host in system.hosts:
            system.kill(host)
    return {"cold start": found}


def kill(lan: Lan, system: System, trials: int) -> Values:
    return _ended(lan, system, trials, "SIGKILL", system.kill)


def stop(lan: Lan, system: System, trials: int) -> Values:
    return _ended(lan, system, trials, "planned stop", system.stop)


def _ended(lan: Lan, system: System, trials: int, what: str, end: Callable[[Host], None]) -> Values:
    ended: list[float] = []
    back = _Return()
    for victim, others in _rounds(system, trials):
        start_ns = time.monotonic_ns()
        end(victim)
        ended.append(_ms(_successor(system, others, start_ns), start_ns))
        _agree(system, others)
        _wait(system)
        back.measure(lan, system, victim)
    return {what: ended} | (back.values if what == "SIGKILL" else {})


class _Return:
    """The highest in rank starts, until it leads."""

    def __init__(self) -> None:
        self.values: Values = {}

    def measure(self, lan: Lan, system: System, host: Host) -> None:
        with Recorder(lan) as recorder:
            start_ns = time.monotonic_ns()
            system.start(host)
            time.sleep(_LEFT_ALONE_S)
            _settle(system)
        if not system.is_ranked:
            return
        own = [word for word in system.words(start_ns) if (word.speaker, word.leader) == (host.name, host.name)]
        leads_ns = _last(own)
        self._add("return", _ms(leads_ns, start_ns))
        self._add("return, from its first frame", _ms(leads_ns, recorder.first_frame_of(host)))
        if (gap_ms := leaderless_ms(recorder.frames)) is not None:  # of others it is known by their words only
            self._add("return, from its first datagram", _ms(leads_ns, recorder.first_of(host)))
            self._add("return, time without a leader", gap_ms)

    def _add(self, row: str, value_ms: float) -> None:
        self.values.setdefault(row, []).append(value_ms)


def cable(lan: Lan, system: System, trials: int) -> Values:
    pulled: list[float] = []
    put_back: list[float] = []
    cables = Cables(lan)
    for victim, others in _rounds(system, trials):
        start_ns = time.monotonic_ns()
        cables.pull(victim)
        pulled.append(_ms(_successor(system, others, start_ns), start_ns))
        _agree(system, others)
        time.sleep(5 * system.beat_s)  # the one that is alone has noticed it
        _wait(system)
        start_ns = time.monotonic_ns()
        cables.put_back(victim)
        _settle(system)
        time.sleep(3 * system.beat_s)  # two that both lead find each other in less
        _settle(system)
        if words := system.words(
            start_ns
        ):  # else nobody changed its mind: the one that was alone had given up by itself
            put_back.append(_ms(_last(words), start_ns))
    cables.close()
    return {"cable pulled": pulled} | ({"cable put back": put_back} if put_back else {})


def _rounds(system: System, trials: int) -> Iterator[tuple[Host, list[Host]]]:
    """The leader, and the others."""
    for host in system.hosts:
        system.start(host)
    for _ in range(trials):
        name = _settle(system)
        _wait(system)
        yield (
            next(host for host in system.hosts if host.name == name),
            [host for host in system.hosts if host.name != name],
        )


def _settle(system: System) -> str:
    """All hosts agree, on the highest where there are ranks."""
    wanted = {system.hosts[0].name} if system.is_ranked else {host.name for host in system.hosts}
    return until(
        lambda: name if (name := leader(system, system.hosts)) in wanted else "",
        limit_s=_LIMIT_S, what=lambda: f"all to agree: {[system.said(host) for host in system.hosts]}",
    ) or ""  # fmt: skip


def _agree(system: System, hosts: Sequence[Host]) -> None:
    until(lambda: leader(system, hosts), limit_s=_LIMIT_S, what="the others to agree")


def _wait(system: System) -> None:
    """To a random moment of the heartbeat."""
    time.sleep(_SETTLED_S + random.uniform(0, system.beat_s))


def _successor(system: System, others: Sequence[Host], since_ns: int) -> int:
    """When one of them first said that one of them leads."""
    names = {host.name for host in others}

    def told() -> list[Word]:
        return [word for word in system.words(since_ns) if word.speaker in names and word.leader in names]

    until(told, limit_s=_LIMIT_S, what="a new leader")
    return min(word.at_ns for word in told())


def _last(words: Sequence[Word]) -> int:
    return max(word.at_ns for word in words)


def _ms(at_ns: int, start_ns: int) -> float:
    return (at_ns - start_ns) / 1e6
