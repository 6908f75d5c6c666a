"""The last 256 changes, and who watches them. A watcher that does not keep up is cut off, never waited for."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator

from kingd.control.service import JsonObject

HISTORY_MAX = 256
_LAG_MAX = 256


class Journal:
    def __init__(self) -> None:
        self._events: deque[JsonObject] = deque(maxlen=HISTORY_MAX)
        self._watchers: set[asyncio.Queue[JsonObject | None]] = set()
        self.seq = 0

    def next_seq(self) -> int:
        self.seq += 1
        return self.seq

    def add(self, event: JsonObject) -> None:
        self._events.append(event)
        for watcher in list(self._watchers):
            try:
                watcher.put_nowait(event)
            except asyncio.QueueFull:
                self._cut_off(watcher)

    def _cut_off(self, watcher: asyncio.Queue[JsonObject | None]) -> None:
        self._watchers.discard(watcher)
        watcher.get_nowait()
        watcher.put_nowait(None)

    def history(self) -> list[JsonObject]:
        return list(self._events)

    def watch(self, first: JsonObject) -> AsyncIterator[JsonObject]:
        """`first`, then every change from this very moment on; ends when the reader lags, or at `close`."""
        queue: asyncio.Queue[JsonObject | None] = asyncio.Queue(_LAG_MAX)
        self._watchers.add(queue)
        return self._stream(queue, first)

    async def _stream(self, queue: asyncio.Queue[JsonObject | None], first: JsonObject) -> AsyncIterator[JsonObject]:
        try:
            yield first
            while (event := await queue.get()) is not None:
                yield event
        finally:
            self._watchers.discard(queue)

    def close(self) -> None:
        for watcher in list(self._watchers):
            self._watchers.discard(watcher)
            if watcher.full():
                watcher.get_nowait()
            watcher.put_nowait(None)
