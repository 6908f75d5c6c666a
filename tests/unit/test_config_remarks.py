"""What is no mistake, and yet is told to who checks a configuration."""

import os
from pathlib import Path

import pytest

from kingd.config import Config, remarks
from kingd.config.keys import Check, Control

NONE = "no-such-thing-here"


def checked_by(program: str) -> list[str]:
    return remarks(Config(name="box1", check=Check(command=(program, "--arg"))))


@pytest.mark.parametrize("program", [NONE, f"/{NONE}", f"/etc/passwd/{NONE}", f"bin/{NONE}"])
def test_check_that_does_not_exist(program: str) -> None:
    (remark,) = checked_by(program)
    assert remark.startswith(f"check.command: there is no program {program} here")


@pytest.mark.parametrize("program", ["sh", "/bin/sh", "bin/sh"])
def test_check_that_exists(program: str) -> None:
    assert checked_by(program) == []


def test_check_is_not_missed_where_this_user_may_not_look(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path, **_: object) -> os.stat_result:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "stat", refuse)
    assert checked_by("/root/check") == []


def test_group_that_does_not_exist() -> None:
    (remark,) = remarks(Config(name="box1", control=Control(group=NONE)))
    assert remark.startswith(f"control.group: there is no group {NONE} here")


@pytest.mark.parametrize("group", ["root", "", Control().group])  # nobody has chosen the last one
def test_group_that_exists_or_was_not_asked_for(group: str) -> None:
    assert remarks(Config(name="box1", control=Control(group=group))) == []
