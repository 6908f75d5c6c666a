"""A state folder under another name, or in another cluster, than when its host voted. docs/quorum.md 5."""

import itertools
import json
from pathlib import Path

import pytest

from kingd.core.settings import Voters
from kingd.daemon.store import Owner, Store
from tests.unit.scripted import made

BOX4, BOX3 = Owner("box4", "lan"), Owner("box3", "lan")
ELSEWHERE = Owner("box4", "lab")
LIST = made(("box1", "box2", "box3"), 3)
HOLD_US = 1_026_000


def opened(folder: Path, owner: Owner) -> Store:
    store = Store.open(folder, owner)
    store.close()
    return store


def has_voted(folder: Path, owner: Owner) -> None:
    store = Store.open(folder, owner)
    store.save(8, 5, store.hold_us, LIST)  # as a session does, first of all
    store.save(8, 5, HOLD_US, LIST)
    store.close()


def without_owner(folder: Path) -> None:
    """As before the name was kept."""
    (folder / "state.json").write_text(
        '{"format": 1, "node_id": "0000000000000007", "ceiling": 8, "term": 5, "hold_us": 1026000, "crc": "94cf79d4"}\n'
    )
    (folder / "voters.json").write_text('{"format": 2, "voters": ["box1", "box2", "box3"], "term": 5, "number": 3}\n')


def test_same_name_in_the_same_cluster_remembers(tmp_path: Path) -> None:
    has_voted(tmp_path, BOX4)
    store = opened(tmp_path, BOX4)
    assert (store.hold_us, store.voters, store.warnings) == (HOLD_US, LIST, [])


def test_another_name_has_promised_nothing_and_keeps_terms_and_list(tmp_path: Path) -> None:
    has_voted(tmp_path, BOX4)
    before = opened(tmp_path, BOX4)
    store = opened(tmp_path, BOX3)
    assert (store.hold_us, store.voters, store.writable) == (0, LIST, True)
    assert (store.node_id, store.ceiling, store.term) == (before.node_id, 8, 5)
    assert store.warnings == [
        f"{tmp_path}/state.json tells what box4 of the cluster lan has promised, and this host is box3 of the cluster lan "
        "now, which that does not bind: as a voter it votes when enough other voters have told what box3 may have promised"
    ]
    again = opened(tmp_path, BOX3)
    assert (again.hold_us, again.voters, again.warnings) == (0, LIST, [])


def test_another_cluster_has_another_list_too(tmp_path: Path) -> None:
    """Of that one, with one voter say, it would lead here beside the others."""
    has_voted(tmp_path, BOX4)
    store = opened(tmp_path, ELSEWHERE)
    assert (store.hold_us, store.voters, store.ceiling) == (0, None, 8)
    (warning,) = store.warnings
    assert "it votes by the list of voters that is configured for lab when" in warning
    has_voted(tmp_path, ELSEWHERE)
    store = opened(tmp_path, BOX4)
    assert (store.hold_us, store.voters) == (0, None)


def test_name_that_comes_back_has_forgotten(tmp_path: Path) -> None:
    has_voted(tmp_path, BOX4)
    opened(tmp_path, BOX3)
    assert opened(tmp_path, BOX4).hold_us == 0


def test_who_never_voted_is_renamed_without_a_word(tmp_path: Path) -> None:
    store = Store.open(tmp_path, BOX4)
    store.save(8, 5, 0, Voters())
    store.close()
    assert opened(tmp_path, BOX3).warnings == opened(tmp_path, ELSEWHERE).warnings == []


def test_files_that_name_nobody_are_taken_as_they_are_and_named(tmp_path: Path) -> None:
    opened(tmp_path, BOX4)
    without_owner(tmp_path)
    store = opened(tmp_path, BOX4)
    assert (store.node_id, store.hold_us, store.voters, store.warnings) == (7, HOLD_US, LIST, [])
    state, voters = (json.loads((tmp_path / name).read_text()) for name in ("state.json", "voters.json"))
    assert (state["name"], state["cluster"], voters["cluster"]) == ("box4", "lan", "lan")
    assert opened(tmp_path, BOX3).hold_us == 0


@pytest.mark.parametrize("name", ["name", "cluster"])
def test_name_is_under_the_checksum(tmp_path: Path, name: str) -> None:
    has_voted(tmp_path, BOX4)
    file = tmp_path / "state.json"
    document = json.loads(file.read_text())
    for changed in ({**document, name: "other"}, {**document, name: 7}, {**document, name: None}):
        file.write_text(json.dumps(changed))
        store = opened(tmp_path, BOX4)
        assert (store.hold_us, store.ceiling, len(store.warnings)) == (0, 0, 1)
    file.write_text(json.dumps(document, indent=1))  # as a person may have laid it out
    assert opened(tmp_path, BOX4).hold_us == HOLD_US


def test_disk_that_fails_makes_nobody_remember_what_another_promised(tmp_path: Path) -> None:
    has_voted(tmp_path, BOX4)
    (tmp_path / "state.json.new").mkdir()
    store = Store.open(tmp_path, BOX3)
    assert (store.hold_us, store.writable) == (0, False)
    (tmp_path / "state.json.new").rmdir()
    store.save(9, 5, 0)  # room again
    store.close()
    assert opened(tmp_path, BOX3).hold_us == 0
    assert opened(tmp_path, BOX4).hold_us == 0


@pytest.mark.parametrize(("first", "second"), list(itertools.permutations((BOX4, BOX3, ELSEWHERE), 2)))
def test_no_crash_makes_a_voter_believe_what_another_promised(tmp_path: Path, first: Owner, second: Owner) -> None:
    """Whichever of the two files made it to the disk, of each moment: only who promised believes it, by a list of its
    cluster."""
    has_voted(tmp_path, first)
    names, moments = ("state.json", "voters.json"), []

    def note() -> None:
        moments.append(tuple((tmp_path / name).read_bytes() for name in names))

    note()
    store = Store.open(tmp_path, second)
    note()
    for hold_us in (0, HOLD_US):
        store.save(12, 9, hold_us, made(LIST.names, 4))
        note()
    store.close()
    for states, lists in itertools.product(range(4), range(4)):
        for owner in {first, second}:
            (tmp_path / names[0]).write_bytes(moments[states][0])
            (tmp_path / names[1]).write_bytes(moments[lists][1])
            store = opened(tmp_path, owner)
            promised = first if states == 0 else second if states == 3 else None
            assert (store.hold_us > 0) is (owner == promised)
            named = (first if lists < 2 else second).cluster
            assert (store.voters is not None) is (owner.cluster == named)
