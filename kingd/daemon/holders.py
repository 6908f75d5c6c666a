"""Who runs something because this host leads, and is told by itself for how long it still does (`Hold` of the control socket).

One round tells all the same sentence: at once when something has changed, or this leadership lasts longer, or less long, than
was told. That is right after each heartbeat or vote, when there is the most left of it. A sentence says when it was made, by
the daemon's own clock, so it may be as late as it likes: who reads it late has less left."""

from collections.abc import Callable

from kingd.control.encoding import encoded
from kingd.control.service import JsonObject, Push
from kingd.loop import Loop, Timer

_AT_ONCE = 64  # in one turn of the loop: half a millisecond
_TIMES = ("boottime_us", "valid_us")


class Holders:
    def __init__(self, loop: Loop, view: Callable[[], JsonObject]) -> None:
        """`view`: what is said now, the parameters of the reply."""
        self._loop = loop
        self._view = view
        self._pushes: dict[int, Push] = {}
        self._numbers = 0
        self._told: JsonObject = {}  # last, without its times ...
        self._until_us = 0  # ... and until when that was good; 0: it was no leadership
        self._message = b""
        self._left: list[int] = []  # who is still to be told in this round
        self._turn: Timer | None = None

    def add(self, push: Push) -> Callable[[], None]:
        """Tells it what is, now and from now on. To be called when it listens no more: what is returned."""
        self._numbers += 1
        number = self._numbers
        said = self._view()
        if not self._pushes or said["leads"] is None:
            self._note(said)
        self._pushes[number] = push
        push(_message(said))
        return lambda: self._remove(number)

    def _remove(self, number: int) -> None:
        self._pushes.pop(number, None)
        if not self._pushes:
            self._cancel()

    def changed(self) -> None:
        """Perhaps: they are told if it makes a difference to them."""
        if self._pushes and _without_times(self._view()) != self._told:
            self._tell()

    def lasts(self, until_us: int) -> None:
        """This leadership, as of now; 0: there is none."""
        if self._pushes and until_us not in (0, self._until_us):
            self._tell()

    @property
    def are_there(self) -> bool:
        return bool(self._pushes)

    @property
    def are_unsure(self) -> bool:
        """They were told that it is not clear who leads."""
        return self.are_there and self._told["leads"] is None

    def _tell(self) -> None:
        """Who was not told yet in the former round hears this one instead."""
        self._cancel()
        said = self._view()
        self._note(said)
        self._message, self._left = _message(said), list(self._pushes)
        self._go_on()

    def _go_on(self) -> None:
        now, self._left = self._left[:_AT_ONCE], self._left[_AT_ONCE:]
        for number in now:
            push = self._pushes.get(number)
            if push is not None:
                push(self._message)
        if self._left:
            self._turn = self._loop.call_later(0, self._go_on)

    def _note(self, said: JsonObject) -> None:
        self._told, self._until_us = _without_times(said), 0
        if said["leads"]:
            boottime_us, valid_us = said["boottime_us"], said["valid_us"]
            assert isinstance(boottime_us, int)
            assert isinstance(valid_us, int)
            self._until_us = boottime_us + valid_us

    def _cancel(self) -> None:
        if self._turn is not None:
            self._turn.cancel()
            self._turn = None


def _message(said: JsonObject) -> bytes:
    return encoded({"parameters": said, "continues": True})


def _without_times(said: JsonObject) -> JsonObject:
    return {key: value for key, value in said.items() if key not in _TIMES}
