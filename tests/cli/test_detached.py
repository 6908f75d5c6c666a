"""`kingd --detach`, without systemd: it works as the daemon's user, and root does not write where others may put links."""

from pathlib import Path

import pytest

from tests.cli import etc

# The words of kingd(8), "WITHOUT SYSTEMD", with this tree's kingd.
START = f"runuser -u kingd -- {etc.PYTHON} -m kingd --detach --pid-file /run/kingd/kingd.pid --interface lo"
UNTIL_LED = "until [ -S /run/kingd/control.sock ]; do sleep 0.1; done; kingctl wait"
FOLDERS = "install -d -o kingd -g kingd /run/kingd /var/lib/kingd"


@pytest.fixture
def files(tmp_path: Path) -> Path:
    (tmp_path / "kingd").mkdir()
    (tmp_path / "victim").write_text("root's own\n")
    return tmp_path


def test_it_runs_as_its_user_as_the_manual_says(files: Path) -> None:
    done = etc.run(f"{FOLDERS} && {START} && {UNTIL_LED} && ps -o user:10= -p $(cat /run/kingd/kingd.pid)", files)
    assert (done.returncode, done.stdout.split()[-1]) == (0, "kingd"), done.stderr


@pytest.mark.parametrize(
    ("options", "place"),
    [
        ("", "/var/lib/kingd"),
        ("--state-dir /var/lib/own --pid-file /run/kingd/kingd.pid", "/run/kingd"),
        ("--state-dir /var/lib/own", "/run/kingd"),  # the socket
        ("--state-dir /var/lib/kingd/new/folder", "/var/lib/kingd"),
    ],
)
@pytest.mark.parametrize("detach", ["--detach", ""])
def test_root_does_not_write_where_the_daemons_user_may_put_links(
    files: Path, options: str, place: str, detach: str
) -> None:
    links = "for name in var/lib/kingd/kingd.log run/kingd/kingd.pid; do ln -s /etc/victim /$name; done"
    options = options if detach else options.replace(" --pid-file /run/kingd/kingd.pid", "")
    done = etc.run(
        f"{FOLDERS} && {links}; timeout 20 {etc.PYTHON} -m kingd {detach} {options}; echo $?; cat /etc/victim", files
    )
    assert done.stdout == "73\nroot's own\n", done.stderr
    assert f"kingd: {place} belongs to the user kingd, who could put links there" in done.stderr
    assert "(`runuser -u kingd -- kingd ...`)" in done.stderr


def test_root_does_not_write_where_everybody_may(files: Path) -> None:
    done = etc.run("mkdir -m 777 /var/lib/kingd && kingd --detach; echo $?", files)
    assert done.stdout == "73\n"
    assert "`chmod go-w /var/lib/kingd` mends it" in done.stderr
    mend = "mkdir -m 777 /var/lib/kingd && chmod go-w /var/lib/kingd"
    mended = etc.run(f"{mend} && kingd --detach --interface lo && {UNTIL_LED}", files)
    assert mended.returncode == 0, mended.stderr


@pytest.mark.parametrize(
    ("put", "code"),
    [
        ("ln -s ../victim kingd.log", 73),
        ("ln ../victim kingd.log", 73),
        ("mkfifo kingd.log", 73),
        ("ln -s ../victim kingd.pid", 0),  # replaced
        ("ln ../victim kingd.pid", 0),
    ],
)
def test_log_and_pid_file_are_never_what_somebody_has_put_there(files: Path, put: str, code: int) -> None:
    """In a folder like /tmp, where everybody may make files."""
    done = etc.run(
        f"cd /var/lib && cp /etc/victim . && mkdir -m 1777 kingd && (cd kingd && {put}) && cd {etc.TOP} && "
        "kingd --detach --interface lo --pid-file /var/lib/kingd/kingd.pid; echo $?; cat /var/lib/victim",
        files,
    )
    assert done.stdout == f"{code}\nroot's own\n", done.stderr
