"""An answer that costs all of the cluster something: whoever asks while it is under way, or is to come, shares it."""

from collections.abc import Callable

from kingd.control.service import Answer, JsonObject
from kingd.loop import Loop

_EVERY_S = 0.2  # whoever asks again and again shares what the others get


class Shared:
    def __init__(self, loop: Loop, begin: Callable[[], None], *, every_s: float = _EVERY_S) -> None:
        """`begin` brings it about; then `answered` is to be called once."""
        self._loop = loop
        self._every_s = every_s
        self._begin = begin
        self._waiting: list[Answer] = []
        self._at_s = 0.0  # the next one, at the earliest

    def ask(self, answer: Answer) -> None:
        self._waiting.append(answer)
        if len(self._waiting) == 1:
            at_s = max(self._loop.now_s(), self._at_s)
            self._at_s = at_s + self._every_s
            self._loop.call_at(at_s, self._begin)

    def answered(self, said: JsonObject | bytes) -> None:
        waiting, self._waiting = self._waiting, []
        for answer in waiting:
            answer(said)
