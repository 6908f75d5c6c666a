"""`kingd --detach`: its pid file, its folder, its end. Real daemons on lo."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from kingd.daemon.foreign import ForeignFolder, refuse
from tests.daemon.running import PATIENCE_S, TOP, Daemon, until_gone


def detached(daemon: Daemon) -> int:
    """Start it in the background; its pid. It is up when the command ends."""
    pid_file = daemon.folder / "pid"
    daemon.options = ("--detach", "--pid-file", str(pid_file))
    run = daemon.run()
    assert (run.returncode, run.stderr) == (0, "")
    assert daemon.ask("Status")["version"] == 1  # nothing is to be waited for
    return int(pid_file.read_text())


def test_detach_writes_its_pid_and_ends_by_sigterm(daemon: Daemon) -> None:
    for _ in range(2):  # and can be started again
        pid = detached(daemon)
        try:
            assert pid != os.getpid()
            assert os.getsid(pid) != os.getsid(0)
            daemon.until_leader("box1")
        finally:
            os.kill(pid, signal.SIGTERM)
            until_gone(pid)
        assert not (daemon.folder / "pid").exists()
    assert "elected" in (daemon.folder / "state" / "kingd.log").read_text()


def test_detached_daemon_remembers_the_folder_that_it_was_started_in(daemon: Daemon) -> None:
    """It lives in the root folder, and the paths that it was given are relative to another one."""
    daemon.config = Path(os.path.relpath(daemon.config, TOP))
    pid = detached(daemon)
    try:
        (TOP / daemon.config).write_text("priority = 150\n")
        assert daemon.ask("Reload")["applied"] == ["priority"]
    finally:
        os.kill(pid, signal.SIGTERM)
        until_gone(pid)


def test_detached_daemon_that_was_killed_can_be_started_again(daemon: Daemon) -> None:
    """Its pid file is left, and names nobody."""
    first = detached(daemon)
    os.kill(first, signal.SIGKILL)
    until_gone(first)
    second = detached(daemon)
    try:
        assert second != first
    finally:
        os.kill(second, signal.SIGTERM)
        until_gone(second)


def test_detach_over_a_running_daemon_is_refused_at_once(daemon: Daemon) -> None:
    pid = detached(daemon)
    try:
        run = daemon.run()
        assert run.returncode == 73
        assert "in use by another kingd" in run.stderr or str(pid) in run.stderr
        assert daemon.ask("Status")["version"] == 1
    finally:
        os.kill(pid, signal.SIGTERM)
        until_gone(pid)


@pytest.fixture
def other(daemon: Daemon, tmp_path: Path) -> Iterator[Daemon]:
    found = Daemon(tmp_path / "other", daemon.cluster, daemon.port, name="box2")
    yield found
    found.close()


def test_detach_tells_what_keeps_the_daemon_from_starting(daemon: Daemon, other: Daemon) -> None:
    """As it does in the foreground."""
    pid = detached(daemon)
    try:
        other.socket = daemon.socket
        for options in ((), ("--detach",)):
            other.options = options
            run = other.run()
            assert run.returncode == 73
            assert f"another kingd already answers on {daemon.socket}" in run.stderr
        other.socket = str(daemon.config)
        run = other.run()
        assert run.returncode == 73
        assert "exists and is not a socket" in run.stderr
    finally:
        os.kill(pid, signal.SIGTERM)
        until_gone(pid)


def test_detach_tells_of_a_daemon_that_was_not_up_before_it_ended(daemon: Daemon) -> None:
    """The daemon in the background ends without a word."""
    daemon.options = ("--detach",)
    code = (
        "import os; from kingd.daemon import runtime; runtime.run = lambda *a, **k: os._exit(9); "
        "from kingd.daemon.main import main; import sys; main(sys.argv[1:])"
    )
    process = daemon.spawn("-c", code)
    _, said = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 70
    assert f"ended before it was up: {daemon.folder / 'state' / 'kingd.log'} says why" in said


def test_pid_file_of_a_daemon_that_runs_is_refused(daemon: Daemon, other: Daemon) -> None:
    pid = detached(daemon)
    try:
        other.options = daemon.options
        run = other.run()
        assert run.returncode == 73
        assert f"is the pid file of another kingd, which runs (pid {pid})" in run.stderr
        assert int((daemon.folder / "pid").read_text()) == pid
    finally:
        os.kill(pid, signal.SIGTERM)
        until_gone(pid)


def test_pid_file_that_cannot_be_made_is_told(daemon: Daemon) -> None:
    pid_file = daemon.folder / "missing" / "pid"
    daemon.options = ("--detach", "--pid-file", str(pid_file))
    run = daemon.run()
    assert run.returncode == 73
    assert f"{pid_file}: No such file or directory: the pid file cannot be made" in run.stderr


def test_what_is_no_folder_is_not_to_be_mended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    with pytest.raises(ForeignFolder, match=r"^/dev/null is no folder: choose another place with --pid-file$"):
        refuse(Path("/dev/null/folder"), "--pid-file")


def test_pid_file_of_somebody_else_is_left(daemon: Daemon) -> None:
    """What stands in its place by now is not removed at the end."""
    pid_file = daemon.folder / "pid"
    pid = detached(daemon)
    pid_file.rename(daemon.folder / "moved")
    pid_file.write_text("another's\n")
    os.kill(pid, signal.SIGTERM)
    until_gone(pid)
    assert pid_file.read_text() == "another's\n"
