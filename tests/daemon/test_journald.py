"""An event reaches the journal with its fields; and stderr, where there is no journal to take it."""

import os
import socket
from pathlib import Path

import pytest

from kingd import journald
from kingd.journald import MESSAGE_ID, takes
from kingd.log import Logger, set_up

LOGGER = Logger("kingd")


def test_event_has_fields_a_line_each_whatever_is_in_them(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as journal:
        journal.bind(str(tmp_path / "journal"))
        event = {"kingd_event": "deposed", "kingd_term": 7, "kingd_leader": "a\nB=2", "kingd_member": ""}
        assert takes("deposed\nX=1", 6, event, path=str(tmp_path / "journal"))
        fields = dict(line.split("=", 1) for line in journal.recv(4096).decode().splitlines())
    assert fields["MESSAGE"] == "deposed\ufffdX=1"
    assert (fields["PRIORITY"], fields["MESSAGE_ID"]) == ("6", MESSAGE_ID)
    assert (fields["KINGD_EVENT"], fields["KINGD_TERM"], fields["KINGD_LEADER"]) == ("deposed", "7", "a\ufffdB=2")
    assert "KINGD_MEMBER" not in fields


def test_journal_that_does_not_keep_up_is_not_waited_for(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as journal:
        journal.bind(str(tmp_path / "journal"))
        taken = [takes("x" * 4000, 6, {}, path=str(tmp_path / "journal")) for _ in range(2000)]
    assert taken[0]
    assert not taken[-1]


@pytest.mark.parametrize("there_is", [True, False])
def test_what_the_journal_does_not_take_goes_to_stderr(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, there_is: bool
) -> None:
    path = tmp_path / "journal"
    monkeypatch.setattr(journald.takes, "__kwdefaults__", {"path": str(path)})
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as journal, (tmp_path / "stderr").open("w") as stderr:
        if there_is:
            journal.bind(str(path))
        status = os.fstat(stderr.fileno())
        monkeypatch.setenv("JOURNAL_STREAM", f"{status.st_dev}:{status.st_ino}")
        set_up("info", "auto", stderr)
        LOGGER.info("hello")
        LOGGER.info("deposed", fields={"kingd_event": "deposed"})
    lines = (tmp_path / "stderr").read_text().splitlines()
    assert lines == ["<6>kingd: hello", *([] if there_is else ["<6>kingd: deposed"])]
