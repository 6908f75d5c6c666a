"""Whom this host speaks to by unicast before anybody has spoken to it."""

from collections.abc import Callable
from pathlib import Path
from typing import cast

from kingd.core.election import Core
from kingd.core.wire.endpoint import Endpoint
from kingd.daemon.peers import Peers
from kingd.daemon.store import PEERS_MAX, Owner, Store
from kingd.loop import Loop

CONFIGURED, CACHED = Endpoint("10.0.0.9", 7), [Endpoint("10.0.0.1", 5466), Endpoint("10.0.0.2", 5466)]


class AtOnce:
    """In the place of the loop: what is for the thread of the disk is done at once."""

    def in_kept_thread(self, work: Callable[[], object], then: Callable[[object], object]) -> None:
        then(work())


class Members:
    """In the place of the core."""

    def __init__(self, *known: Endpoint) -> None:
        self._known = known

    def endpoints(self) -> list[Endpoint]:
        return list(self._known)


def opened(folder: Path) -> tuple[Store, Peers]:
    store = Store.open(folder, Owner("box1", "lan"))
    store.save_peers(CACHED)
    return store, Peers(("10.0.0.9:7",), cast(Loop, AtOnce()), port=5466, store=store)


def test_cache_is_read_at_the_start_and_never_again(tmp_path: Path) -> None:
    """Not on the loop, which resolves names now and then: the disk may hang, or the file be gone."""
    store, peers = opened(tmp_path)
    (tmp_path / "peers.json").unlink()
    changes: list[tuple[Endpoint, ...]] = []
    peers.resolve(lambda: changes.append(peers.endpoints))
    assert (peers.endpoints, changes) == ((CONFIGURED, *CACHED), [])
    store.close()


def test_members_that_were_saved_are_the_cache_from_then_on(tmp_path: Path) -> None:
    store, peers = opened(tmp_path)
    many = [Endpoint(f"10.0.1.{number}", 5466) for number in range(PEERS_MAX + 9)]
    peers.remember(cast(Core, Members(many[0], *many)))
    changes: list[tuple[Endpoint, ...]] = []
    peers.resolve(lambda: changes.append(peers.endpoints))
    assert changes == [(CONFIGURED, *store.load_peers())] == [(CONFIGURED, *many[:PEERS_MAX])]
    store.close()
