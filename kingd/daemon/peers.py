"""Whom this host speaks to by unicast before anybody has spoken to it: the peers that are configured, by what DNS says of
them now, and the members of last time, from the disk."""

from collections.abc import Callable
from functools import partial

from kingd.core.election import Core
from kingd.core.wire.endpoint import Endpoint
from kingd.daemon.store import PEERS_MAX, Store
from kingd.loop import Loop
from kingd.net.seeds import numeric, parse_seed, resolve


class Peers:
    def __init__(self, configured: tuple[str, ...], loop: Loop, *, port: int, store: Store) -> None:
        """`port`: of those that name none."""
        self._loop = loop
        self._store = store
        self._seeds = [parse_seed(peer, port) for peer in configured]
        self._remembered = store.load_peers()  # this once: the loop waits for no disk, and the file is ours alone
        self._is_saving = False
        self.endpoints: tuple[Endpoint, ...] = (*numeric(self._seeds), *self._remembered)

    @property
    def has_any(self) -> bool:
        return bool(self._seeds or self.endpoints)

    @property
    def has_names(self) -> bool:
        return len(self._seeds) > len(numeric(self._seeds))

    def resolve(self, on_change: Callable[[], None]) -> None:
        """To be done now and then. `on_change`: `endpoints` are others now."""

        def on_resolved(resolved: list[Endpoint]) -> None:
            found = (*resolved, *self._remembered)
            if found != self.endpoints:
                self.endpoints = found
                on_change()

        resolve(self._seeds, self._loop, on_resolved)

    def remember(self, core: Core) -> None:
        """To be done now and then."""
        members = list(dict.fromkeys(core.endpoints()))[:PEERS_MAX]
        if members and members != self._remembered and not self._is_saving:
            self._is_saving = True
            self._loop.in_kept_thread(partial(self._store.save_peers, members), partial(self._on_saved, members))

    def _on_saved(self, members: list[Endpoint], error: OSError | None) -> None:
        self._is_saving = False
        if error is None:
            self._remembered = members
