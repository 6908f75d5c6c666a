"""Which files a configuration comes from, what is wrong with them, and what a reload of them changes."""

import os
import re
from pathlib import Path

import pytest

from kingd.config import (
    KEYS,
    ConfigError,
    apply_live,
    changed_keys,
    load,
    needs_restart,
)
from tests.conftest import require
from tests.unit.test_config import problems, read


@pytest.fixture
def main(tmp_path: Path) -> Path:
    return tmp_path / "kingd.toml"


def test_later_wins_key_by_key(main: Path) -> None:
    folder = main.parent / "conf.d"
    folder.mkdir()
    (folder / "20-b.toml").write_text('priority = 20\n[log]\nlevel = "error"')
    (folder / "10-a.toml").write_text('priority = 10\ncluster = "ten"')
    (folder / ".#30.toml").write_text("not TOML: the lock file of an editor")
    (folder / "30.toml~").write_text("not TOML: its backup")
    config = read(main, 'priority = 1\ncluster = "main"\nname = "n"\n[log]\nformat = "json"')
    assert (config.priority, config.cluster, config.name) == (20, "ten", "n")
    assert (config.log.level, config.log.format) == ("error", "json")
    given: dict[str, object] = {"priority": 7, "log.level": None, "network.interfaces": ("a", "b"), "tags.x": "y"}
    config = load(main=main, explicit=False, overrides=given)
    assert (config.priority, config.log.level, config.network.interfaces) == (7, "error", ("a", "b"))
    assert config.tags == (("x", "y"),)


def test_drop_ins_are_read_without_a_main_file(main: Path) -> None:
    (main.parent / "conf.d").mkdir()
    (main.parent / "conf.d/a.toml").write_text("priority = 5")
    assert load(main=main, explicit=False, overrides={}).priority == 5


@pytest.mark.parametrize("name", ["web.toml", "conf.toml"])  # conf: its folder must not be that of the default instance
def test_instance_does_not_read_the_drop_ins_of_the_default_one(tmp_path: Path, name: str) -> None:
    for folder, priority in (("conf.d", 1), (f"{name}.d", 2)):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "a.toml").write_text(f"priority = {priority}")
    assert read(tmp_path / name, 'cluster = "web"').priority == 2


@pytest.mark.parametrize(
    ("toml", "given", "cluster"), [("", None, "green"), ('cluster = "blue"', None, "blue"), ("", "red", "red")]
)
def test_instance_is_in_a_cluster_of_its_own(tmp_path: Path, toml: str, given: str | None, cluster: str) -> None:
    """In `default` it would be a second member on the host of kingd.service."""
    file = tmp_path / "green.toml"
    file.write_text(toml)
    overrides: dict[str, object] = {"cluster": given}
    assert load(main=file, explicit=True, overrides=overrides, instance="green").cluster == cluster


def test_instance_whose_name_is_no_name_for_a_cluster_has_to_name_one(tmp_path: Path) -> None:
    file = tmp_path / "a:b.toml"
    file.write_text("")
    with pytest.raises(ConfigError, match=r'^kingd@a:b: cluster = "a:b" is not allowed: it must be 1 to 63 of'):
        load(main=file, explicit=True, overrides={}, instance="a:b")
    file.write_text('cluster = "a b"')
    with pytest.raises(ConfigError, match=r'^\S*:1: cluster = "a b" is not allowed'):  # told once
        load(main=file, explicit=True, overrides={}, instance="a:b")


def test_command_line_is_checked_like_a_file(main: Path) -> None:
    given: dict[str, object] = {"priority": 70000, "network.interfaces": ("a", "a"), "prority": 1, "network": 1}
    with pytest.raises(ConfigError) as caught:
        load(main=main, explicit=False, overrides=given)
    assert len(caught.value.problems) == 4
    assert all(problem.startswith("command line: ") for problem in caught.value.problems)


def test_file_that_was_asked_for_must_be_there(main: Path) -> None:
    with pytest.raises(ConfigError, match=f"^{main}: cannot be read: No such file or directory$"):
        load(main=main, explicit=True, overrides={})


UNREADABLE = [
    (b"priority = 1\nx x\n", "is not TOML: .*line 2, .*"),
    (b"a = 1\na = 2", "is not TOML: .*"),
    (b"a = 1\nname = '\xff'", r"is not UTF-8 text \(at line 2\)"),
    (b"a = " + b"[" * 5000, "is not TOML: .*"),
    (b"#" * (1 << 20) + b"#", "is not TOML: it is longer than 1048576 bytes"),
    ("priority = 1".encode("utf-16"), r"is not TOML: it is UTF-16 \(or not text at all\): save it as UTF-8"),
    ("priority = 1".encode("utf-16-be"), r"is not TOML: it is UTF-16 \(or not text at all\): save it as UTF-8"),
]


@pytest.mark.parametrize(("data", "pattern"), UNREADABLE)
def test_file_that_is_no_toml_is_named_with_the_line(main: Path, data: bytes, pattern: str) -> None:
    main.write_bytes(data)
    with pytest.raises(ConfigError) as caught:
        load(main=main, explicit=False, overrides={})
    (problem,) = caught.value.problems
    assert re.fullmatch(f"{re.escape(str(main))}: {pattern}", problem)


@pytest.mark.parametrize(
    ("toml", "key", "line"),
    [
        ("priority = 1\npriority = 2", "priority", 2),
        ("priority = 1\n# a = b\n\npriority = 2 # c = d\n\ncluster = 'a'\n", "priority", 4),
        ("[timing]\nheartbeat = '1s'\nheartbeat = '2s'\nprofile = 'lan'\n", "heartbeat", 3),
        ("[quorum]\nvoters = ['a']\nvoters = [\n'b',\n]\n", "voters", 3),
    ],
)
def test_key_that_is_there_twice_is_named(main: Path, toml: str, key: str, line: int) -> None:
    assert problems(main, toml) == (f"{main}: is not TOML: {key} is there twice (at line {line})",)


@pytest.mark.parametrize(
    ("toml", "shown"),
    [
        (r'"\u001b[31m" = 1', r"\x1b[31m = 1"),
        (r'"a\nkingd: all is well" = 1', r"a\nkingd: all is well = 1"),
        (r"[tags]" "\n" r'"a\u0085b" = "c"', r"tags.a\x85b"),
    ],
)
def test_key_with_control_characters_is_shown_without_them(main: Path, toml: str, shown: str) -> None:
    [problem] = problems(main, toml)
    assert problem.isprintable()
    assert shown in problem


def test_byte_order_mark_that_no_editor_shows_is_skipped(main: Path) -> None:
    main.write_bytes(b"\xef\xbb\xbfpriority = 7\r\n")
    assert load(main=main, explicit=False, overrides={}).priority == 7


def test_folders_and_dangling_links_where_files_should_be_are_named(main: Path) -> None:
    main.mkdir()
    (main.parent / "conf.d").mkdir()
    (main.parent / "conf.d/a.toml").symlink_to("nowhere")
    with pytest.raises(ConfigError) as caught:
        load(main=main, explicit=False, overrides={})
    assert caught.value.problems == (
        f"{main}: cannot be read: Is a directory",
        f"{main.parent}/conf.d/a.toml: cannot be read: No such file or directory",
    )


def test_pipe_is_read_and_one_that_nobody_writes_to_is_named(main: Path) -> None:
    """It was waited for, for ever."""
    os.mkfifo(main)
    with pytest.raises(ConfigError, match=f"^{main}: is a pipe to which nobody writes: put a file there"):
        load(main=main, explicit=True, overrides={})
    reader = os.open(main, os.O_RDONLY | os.O_NONBLOCK)  # keeps what is in it
    writer = os.open(main, os.O_WRONLY)
    os.write(writer, b"priority = 7\n")
    os.close(writer)
    try:
        assert load(main=main, explicit=True, overrides={}).priority == 7
    finally:
        os.close(reader)


def test_drop_in_folder_that_is_a_file_is_named(main: Path) -> None:
    (main.parent / "conf.d").write_text("")
    (problem,) = problems(main, "")
    assert problem == f"{main.parent}/conf.d: cannot be read: Not a directory"


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("box1", "box1"),
        ("box1.lan.example", "box1"),
        ("(none)", "none"),
        ("", "localhost"),
        ("h" * 64, "h" * 63),
        ("-h-.lan", "h"),
        ("---", "localhost"),
        (".lan", "localhost"),
        ("_h", "_h"),
        ("ä", "localhost"),
    ],
)
def test_name_is_made_from_any_host_name(main: Path, monkeypatch: pytest.MonkeyPatch, host: str, name: str) -> None:
    monkeypatch.setattr("socket.gethostname", lambda: host)
    assert read(main, "").name == name
    assert read(main, f'name = "{name}"').name == name


LIVE = ["priority", "preempt", "timing.", "quorum.", "target.", "hooks.", "check.", "log.", "security.", "tags"]


@pytest.mark.parametrize("path", KEYS)
def test_what_a_reload_applies(path: str) -> None:
    assert needs_restart(path) is not any(path.startswith(live) for live in LIVE)


def test_reload_names_what_changed_and_applies_what_is_live(main: Path) -> None:
    old = read(main, 'name = "a"')
    toml = 'name = "b"\npriority = 7\n[network]\nport = 1\n[timing]\nprofile = "wifi"\n[tags]\nurl = "x"\n'
    new = read(main, toml)
    changed = changed_keys(old, new)
    assert changed == [
        "name",
        "priority",
        "network.port",
        "timing.profile",
        "timing.heartbeat",
        "timing.leader_timeout",
        "tags",
    ]
    assert [key for key in changed if needs_restart(key)] == ["name", "network.port"]
    now = apply_live(old, new)
    assert changed_keys(old, now) == [key for key in changed if not needs_restart(key)]
    assert changed_keys(now, new) == ["name", "network.port"]
    assert needs_restart("tags.url") is False
    assert changed_keys(new, new) == []


def test_config_is_hashable(main: Path) -> None:
    config = read(main, 'tags.url = "x"')
    assert hash(config) == hash(read(main, 'tags.url = "x"'))


# -- files that somebody else may write: they say who leads


@pytest.mark.parametrize("mode", [0o602, 0o646, 0o666])
def test_file_that_everybody_may_write_is_warned_of(main: Path, mode: int, caplog: pytest.LogCaptureFixture) -> None:
    main.write_text("")
    main.chmod(mode)
    assert read(main, "priority = 7").priority == 7
    assert caplog.messages == [
        f"{main}: everybody on this host may change it (mode {mode:04o}), and with it who leads: "
        f"`chmod o-w {main}` mends it"
    ]


@pytest.mark.parametrize("mode", [0o600, 0o644, 0o664, 0o640])
def test_file_that_its_group_may_write_is_the_owners_choice(
    main: Path, mode: int, caplog: pytest.LogCaptureFixture
) -> None:
    main.write_text("")
    main.chmod(mode)
    assert read(main, "priority = 7").priority == 7
    assert not caplog.messages


def test_file_of_another_user_is_warned_of(main: Path, caplog: pytest.LogCaptureFixture) -> None:
    require(os.geteuid() == 0, "giving a file away needs root")
    drop_in = main.parent / "conf.d" / "50-mine.toml"
    drop_in.parent.mkdir()
    drop_in.write_text("priority = 65535")
    os.chown(drop_in, 12345, -1)
    assert read(main, "").priority == 65535
    assert caplog.messages == [
        f"{drop_in}: belongs to uid 12345, who may change it, and with it who leads: `chown root {drop_in}` mends it"
    ]
