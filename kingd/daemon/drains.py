"""Who runs something on this host because it leads, and whether that has ended: before leadership is given away on purpose.

Each of them (the helper of kingd-leader.target, a `kingctl run`, ...) listens to `Drain` under a name, ends what it runs
when it is told to, and says `Drained`. A name that was told is owed for, also when its stream breaks: what a helper that died
has left behind may still run. docs/protocol.md 4.5."""

import asyncio
from collections.abc import Callable

Told = asyncio.Queue[bool]


class Drains:
    def __init__(self, changed: Callable[[bool], None], ended: Callable[[], None]) -> None:
        """`changed`: whether anybody listens. `ended`: nobody is owed for any more."""
        self._changed = changed
        self._ended = ended
        self._streams: dict[Told, str] = {}
        self._owed: set[str] = set()
        self.is_on = False

    def __bool__(self) -> bool:
        return bool(self._streams)

    @property
    def owed(self) -> list[str]:
        return sorted(self._owed)

    def open(self, name: str) -> Told:
        told = Told()
        self._streams[told] = name
        self._changed(True)
        return told

    def close(self, told: Told) -> None:
        del self._streams[told]
        if not self._streams:
            self._changed(False)

    def turn(self, on: bool) -> None:
        """Everybody is to end what he runs (or: it is over, one way or another). Who was told before is owed for still."""
        if on == self.is_on:
            return
        self.is_on = on
        self._owed = set(self._streams.values()) if on else set()
        self.tell()

    def tell(self) -> None:
        for told in self._streams:
            told.put_nowait(self.is_on)

    def ended(self, name: str) -> None:
        if name in self._owed:
            self._owed.remove(name)
            if not self._owed:
                self._ended()
