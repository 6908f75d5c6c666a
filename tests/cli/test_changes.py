"""kingctl's verbs that change the daemon, those that need none, and which daemon is asked."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from kingd import __version__
from kingd.cli.main import run
from kingd.control.service import ServiceError
from tests.cli.fake_kingd import FakeKingd, running


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
    assert (said.out, "network.port" in said.err) == ("changed: priority\n", True)
    assert kingd.service.calls == [("step_down", ("box1", 60_000)), ("set_priority", 7), ("reload", None)]


@pytest.mark.parametrize(
    ("argv", "name", "code"),
    [
        (["step-down"], "NotLeader", 1),
        (["step-down"], "NoSuccessor", 1),
        (["step-down"], "TimedOut", 1),
        (["step-down", "--to", "x"], "UnknownMember", 1),
        (["priority", "1"], "OutOfRange", 1),
        (["reload"], "BadConfig", 78),
    ],
)
def test_refusal_is_told_in_the_daemons_words(
    kingd: FakeKingd, capfd: pytest.CaptureFixture[str], argv: list[str], name: str, code: int
) -> None:
    kingd.service.refusal = ServiceError(name, "no, because")
    assert run(argv) == code
    assert capfd.readouterr() == ("", "kingctl: no, because\n")


def test_version(capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["version"]) == 0
    assert capfd.readouterr().out == f"{__version__}\n"


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
