"""What is kept of the runs of a check, over a restart of the process that runs it."""

from pathlib import Path

import pytest

from kingd.check.memory import Kept, Memory, now_s
from tests.cli.fake_kingd import running

COMMAND = ("/bin/true", "-v")


def kept(*, for_s: float = 60.0) -> Kept:
    return Kept(fit=False, row=1, unfit="exit code 1", end_s=now_s() + for_s)


def test_same_command_for_the_same_daemon_is_remembered_until_its_end(tmp_path: Path) -> None:
    with running(tmp_path / "control.sock") as kingd:
        memory, now = Memory(str(tmp_path), str(kingd.path)), kept()
        memory.keep(COMMAND, now)
        assert memory.recall(COMMAND) == now
        assert memory.recall(("/bin/true",)) is None
        memory.keep(COMMAND, kept(for_s=-1))
        assert memory.recall(COMMAND) is None
        memory.keep(COMMAND, now)
    assert memory.recall(COMMAND) is None  # nobody listens


@pytest.mark.parametrize("damage", [b"", b"{", b"[]", b"7", b'{"fit": 1}', b"\xff"])
def test_what_cannot_be_read_is_not_there(tmp_path: Path, damage: bytes) -> None:
    (tmp_path / "verdict.json").write_bytes(damage)
    assert Memory(str(tmp_path), str(tmp_path / "no.sock")).recall(COMMAND) is None


def test_folder_that_cannot_be_written_costs_a_warning_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    memory = Memory(str(tmp_path / "gone"), str(tmp_path / "no.sock"))
    memory.keep(COMMAND, kept())
    memory.keep(COMMAND, kept())
    assert len(caplog.records) == 1


def test_no_folder_is_no_memory(tmp_path: Path) -> None:
    memory = Memory("", str(tmp_path / "no.sock"))
    memory.keep(COMMAND, kept())
    assert memory.recall(COMMAND) is None
