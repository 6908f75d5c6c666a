"""What the hosts told their users, on the daemon's clock: this one's goes to who asks, and theirs is gathered. docs/history.md.

It drives the two engines of `kingd.recall`. It has a deadline of its own, and none while nobody asks."""

import random
import time
from collections.abc import Callable, Generator, Iterator
from functools import partial

from kingd.aside.budget import Budget
from kingd.aside.voice import Say, Voice
from kingd.control.service import Answer
from kingd.core.election import Core
from kingd.core.wire.message import Header
from kingd.core.wire.past import Events, Recall, Told
from kingd.daemon import histories, views
from kingd.daemon.clock import now_us
from kingd.daemon.deadline import Deadline
from kingd.daemon.news import News
from kingd.daemon.shared import Shared
from kingd.loop import Loop
from kingd.recall.gathering import Gathering
from kingd.recall.teller import Teller

KEPT_S = 2.0  # an answer, for who asks the same meanwhile
_EVERY_S = 1.0  # they are asked at most, where this host has told something since


class Historian:
    def __init__(
        self,
        core: Core,
        news: News,
        loop: Loop,
        *,
        voice: Voice,
        budget: Budget,
        say: Callable[[list[Say]], object],
        rng: random.Random,
    ) -> None:
        self._core = core
        self._news = news
        self._loop = loop
        self._voice = voice
        self._say = say
        self._rng = rng
        self._teller = Teller(core.acquaintance, voice, budget, past=self._past)
        self._gathering: Gathering | None = None
        self._asked = Shared(loop, self._begin, every_s=_EVERY_S)
        self._since = 0  # how many events this host had told when it began to ask
        self._last: bytes | None = None
        self._deadline = Deadline(loop, lambda _late_us: self._go_on([]))

    def take(self, header: Header, body: Recall | Events) -> bool:
        """From a member. Whether it is answered, or answers what was asked."""
        now = now_us()
        if isinstance(body, Recall):
            answer = self._teller.take(header, body, now_us=now)
            self._say(answer or [])
            return answer is not None
        if self._gathering is None:
            return False
        said = self._gathering.on_events(header.source, header.session, body, now_us=now)
        self._go_on(said or [])
        return said is not None

    def histories(self, answer: Answer) -> None:
        """Of this host and of all that live, each asked now, or up to two seconds ago if this host has told nothing since."""
        if self._last is not None and self._news.count == self._since:
            answer(self._last)
        else:
            self._asked.ask(answer)

    def _begin(self) -> None:
        self._since = self._news.count
        self._gathering = Gathering(self._core.acquaintance, self._voice, self._rng, began_us=now_us())
        self._go_on([])

    def _go_on(self, said: list[Say]) -> None:
        gathering = self._gathering
        if gathering is None:
            return
        self._say([*said, *gathering.tick(now_us=now_us())])
        if gathering.is_done:
            self._gathering = None
            self._deadline.cancel()
            self._write(self._told(gathering))
        else:
            self._deadline.set(gathering.deadline_us)

    def _told(self, gathering: Gathering) -> Generator[None, None, bytes]:
        now = now_us()
        own = ((now - each.age_ms * 1000, each) for each in self._past())
        me = (views.node_id(self._core.id), self._core.settings.name, own, False)
        others = [(views.node_id(each.node), each.name, each.told, each.has_more) for each in gathering.memories]
        return histories.gathered([me, *others], now_us=now, wall_s=time.time())

    def _past(self, before: int = 0) -> Iterator[Told]:
        """Of this host, the newest first: each is made when it is taken, and their ages are of now."""
        now = now_us()
        return (histories.told(event, number=seq, now_us=now) for seq, event in self._news.past(before=before))

    def _write(self, pieces: Generator[None, None, bytes]) -> None:
        """A slice, and the next one when the election has had its turn."""
        try:
            next(pieces)
        except StopIteration as end:
            self._last = said = end.value
            self._loop.call_later(KEPT_S, partial(self._forget, said))
            self._asked.answered(said)
        else:
            self._loop.call_soon(partial(self._write, pieces))

    def _forget(self, said: bytes) -> None:
        if self._last is said:
            self._last = None
