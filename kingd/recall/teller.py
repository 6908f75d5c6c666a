"""The side of `kingctl history --all` that is asked: it tells a member what this host told its users. docs/history.md.

In: questions, and the time. Out: what to send, or None for what is not answered. An answer goes to where a round trip has
proven that member to be, and is no larger than the question: that is as large as a datagram may be."""

from collections.abc import Callable, Iterable
from itertools import islice

from kingd.aside.budget import Budget
from kingd.aside.voice import Say, Voice
from kingd.core.acquaintance import Acquaintance
from kingd.core.wire.layout import TOLD_MAX
from kingd.core.wire.message import NOBODY, Header
from kingd.core.wire.past import Events, Recall, Told
from kingd.core.wire.past_bodies import ROOM, size_of


class Teller:
    def __init__(
        self, known: Acquaintance, voice: Voice, budget: Budget, *, past: Callable[[int], Iterable[Told]]
    ) -> None:
        """`past`: what this host told, the newest first, of what has a lower number than that (0: all). No more of it is taken
        than a page holds."""
        self._known = known
        self._voice = voice
        self._budget = budget
        self._past = past

    def take(self, header: Header, recall: Recall, *, now_us: int) -> list[Say] | None:
        """`header` is a member's."""
        member = self._known.sighting(header.source, now_us)
        if header.destination == NOBODY or member is None or not self._budget.has_one(now_us):
            return None
        events = Events(echo=recall.nonce, told=_page(self._past(recall.before)))
        return [self._voice.to_member(events, member)]


def _page(told: Iterable[Told]) -> tuple[Told, ...]:
    """As many as a datagram holds."""
    page: list[Told] = []
    room = ROOM
    for each in islice(told, TOLD_MAX):
        room -= size_of(each)
        if room < 0:
            break
        page.append(each)
    return tuple(page)
