"""Where the cluster's key comes from, and every sentence an operator may get instead. A daemon that was told to sign
never runs unsigned."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from kingd.config import ConfigError, Security
from kingd.core.wire.seal import Key, Seal
from kingd.daemon import keys
from tests.conftest import require

TOP = Path(__file__).parents[2]
FIRST, SECOND = "11" * 32, "2a" * 32
FIRST_ID, SECOND_ID = Key.of(bytes.fromhex(FIRST)).id, Key.of(bytes.fromhex(SECOND)).id


@pytest.fixture(autouse=True)
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The default file, which is not there; and no credentials."""
    monkeypatch.setattr(keys, "DEFAULT_FILE", tmp_path / "etc" / "cluster.key")
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    (tmp_path / "etc").mkdir()
    return tmp_path / "etc" / "cluster.key"


def written(file: Path, text: str = FIRST + "\n", mode: int = 0o600) -> Path:
    file.write_text(text, encoding="utf-8")
    file.chmod(mode)
    return file


def problem(security: Security) -> str:
    with pytest.raises(ConfigError) as caught:
        keys.open_seal(security)
    (sentence,) = caught.value.problems
    return sentence


# -- modes


@pytest.mark.parametrize(
    ("mode", "has_key", "found"),
    [
        ("auto", False, "off"),
        ("auto", True, "enforce"),
        ("off", False, "off"),
        ("off", True, "off"),
        ("permissive", True, "permissive"),
        ("enforce", True, "enforce"),
    ],
)
def test_mode_in_force(nowhere: Path, mode: str, has_key: bool, found: str) -> None:
    if has_key:
        written(nowhere)
    assert keys.open_seal(Security(mode=mode)).mode == found


@pytest.mark.parametrize("mode", ["permissive", "enforce"])
def test_mode_that_needs_a_key_says_how_to_make_one(mode: str) -> None:
    sentence = problem(Security(mode=mode))
    assert f'security.mode = "{mode}" needs a key' in sentence
    assert "`kingctl keygen | install -m 0640 -o root -g " in sentence


def test_key_that_is_made_as_the_mistake_says_is_good(nowhere: Path) -> None:
    """On this very host: what the sentence advises works."""
    require(os.geteuid() == 0, "giving a file to root needs root")
    command = re.search(r"`kingctl (keygen \| .*?)`", problem(Security(mode="enforce")))
    assert command is not None
    shell = f"umask 022; {sys.executable} -m kingd.cli {command[1]}"
    subprocess.run(shell, shell=True, check=True, cwd=TOP)
    assert keys.open_seal(Security()).mode == "enforce"
    assert nowhere.stat().st_mode & 0o777 == 0o640


# -- where it is looked for


def test_configured_file_comes_before_credential_and_default(
    nowhere: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "credentials").mkdir()
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path / "credentials"))
    assert keys.find(Security()) is None
    written(nowhere)
    assert keys.find(Security()) == nowhere
    credential = written(tmp_path / "credentials" / "cluster.key", SECOND, mode=0o440)
    assert keys.find(Security()) == credential
    assert keys.open_seal(Security()).key_ids == (SECOND_ID,)
    assert keys.find(Security(key_file=tmp_path / "other")) == tmp_path / "other"


@pytest.mark.parametrize("mode", ["auto", "permissive", "enforce"])
def test_configured_file_that_is_missing_is_a_mistake(tmp_path: Path, mode: str) -> None:
    sentence = problem(Security(key_file=tmp_path / "missing", mode=mode))
    assert sentence.startswith(f"{tmp_path / 'missing'}: the cluster key cannot be read (No such file or directory)")


def test_link_to_nowhere_is_a_mistake_and_no_reason_to_run_unsigned(nowhere: Path) -> None:
    nowhere.symlink_to("gone")
    assert "cannot be read (No such file or directory)" in problem(Security())


def test_file_that_may_not_be_read_is_a_mistake_and_no_reason_to_run_unsigned(
    nowhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """/etc/kingd is closed to the daemon's user. (Root may do everything, so it is said by the call.)"""

    def closed(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "lstat", closed)
    monkeypatch.setattr(os, "open", closed)
    assert "cannot be read (Permission denied)" in problem(Security())


# -- who may touch it


@pytest.mark.parametrize("mode", [0o600, 0o400, 0o440, 0o640])
def test_file_that_others_cannot_read_is_good(nowhere: Path, mode: int) -> None:
    written(nowhere, mode=mode)
    assert keys.open_seal(Security()).key_ids == (FIRST_ID,)


@pytest.mark.parametrize("mode", [0o644, 0o604, 0o602, 0o601, 0o660, 0o620, 0o666, 0o777])
def test_file_that_others_may_read_or_change_is_refused_with_the_command_that_mends_it(
    nowhere: Path, mode: int
) -> None:
    written(nowhere, mode=mode)
    sentence = problem(Security())
    assert sentence.startswith(f"{nowhere}: others may read or change the cluster key (mode {mode:04o})")
    mends(sentence)


def test_file_of_another_user_is_refused(nowhere: Path) -> None:
    require(os.geteuid() == 0, "giving a file away needs root")
    written(nowhere)
    os.chown(nowhere, 12345, -1)
    sentence = problem(Security())
    assert sentence.startswith(f"{nowhere}: the cluster key belongs to uid 12345: `chown root:")
    mends(sentence)


def mends(sentence: str) -> None:
    """One command, and the key is good."""
    command = re.search(r"`(ch.*?)`", sentence)
    assert command is not None
    subprocess.run(command[1], shell=True, check=True)
    assert keys.open_seal(Security()).key_ids == (FIRST_ID,)


@pytest.mark.timeout(5)
@pytest.mark.parametrize("kind", ["folder", "pipe", "device"])
def test_what_is_no_file_is_refused_at_once(nowhere: Path, kind: str) -> None:
    if kind == "folder":
        nowhere.mkdir()
    elif kind == "pipe":
        os.mkfifo(nowhere, 0o600)
    else:
        nowhere.symlink_to("/dev/zero")
    assert problem(Security()).startswith(f"{nowhere}: the cluster key ")


# -- what is in it


@pytest.mark.parametrize(
    ("text", "key_ids"),
    [
        (FIRST, (FIRST_ID,)),
        (f"{FIRST}\n{SECOND}\n", (FIRST_ID, SECOND_ID)),
        (f"{SECOND}\n{FIRST}\n", (SECOND_ID, FIRST_ID)),
        (f"# the key of rack 7\n\n  {FIRST}  # since May\n", (FIRST_ID,)),
        (f"\ufeff{FIRST}\r\n{SECOND}\r\n", (FIRST_ID, SECOND_ID)),
        (f"{SECOND.upper()}\n{SECOND}\n", (SECOND_ID,)),
    ],
    ids=["one", "two", "two in the other order", "comments", "from another system", "twice the same"],
)
def test_keys_of_a_file(nowhere: Path, text: str, key_ids: tuple[int, ...]) -> None:
    written(nowhere, text)
    assert keys.open_seal(Security()).key_ids == key_ids


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "holds 0 keys, 1 to 8 are allowed"),
        ("# no key yet\n", "holds 0 keys"),
        ("secret\n", ":1: not a key: a line holds 64 hex digits"),
        (f"{FIRST}\n{FIRST[:-2]}\n", ":2: not a key"),
        (f"{FIRST}00\n", ":1: not a key"),
        (f"{FIRST} {SECOND}\n", ":1: not a key"),
        ("11 " * 32 + "\n", ":1: not a key"),
        ("é" * 64 + "\n", ":1: not a key"),
        ("00" * 32, ":1: the key is all zeros"),
        ("\n".join(f"{n:02x}" * 32 for n in range(1, 10)), "holds 9 keys, 1 to 8 are allowed"),
        ("#" * 70_000, "is longer than 65536 bytes"),
    ],
    ids=["empty", "comment", "word", "short", "long", "two in a line", "blanks", "letters", "zeros", "nine", "huge"],
)
def test_file_that_holds_no_keys_is_refused_by_its_line(nowhere: Path, text: str, why: str) -> None:
    written(nowhere, text)
    sentence = problem(Security())
    assert sentence.startswith(str(nowhere))
    assert why in sentence
    assert FIRST not in sentence  # it goes to a log


def test_seal_of_several_keys_signs_with_the_first(nowhere: Path) -> None:
    written(nowhere, f"{SECOND}\n{FIRST}\n")
    assert keys.open_seal(Security(mode="permissive")).key_id == SECOND_ID
    assert isinstance(keys.open_seal(Security(mode="off")), Seal)
