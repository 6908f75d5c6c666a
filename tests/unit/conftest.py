"""A unit test opens no socket, starts no process and does not sleep: it is fast, and the same on every host.

What needs one of these is in tests/daemon. Held by Python's audit events, which whatever a library calls has to pass:
https://docs.python.org/3/library/audit_events.html."""

import sys
import time
from collections.abc import Iterator

import pytest

from tests.unit.scripted import Peer, voter

FORBIDDEN = {
    "os.fork": "starts a process",
    "os.forkpty": "starts a process",
    "os.posix_spawn": "starts a process",
    "os.system": "starts a process",
    "socket.__new__": "opens a socket",
    "socket.getaddrinfo": "asks a resolver",
    "subprocess.Popen": "starts a process",
    "time.sleep": "sleeps",  # an event since Python 3.13, before that by what `guard` puts in its place
}
_seen: list[str] | None = None  # while a unit test runs


def _refuse(event: str, _: object) -> None:
    if _seen is not None and event in FORBIDDEN:
        _seen.append(event)
        raise AssertionError(f"a unit test {FORBIDDEN[event]}")


sys.addaudithook(_refuse)  # it cannot be taken out again


@pytest.fixture(autouse=True)
def guard(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Fail the test that does what is forbidden, also if what it calls makes nothing of the refusal."""
    global _seen
    _seen = []
    monkeypatch.setattr(time, "sleep", lambda seconds: _refuse("time.sleep", seconds))
    yield
    seen, _seen = _seen, None
    if seen:
        pytest.fail(f"a unit test {FORBIDDEN[seen[0]]} ({seen[0]}): its place is tests/daemon", pytrace=False)


@pytest.fixture
def one() -> Peer:
    """Two of `VOTERS`, beside the core that is tested."""
    return voter(60)


@pytest.fixture
def two() -> Peer:
    return voter(70)
