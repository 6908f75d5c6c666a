"""The control server from outside: what it answers, in which order, and how it ends."""

import json
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from kingd.control.service import JsonObject, ServiceError
from tests.cli.fake_kingd import BOX1, FakeKingd, FakeService, event, running
from tests.cli.raw_client import Raw, eventually


@pytest.fixture
def kingd(tmp_path: Path) -> Iterator[FakeKingd]:
    with running(tmp_path / "control.sock") as server:
        yield server
        assert server.failures == []


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
