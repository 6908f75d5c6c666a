"""target.exclusive in quorum mode: whatever happens to a host, and whatever the unit does with SIGTERM, it never runs on two.

The unit is the observer: for as long as its process lives it holds a lock that all hosts share, and the kernel lets go of
that no sooner than the process is gone. One that finds the lock taken says so."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system import images
from tests.system.lab import Host, Lab, everywhere, until

pytestmark = [pytest.mark.system, pytest.mark.timeout(240)]

CONFIG = """
[quorum]
voters = ["box1", "box2", "box3"]
[target]
exclusive = true
"""
UNIT = """
[Service]
ExecStart=/usr/local/bin/only-one
TimeoutStopSec=60

[Install]
WantedBy=kingd-leader.target
"""
# It takes as long to end by SIGTERM as the file beside the lock says; without the file it does not end.
ONLY_ONE = """#!/usr/bin/python3 -I
import fcntl, os, signal, socket, time

def note(what):
    with open("/shared/notes", "a") as notes:
        notes.write(f"{socket.gethostname()} {what}\\n")

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


@pytest.fixture(scope="module")
def hosts(packages: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Host]]:
    lab = Lab(images.debian_root(packages[0]), tmp_path_factory.mktemp("lab"))
    try:
        shutil.copy(packages[0], lab.shared)
        found = [lab.add(f"box{number}") for number in (1, 2, 3)]
        everywhere(found, lambda host: set_up(host, packages[0].name))
        yield found
    finally:
        lab.close()


def set_up(host: Host, package: str) -> None:
    host.write("/etc/kingd/kingd.toml", CONFIG)
    host.write("/etc/systemd/system/only-one.service", UNIT)
    host.write("/usr/local/bin/only-one", ONLY_ONE, mode=0o755)
    host.switch_on()
    host.run(f"apt install --yes /shared/{package} && systemctl enable --quiet only-one && systemctl start kingd")


@pytest.fixture(autouse=True)
def judged(hosts: list[Host]) -> Iterator[None]:
    yield
    assert "OVERLAP" not in notes(hosts[0])


def notes(host: Host) -> str:
    file = host.lab.shared / "notes"
    return file.read_text() if file.exists() else ""


def runner(hosts: list[Host], *, but: Host | None = None) -> Host:
    """Wait until one leads and runs the unit."""

    def found() -> Host | None:
        states = everywhere(hosts, lambda host: host.show("only-one.service", "ActiveState"))
        running = [host for host, state in zip(hosts, states, strict=True) if state == "active" and host is not but]
        return running[0] if len(running) == 1 else None

    return until(found, f"one host that is not {but} runs the unit")


def ends_after(hosts: list[Host], seconds: float | None) -> None:
    file = hosts[0].lab.shared / "ends-after"
    if seconds is None:
        file.unlink(missing_ok=True)
    else:
        file.write_text(str(seconds))


def said(host: Host, words: str) -> bool:
    return words in host.run("journalctl --output=cat --unit=kingd-leader")


def test_step_down_waits_for_a_unit_that_takes_its_time(hosts: list[Host]) -> None:
    ends_after(hosts, 5)
    former = runner(hosts)
    to = next(host for host in hosts if host is not former)
    assert former.run(f"kingctl step-down --timeout 60s --for 1s --to {to.name}") == f"{to.name}\n"
    assert notes(former).splitlines()[-1] == f"{former.name} stop", "leadership moved before the unit had ended"
    assert runner(hosts) is to


def test_reload_tells_the_helper_at_once_what_is_asked_of_it(hosts: list[Host]) -> None:
    for host in hosts:
        assert host.attempt("systemctl reload kingd").returncode == 0
        host.write("/etc/kingd/conf.d/90-mistake.toml", "[quorum]\nvoters = []\n")
        done = host.attempt("kingctl check-config")
        assert (done.returncode, "target.exclusive = true needs quorum.voters" in done.stderr) == (78, True)
        host.run("rm /etc/kingd/conf.d/90-mistake.toml")


def cut(host: Host) -> None:
    """Its link stays up, and nothing passes."""
    host.lab.run("ip", "link", "set", f"vb-{host.name}", "nomaster")


def mend(host: Host) -> None:
    host.lab.run("ip", "link", "set", f"vb-{host.name}", "master", "lan")


def test_unit_that_ignores_sigterm_on_a_host_that_is_cut_off(hosts: list[Host]) -> None:
    ends_after(hosts, None)
    former = runner(hosts)
    cut(former)
    runner(hosts, but=former)
    assert said(former, "killing what has not ended: only-one.service")
    mend(former)


def test_unit_that_ignores_sigterm_beside_a_daemon_that_hangs(hosts: list[Host]) -> None:
    former = runner(hosts)
    pid = former.show("kingd.service", "MainPID")
    former.run(f"kill -STOP {pid}")
    runner(hosts, but=former)
    until(lambda: former.show("kingd.service", "MainPID") not in ("0", pid), "the watchdog has killed it")


def test_unit_that_ignores_sigterm_and_a_daemon_that_is_killed(hosts: list[Host]) -> None:
    former = runner(hosts)
    former.attempt("systemctl kill --signal=KILL --kill-whom=main kingd")
    assert runner(hosts, but=former) is not former


def test_helper_that_hangs_on_a_host_that_is_cut_off(hosts: list[Host]) -> None:
    """Two faults at once: systemd's watchdog ends the helper, and what it leaves behind is killed."""
    former = runner(hosts)
    pid = former.show("kingd-leader.service", "MainPID")
    cut(former)
    former.run(f"kill -STOP {pid}")
    runner(hosts, but=former)
    until(lambda: former.show("kingd-leader.service", "MainPID") not in ("0", pid), "the helper runs again")
    mend(former)


def test_helper_that_is_killed(hosts: list[Host]) -> None:
    former = runner(hosts)
    former.attempt("systemctl kill --signal=KILL --kill-whom=main kingd-leader")
    until(lambda: former.show("only-one.service", "ActiveState") != "active", "the unit has ended")
    runner(hosts)


def test_stop_of_a_unit_that_ends(hosts: list[Host]) -> None:
    ends_after(hosts, 2)
    former = runner(hosts)
    former.run("systemctl stop kingd")
    assert former.name in notes(former).splitlines()[-1]
    runner(hosts, but=former)
    former.run("systemctl start kingd")
