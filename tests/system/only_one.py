"""A unit of kingd-leader.target that must run on one host only, and is the observer of that: for as long as its process
lives it holds a lock that all hosts share, and the kernel lets go of that no sooner than the process is gone. One that
finds the lock taken says so."""

from typing import NamedTuple

from tests.system.lab import Host, Lab, everywhere, until

_UNIT = """
[Unit]
Description=Runs on the Leader Only

[Service]
ExecStart=/usr/local/bin/only-one
TimeoutStopSec=60

[Install]
WantedBy=kingd-leader.target
"""
_PROGRAM = """#!/usr/bin/python3 -I
import fcntl, os, signal, socket, time

def note(what):
    with open("/shared/notes", "a") as notes:
        notes.write(f"{time.monotonic_ns()} {socket.gethostname()} {what}\\n")

signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
lock = open("/shared/lock", "a")
try:
    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    note("start")
except BlockingIOError:
    note("OVERLAP")
while True:
    signal.sigwait({signal.SIGTERM})
    if os.path.exists("/shared/ends-after"):
        time.sleep(float(open("/shared/ends-after").read()))
        note("stop")
        break
"""


class Note(NamedTuple):
    at_ns: int  # CLOCK_MONOTONIC, which all hosts share
    host: str
    what: str  # start, stop, OVERLAP


def put(host: Host) -> None:
    """It need not run yet. Enabled it is by the operator."""
    host.write("/etc/systemd/system/only-one.service", _UNIT)
    host.write("/usr/local/bin/only-one", _PROGRAM, mode=0o755)


def ends_after(lab: Lab, seconds: float | None) -> None:
    """How long it takes to end when it is told to. None: it ignores SIGTERM."""
    file = lab.shared / "ends-after"
    if seconds is None:
        file.unlink(missing_ok=True)
    else:
        file.write_text(str(seconds))


def notes(lab: Lab) -> list[Note]:
    file = lab.shared / "notes"
    rows = [line.split() for line in file.read_text().splitlines()] if file.exists() else []
    return [Note(int(at_ns), host, what) for at_ns, host, what in rows]


def assert_never_two(lab: Lab) -> None:
    assert "OVERLAP" not in [note.what for note in notes(lab)]


def runs_on(hosts: list[Host]) -> list[Host]:
    states = everywhere(hosts, lambda host: host.show("only-one.service", "ActiveState"))
    return [host for host, state in zip(hosts, states, strict=True) if state == "active"]


def runner(hosts: list[Host], *, but: Host | None = None) -> Host:
    """Wait until one of them runs it."""

    def found() -> Host | None:
        running = runs_on(hosts)
        return running[0] if len(running) == 1 and running[0] is not but else None

    return until(found, f"one host that is not {but} runs the unit")
