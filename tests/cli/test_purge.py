"""What `apt purge` removes is kingd's, and nothing else goes with it."""

from pathlib import Path

import pytest

from tests.cli import etc

PURGE = "sh packaging/debian/kingd.postrm purge"
STATE = (
    "state.json state.json.new state.json.corrupt-1 voters.json voters.json.new maintenance.json maintenance.json.new "
    "peers.json peers.json.new lock kingd.log"
)
LEFT = "cd / && find var/lib etc/kingd -mindepth 1 2>/dev/null | sort"


@pytest.fixture
def files(tmp_path: Path) -> Path:
    for name in ("kingd.toml", "green.toml", "green.toml.d/a.toml", "conf.d/50-mine.toml", "cluster.key"):
        (tmp_path / "kingd" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "kingd" / name).touch()
    return tmp_path


def made_by_kingd(folder: str) -> str:
    return f"install -d -o kingd /var/lib/{folder} && (cd /var/lib/{folder} && touch {STATE})"


def test_all_that_is_kingds_goes_and_the_account_stays(files: Path) -> None:
    done = etc.run(
        f"{made_by_kingd('kingd')} && {made_by_kingd('kingd-green')} && {PURGE} && id -un kingd && {LEFT}", files
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "kingd\n", "")


def test_nothing_else_goes(files: Path) -> None:
    (files / "kingd" / "conf.d" / "notes.txt").touch()
    (files / "kingd" / "hosts").touch()
    theirs = "mkdir /var/lib/kingd-backup && touch /var/lib/kingd-backup/lock /var/lib/kingd-backup/state.json"
    mine = f"{made_by_kingd('kingd')} && touch /var/lib/kingd/notes.txt"
    done = etc.run(f"{theirs} && {mine} && {PURGE} && {LEFT}", files)
    assert done.stdout.split() == [
        *("etc/kingd/conf.d", "etc/kingd/conf.d/notes.txt", "etc/kingd/hosts"),
        *("var/lib/kingd", "var/lib/kingd-backup", "var/lib/kingd-backup/lock", "var/lib/kingd-backup/state.json"),
        "var/lib/kingd/notes.txt",
    ]


def test_nothing_there_is_no_mistake(tmp_path: Path) -> None:
    (tmp_path / "other").touch()
    done = etc.run(f"{PURGE} && {PURGE}", tmp_path, has_account=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_what_the_daemon_leaves_is_what_purge_knows(tmp_path: Path) -> None:
    """A real one, that was killed in the background."""
    (tmp_path / "kingd").mkdir()
    start = "kingd --detach --interface lo && until [ -S /run/kingd/control.sock ]; do sleep 0.1; done && kingctl wait"
    kill = "kill -9 $(cat /var/lib/kingd/lock)"
    done = etc.run(f"{start} >/dev/null && {kill} && ls /var/lib/kingd && {PURGE} && {LEFT}", tmp_path)
    assert done.stdout.split() == ["kingd.log", "lock", "state.json", "voters.json"], done.stderr
