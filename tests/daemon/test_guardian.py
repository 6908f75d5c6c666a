"""The guardian as a process: what wakes it, what it sends, and that it ends. One real process beside each test's own."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.daemon.running import PATIENCE_S, TOP, Daemon, free_port, until_gone

# A daemon as far as a guardian can see: argv is a port of 127.0.0.1; each line on stdin is an expression.
PRETENDER = """
import os, sys
from kingd.daemon.guardian import Guardian

guardian = Guardian.fork()
print(guardian._pid, flush=True)

def leave(*obituaries):
    for obituary in obituaries:
        guardian.leave(obituary, [(False, ("127.0.0.1", 0), 1, (("127.0.0.1", int(sys.argv[1])),))])

for line in sys.stdin:
    eval(line)
    print("done", flush=True)
"""


class Pretender:
    def __init__(self, port: int) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", PRETENDER, str(port)],
            cwd=TOP,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        self.guardian = int(self.process.stdout.readline())

    def does(self, expression: str) -> None:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(expression + "\n")
        self.process.stdin.flush()
        assert self.process.stdout.readline() == "done\n"

    def close(self) -> None:
        for stream in (self.process.stdin, self.process.stdout):
            if stream is not None:
                stream.close()

    def dies(self) -> None:
        self.process.kill()
        self.process.wait()
        until_gone(self.guardian)


@pytest.fixture
def inbox() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        sock.setblocking(False)
        yield sock


@pytest.fixture
def pretender(inbox: socket.socket) -> Iterator[Pretender]:
    made = Pretender(inbox.getsockname()[1])
    yield made
    made.dies()
    made.close()


def received(inbox: socket.socket) -> list[bytes]:
    found = []
    while True:
        try:
            found.append(inbox.recv(2048))
        except BlockingIOError:
            return found


def test_it_sends_the_newest_will_three_times_and_ends(pretender: Pretender, inbox: socket.socket) -> None:
    pretender.does("leave(b'first', b'second')")
    pretender.dies()
    assert received(inbox) == [b"second"] * 3


@pytest.mark.parametrize("how", ["sys.exit(1)", "os.abort()", "os._exit(0)"])
def test_any_end_is_a_death(pretender: Pretender, inbox: socket.socket, how: str) -> None:
    pretender.does("leave(b'dead')")
    assert pretender.process.stdin is not None
    pretender.process.stdin.write(how + "\n")
    pretender.process.stdin.flush()
    pretender.process.wait()
    until_gone(pretender.guardian)
    assert received(inbox) == [b"dead"] * 3


def test_nothing_is_sent_after_it_was_taken_back(pretender: Pretender, inbox: socket.socket) -> None:
    pretender.does("leave(b'dead', b'')")
    pretender.dies()
    assert not received(inbox)


def test_nothing_is_sent_and_it_ends_when_none_was_left(pretender: Pretender, inbox: socket.socket) -> None:
    pretender.dies()
    assert not received(inbox)


def test_078_fd_close_bug(pretender: Pretender, inbox: socket.socket) -> None:
    """A daemon that loses all its descriptors and lives is not dead; later it is."""
    pretender.does("leave(b'dead')")
    pretender.does("os.closerange(3, 1000)")
    pretender.does("os.getpid()")
    os.kill(pretender.guardian, 0)
    assert not received(inbox)
    pretender.dies()
    assert received(inbox) == [b"dead"] * 3


def test_it_takes_no_signal(pretender: Pretender, inbox: socket.socket) -> None:
    pretender.does("leave(b'dead')")
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGABRT, signal.SIGPIPE):
        os.kill(pretender.guardian, number)
    pretender.dies()
    assert received(inbox) == [b"dead"] * 3


def test_it_keeps_nothing_of_what_it_was_born_with(pretender: Pretender) -> None:
    """Else whoever reads the daemon's output would wait for the guardian to end."""
    pretender.does("leave(b'dead')")
    folder = Path(f"/proc/{pretender.guardian}")
    while len(kinds := open_files(folder / "fd")) != 6 or kinds.count("null") != 3:  # at its birth it has more
        time.sleep(0.01)
    assert kinds == ["anon_inode", "null", "null", "null", "socket", "socket"]
    assert (folder / "comm").read_text(encoding="ascii") == "kingd: guardian\n"


def open_files(folder: Path) -> list[str]:
    return sorted(link.readlink().name.split(":")[0] for link in folder.iterdir())


# -- with a real daemon


@pytest.fixture
def daemons(tmp_path: Path) -> Iterator[list[Daemon]]:
    """Two of one cluster, not started."""
    cluster, port = f"will-{os.getpid()}", free_port()
    made = [Daemon(tmp_path / name, cluster=cluster, port=port, name=name) for name in ("box1", "box2")]
    yield made
    for daemon in made:
        daemon.close()


def test_075_mistake_of_ours_is_told_by_the_guardian(daemons: list[Daemon]) -> None:
    first, second = daemons
    first.options = ("--priority", "200")
    for daemon in daemons:
        daemon.start()
    second.until_leader("box1")
    first.signal(signal.SIGSEGV)
    first.ends()
    assert second.until_leader("box2")["reason"] == "leader-crashed"


def test_075_detached_daemon_has_its_guardian(daemons: list[Daemon], tmp_path: Path) -> None:
    first, second = daemons
    pid_file = tmp_path / "pid"
    first.options = ("--priority", "200", "--detach", "--pid-file", str(pid_file))
    second.start()
    assert first.run().returncode == 0
    first.until_ready()
    second.until_leader("box1")
    pid = int(pid_file.read_text())
    os.kill(pid, signal.SIGKILL)
    until_gone(pid)
    assert second.until_leader("box2")["reason"] == "leader-crashed"


@pytest.mark.parametrize("option", ["--version", "--help", "--check-config"])
def test_short_commands_leave_nobody_behind(daemons: list[Daemon], option: str) -> None:
    """The guardian's output is not the daemon's: a reader sees the end."""
    first = daemons[0]
    first.options = (option,)
    process = first.spawn()
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    guardians = [int(pid) for pid in children.read_text(encoding="ascii").split()] if children.exists() else []
    process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0
    for guardian in guardians:
        until_gone(guardian)
