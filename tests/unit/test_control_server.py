"""The control server from outside: what it answers, and what it takes from clients that mean no good."""

import json
import resource
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from kingd.control import connection as limits
from kingd.control.client import call
from kingd.control.server import CONNECTIONS_MAX, WATCHERS_MAX
from kingd.control.service import JsonObject, ServiceError
from tests.cli.fake_kingd import BOX1, FakeKingd, FakeService, event, running

PATIENCE_S = 10.0  # the tests wait for something to happen, never for time to pass


@pytest.fixture
def kingd(tmp_path: Path) -> Iterator[FakeKingd]:
    with running(tmp_path / "control.sock") as server:
        yield server
        assert server.failures == []


class Raw:
    """A client that sends what it is told to, byte for byte."""

    def __init__(self, kingd: FakeKingd) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.settimeout(PATIENCE_S)
        self.socket.connect(str(kingd.path))
        self._buffer = b""

    def __enter__(self) -> "Raw":
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def send(self, data: bytes) -> "Raw":
        self.socket.sendall(data)
        return self

    def ask(self, method: str, parameters: object = None, **flags: object) -> "Raw":
        return self.send(json.dumps({"method": method, "parameters": parameters or {}, **flags}).encode() + b"\0")

    def reply(self) -> JsonObject:
        while b"\0" not in self._buffer:
            data = self.socket.recv(65536)
            if not data:
                raise EOFError
            self._buffer += data
        raw, _, self._buffer = self._buffer.partition(b"\0")
        message = json.loads(raw)
        assert isinstance(message, dict)
        return message

    def is_closed_by_server(self) -> bool:
        try:
            while self.socket.recv(65536):
                pass
        except ConnectionError:
            pass
        except TimeoutError:
            return False
        return True


def eventually(condition: object) -> None:
    assert callable(condition)
    end_s = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < end_s
        time.sleep(0.005)


def is_refused(client: "Raw", data: bytes) -> bool:
    """Send; whether that failed: it is cut off, or (after a while) its own buffer is full."""
    try:
        client.send(data)
    except OSError:
        return True
    return False


def is_alive(kingd: FakeKingd) -> bool:
    return call(str(kingd.path), "Status", timeout_s=PATIENCE_S)["term"] == 12


# What it answers.


def test_pypi_client_introspects_calls_and_watches(kingd: FakeKingd) -> None:
    varlink = pytest.importorskip("varlink")
    with varlink.Client(f"unix:{kingd.path}") as client, client.open("org.kingd") as org_kingd:
        assert set(client.get_interfaces()) == {"org.varlink.service", "org.kingd"}
        assert org_kingd.Status()["node"]["name"] == "box2"
        assert [node["name"] for node in org_kingd.Members()["members"]] == ["box1", "box2"]
        assert org_kingd.Survey()["nodes"][1]["rtt_ms"] == 0.8
        assert org_kingd.StepDown(to="box1", for_ms=1000)["leader"]["name"] == "box1"
        kingd.service.refusal = ServiceError("NotLeader", "box1 leads, not this node")
        with pytest.raises(varlink.VarlinkError, match=r"org\.kingd\.NotLeader"):
            org_kingd.StepDown(for_ms=1000)
        events = org_kingd.Watch(_more=True)
        assert next(events)["initial"] is True
        kingd.do(lambda: kingd.service.emit(event("elected", role="leader", leader=BOX1)))
        assert next(events)["event"] == "elected"


SERVICE = "org.varlink.service"


@pytest.mark.parametrize(
    ("request_", "error", "parameters"),
    [
        ({"method": "org.example.Status"}, f"{SERVICE}.InterfaceNotFound", {"interface": "org.example"}),
        ({"method": "Status"}, f"{SERVICE}.InterfaceNotFound", {"interface": ""}),
        ({"method": "org.kingd.Nothing"}, f"{SERVICE}.MethodNotFound", {"method": "org.kingd.Nothing"}),
        ({"method": "org.kingd.Watch"}, f"{SERVICE}.ExpectedMore", {}),
        (
            {"method": f"{SERVICE}.GetInterfaceDescription", "parameters": {"interface": "org.x"}},
            f"{SERVICE}.InterfaceNotFound",
            {"interface": "org.x"},
        ),
        *(
            ({"method": f"org.kingd.{method}", "parameters": given}, f"{SERVICE}.InvalidParameter", {"parameter": name})
            for method, given, name in [
                ("Status", {"x": 1}, "x"),
                ("SetPriority", {}, "priority"),
                ("SetPriority", {"priority": "100"}, "priority"),
                ("SetPriority", {"priority": True}, "priority"),
                ("SetPriority", {"priority": 1 << 63}, "priority"),
                ("SetPriority", {"priority": 1, "why": ""}, "why"),
                ("StepDown", {"to": 1, "for_ms": 1}, "to"),
                ("StepDown", {"to": "box1"}, "for_ms"),
            ]
        ),
        (
            {"method": "org.kingd.StepDown", "parameters": {"for_ms": -1}},
            "org.kingd.OutOfRange",
            {"message": "for_ms is -1; allowed is 0 to 604800000 (a week)"},
        ),
    ],
)
def test_wrong_call_is_answered_by_an_error_that_names_it(
    kingd: FakeKingd, request_: JsonObject, error: str, parameters: JsonObject
) -> None:
    with Raw(kingd) as client:
        client.send(json.dumps(request_).encode() + b"\0")
        assert client.reply() == {"error": error, "parameters": parameters}
        assert "parameters" in client.ask("org.kingd.Status").reply()  # the connection goes on
    assert kingd.service.calls == []


def test_pipelined_calls_are_answered_in_their_order(kingd: FakeKingd) -> None:
    kingd.service.answer_delay_s = 0.01
    keys = {"Survey": "agree", "Status": "node", "Nothing": "method", "Members": "members", "History": "events"}
    names = [*keys, "Survey", "Survey"] * 50
    with Raw(kingd) as client:
        client.send(b"".join(json.dumps({"method": f"org.kingd.{name}"}).encode() + b"\0" for name in names))
        for name in names:
            parameters = client.reply()["parameters"]
            assert isinstance(parameters, dict)
            assert keys[name] in parameters


def test_oneway_call_is_carried_out_and_not_answered(kingd: FakeKingd) -> None:
    with Raw(kingd) as client:
        client.ask("org.kingd.SetPriority", {"priority": 7}, oneway=True).ask("org.kingd.Nothing", oneway=True)
        assert "info" not in client.ask(f"{SERVICE}.GetInfo").reply()
    assert kingd.service.calls == [("set_priority", 7)]


def test_client_that_has_said_all_is_still_answered(kingd: FakeKingd) -> None:
    kingd.service.answer_delay_s = 0.05
    with Raw(kingd) as client:
        client.ask("org.kingd.Survey").ask("org.kingd.Status").socket.shutdown(socket.SHUT_WR)
        assert "parameters" in client.reply()
        assert "parameters" in client.reply()
        assert client.is_closed_by_server()


def test_watcher_that_goes_away_is_forgotten(kingd: FakeKingd) -> None:
    with Raw(kingd) as client:
        client.ask("org.kingd.Watch", more=True).reply()
        assert len(kingd.service.watchers) == 1
    eventually(lambda: not kingd.service.watchers)


def test_close_lets_the_last_events_out_and_ends_everybody(kingd: FakeKingd) -> None:
    with Raw(kingd) as watcher, Raw(kingd) as idle:
        watcher.ask("org.kingd.Watch", more=True).reply()
        emit = kingd.service.emit
        last = [event("stopping", role="leader", leader=None, seq=n) for n in range(3)]
        kingd.do(lambda: list(map(emit, last)))
        kingd.close()
        assert [watcher.reply()["parameters"]["seq"] for _ in range(3)] == [0, 1, 2]  # type: ignore[index]
        assert watcher.is_closed_by_server()
        assert idle.is_closed_by_server()
    assert not kingd.path.exists()


def test_stream_that_the_service_ends_closes_the_connection(kingd: FakeKingd) -> None:
    with Raw(kingd) as client:
        client.ask("org.kingd.Watch", more=True).reply()
        kingd.do(lambda: kingd.service.emit(None))
        assert client.is_closed_by_server()


@pytest.mark.parametrize("error", [AssertionError("a bug"), OSError("also a bug"), KeyError("bug")])
def test_bug_of_the_service_reaches_the_loops_exception_handler(tmp_path: Path, error: Exception) -> None:
    """The daemon's handler ends the process: a half-dead daemon is worse than none."""
    service = FakeService()
    service.status_is = error
    with running(tmp_path / "s", service) as kingd:
        with Raw(kingd) as client:
            assert client.ask("org.kingd.Status").is_closed_by_server()
        eventually(lambda: kingd.failures == [error])


# What it takes.


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
        b'{"method":"org.kingd.Status","parameters":' + b"[" * 60000 + b"\0",
        b'{"method":"org.kingd.SetPriority","parameters":{"priority":' + b"9" * 60000 + b"}}\0",
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


def test_message_of_just_64_kib_is_read(kingd: FakeKingd) -> None:
    head, tail = b'{"method":"org.kingd.Status","x":"', b'"}'
    with Raw(kingd) as client:
        client.send(head + b"x" * (65536 - len(head) - len(tail)) + tail + b"\0")
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
                flood.socket.recv(1 << 20)
            answered = kingd.service.answered
            assert is_alive(kingd)
            counts.append(kingd.service.answered - answered)
    assert sorted(counts)[10] < 200  # of 5000 that were there first
