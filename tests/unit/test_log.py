"""The three shapes of a line, and what keeps strangers from filling the disk."""

import fcntl
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

import pytest

from kingd.log import DEBUG, ERROR, INFO, WARNING, Logger, OncePer, set_up

LOGGER = Logger("kingd.test")


@pytest.fixture
def stream(tmp_path: Path) -> Iterator[TextIO]:
    with (tmp_path / "said").open("w") as found:
        yield found


def said_to(stream: TextIO) -> str:
    return Path(stream.name).read_text()


def log_failure() -> None:
    try:
        raise ValueError("bad\nnews\x1b[31m")
    except ValueError as error:
        LOGGER.critical("it %s", "failed", error=error)


def test_line_for_people_has_time_level_and_logger(stream: TextIO) -> None:
    set_up("info", "auto", stream)
    LOGGER.info("hello %s", "box1")
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} INFO kingd\.test: hello box1\n", said_to(stream))


@pytest.mark.parametrize(
    ("level", "said"),
    [
        ("debug", ["debug", "info", "warning", "error"]),
        ("info", ["info", "warning", "error"]),
        ("warning", ["warning", "error"]),
        ("error", ["error"]),
    ],
)
def test_level_leaves_out_what_is_less_important(stream: TextIO, level: str, said: list[str]) -> None:
    set_up(level, "json", stream)
    for number in (DEBUG, INFO, WARNING, ERROR):
        LOGGER.log(number, "x")
    assert [json.loads(line)["level"] for line in said_to(stream).splitlines()] == said


def test_reload_replaces_the_handler(stream: TextIO) -> None:
    set_up("info", "auto", stream)
    set_up("error", "json", stream)
    LOGGER.info("unheard")
    LOGGER.error("heard")
    assert [json.loads(line)["message"] for line in said_to(stream).splitlines()] == ["heard"]


def journal_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, inode_off_by: int = 0) -> list[str]:
    with (tmp_path / "journal").open("w") as journal:
        status = os.fstat(journal.fileno())
        monkeypatch.setenv("JOURNAL_STREAM", f"{status.st_dev}:{status.st_ino + inode_off_by}")
        set_up("debug", "auto", journal)
        LOGGER.debug("d")
        LOGGER.info("i")
        LOGGER.warning("w")
        LOGGER.critical("c")
        log_failure()
    return (tmp_path / "journal").read_text().splitlines()


def test_line_for_the_journal_has_a_priority_and_no_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = journal_lines(tmp_path, monkeypatch)
    assert lines[:4] == ["<7>kingd.test: d", "<6>kingd.test: i", "<4>kingd.test: w", "<2>kingd.test: c"]
    assert lines[4:6] == ["<2>kingd.test: it failed", "<2>Traceback (most recent call last):"]
    assert all(line.startswith("<2>") for line in lines[4:])


def test_inherited_journal_variable_is_not_believed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not journal_lines(tmp_path, monkeypatch, inode_off_by=1)[0].startswith("<")


@pytest.mark.parametrize(
    ("text", "shown"), [("a\nb", r"a\nb"), ("\x1b[2J", r"\x1b[2J"), ("\x9b\u2028", r"\x9b\u2028"), ("bäx", "bäx")]
)
def test_line_is_one_line_whatever_a_peer_is_called(stream: TextIO, text: str, shown: str) -> None:
    set_up("info", "auto", stream)
    LOGGER.info("peer %s", text)
    assert said_to(stream).endswith(f"kingd.test: peer {shown}\n")
    assert said_to(stream).count("\n") == 1


def test_traceback_keeps_its_lines_but_drives_no_terminal(stream: TextIO) -> None:
    set_up("info", "auto", stream)
    log_failure()
    lines = said_to(stream).splitlines()
    assert lines[1] == "Traceback (most recent call last):"
    assert lines[-2:] == ["ValueError: bad", r"news\x1b[31m"]


def test_json_line_is_one_object(stream: TextIO) -> None:
    set_up("info", "json", stream)
    LOGGER.warning("lost\n%d", 1)
    (line,) = said_to(stream).splitlines()
    record = json.loads(line)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", record.pop("time"))
    assert record == {"level": "warning", "logger": "kingd.test", "message": "lost\n1"}


def test_json_line_carries_the_traceback(stream: TextIO) -> None:
    set_up("info", "json", stream)
    log_failure()
    assert json.loads(said_to(stream))["exception"].endswith("ValueError: bad\nnews\x1b[31m")


def test_stream_that_is_gone_is_no_reason_to_stop(stream: TextIO) -> None:
    set_up("info", "auto", stream)
    stream.close()
    LOGGER.error("unheard")


def test_reader_who_does_not_read_is_not_waited_for_and_told_what_is_missing() -> None:
    reader, writer = os.pipe()
    with os.fdopen(reader, "rb", 0) as pipe, os.fdopen(writer, "w") as stream:
        fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 4096)
        set_up("info", "auto", stream)
        for number in range(200):
            LOGGER.info("%d %s", number, "x" * 100)
        LOGGER.info("long %s", "y" * 10_000)  # more than there can ever be room for at once
        found = pipe.read(65536)
        LOGGER.info("long %s", "y" * 10_000)
        while b"end" not in found:
            found += pipe.read(65536)
            LOGGER.info("end")
    lines = [line.partition(" kingd.")[2] for line in found.decode().splitlines()]
    first = [line for line in lines if " xx" in line]
    assert first == [f"test: {number} {'x' * 100}" for number in range(len(first))]  # whole, and none twice
    assert lines[len(first) :][:2] == [
        f"log: lines left out here, because nobody read them: {201 - len(first)}",
        f"test: long {'y' * 10_000}",
    ]


SECOND = 1_000_000


def test_once_per_key_then_counted(caplog: pytest.LogCaptureFixture) -> None:
    once = OncePer(LOGGER)
    said = [once.log(WARNING, key, "refused %s", key, now_us=0) for key in ("a", "b", "a", "a")]
    assert said == [True, True, False, False]
    assert [record.getMessage() for record in caplog.records] == ["refused a", "refused b"]
    assert once.counts() == {"b": 1, "a": 3}


def test_key_that_was_silent_longest_is_forgotten(caplog: pytest.LogCaptureFixture) -> None:
    once = OncePer(LOGGER, keys_max=2)
    for key in ("a", "b", "a", "c", "a", "b"):
        once.log(WARNING, key, "refused %s", key, now_us=0)
    assert [record.getMessage() for record in caplog.records] == ["refused a", "refused b", "refused c", "refused b"]
    assert once.counts() == {"a": 3, "b": 1}


def test_flood_of_new_keys_fills_neither_log_nor_memory(caplog: pytest.LogCaptureFixture) -> None:
    """20 lines a minute and one that says what was left out; a key left out is said in a later minute."""
    once = OncePer(LOGGER, keys_max=50)
    for number in range(10_000):
        once.log(WARNING, number, "refused %d", number, now_us=number)
    assert len(caplog.records) == 20
    assert once.log(WARNING, 9_999, "refused %d", 9_999, now_us=59 * SECOND) is False
    assert once.log(WARNING, 9_999, "refused %d", 9_999, now_us=60 * SECOND) is True
    assert [record.getMessage() for record in caplog.records[20:]] == [
        "9981 more messages of this kind were left out",
        "refused 9999",
    ]
    for minute in range(2, 10):
        for number in range(1000):
            once.log(WARNING, (minute, number), "x", now_us=minute * 60 * SECOND)
    assert len(once.counts()) == 50
