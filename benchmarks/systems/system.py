"""What the benchmarks ask of every system under test: three hosts on one switch, started, ended, and heard.

A *word* is what a host says by itself about who leads, with the moment (CLOCK_MONOTONIC, the same in all namespaces)
at which it was read. Systems differ in who speaks: of the VRRP family only the leader itself says so, the others say
that they do not lead."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from tests.lan.host import Host


class Word(NamedTuple):
    at_ns: int
    speaker: str
    leader: str | None  # None: nobody, or only "not I"


class System(Protocol):
    """The hosts are called a, b, c, and a has the highest rank where there are ranks."""

    everybody_tells: bool  # or only the leader itself
    is_ranked: bool
    beat_s: float  # faults fall at a random moment of so long an interval

    @property
    def hosts(self) -> Sequence[Host]: ...

    def start(self, host: Host) -> None:
        """Does not wait for it."""

    def stop(self, host: Host) -> None:
        """Asks it to end (SIGTERM) and waits for the end."""

    def kill(self, host: Host) -> None:
        """SIGKILL to the daemon, with what it cannot do without."""

    def pids(self, host: Host) -> list[int]:
        """Of all its processes."""

    def words(self, since_ns: int) -> list[Word]:
        """What the running hosts have said since then, in any order."""

    def said(self, host: Host) -> str | None:
        """Whom this host calls leader now."""

    def close(self) -> None: ...


def leader(system: System, among: Sequence[Host]) -> str | None:
    """On whom these hosts agree, or None while they do not."""
    said = [system.said(host) for host in among]
    named = {name for name in said if name is not None}
    if len(named) != 1 or (system.everybody_tells and None in said):
        return None
    return named.pop()
