"""Who runs something on this host because it leads, and whether that has ended: before leadership is given away on purpose.

Each of them (the helper of kingd-leader.target, a `kingctl run`, ...) listens to `Drain` or `Hold` under a name, ends what it
runs when it is told to, and says `Drained`. A name that was told is owed for, also when its stream breaks: what a helper that
died has left behind may still run. docs/protocol.md 4.5."""

from collections.abc import Callable
from itertools import count

Tell = Callable[[bool], None]


class Drains:
    def __init__(self, changed: Callable[[bool], None], ended: Callable[[], None]) -> None:
        """`changed`: whether anybody listens. `ended`: nobody is owed for any more."""
        self._changed = changed
        self._ended = ended
        self._listeners: dict[int, tuple[str, Tell]] = {}
        self._numbers = count(1)
        self._owed: set[str] = set()
        self.is_on = False

    def __bool__(self) -> bool:
        return bool(self._listeners)

    @property
    def owed(self) -> list[str]:
        return sorted(self._owed)

    def open(self, name: str, tell: Tell) -> int:
        """The number under which it is closed. `tell`: whether to end; one that many share is called once for all of them."""
        number = next(self._numbers)
        self._listeners[number] = (name, tell)
        self._changed(True)
        return number

    def close(self, number: int) -> None:
        del self._listeners[number]
        if not self._listeners:
            self._changed(False)

    def turn(self, on: bool) -> None:
        """Everybody is to end what he runs (or: it is over, one way or another). Who was told before is owed for still."""
        if on == self.is_on:
            return
        self.is_on = on
        self._owed = {name for name, _ in self._listeners.values()} if on else set()
        for tell in dict.fromkeys(tell for _, tell in self._listeners.values()):
            tell(self.is_on)

    def ended(self, name: str) -> None:
        if name in self._owed:
            self._owed.remove(name)
            if not self._owed:
                self._ended()
