"""kingctl's verbs that change the daemon, those that need none, and which daemon is asked."""

import json
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from kingd import __version__
from kingd.cli.main import run
from kingd.control.service import ServiceError
from kingd.control.target import unit
from tests.cli.fake_kingd import BOX1, BOX2, FakeKingd, running, status


@pytest.fixture
def kingd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeKingd]:
    monkeypatch.setenv("KINGCTL_SOCKET", str(tmp_path / "control.sock"))
    with running(tmp_path / "control.sock") as server:
        yield server
        assert server.failures == []


def test_changes_reach_the_daemon(kingd: FakeKingd, capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["step-down", "--to", "box1", "--for", "1m"]) == 0
    assert capfd.readouterr().out == "box1\n"
    assert run(["priority", "7"]) == 0
    said = capfd.readouterr()
    assert (said.out, "not saved" in said.err) == ("priority 7 (before: 200)\n", True)
    assert run(["reload"]) == 0
    said = capfd.readouterr()
    assert said.out == "changed: priority\n"
    assert said.err.splitlines()[0] == "kingctl: so be it"
    assert "network.port" in said.err
    assert kingd.service.calls == [("step_down", ("box1", 60_000)), ("set_priority", 7), ("reload", None)]


def test_maintenance_says_until_when_and_that_it_is_kept(kingd: FakeKingd, capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["maintenance", "on", "--for", "2h", "--reason", "new disk"]) == 0
    assert capfd.readouterr() == ("maintenance on until 2026-11-23 12:00:00.000Z\n", "")
    kingd.service.saves = False
    assert run(["maintenance", "off"]) == 0
    said = capfd.readouterr()
    assert (said.out, "not kept over a restart" in said.err) == ("maintenance off\n", True)
    assert kingd.service.calls == [
        ("set_maintenance", (True, 7_200_000, "new disk")),
        ("set_maintenance", (False, None, "")),
    ]
    assert run(["maintenance", "on", "--json"]) == 0
    assert json.loads(capfd.readouterr().out) == {"version": 1, "on": True, "until": None, "saved": False}


def test_maintenance_of_the_leader_returns_when_another_one_leads(
    kingd: FakeKingd, capfd: pytest.CaptureFixture[str]
) -> None:
    leads = kingd.service.status_is = status(role="leader", leader=BOX2)
    assert isinstance(leads["node"], dict)
    leads["node"]["id"] = BOX2["id"]
    assert run(["maintenance", "on", "--timeout", "300ms"]) == 1
    assert "this node still leads" in capfd.readouterr().err

    def moved() -> None:
        if kingd.service.answered > 12:
            kingd.service.status_is = status(role="follower", leader=BOX1)

    kingd.service.on_status = moved
    assert run(["maintenance", "on"]) == 0
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(
    "argv",
    [
        ["on", "--reason", "x" * 201],
        ["on", "--reason", "two\nlines"],
        ["off", "--for", "3s"],
        ["off", "--reason", "x"],
        ["maybe"],
        [],
    ],
)
def test_maintenance_that_is_no_order(kingd: FakeKingd, argv: list[str]) -> None:
    assert run(["maintenance", *argv]) == 2
    assert kingd.service.calls == []


@pytest.mark.parametrize(
    ("argv", "name", "code"),
    [
        (["step-down"], "NotLeader", 1),
        (["step-down"], "NoSuccessor", 1),
        (["step-down"], "TimedOut", 1),
        (["step-down", "--to", "x"], "UnknownMember", 1),
        (["priority", "1"], "OutOfRange", 1),
        (["maintenance", "on"], "OutOfRange", 1),
        (["reload"], "BadConfig", 78),
    ],
)
def test_refusal_is_told_in_the_daemons_words(
    kingd: FakeKingd, capfd: pytest.CaptureFixture[str], argv: list[str], name: str, code: int
) -> None:
    kingd.service.refusal = ServiceError(name, "no, because")
    assert run(argv) == code
    assert capfd.readouterr() == ("", "kingctl: no, because\n")


@pytest.mark.parametrize("argv", [["step-down"], ["maintenance", "on"], ["priority", "7"], ["reload"], ["status"]])
def test_change_that_was_not_answered_may_still_be_made(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], argv: list[str]
) -> None:
    """A daemon that is stopped reads it when it goes on."""
    path = str(tmp_path / "hangs.sock")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as hangs:
        hangs.bind(path)
        hangs.listen()
        assert run([*argv, "--socket", path, "--timeout", "50ms"]) == 1
    said = capfd.readouterr()
    assert (said.out, "did not answer in time" in said.err) == ("", True)
    assert ("may still do what was asked for" in said.err) is (argv != ["status"])


def test_version(capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["version"]) == 0
    assert capfd.readouterr().out == f"{__version__}\n"


def test_version_and_help_are_where_one_looks_for_them(capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["--version"]) == 0
    assert capfd.readouterr().out == f"kingctl {__version__}\n"
    for argv, same in ((["help"], ["--help"]), (["help", "step-down"], ["step-down", "--help"])):
        assert run(argv) == run(same) == 0
        said = capfd.readouterr().out
        assert said[: len(said) // 2] == said[len(said) // 2 :] != ""
    assert run(["help", "nonsense"]) == 2
    assert "No such command 'nonsense'" in capfd.readouterr().err


def test_number_without_a_unit_is_seconds(kingd: FakeKingd, capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["step-down", "--for", "3"]) == 0
    assert kingd.service.calls == [("step_down", (None, 3000))]
    assert run(["step-down", "--for", "3min"]) == 2
    assert "such as 5s, 200ms, 1m" in capfd.readouterr().err
    assert run(["step-down", "--help"]) == 0
    assert "seconds without a unit" in " ".join(capfd.readouterr().out.split())


def test_check_config_names_every_mistake(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "kingd.toml"
    file.write_text('cluster = "lan"\n')
    assert run(["check-config", str(file)]) == 0
    assert capfd.readouterr() == ("ok\n", "")
    file.write_text("priority = -1\nnonsense = 1\n")
    assert run(["check-config", str(file)]) == 78
    said = capfd.readouterr()
    assert (said.out, "priority" in said.err, "nonsense" in said.err, str(file) in said.err) == ("", True, True, True)
    assert run(["check-config", str(tmp_path / "missing.toml")]) == 78


def test_check_config_says_that_this_host_does_not_vote(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "kingd.toml"
    file.write_text('name = "box9"\nquorum.voters = ["box1", "box2", "box3"]\n')
    assert run(["check-config", str(file)]) == 0
    said = capfd.readouterr()
    assert said.out == "ok\n"
    assert "this host is called box9, which is not in quorum.voters (box1, box2, box3)" in said.err
    file.write_text('name = "box2"\nquorum.voters = ["box1", "box2", "box3"]\n')
    assert run(["check-config", str(file)]) == 0
    assert capfd.readouterr() == ("ok\n", "")


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/run/kingd/control.sock", "kingd"),
        ("/run/kingd-green/control.sock", "kingd@green"),
        ("/run/kingd-a/b/control.sock", "kingd"),
        ("/tmp/control.sock", "kingd"),
    ],
)
def test_unit_of_a_socket(path: str, name: str) -> None:
    assert unit(path) == name


def test_advice_about_an_instance_names_its_unit(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("KINGCTL_SOCKET", raising=False)
    assert run(["--instance", "no-such-instance", "leader"]) == 3
    assert "systemctl start kingd@no-such-instance" in capfd.readouterr().err


def test_socket_choice(kingd: FakeKingd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here, nowhere = str(kingd.path), str(tmp_path / "nowhere")
    assert run(["--socket", nowhere, "status"]) == 3
    assert run(["--socket", nowhere, "status", "--socket", here]) == 0
    assert run(["--instance", "other", "status"]) == 0  # the environment wins over --instance
    monkeypatch.setenv("KINGCTL_SOCKET", nowhere)
    assert run(["status"]) == 3
    assert run(["--socket", here, "status"]) == 0
    monkeypatch.delenv("KINGCTL_SOCKET")
    assert run(["status", "--instance", "no-such-instance"]) == 3
