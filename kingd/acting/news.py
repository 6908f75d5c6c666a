"""What the daemon says by itself, to somebody who runs something because this host leads: that something has changed (Watch),
and that leadership is to be handed over when what runs here has ended (Drain).

It comes in by two threads and wakes who waits on `fileno`. It never says who leads: that is asked for, for an answer has a
time from which it counts."""

import os
import threading
import time

from kingd.control.answer import flag
from kingd.control.client import KingdError, stream
from kingd.records import dataclass

_AGAIN_S = 0.2


@dataclass(frozen=True, slots=True)
class Told:
    """By Drain."""

    draining: bool
    exclusive: bool


class News:
    def __init__(self, socket: str, name: str) -> None:
        """`name`: who is told to end what he runs."""
        self._socket = socket
        self._name = name
        self.told: Told | None = None  # None: no hand-over would wait for us now
        self._woken, self.waker = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)

    def start(self) -> None:
        for listen in (self._watch, self._drain):
            threading.Thread(target=listen, daemon=True).start()

    def fileno(self) -> int:
        return self._woken

    def clear(self) -> bool:
        """Whether there was any."""
        try:
            return bool(os.read(self._woken, 4096))
        except BlockingIOError:
            return False

    def _watch(self) -> None:
        while True:
            try:
                for told in stream(self._socket, "Watch"):
                    # Who comes and goes changes nothing for us; and a question on each of them would stand before the one
                    # that matters, for kingd gives all its clients together a part of its time only.
                    if not str(told.get("event")).startswith("member-"):
                        self._wake()
            except KingdError:
                self._rest()

    def _drain(self) -> None:
        while True:
            try:
                for told in stream(self._socket, "Drain", {"name": self._name}):
                    self.told = Told(draining=flag(told, "draining"), exclusive=flag(told, "exclusive"))
                    self._wake()
            except KingdError:
                self.told = None
                self._rest()

    def _rest(self) -> None:
        self._wake()
        time.sleep(_AGAIN_S)

    def _wake(self) -> None:
        try:
            os.write(self.waker, b".")
        except BlockingIOError:  # it will wake anyway
            return
