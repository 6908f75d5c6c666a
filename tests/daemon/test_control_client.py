"""The client against what answers wrongly, too much or not at all: always one of its own exceptions, and a true one."""

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from kingd.client import BadAnswer, CallFailed, Client, DaemonNotRunning, DaemonUnreachable, KingdError
from kingd.control.client import ANSWER_SIZE_MAX, Line, call
from tests.cli.fake_kingd import running
from tests.cli.raw_client import eventually
from tests.daemon.running import TOP

ASK: list[Callable[[Client], object]] = [
    Client.status,
    Client.is_leader,
    Client.leader,
    Client.members,
    lambda client: client.wait(timeout_s=20),
    lambda client: next(client.watch()),
]


@contextmanager
def answering(path: Path, *pieces: bytes) -> Iterator[list[int]]:
    """Somebody at the socket who says these to each client. What it could send is in the list: bytes."""
    sent: list[int] = []
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()

        def serve() -> None:
            with suppress(OSError):
                while True:
                    client, _ = listener.accept()
                    with client, suppress(OSError):
                        client.recv(4096)
                        for piece in pieces:
                            client.sendall(piece)
                            sent.append(len(piece))

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield sent
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


@pytest.mark.parametrize("ask", ASK)
@pytest.mark.parametrize("depth", [50, 900, 100_000])
def test_deep_answer_is_a_bad_answer(tmp_path: Path, ask: Callable[[Client], object], depth: int) -> None:
    answer = b'{"parameters":{"leader":' + b"[" * depth + b"]" * depth + b'},"continues":true}\0'
    with answering(tmp_path / "s", answer), pytest.raises(BadAnswer, match="nested too deeply"):
        ask(Client(tmp_path / "s"))


@pytest.mark.parametrize("ask", ASK)
def test_endless_answer_is_a_bad_answer(tmp_path: Path, ask: Callable[[Client], object]) -> None:
    piece = b"x" * (1 << 20)
    with answering(tmp_path / "s", b'{"parameters":{"x":"', *[piece] * 64) as sent:
        with pytest.raises(BadAnswer, match="longer than 4 MiB"):
            ask(Client(tmp_path / "s", timeout_s=60))
        assert sum(sent) < 2 * ANSWER_SIZE_MAX


def test_wrong_field_is_named_in_few_words(tmp_path: Path) -> None:
    answer = b'{"parameters":{"node":"' + b"x" * 100_000 + b'","leader":null}}\0'
    with answering(tmp_path / "s", answer), pytest.raises(BadAnswer, match="node is 'xxx") as caught:
        Client(tmp_path / "s").is_leader()
    assert len(str(caught.value)) < 300


def test_why_it_was_turned_away_is_told_even_if_the_question_could_not_be_sent(tmp_path: Path) -> None:
    why = b'{"error":"org.kingd.Busy","parameters":{"message":"too many clients"}}\0'
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "s"))
        listener.listen()
        line = Line(str(tmp_path / "s"))

        def turn_away() -> None:
            client, _ = listener.accept()
            with client:
                client.sendall(why)

        for _ in range(20):
            thread = threading.Thread(target=turn_away)
            thread.start()
            with pytest.raises(CallFailed, match="too many clients"):
                call(str(tmp_path / "s"), "Status")
            thread.join()
        line.close()


# -- F.37: a daemon that runs, and a socket that is gone --------------------------------------------------------------


@pytest.fixture
def listener(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "s"))
        listener.listen()
        yield listener


def fails(path: Path | str) -> KingdError:
    with pytest.raises(KingdError) as caught:
        call(str(path), "Status")
    return caught.value


def answers(path: Path) -> bool:
    try:
        return call(str(path), "Status")["term"] == 12
    except DaemonUnreachable:
        return False


def test_removed_socket_is_no_daemon_that_does_not_run(tmp_path: Path, listener: socket.socket) -> None:
    (tmp_path / "s").unlink()
    assert isinstance(error := fails(tmp_path / "s"), DaemonUnreachable)
    assert "kingd runs, but cannot be asked" in str(error)
    listener.close()
    assert isinstance(fails(tmp_path / "s"), DaemonNotRunning)


def test_another_file_in_its_place_is_no_daemon_that_does_not_run(tmp_path: Path, listener: socket.socket) -> None:
    (tmp_path / "s").unlink()
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(str(tmp_path / "s"))
        assert isinstance(fails(tmp_path / "s"), DaemonUnreachable)
    (tmp_path / "s").unlink()
    (tmp_path / "s").write_text("no socket")
    assert isinstance(fails(tmp_path / "s"), DaemonUnreachable)
    listener.close()
    assert isinstance(fails(tmp_path / "s"), DaemonNotRunning)


def test_removed_folder_is_no_daemon_that_does_not_run(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "run" / "s"))
        listener.listen()
        (tmp_path / "run").rename(tmp_path / "gone")
        assert isinstance(fails(tmp_path / "run" / "s"), DaemonUnreachable)


@pytest.mark.usefixtures("listener")
def test_by_another_name_of_the_folder_as_well(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "s").unlink()
    (tmp_path / "link").symlink_to(tmp_path)
    assert isinstance(fails(tmp_path / "link" / "s"), DaemonUnreachable)
    monkeypatch.chdir(tmp_path)
    assert isinstance(fails("s"), DaemonUnreachable)


@pytest.mark.usefixtures("listener")
@pytest.mark.parametrize("verb", ["is-leader", "leader", "status", "members", "watch", "wait", "reload"])
def test_kingctl_does_not_know_and_says_that_kingd_runs(tmp_path: Path, verb: str) -> None:
    (tmp_path / "s").unlink()
    environment = {**os.environ, "KINGCTL_SOCKET": str(tmp_path / "s")}
    command = [sys.executable, "-m", "kingd.cli", verb]
    done = subprocess.run(command, cwd=TOP, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (4, "")
    assert "kingd runs, but cannot be asked" in done.stderr
    assert "start it" not in done.stderr


def test_line_outlives_the_sockets_file_and_a_restart_of_the_daemon(tmp_path: Path) -> None:
    line = Line(str(tmp_path / "s"))
    with pytest.raises(DaemonNotRunning):
        line.call("Status")
    with running(tmp_path / "s"):
        assert line.call("Status")["term"] == 12
        with pytest.raises(CallFailed):
            line.call("Nothing")
        (tmp_path / "s").unlink()
        assert line.call("Status")["term"] == 12
    with pytest.raises(DaemonNotRunning):
        line.call("Status")
    with running(tmp_path / "s"):
        assert line.call("Status")["term"] == 12
    line.close()


def test_removed_socket_is_made_again_and_nobody_is_disconnected(tmp_path: Path) -> None:
    with running(tmp_path / "run" / "s") as kingd:
        line = Line(str(tmp_path / "run" / "s"))
        line.call("Status")
        (tmp_path / "run" / "s").unlink()
        eventually(lambda: answers(tmp_path / "run" / "s"))
        (tmp_path / "run" / "s").unlink()
        (tmp_path / "run" / "s.lock").unlink()
        (tmp_path / "run").rmdir()
        eventually(lambda: answers(tmp_path / "run" / "s"))
        line.call("Status")
        assert kingd.server.problem == ""
        line.close()


def test_socket_that_cannot_be_made_again_is_a_problem_until_it_can(tmp_path: Path) -> None:
    path = tmp_path / "s"
    with running(path) as kingd:
        line = Line(str(path))
        line.call("Status")
        path.unlink()
        path.mkdir()
        eventually(lambda: "nobody can ask kingd any more" in kingd.server.problem)
        assert "is not a socket" in kingd.server.problem
        assert line.call("Status")["term"] == 12
        path.rmdir()
        eventually(lambda: kingd.server.problem == "" and answers(path))
        line.close()
    assert not path.exists()
