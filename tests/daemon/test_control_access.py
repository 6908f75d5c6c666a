"""Who may change things, and the socket in the file system."""

import grp
import os
import socket
import stat
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from kingd.control.client import CallFailed, call
from kingd.control.listener import Listener, SocketBusy, SocketUnusable
from kingd.control.peer import Authority, Peer, identify
from kingd.control.places import Rank
from tests.cli.fake_kingd import running
from tests.cli.raw_client import PATIENCE_S, eventually
from tests.daemon.running import TOP

NOBODY = 65534
SOMEBODY = 12345
A_GROUP = grp.getgrgid(4)  # adm: on every Debian
CHANGES = [
    ("StepDown", {"for_ms": 1000}),
    ("SetPriority", {"priority": 1}),
    ("Reload", {}),
    ("Drained", {"name": "me"}),
]

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="becomes another user, which needs root")


def as_user(uid: int, groups: Sequence[int], action: Callable[[], bool], *, gid: int = NOBODY) -> bool:
    """Run it in a child that is that user."""
    child = os.fork()
    if child == 0:
        code = 2
        try:
            os.setgroups(list(groups))
            os.setgid(gid)
            os.setuid(uid)
            code = 0 if action() else 1
        finally:
            os._exit(code)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert code in (0, 1)
    return code == 0


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """Where every user may go: pytest's own folders are closed to others, anew whenever pytest starts."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


def is_allowed(path: Path, method: str, parameters: dict[str, object]) -> bool:
    try:
        call(str(path), method, parameters)
    except CallFailed as error:
        if error.name != "org.kingd.NotAuthorized" or "adm" not in str(error):
            raise
        return False
    return True


@needs_root
@pytest.mark.parametrize(("method", "parameters"), CHANGES)
@pytest.mark.parametrize(
    ("uid", "gid", "groups", "allowed"),
    [
        (0, 0, [], True),
        (SOMEBODY, SOMEBODY, [], False),
        (SOMEBODY, SOMEBODY, [1, 2, 3, NOBODY], False),
        (SOMEBODY, A_GROUP.gr_gid, [], True),
        (SOMEBODY, SOMEBODY, [1, A_GROUP.gr_gid, 3], True),
        (NOBODY, NOBODY, [], False),
    ],
)
def test_root_and_the_group_may_change_things(
    open_folder: Path, method: str, parameters: dict[str, object], uid: int, gid: int, groups: list[int], allowed: bool
) -> None:
    path = open_folder / "s"
    with running(path, group=A_GROUP.gr_name) as kingd:
        assert as_user(uid, groups, lambda: is_allowed(path, method, parameters), gid=gid) is allowed
        assert len(kingd.service.calls) == allowed


@needs_root
def test_anyone_may_read(open_folder: Path) -> None:
    path = open_folder / "s"
    with running(path):
        assert as_user(SOMEBODY, [], lambda: call(str(path), "Status")["version"] == 1)


def test_group_that_does_not_exist_allows_nobody() -> None:
    authority = Authority("no-such-group")
    authority.look_up(wait_s=PATIENCE_S)
    assert authority.rank(Peer(1, SOMEBODY, frozenset({SOMEBODY, 0}))) is Rank.ANYBODY
    assert "there is no group no-such-group here" in authority.advice()
    assert "adduser" not in authority.advice()


@needs_root
def test_group_that_a_user_namespace_hides_allows_nobody_and_says_why() -> None:
    """As systemd's PrivateUsers= does: the kernel names all groups that it does not map by one number."""
    script = (
        "import os; from kingd.control.peer import *\n"
        "authority = Authority('adm'); authority.look_up(wait_s=10)\n"
        "print(int(authority.rank(Peer(1, 12345, frozenset({65534})))), authority.advice())"
    )
    done = subprocess.run(
        ["unshare", "--user", "--map-root-user", sys.executable, "-c", script],
        cwd=TOP, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.startswith("0 use sudo (")
    assert "PrivateUsers= of its unit must be off" in done.stdout


def test_privileged_call_waits_for_no_name_service(monkeypatch: pytest.MonkeyPatch) -> None:
    """LDAP hangs: neither a call nor what shares the executor (the disk) waits for it, and the answer is used when it comes."""
    answers = threading.Event()

    def hanging(_name: str) -> grp.struct_group:
        answers.wait(PATIENCE_S)
        return A_GROUP

    monkeypatch.setattr(grp, "getgrnam", hanging)
    authority = Authority("of-ldap")
    authority.look_up(wait_s=0.01)
    member = Peer(1, SOMEBODY, frozenset({A_GROUP.gr_gid}))
    assert authority.rank(member) is Rank.ANYBODY
    assert "not yet found" in authority.advice()
    authority.look_up(wait_s=0)  # asks nobody twice at once
    assert [thread.name for thread in threading.enumerate()].count("group") == 1
    answers.set()
    eventually(lambda: authority.rank(member) is Rank.GROUP)


def test_where_no_thread_can_be_had_the_group_is_looked_up_later(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    authority = Authority(A_GROUP.gr_name)
    member = Peer(1, SOMEBODY, frozenset({A_GROUP.gr_gid}))
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", fail)
        authority.look_up(wait_s=PATIENCE_S)
        assert authority.rank(member) is Rank.ANYBODY
        assert "no thread can be started" in authority.advice()
    authority.look_up(wait_s=PATIENCE_S)
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", fail)
        authority.look_up(wait_s=PATIENCE_S)
    assert authority.rank(member) is Rank.GROUP


def test_own_user_may_change_things_but_not_the_unknown_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: SOMEBODY)
    assert Authority("no-such-group").rank(Peer(1, SOMEBODY, frozenset())) is Rank.OWNER
    monkeypatch.setattr(os, "geteuid", lambda: NOBODY)
    assert Authority("no-such-group").rank(Peer(1, NOBODY, frozenset())) is Rank.ANYBODY


def test_peer_is_who_the_kernel_says() -> None:
    left, right = socket.socketpair()
    with left, right:
        peer = identify(left)
    assert peer.pid == os.getpid()
    assert peer.uid == os.geteuid()
    assert peer.groups >= {os.getegid(), *os.getgroups()}


# The socket in the file system.


def test_socket_is_open_to_all_and_its_folder_is_made(tmp_path: Path) -> None:
    path = tmp_path / "run" / "s"
    with running(path):
        assert stat.S_IMODE(path.stat().st_mode) == 0o666
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o755
    assert not path.exists()


def test_socket_left_by_a_crash_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "s"
    with socket.socket(socket.AF_UNIX) as crashed:
        crashed.bind(str(path))
        crashed.listen()
    assert path.is_socket()
    with running(path):
        assert call(str(path), "Status")


def test_socket_on_which_somebody_answers_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "s"
    with running(path):
        with pytest.raises(SocketBusy, match="another kingd already answers"):
            Listener(path).open()
        assert call(str(path), "Status")


def test_socket_of_another_program_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "s"
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(path))
        other.listen()
        with pytest.raises(SocketBusy):
            Listener(path).open()
        assert path.is_socket()


def test_busy_socket_with_a_full_queue_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "s"
    with socket.socket(socket.AF_UNIX) as other, socket.socket(socket.AF_UNIX) as waiting:
        other.bind(str(path))
        other.listen(0)
        waiting.connect(str(path))
        with pytest.raises(SocketBusy):
            Listener(path).open()


def test_of_two_that_start_at_once_one_gets_the_socket(tmp_path: Path) -> None:
    path = tmp_path / "s"
    first, second = Listener(path), Listener(path)
    with first.open():
        path.unlink()  # the moment between the other's look and its bind
        with pytest.raises(SocketBusy):
            second.open()
        first.close()
        with second.open():
            second.close()


def test_file_that_is_no_socket_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "s"
    path.write_text("precious")
    with pytest.raises(SocketUnusable, match="is not a socket"):
        Listener(path).open()
    assert path.read_text() == "precious"


def test_socket_that_is_no_longer_ours_is_not_removed(tmp_path: Path) -> None:
    path = tmp_path / "s"
    listener = Listener(path)
    with listener.open(), socket.socket(socket.AF_UNIX) as other:
        path.unlink()
        other.bind(str(path))
        listener.close()
        assert path.is_socket()


@pytest.mark.parametrize(
    ("path", "sentence"),
    [(Path("/proc/nothing/s"), "cannot create"), (Path("/tmp") / ("x" * 120), "longer than 107 bytes")],
)
def test_socket_that_cannot_be_made_says_why(path: Path, sentence: str) -> None:
    with pytest.raises(SocketUnusable, match=sentence):
        Listener(path).open()
