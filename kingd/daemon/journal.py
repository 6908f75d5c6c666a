"""The last 256 changes, and who watches them. Its connection cuts off a watcher that does not keep up."""

from collections import deque
from collections.abc import Callable

from kingd.control.service import JsonObject, Tell

HISTORY_MAX = 256

Entry = Callable[[], JsonObject]
"""An event as users are told it, made when it is read: most never are."""


class Journal:
    def __init__(self) -> None:
        self._events: deque[Entry] = deque(maxlen=HISTORY_MAX)
        self._untold: list[Entry] = []
        self._watchers: dict[object, Tell] = {}
        self.seq = 0

    def next_seq(self) -> int:
        self.seq += 1
        return self.seq

    def add(self, event: Entry) -> None:
        self._events.append(event)
        self._untold.append(event)

    def tell(self) -> None:
        """What was added since."""
        untold, self._untold = self._untold, []
        for event in untold:
            for tell in list(self._watchers.values()):
                tell(event())

    def history(self) -> list[JsonObject]:
        return [event() for event in self._events]

    def watch(self, first: JsonObject, tell: Tell) -> Callable[[], None]:
        """`first`, then every change from this very moment on, and None at `close`. To be called when it watches no more: what
        is returned."""
        self.tell()  # the others: it is in `first`
        key = object()
        self._watchers[key] = tell
        tell(first)
        return lambda: self._leave(key)

    def _leave(self, key: object) -> None:
        self._watchers.pop(key, None)

    def close(self) -> None:
        self.tell()
        watchers, self._watchers = self._watchers, {}
        for tell in watchers.values():
            tell(None)
