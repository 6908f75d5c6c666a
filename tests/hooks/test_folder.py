"""H10: no hook is run that somebody else could have written, or put in its place."""

import os
from pathlib import Path

import pytest

from kingd.hooks.folder import hooks_in
from tests.conftest import require


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """top/etc/kingd/hooks.d with one hook."""
    found = tmp_path / "top" / "etc" / "kingd" / "hooks.d"
    found.mkdir(parents=True, mode=0o755)
    (found / "10-a").write_text("#!/bin/sh\n")
    (found / "10-a").chmod(0o755)
    assert hooks_in(found) == ([found / "10-a"], {})
    return found


def refusal(folder: Path) -> str:
    hooks, refused = hooks_in(folder)
    assert hooks == []
    (reason,) = refused.values()
    return reason


@pytest.mark.parametrize("mode", [0o775, 0o757])
@pytest.mark.parametrize("up", [0, 1, 2])
def test_h10_each_folder_above_is_asked(folder: Path, up: int, mode: int) -> None:
    above = folder.parents[up]
    above.chmod(mode)
    assert f"{above}, in which it is: others than its owner may write to it (mode {mode:04o})" in refusal(folder)
    above.chmod(0o1777)  # as /tmp: what is another's can be moved by nobody
    assert len(hooks_in(folder)[0]) == 1


def test_h10_folder_above_that_is_somebodys_is_refused(folder: Path) -> None:
    require(os.geteuid() == 0, "to give a folder away takes root")
    os.chown(folder.parent, 65534, -1)
    assert "it belongs to uid 65534" in refusal(folder)


def test_h10_links_on_the_way_are_followed_one_by_one(folder: Path) -> None:
    """/safe/hooks.d -> /open/link -> /top/etc/kingd/hooks.d, and /top/etc -> /other/etc."""
    safe, opened, other = (folder.parents[3] / name for name in ("safe", "open", "other"))
    for each in (safe, opened, other):
        each.mkdir(mode=0o755)
    (opened / "link").symlink_to(folder)
    (safe / "hooks.d").symlink_to("../open/link")
    assert len(hooks_in(safe / "hooks.d")[0]) == 1
    opened.chmod(0o777)
    assert f"{opened.name}, in which it is: others" in refusal(safe / "hooks.d")
    opened.chmod(0o755)
    etc = folder.parents[1]
    etc.rename(other / "etc")
    etc.symlink_to(other / "etc")
    assert len(hooks_in(folder)[0]) == 1
    other.chmod(0o777)
    assert f"{other}, in which it is: others" in refusal(folder)


def test_loop_of_links_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    assert "cannot be read" in refusal(tmp_path / "a")
