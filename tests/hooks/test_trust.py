"""What runs as root is decided by nobody else: the file, the folders above it, and each link on the way."""

import os
from pathlib import Path

import pytest

from kingd.hooks.trust import why_untrusted
from tests.conftest import require


@pytest.fixture
def program(tmp_path: Path) -> Path:
    found = tmp_path / "lib" / "check"
    found.parent.mkdir(mode=0o755)
    found.touch(mode=0o755)
    assert why_untrusted(found) == ""
    return found


def test_program_itself(program: Path) -> None:
    program.chmod(0o775)
    assert why_untrusted(program).startswith("others than its owner may write to it (mode 0775)")


def test_folder_above_the_program(program: Path) -> None:
    program.parent.chmod(0o777)
    assert f"{program.parent}, in which it is: others" in why_untrusted(program)


def test_folder_of_a_link(program: Path, tmp_path: Path) -> None:
    link = tmp_path / "open" / "check"
    link.parent.mkdir()
    link.symlink_to("../lib/check")
    assert why_untrusted(link) == ""
    link.parent.chmod(0o777)
    assert f"{link.parent}, in which it is: others" in why_untrusted(link)


def test_folder_that_is_reached_by_a_link(program: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("lib")
    assert why_untrusted(tmp_path / "link" / "check") == ""
    program.parent.chmod(0o777)
    assert "in which it is: others" in why_untrusted(tmp_path / "link" / "check")


def test_strangers_program_folder_and_link(program: Path, tmp_path: Path) -> None:
    """The link in a folder like /tmp, where only its owner can turn it."""
    require(os.geteuid() == 0, "to give a file away takes root")
    link = tmp_path / "shared" / "check"
    link.parent.mkdir()
    link.parent.chmod(0o1777)
    link.symlink_to(program)
    assert why_untrusted(link) == ""
    os.chown(link, 12345, -1, follow_symlinks=False)
    assert f"{link}, a link on the way: it belongs to uid 12345" in why_untrusted(link)
    os.chown(program.parent, 12345, -1)
    assert f"{program.parent}, in which it is: it belongs to uid 12345" in why_untrusted(program)
    os.chown(program, 12345, -1)
    assert why_untrusted(program).startswith("it belongs to uid 12345")


def test_what_is_not_there_cannot_be_looked_at(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        why_untrusted(tmp_path / "nothing")
