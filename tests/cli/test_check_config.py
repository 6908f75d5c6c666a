"""What root is told of the configuration is what the daemon will find, who is another user."""

import json
from pathlib import Path

import pytest

from tests.cli import etc

KEY = "11" * 32 + "\n"
CHECKS = ("kingctl check-config", "kingd --check-config")


@pytest.fixture
def files(tmp_path: Path) -> Path:
    (tmp_path / "kingd").mkdir()
    return tmp_path


def assert_mended(files: Path, check: str, command: str) -> None:
    """It is refused, with the command, and good after it."""
    told = etc.run(check, files)
    assert (told.returncode, told.stdout) == (78, "")
    assert f"`{command}`" in told.stderr
    assert etc.run(f"{command} && {check}", files).returncode == 0


def write(file: Path, text: str, mode: int) -> None:
    file.write_text(text)
    file.chmod(mode)


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o644])
@pytest.mark.parametrize("check", CHECKS)
def test_key_that_the_daemon_cannot_use_is_a_mistake_and_the_command_mends_it(
    files: Path, check: str, mode: int
) -> None:
    write(files / "kingd" / "cluster.key", KEY, mode)  # root's, as `keygen >` leaves it
    assert_mended(files, check, "chown root:kingd /etc/kingd/cluster.key && chmod 0640 /etc/kingd/cluster.key")


@pytest.mark.parametrize("check", CHECKS)
def test_configuration_that_the_daemon_cannot_read_is_a_mistake(files: Path, check: str) -> None:
    write(files / "kingd" / "kingd.toml", "priority = 7\n", 0o600)
    assert_mended(files, check, "chmod o+rX /etc/kingd/kingd.toml")
    (files / "kingd" / "kingd.toml").chmod(0o644)
    (files / "kingd").chmod(0o700)
    assert_mended(files, check, "chmod o+rX /etc/kingd")


def test_key_is_put_there_as_the_manual_says(files: Path) -> None:
    put = "kingctl keygen | install -m 0640 -o root -g kingd /dev/stdin /etc/kingd/cluster.key"
    done = etc.run(f"umask 022; {put} && kingctl check-config && stat --format=%a:%U:%G /etc/kingd/cluster.key", files)
    assert (done.stdout, done.stderr) == ("ok\n640:root:kingd\n", "")


@pytest.mark.parametrize("check", CHECKS)
def test_without_the_daemons_user_it_is_root_who_will_read(files: Path, check: str) -> None:
    write(files / "kingd" / "cluster.key", KEY, 0o600)
    assert etc.run(check, files, has_account=False).returncode == 0


def test_instance_is_checked_as_its_unit_starts_it(files: Path) -> None:
    for check in ("kingctl --instance a:b check-config", "kingd --instance a:b --check-config"):
        assert "a:b.toml: cannot be read" in etc.run(check, files).stderr
    write(files / "kingd" / "a:b.toml", "", 0o644)
    for check in ("kingctl --instance a:b check-config", "kingd --instance a:b --check-config"):
        assert 'kingd@a:b: cluster = "a:b" is not allowed' in etc.run(check, files).stderr
    assert etc.run("kingd --instance ../x --check-config", files).returncode == 78


def test_file_that_no_unit_reads_is_judged_by_who_asks(files: Path) -> None:
    write(files / "other.toml", "priority = 7\n", 0o600)
    assert etc.run(f"kingctl check-config {files}/other.toml", files).returncode == 0


def test_answer_for_programs(files: Path) -> None:
    config = files / "kingd" / "kingd.toml"
    write(config, "", 0o644)
    good = json.loads(etc.run("kingctl check-config --json", files).stdout)
    assert (good["version"], good["ok"], good["problems"]) == (1, True, [])
    write(config, 'priority = "high"\nmode = 7\n', 0o644)
    told = etc.run("kingctl check-config --json", files)
    bad = json.loads(told.stdout)
    assert (told.returncode, told.stderr, bad["ok"], bad["as_daemon"]) == (78, "", False, True)
    assert [problem.partition(": ")[0] for problem in bad["problems"]] == [
        "/etc/kingd/kingd.toml:1", "/etc/kingd/kingd.toml:2"
    ]  # fmt: skip


@pytest.mark.parametrize("check", CHECKS)
def test_mode_that_needs_a_key_is_named_with_its_place(files: Path, check: str) -> None:
    write(files / "kingd" / "kingd.toml", 'priority = 7\n\n[security]\nmode = "enforce"\n', 0o644)
    told = etc.run(check, files)
    assert told.returncode == 78
    assert '/etc/kingd/kingd.toml:4: security.mode = "enforce" needs a key' in told.stderr


@pytest.mark.parametrize(
    "check", ["kingd.cli check-config /etc/kingd/kingd.toml", "kingd --check-config --config /etc/kingd/kingd.toml"]
)
def test_file_that_who_asks_may_not_read_is_a_mistake_and_no_wrong_usage(files: Path, check: str) -> None:
    write(files / "kingd" / "kingd.toml", "", 0o600)
    told = etc.run(f"runuser -u kingd -- {etc.PYTHON} -m {check}", files)
    assert (told.returncode, told.stdout) == (78, "")
    assert "`chmod o+rX /etc/kingd/kingd.toml`" in told.stderr


def test_file_that_who_asks_may_not_read_is_an_object(files: Path) -> None:
    write(files / "kingd" / "kingd.toml", "", 0o600)
    told = etc.run(f"runuser -u kingd -- {etc.PYTHON} -m kingd.cli check-config --json /etc/kingd/kingd.toml", files)
    assert told.returncode == 78
    [problem] = json.loads(told.stdout)["problems"]
    assert "`chmod o+rX /etc/kingd/kingd.toml`" in problem
