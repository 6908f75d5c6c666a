"""What the control server takes from clients that mean no good: it stays quick, small, and there for the others."""

import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest

from kingd.control import connection as limits
from kingd.control.places import Rank
from kingd.control.server import CONNECTIONS, CONNECTIONS_MAX, WATCHERS, WATCHERS_MAX
from kingd.loop import Loop, Timer, Work
from tests.cli.fake_kingd import BOX1, FakeKingd, FakeService, event, running
from tests.cli.raw_client import PATIENCE_S, Raw, eventually, is_alive, is_refused
from tests.conftest import require


@pytest.fixture
def kingd(tmp_path: Path) -> Iterator[FakeKingd]:
    with running(tmp_path / "control.sock") as server:
        yield server
        assert server.failures == []


@pytest.mark.parametrize(
    "garbage",
    [
        b"\0",
        b"GET / HTTP/1.1\r\n\r\n\0",
        b"[]\0",
        b"1\0",
        b"{}\0",
        b'{"method":1}\0',
        b'{"method":"org.kingd.Status","parameters":[]}\0',
        b'{"method":"org.kingd.Status","more":1}\0',
        b'{"method":"org.kingd.Watch","more":true,"oneway":true}\0',
        b'{"method":"org.kingd.Status"\0',
        b"\xff\xfe{\0",
        '{"method":"org.kingd.Status"}'.encode("utf-16") + b"\0",
        b'{"method":"org.kingd.Status","parameters":' + b"[" * 4000 + b"\0",
        b"x" * 4097,
        b"x" * 65537,
        b'"' + b"x" * 70000 + b'"\0',
        b"x" * 1_000_000,
    ],
    ids=lambda raw: f"{raw[:12]!r}-{len(raw)}",
)
def test_garbage_closes_the_connection_and_nothing_else(kingd: FakeKingd, garbage: bytes) -> None:
    with Raw(kingd) as other, Raw(kingd) as client:
        with suppress(OSError):  # it may be closed before all is sent
            client.send(garbage)
        assert client.is_closed_by_server()
        assert "parameters" in other.ask("org.kingd.Status").reply()
    assert sum(kingd.server.refused.values()) == 1


def test_message_of_just_4_kib_is_read(kingd: FakeKingd) -> None:
    head, tail = b'{"method":"org.kingd.Status","x":"', b'"}'
    with Raw(kingd) as client:
        client.send(head + b"x" * (4096 - len(head) - len(tail)) + tail + b"\0")
        assert "parameters" in client.reply()


@pytest.mark.parametrize("sent", [b"", b'{"method":'])
def test_message_that_does_not_come_ends_the_connection(
    kingd: FakeKingd, monkeypatch: pytest.MonkeyPatch, sent: bytes
) -> None:
    monkeypatch.setattr(limits, "MESSAGE_WAIT_S", 0.05)
    with Raw(kingd) as client:
        assert client.send(sent).is_closed_by_server()


def test_slow_message_has_a_limit_from_its_first_byte(kingd: FakeKingd, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MESSAGE_WAIT_S", 0.2)
    with Raw(kingd) as client:
        client.ask("org.kingd.Status").reply()
        eventually(lambda: is_refused(client, b" "))


def test_client_that_is_quiet_between_calls_stays(kingd: FakeKingd, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MESSAGE_WAIT_S", 0.05)
    with Raw(kingd) as quiet, Raw(kingd) as other:
        quiet.ask("org.kingd.Status").reply()
        assert other.is_closed_by_server()  # it came later, and its time is over
        assert "parameters" in quiet.ask("org.kingd.Status").reply()


def test_clients_that_stay_wake_the_daemon_no_more_often(tmp_path: Path) -> None:
    """Who only listens costs nothing until there is something to say."""

    class Noting(Loop):
        def call_next(self, interval_s: float, work: Work) -> Timer:
            intervals.append(interval_s)
            return super().call_next(interval_s, work)

    intervals: list[float] = []
    service = FakeService()
    service.loop = Noting()
    with running(tmp_path / "control.sock", service) as kingd, ExitStack() as stack:
        (alone,) = set(intervals)
        for _ in range(3):
            stack.enter_context(Raw(kingd)).ask("org.kingd.Watch", more=True).reply()
        looks = len(intervals)
        eventually(lambda: len(intervals) > looks + 2)
        assert set(intervals) == {alone}


def test_thousand_idle_connections_lock_nobody_out(kingd: FakeKingd) -> None:
    before_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with ExitStack() as stack:
        watcher = stack.enter_context(Raw(kingd))
        watcher.ask("org.kingd.Watch", more=True).reply()
        for _ in range(1000):
            stack.enter_context(Raw(kingd))
        assert is_alive(kingd)
        assert len(list(Path("/proc/self/fd").iterdir())) < 1002 + CONNECTIONS_MAX + 60
        kingd.do(lambda: kingd.service.emit(event("elected", role="leader", leader=BOX1)))
        assert "continues" in watcher.reply()  # a busy connection is not the one that makes room
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kib < 16 * 1024


def test_watchers_lock_nobody_out(kingd: FakeKingd) -> None:
    with ExitStack() as stack:
        replies = [
            stack.enter_context(Raw(kingd)).ask("org.kingd.Watch", more=True).reply() for _ in range(WATCHERS_MAX + 5)
        ]
        assert [reply.get("error") for reply in replies] == [None] * WATCHERS_MAX + ["org.kingd.Busy"] * 5
        assert is_alive(kingd)


def test_too_many_busy_clients_are_told_so(kingd: FakeKingd) -> None:
    kingd.service.answer_delay_s = PATIENCE_S
    with ExitStack() as stack:
        for _ in range(CONNECTIONS_MAX):
            stack.enter_context(Raw(kingd)).ask("org.kingd.Survey")
        eventually(lambda: kingd.service.surveys == CONNECTIONS_MAX)
        one_more = stack.enter_context(Raw(kingd))
        assert one_more.reply()["error"] == "org.kingd.Busy"
        assert one_more.is_closed_by_server()


def test_watcher_that_does_not_read_is_cut_off_and_the_others_miss_nothing(kingd: FakeKingd) -> None:
    count, size = 3000, 1000  # 3 MB: far more than a socket holds
    before_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with Raw(kingd) as deaf, Raw(kingd) as reader:
        for client in (deaf, reader):
            client.ask("org.kingd.Watch", more=True)
        reader.reply()
        eventually(lambda: len(kingd.service.watchers) == 2)
        for n in range(count):
            each = event("elected", role="leader", leader=None, seq=n, reason="x" * size)
            kingd.do(lambda each=each: kingd.service.emit(each))  # type: ignore[misc]
            assert reader.reply()["parameters"]["seq"] == n  # type: ignore[index]
        assert len(kingd.service.watchers) == 1
    assert kingd.server.refused == {"does not read what it watches": 1}
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kib < 16 * 1024


def test_client_that_does_not_read_its_answers_is_cut_off(kingd: FakeKingd, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "REPLY_WAIT_S", 0.1)
    kingd.service.history_is = {"version": 1, "events": [{"x": "y" * 1000}] * 256}
    before_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with Raw(kingd) as deaf:
        deaf.socket.settimeout(0.2)
        one = b'{"method":"org.kingd.History"}\0'
        eventually(lambda: is_refused(deaf, one * 100))
        eventually(lambda: kingd.server.refused == {"does not read its answer": 1})
    assert is_alive(kingd)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kib < 16 * 1024


def test_flood_of_pipelined_calls_does_not_keep_others_waiting(kingd: FakeKingd) -> None:
    with Raw(kingd) as flood:
        flood.socket.setblocking(False)
        one = b'{"method":"org.kingd.Status"}\0'
        counts = []
        for _ in range(20):
            try:
                flood.socket.send(one * 5000)
            except BlockingIOError:
                with suppress(BlockingIOError):
                    flood.socket.recv(1 << 20)
            answered = kingd.service.answered
            assert is_alive(kingd)
            counts.append(kingd.service.answered - answered)
    assert sorted(counts)[10] < 200  # of 5000 that were there first


# -- a user without rights, and the others. (tests/lan/local_attacker.py does all of it to real daemons.)

NOBODY = 65534
FLOOD = """
import os, socket, sys, time
os.setgroups([]); os.setgid(65534); os.setuid(65534)
count, what = int(sys.argv[2]), bytes.fromhex(sys.argv[3])
crowd = [socket.socket(socket.AF_UNIX) for _ in range(count)]
for one in crowd:
    one.connect(sys.argv[1])
    one.setblocking(False)
print("connected", flush=True)
while True:
    for number, one in enumerate(crowd):
        try:
            one.send(what)
        except BlockingIOError:
            continue
        except OSError:
            one.close()
            crowd[number] = one = socket.socket(socket.AF_UNIX)
            one.connect(sys.argv[1])
            one.setblocking(False)
"""
WATCH = b'{"method":"org.kingd.Watch","more":true}\0'


@pytest.fixture
def open_kingd() -> Iterator[FakeKingd]:
    """Where every user may go. Each start of pytest closes its own folders to others."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        with running(Path(folder) / "control.sock") as server:
            yield server
            assert server.failures == []


@contextmanager
def flood(kingd: FakeKingd, what: bytes, *, count: int) -> Iterator[None]:
    """Nobody sends this over and over again, and never reads."""
    require(os.geteuid() == 0, "to become another user needs root")
    command = [sys.executable, "-c", FLOOD, str(kingd.path), str(count), what.hex()]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"connected\n"
        yield
        assert process.poll() is None
        process.kill()


OBJECTS = b'{"method":"org.kingd.Status","parameters":{"x":[' + b",".join([b"{}"] * 20000) + b"]}}\0"
CALLS = b'{"method":"org.kingd.Status","parameters":{"x":[' + b",".join([b"{}"] * 1300) + b"]}}\0"
FLOODS = {"big calls": OBJECTS, "calls": CALLS, "nesting": b"[" * 4000 + b"\0", "half calls": b" ", "watchers": WATCH}


@pytest.mark.parametrize("what", FLOODS.values(), ids=FLOODS)
def test_user_without_rights_costs_the_loop_no_more_than_its_share(open_kingd: FakeKingd, what: bytes) -> None:
    """Processor time, which is the same on a busy machine: of the loop's thread, while all places are asked for."""
    with flood(open_kingd, what, count=200):
        for _ in range(3):
            eventually(lambda: is_alive(open_kingd))
        used: list[tuple[float, float]] = []
        open_kingd.do(lambda: used.append((time.thread_time(), time.monotonic())))
        time.sleep(1)  # what is measured
        open_kingd.do(lambda: used.append((time.thread_time(), time.monotonic())))
        (before_s, began_s), (after_s, ended_s) = used
        assert after_s - before_s < 0.4 * (ended_s - began_s)


def test_user_without_rights_leaves_places_for_the_others(open_kingd: FakeKingd) -> None:
    with flood(open_kingd, WATCH, count=200), ExitStack() as stack:
        eventually(lambda: open_kingd.server.refused["too many clients of one user"] > 100)
        assert len(open_kingd.service.watchers) <= WATCHERS.each
        watchers = [stack.enter_context(Raw(open_kingd)).ask("org.kingd.Watch", more=True) for _ in range(16)]
        assert [watcher.reply().get("error") for watcher in watchers] == [None] * 16
        assert is_alive(open_kingd)


def test_calls_of_root_wait_for_nobody_elses(kingd: FakeKingd) -> None:
    """In one turn: whoever is there first, root is served first."""
    with ExitStack() as stack:
        clients = [stack.enter_context(Raw(kingd)) for _ in range(20)]
        eventually(lambda: len(kingd.server.connections) == 20)
        connections = list(kingd.server.connections)
        for connection in connections[:-1]:
            connection.uid, connection.rank = NOBODY, Rank.ANYBODY

        def ask() -> None:
            for client in clients:
                client.ask("org.kingd.Status")

        kingd.do(ask)
        for client in clients:
            assert "parameters" in client.reply()
        kingd.do(lambda: None)  # its turn is over
        assert connections[-1].served == min(each.served for each in connections)


def test_program_that_forgets_its_connections_does_not_shut_its_user_out(kingd: FakeKingd) -> None:
    with ExitStack() as stack:
        for _ in range(CONNECTIONS.each):
            stack.enter_context(Raw(kingd)).ask("org.kingd.Status").reply()

        def demote() -> None:
            for connection in kingd.server.connections:
                connection.rank = Rank.ANYBODY

        kingd.do(demote)
        eventually(lambda: len(kingd.server.connections) < CONNECTIONS.each)
    assert set(kingd.server.refused) == {"idle, and its user has too many"}


def test_who_is_turned_away_is_told_why(kingd: FakeKingd) -> None:
    with Raw(kingd) as client:
        client.ask("org.kingd.Status").reply()
        kingd.do(lambda: next(iter(kingd.server.connections)).turn_away({"error": "org.kingd.Busy", "parameters": {}}))
        assert client.reply()["error"] == "org.kingd.Busy"
        assert client.is_closed_by_server()
