"""A state folder, or its lock, that goes away while kingd runs, or comes late."""

import os
import shutil
from pathlib import Path

import pytest

from kingd.core.wire.endpoint import Endpoint
from kingd.daemon.folder_lock import StateBusy
from kingd.daemon.store import Store
from tests.unit.test_store import BOX1, reopen


@pytest.fixture
def filled(tmp_path: Path) -> Path:
    """The folder of a daemon that has run."""
    store = Store.open(tmp_path / "state", BOX1)
    store.save(1024, 17, 9)
    store.save_peers([Endpoint("10.0.0.2", 5466, "eth0")])
    store.close()
    return tmp_path / "state"


def test_removed_folder_is_made_again_with_its_lock(filled: Path) -> None:
    store = Store.open(filled, BOX1)
    assert not store.is_removed()
    shutil.rmtree(filled)
    assert store.is_removed()
    store.save(0, 0, 0)
    assert not store.is_removed()
    assert "was removed while kingd ran" in store.problem
    with pytest.raises(StateBusy, match=f"pid {os.getpid()}"):
        Store.open(filled, BOX1)
    store.close()
    assert (reopen(filled).node_id, reopen(filled).ceiling) == (store.node_id, 1024)


def test_removed_lock_is_made_again(filled: Path) -> None:
    store = Store.open(filled, BOX1)
    (filled / "lock").unlink()
    assert store.is_removed()
    store.save(0, 0, 0)
    with pytest.raises(StateBusy):
        Store.open(filled, BOX1)
    store.close()


def test_folder_that_another_daemon_has_meanwhile_is_left_to_it(filled: Path) -> None:
    store = Store.open(filled, BOX1)
    shutil.rmtree(filled)
    second = Store.open(filled, BOX1)
    with pytest.raises(OSError, match="in use by another kingd"):
        store.save(2048, 0, 0)
    assert not store.writable
    store.save_peers([Endpoint("10.0.0.3", 5466, "eth0")])
    assert not (filled / "peers.json").exists()
    second.close()
    assert reopen(filled).node_id == second.node_id != store.node_id
    store.save(2048, 0, 0)
    store.close()
    assert reopen(filled).node_id == store.node_id


def test_folder_that_could_not_be_made_at_first_is_locked_when_it_can(tmp_path: Path) -> None:
    (tmp_path / "state").symlink_to(tmp_path / "not mounted yet")
    store = Store.open(tmp_path / "state", BOX1)
    with pytest.raises(OSError, match="No such file"):
        store.save(0, 0, 0)
    (tmp_path / "not mounted yet").mkdir()
    store.save(0, 0, 0)
    with pytest.raises(StateBusy):
        Store.open(tmp_path / "state", BOX1)
    assert store.problem == ""
    store.close()
