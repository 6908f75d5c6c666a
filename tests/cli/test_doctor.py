"""`kingctl doctor` against a daemon whose answers the test chooses: exit codes, what is printed, and what is JSON."""

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kingd.cli.main import run
from kingd.control.client import why_not
from kingd.control.service import ServiceError
from kingd.doctor import local
from kingd.doctor.facts import Interface
from tests.cli.fake_doctor import examined, examinee
from tests.cli.fake_kingd import BOX1, FakeKingd, running, status

DEAD = [
    {"interface": "eth0", "direction": "there", "last_ms": None, "worked_ms": None, "sent": 20, **more}
    for more in ({"path": "mc4", "got": 0, "missed": 20}, {"path": "uc4", "got": 20, "missed": 0})
]


@pytest.fixture
def kingd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeKingd]:
    monkeypatch.setenv("KINGCTL_SOCKET", str(tmp_path / "control.sock"))
    with running(tmp_path / "control.sock") as server:
        server.service.status_is = status(role="follower", leader=BOX1, strangers=[])
        yield server
        assert server.failures == []


def answer(kingd: FakeKingd, capfd: pytest.CaptureFixture[str], *options: str) -> tuple[int, Any]:
    code = run(["doctor", "--json", *options])
    return code, json.loads(capfd.readouterr().out)


def test_healthy(kingd: FakeKingd, capfd: pytest.CaptureFixture[str]) -> None:
    code, found = answer(kingd, capfd)
    assert (code, found["healthy"], found["findings"], found["version"]) == (0, True, [], 1)
    assert run(["doctor"]) == 0
    said = capfd.readouterr()
    assert "healthy; 1 of 1 peers answered" in said.out
    assert "20/20" in said.out
    assert said.err == ""


def test_finding_is_three_lines_and_1(kingd: FakeKingd, capfd: pytest.CaptureFixture[str]) -> None:
    kingd.service.examined_is = examined(examinee(BOX1, paths=DEAD))
    code, found = answer(kingd, capfd)
    assert (code, found["healthy"]) == (1, False)
    (finding,) = found["findings"]
    assert finding["code"] == "mc-filtered"
    assert (finding["peers"], finding["where"], finding["interface"]) == (["box1"], "box1", "eth0")
    assert run(["doctor"]) == 1
    lines = capfd.readouterr().out.splitlines()
    assert lines[0] == "mc-filtered: multicast of this host does not reach box1, and unicast does"
    assert lines[1] == "    box1 (eth0): mc4 there 0 of 20, uc4 there 20 of 20"
    assert lines[2].startswith("    on box1: timeout 10 tcpdump")


def test_who_cannot_be_asked_is_4(kingd: FakeKingd, capfd: pytest.CaptureFixture[str]) -> None:
    kingd.service.examined_is = examined(examinee(BOX1, paths=[], answered=False, version="0.0.9"))
    code, found = answer(kingd, capfd)
    (finding,) = found["findings"]
    assert (code, finding["code"], finding["severity"]) == (4, "cannot-ask", "unknown")
    assert "0.0.9" in finding["evidence"]


def test_who_may_not_ask_is_told_how(kingd: FakeKingd, capfd: pytest.CaptureFixture[str]) -> None:
    kingd.service.examine_fails = ServiceError("NotAuthorized", "for root and the group kingd")
    code, found = answer(kingd, capfd)
    (finding,) = found["findings"]
    assert (code, finding["code"], finding["remedy"]) == (1, "no-permission", "sudo kingctl doctor")


def test_no_daemon_is_3(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("KINGCTL_SOCKET", str(tmp_path / "none.sock"))
    assert run(["doctor", "--json"]) == 3
    said = capfd.readouterr()
    assert json.loads(said.out)["findings"][0]["code"] == "not-running"
    assert said.err != ""


def test_who_may_not_open_the_socket_is_not_told_to_start_a_daemon(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def call(*_: object, **__: object) -> None:
        raise why_not("/run/kingd/control.sock", PermissionError())

    monkeypatch.setattr("kingd.cli.doctor.call", call)
    assert run(["doctor", "--json"]) == 3
    finding = json.loads(capfd.readouterr().out)["findings"][0]
    assert (finding["code"], finding["remedy"]) == ("no-permission", "sudo kingctl doctor")
    assert "permission denied" in finding["evidence"]


@pytest.fixture
def hung(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A daemon that is stopped (SIGSTOP): the kernel takes the connection, nobody reads it."""
    monkeypatch.setenv("KINGCTL_SOCKET", str(tmp_path / "s"))
    with socket.socket(socket.AF_UNIX) as stopped:
        stopped.bind(str(tmp_path / "s"))
        stopped.listen()
        yield


@pytest.mark.usefixtures("hung")
def test_daemon_that_hangs_is_a_finding(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    """And what is seen of this host without it is told as well."""
    drops = iter([0, 40])
    monkeypatch.setattr(local, "rp_drops", lambda: next(drops))
    monkeypatch.setattr(local, "_interfaces", lambda: iter([Interface(name="eth0", rp_filter=1)]))
    assert run(["doctor", "--json"]) == 1
    said = capfd.readouterr()
    found = json.loads(said.out)
    stall, beside = found["findings"]
    assert (found["healthy"], stall["code"], stall["what"]) == (False, "loop-stall", "kingd runs and does not answer")
    assert "no answer came within 1.0 s" in stall["evidence"]
    assert beside["code"] == "rp-filter"
    assert "did not answer in time" in said.err


@pytest.mark.usefixtures("hung")
def test_daemon_that_was_hardly_waited_for_is_not_accused(capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["doctor", "--json", "--timeout", "50ms"]) == 4
    said = capfd.readouterr()
    assert (said.out, "did not answer in time" in said.err) == ("", True)


def test_time_limit_is_one_for_all_calls(kingd: FakeKingd, capfd: pytest.CaptureFixture[str]) -> None:
    """Each is answered at once, and the examination comes to no end. The daemon is not accused of it."""
    kingd.service.examined_is = examined(BOX1, done=False)
    assert run(["doctor", "--for", "100ms", "--timeout", "500ms"]) == 4
    said = capfd.readouterr()
    assert said.out == ""
    assert "was not over in time" in said.err


@pytest.mark.parametrize("wrong", ["2h", "none", "x", "0", "0s"])
def test_examination_lasts_an_hour_at_most(wrong: str, kingd: FakeKingd) -> None:
    assert run(["doctor", "--for", wrong]) == 2


def test_busy_daemon_is_not_known(kingd: FakeKingd, capfd: pytest.CaptureFixture[str]) -> None:
    kingd.service.examine_fails = ServiceError("Busy", "a shorter examination goes on")
    assert run(["doctor"]) == 4
    assert "a shorter examination goes on" in capfd.readouterr().err


def test_names_of_others_reach_no_terminal_unseen(kingd: FakeKingd, capfd: pytest.CaptureFixture[str]) -> None:
    kingd.service.examined_is = examined(examinee({**BOX1, "name": "a\x1b[2Jb"}, paths=DEAD))
    run(["doctor"])
    assert "\x1b" not in capfd.readouterr().out
