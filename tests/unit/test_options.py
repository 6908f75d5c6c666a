"""The plain form of the command line is read as click reads it, and click is left what is not plain."""

import shlex
from pathlib import Path

import pytest

from kingd.config import ConfigError, load
from kingd.daemon.command import read_by_click
from kingd.daemon.command_line import read, read_plain
from kingd.daemon.options import Options

PLAIN = [
    "",
    "--instance green",  # kingd@green.service
    "--config /etc/kingd/a.toml --state-dir /var/lib/kingd-a --socket /run/kingd-a/control.sock",
    "--config=a.toml --state-dir=here --socket=b/c",
    "--name=box1 --cluster 'two words' --priority 200 --port 007",
    "--name a --name b",
    "--interface eth0 --voter a --interface=eth1 --voter b",
    "--name=a=b",
]
NOT_PLAIN = [
    *("--help", "-h", "--version", "--check-config", "--detach", "--log-level info", "--pid-file x --detach"),
    *(
        "--name",
        "--name=",
        "--name ''",
        "--name -x",
        "--name=-x",
        "-- --name a",
        "--name a b",
        "name a",
        "-name a",
        "--nam a",
    ),
    *("--priority x", "--priority -1", "--priority +1", "--priority ' 1'", "--port ²"),
]


@pytest.mark.parametrize("line", PLAIN)
def test_both_ways_read_alike(line: str) -> None:
    words = shlex.split(line)
    assert read_plain(words) == read_by_click(words)


@pytest.mark.parametrize("line", NOT_PLAIN)
def test_what_is_not_plain_is_left_to_click(line: str) -> None:
    assert read_plain(shlex.split(line)) is None


def test_completion_is_left_to_click(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("_KINGD_COMPLETE", "bash_complete")
    assert read_plain([]) is None


def test_paths_are_of_the_folder_that_we_are_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    options = read(["--config", "a.toml", "--state-dir", "b", "--socket", "c", "--detach", "--pid-file", "d"])
    assert (options.config, options.state_dir, options.socket, options.pid_file) == (
        *(tmp_path / "a.toml", tmp_path / "b"),
        *(tmp_path / "c", tmp_path / "d"),
    )
    assert read([]) == Options()


def test_instance_has_files_of_its_own_where_none_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KINGCTL_SOCKET", "/of/kingctl")
    found = read(["--instance", "green"])
    assert (str(found.config), str(found.state_dir)) == ("/etc/kingd/green.toml", "/var/lib/kingd-green")
    assert str(found.socket) == "/run/kingd-green/control.sock"
    named = read(["--instance", "green", "--config", "/a", "--state-dir", "/b", "--socket", "/c"])
    assert (str(named.config), str(named.state_dir), str(named.socket)) == ("/a", "/b", "/c")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("--priority high", 'priority = "high"'),
        ("--priority 70000", "priority = 70000"),
        ("--port=''", 'network.port = ""'),
        ("--log-level trace", 'log.level = "trace"'),
        ("--name ''", 'name = ""'),
        ("--interface=", 'network.interfaces = [""]'),
    ],
)
def test_value_of_a_key_is_judged_as_in_a_file(line: str, said: str) -> None:
    """With 78, after which systemd does not start it again."""
    with pytest.raises(ConfigError, match=r"^command line: ") as wrong:
        load(main=None, explicit=False, overrides=read(shlex.split(line)).overrides)
    assert said in str(wrong.value)


@pytest.mark.parametrize(
    ("line", "code", "said"),
    [
        ("--help", 0, "--priority"),
        ("--version", 0, "kingd "),
        ("--pid-file x", 2, "--pid-file goes with --detach"),
        ("--socket ''", 2, "Invalid value for '--socket': it is empty"),
        ("--state-dir=", 2, "Invalid value for '--state-dir': it is empty"),
        ("--nme a", 2, "--name"),
        ("more", 2, "more"),
    ],
)
def test_help_and_mistakes_are_told(line: str, code: int, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        read(shlex.split(line))
    assert ended.value.code == code
    told = capsys.readouterr()
    assert said in (told.out if code == 0 else told.err)
