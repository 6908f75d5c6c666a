"""What survives a restart, and that nothing else is believed. Failures are real: a folder where a file should be."""

import json
import os
import stat
import threading
from pathlib import Path

import pytest

from kingd.core.wire.endpoint import Endpoint
from kingd.daemon.folder_lock import StateBusy
from kingd.daemon.store import PEERS_MAX, Owner, Store
from tests.conftest import require
from tests.unit.scripted import made

BOX1 = Owner("box1", "lan")
TOP = Path(__file__).parents[2]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "deep" / "state"


@pytest.fixture
def filled(folder: Path) -> Path:
    """The folder of a daemon that has run."""
    store = Store.open(folder, BOX1)
    store.save(1024, 17, 9)
    store.save_peers([Endpoint("10.0.0.2", 5466, "eth0")])
    store.close()
    return folder


def reopen(folder: Path) -> Store:
    store = Store.open(folder, BOX1)
    store.close()
    return store


def test_new_folder_gets_a_new_identity_at_once(folder: Path) -> None:
    store = reopen(folder)
    assert 0 < store.node_id < 1 << 64
    assert (store.ceiling, store.writable, store.warnings) == (0, True, [])
    document = json.loads((folder / "state.json").read_text())
    assert document["node_id"] == f"{store.node_id:016x}"
    assert (document["format"], document["ceiling"]) == (1, 0)


def test_folder_and_files_are_private(filled: Path) -> None:
    assert stat.S_IMODE(filled.stat().st_mode) == 0o700
    modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in filled.iterdir()}
    assert modes == {"lock": 0o600, "state.json": 0o600, "peers.json": 0o600}


def test_identity_and_ceiling_come_back(folder: Path) -> None:
    first = Store.open(folder, BOX1)
    first.save(1024, 17, 9)
    first.save(2**64 - 1, 0, 0)
    first.close()
    second = reopen(folder)
    assert (second.node_id, second.ceiling, second.term, second.warnings) == (first.node_id, 2**64 - 1, 17, [])


def test_two_folders_have_two_identities(tmp_path: Path) -> None:
    assert reopen(tmp_path / "a").node_id != reopen(tmp_path / "b").node_id


def test_ceiling_never_goes_back(filled: Path) -> None:
    store = Store.open(filled, BOX1)
    store.save(5, 0, 0)
    store.close()
    assert store.ceiling == reopen(filled).ceiling == 1024
    assert store.term == reopen(filled).term == 17


def test_many_writers_leave_the_highest_ceiling_whole(folder: Path) -> None:
    store = Store.open(folder, BOX1)
    writers = [threading.Thread(target=store.save, args=(number, 0, 0)) for number in range(20)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    store.close()
    assert (reopen(folder).ceiling, store.ceiling) == (19, 19)


def test_second_daemon_is_refused_and_told_which_one_is_there(filled: Path) -> None:
    first = Store.open(filled, BOX1)
    with pytest.raises(StateBusy) as caught:
        Store.open(filled, BOX1)
    assert str(filled) in str(caught.value)
    assert f"(pid {os.getpid()})" in str(caught.value)
    assert "--state-dir" in str(caught.value)
    first.close()
    first.close()
    assert reopen(filled).node_id == first.node_id


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"not a number"])
def test_busy_is_told_without_the_pid_when_it_is_not_known(filled: Path, content: bytes) -> None:
    first = Store.open(filled, BOX1)
    (filled / "lock").write_bytes(content)
    with pytest.raises(StateBusy, match="in use by another kingd:"):
        Store.open(filled, BOX1)
    first.close()


def test_lock_works_where_its_file_cannot_be_opened_for_writing(filled: Path) -> None:
    (filled / "lock").unlink()
    (filled / "lock").mkdir()
    first = Store.open(filled, BOX1)
    with pytest.raises(StateBusy):
        Store.open(filled, BOX1)
    first.close()
    assert reopen(filled).node_id == first.node_id


def altered(document: dict[str, object], **changes: object) -> bytes:
    return json.dumps({**document, **changes}).encode()


def test_state_is_believed_only_whole(filled: Path) -> None:
    """Torn at any byte, or any byte changed: a new identity, never another ceiling."""
    file = filled / "state.json"
    whole = file.read_bytes()
    node_id = reopen(filled).node_id
    damaged = [whole[:end] for end in range(len(whole) - 2)]
    damaged += [whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :] for at in range(len(whole) - 2)]
    for data in damaged:
        file.write_bytes(data)
        store = reopen(filled)
        same = (store.node_id, store.ceiling) == (node_id, 1024)  # a blank between two fields may be anything
        assert same or (store.node_id != node_id and store.ceiling == 0 and len(store.warnings) == 1)
        assert same is (not store.warnings)


def damaged_states(document: dict[str, object]) -> list[tuple[bytes, str]]:
    return [
        (b"", "not JSON"),
        (b"\0" * 100, "not JSON"),
        (b"[" * 60_000, "not JSON"),
        (b"[]", "format"),
        (b"null", "format"),
        (altered(document, format=2), "format"),
        (altered(document, ceiling=2048), "checksum"),
        (altered(document, crc="00000000"), "checksum"),
        (altered(document, crc=None), "checksum"),
        (altered(document, ceiling=True), "missing or wrong"),
        (altered(document, ceiling=-1), "missing or wrong"),
        (altered(document, ceiling=2**64), "missing or wrong"),
        (altered(document, node_id=7), "missing or wrong"),
        (altered(document, node_id="xyz"), "not a number"),
        (altered(document, node_id="0" * 16), "out of range"),
        (altered(document, node_id=" 123"), "out of range"),
        (altered(document, node_id="1" * 17), "out of range"),
    ]


def test_damage_is_told_kept_and_replaced(filled: Path) -> None:
    file = filled / "state.json"
    document = json.loads(file.read_text())
    for data, why in damaged_states(document):
        file.write_bytes(data)
        store = reopen(filled)
        (warning,) = store.warnings
        assert str(file) in warning
        assert why in warning
        assert (store.ceiling, store.writable) == (0, True)
        assert f"{store.node_id:016x}" != document["node_id"]
        assert reopen(filled).node_id == store.node_id


def test_only_the_newest_damaged_files_are_kept(filled: Path) -> None:
    for number in range(1, 12):
        (filled / "state.json").write_text(f"damage {number}")
        reopen(filled)
    kept = {file.name: file.read_text() for file in filled.glob("state.json.corrupt-*")}
    assert kept == {f"state.json.corrupt-{number}": f"damage {number}" for number in (9, 10, 11)}


def test_stranger_among_the_damaged_files_is_left_alone(filled: Path) -> None:
    (filled / "state.json.corrupt-mine").write_text("")
    (filled / "state.json").write_text("")
    reopen(filled)
    assert sorted(file.name for file in filled.glob("*corrupt*")) == ["state.json.corrupt-1", "state.json.corrupt-mine"]


def test_folder_that_cannot_be_written_keeps_its_identity_and_says_so(filled: Path) -> None:
    node_id = reopen(filled).node_id
    (filled / "state.json.new").mkdir()
    store = Store.open(filled, BOX1)
    assert (store.node_id, store.ceiling, store.writable) == (node_id, 1024, False)
    (warning,) = store.warnings
    assert warning.startswith(f"{filled}: state cannot be written (Is a directory)")
    with pytest.raises(IsADirectoryError):
        store.save(2048, 0, 0)
    assert store.ceiling == 1024
    (filled / "state.json.new").rmdir()  # room again
    store.save(2048, 0, 0)
    store.close()
    assert (store.writable, reopen(filled).ceiling) == (True, 2048)


def test_state_that_cannot_be_read_is_not_overwritten(filled: Path) -> None:
    (filled / "state.json").unlink()
    (filled / "state.json").mkdir()
    store = Store.open(filled, BOX1)
    assert (store.writable, store.ceiling) == (False, 0)
    assert store.node_id > 0
    (warning,) = store.warnings
    assert "cannot be read (Is a directory)" in warning
    with pytest.raises(PermissionError):
        store.save(1, 0, 0)
    store.close()
    assert (filled / "state.json").is_dir()


def test_folder_that_cannot_be_made_gives_an_identity_for_now(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    store = Store.open(tmp_path / "file" / "state", BOX1)
    assert (store.writable, len(store.warnings)) == (False, 1)
    assert store.node_id > 0
    assert store.load_peers() == []
    store.save_peers([Endpoint("10.0.0.1", 1)])
    store.close()


def test_link_in_place_of_the_new_file_is_not_followed(filled: Path, tmp_path: Path) -> None:
    (tmp_path / "victim").write_text("precious")
    (filled / "state.json.new").symlink_to(tmp_path / "victim")
    reopen(filled)
    assert (tmp_path / "victim").read_text() == "precious"


def test_peers_come_back_each_once_and_not_too_many(folder: Path) -> None:
    store = Store.open(folder, BOX1)
    peers = [Endpoint("10.0.0.1", 5466, "eth0"), Endpoint("fe80::1", 1, "eth0"), Endpoint("10.0.0.1", 5466)]
    store.save_peers([*peers, *peers])
    assert store.load_peers() == peers
    store.save_peers(Endpoint(f"10.0.{n // 256}.{n % 256}", 5466) for n in range(1000))
    assert len(store.load_peers()) == PEERS_MAX
    store.close()


GOOD = ["10.0.0.1", 5466, "eth0"]


@pytest.mark.parametrize(
    "row",
    [
        None,
        "10.0.0.1",
        [],
        ["10.0.0.1", 5466],
        ["10.0.0.1", 0, ""],
        ["10.0.0.1", 65536, ""],
        ["10.0.0.1", True, ""],
        ["10.0.0.1", "5466", ""],
        ["box1", 5466, ""],
        ["fe80::1%eth0", 5466, ""],
        ["10.0.0.1\0", 5466, ""],
        ["10.0.0.1", 5466, "x" * 16],
        ["10.0.0.1", 5466, None],
        [["10.0.0.1"], 5466, ""],
    ],
)
def test_junk_among_the_peers_is_left_out(filled: Path, row: object) -> None:
    (filled / "peers.json").write_text(json.dumps({"format": 1, "peers": [row, GOOD]}))
    assert reopen(filled).load_peers() == [Endpoint("10.0.0.1", 5466, "eth0")]


@pytest.mark.parametrize(
    "data", [b"", b"\xff", b"[]", b"{}", b"[" * 60_000, b'{"format":2,"peers":[]}', b'{"format":1,"peers":7}']
)
def test_peers_that_are_no_peers_are_nobody(filled: Path, data: bytes) -> None:
    (filled / "peers.json").write_bytes(data)
    store = reopen(filled)
    assert (store.load_peers(), store.warnings) == ([], [])


# -- files that somebody else may have written


@pytest.mark.parametrize("mode", [0o620, 0o602, 0o666])
def test_state_that_others_may_write_is_named_and_never_believed(filled: Path, mode: int) -> None:
    file = filled / "state.json"
    node_id = reopen(filled).node_id
    data = file.read_bytes()
    file.chmod(mode)
    store = reopen(filled)
    assert (store.node_id != node_id, store.ceiling, store.writable) == (True, 0, False)
    (warning,) = store.warnings
    assert warning.startswith(f"{file} is not believed: others may write it (mode {mode:04o})")
    assert f"`chmod 0600 {file}`" in warning
    assert file.read_bytes() == data  # for a person to judge
    file.chmod(0o600)
    assert reopen(filled).node_id == node_id


def test_state_of_another_user_is_named_and_never_believed(filled: Path) -> None:
    require(os.geteuid() == 0, "giving a file away needs root")
    file = filled / "state.json"
    node_id = reopen(filled).node_id
    os.chown(file, 12345, -1)
    os.chown(filled / "peers.json", 12345, -1)
    store = reopen(filled)
    assert (store.node_id != node_id, store.writable, store.load_peers()) == (True, False, [])
    (warning,) = store.warnings
    assert warning.startswith(f"{file} is not believed: it belongs to uid 12345")
    assert f"`chown 0 {file}`" in warning
    os.chown(file, 0, -1)
    assert reopen(filled).node_id == node_id


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        '{"format": 9, "voters": ["a"], "term": 1, "number": 0}',
        '{"format": 2, "voters": ["-a"], "term": 1, "number": 0}',
        '{"format": 2, "voters": ["a"], "term": 9223372036854775809, "number": 0}',
        '{"format": 2, "voters": ["a"], "term": 1, "number": 65536}',
        '{"format": 2, "voters": ["a"], "term": true, "number": 0}',
        '{"format": 2, "voters": "a", "term": 1, "number": 0}',
        '{"format": 2, "voters": ["a"]}',
    ],
)
def test_list_of_voters_that_is_not_believed_is_no_list_and_no_history(tmp_path: Path, text: str) -> None:
    """By which list it has voted is not known: a voter that starts so asks the others first."""
    store = Store.open(tmp_path, BOX1)
    store.save(7, 5, 1_026_000, made(("a", "b"), 3))
    store.close()
    store = Store.open(tmp_path, BOX1)
    assert (store.voters, store.hold_us) == (made(("a", "b"), 3), 1_026_000)
    store.close()
    (tmp_path / "voters.json").write_text(text)
    store = Store.open(tmp_path, BOX1)
    assert (store.voters, store.hold_us, len(store.warnings)) == (None, 0, 1)
    store.close()
