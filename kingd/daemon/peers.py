"""Whom this host speaks to by unicast before anybody has spoken to it: the peers that are configured, by what DNS says of
them now, and the members of last time, from the disk."""

import asyncio
from collections.abc import Callable

from kingd.core.election import Core
from kingd.core.wire.endpoint import Endpoint
from kingd.daemon.store import Store
from kingd.net.seeds import numeric, parse_seed, resolve


class Peers:
    def __init__(self, configured: tuple[str, ...], *, port: int, store: Store) -> None:
        """`port`: of those that name none."""
        self._store = store
        self._seeds = [parse_seed(peer, port) for peer in configured]
        self._remembered: list[Endpoint] = []
        self.endpoints: tuple[Endpoint, ...] = (*numeric(self._seeds), *store.load_peers())

    @property
    def has_any(self) -> bool:
        return bool(self._seeds or self.endpoints)

    @property
    def has_names(self) -> bool:
        return len(self._seeds) > len(numeric(self._seeds))

    async def resolve(self, on_change: Callable[[], None]) -> None:
        """To be done now and then. `on_change`: `endpoints` are others now."""
        found = (*await resolve(self._seeds, asyncio.get_running_loop()), *self._store.load_peers())
        if found != self.endpoints:
            self.endpoints = found
            on_change()

    async def remember(self, core: Core) -> None:
        """To be done now and then, off the loop."""
        members = core.endpoints()
        if members and members != self._remembered:
            self._remembered = members
            await asyncio.to_thread(self._store.save_peers, members)
