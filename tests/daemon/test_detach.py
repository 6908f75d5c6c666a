"""`kingd --detach`: its pid file, its folder, its end. Real daemons on lo."""

import os
import signal
from pathlib import Path

from tests.daemon.running import TOP, Daemon, until_gone


def detached(daemon: Daemon) -> int:
    """Start it in the background; its pid, once it is ready."""
    pid_file = daemon.folder / "pid"
    daemon.options = ("--detach", "--pid-file", str(pid_file))
    run = daemon.run()
    assert (run.returncode, run.stderr) == (0, "")
    daemon.until_ready()
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
