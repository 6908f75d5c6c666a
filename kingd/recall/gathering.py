"""The side of `kingctl history --all` that asks: what the members told their users, of each page by page. docs/history.md.

In: whom this node knows, the time, and the answers. Out: what to send, and in the end what each has told."""

import random

from kingd.aside.voice import Say, Voice
from kingd.core.acquaintance import Acquaintance, Sighting
from kingd.core.state.members import State
from kingd.core.timing import MS, SECOND
from kingd.core.wire.message import NodeId, SessionId
from kingd.core.wire.past import Events, Recall, Told
from kingd.records import dataclass, field

_ASKED_MAX = 64  # whose answers fit into a socket, one page each
_TOLD_MAX = 256  # of one member: as many as it keeps
_ALL_MAX = 4096  # of all together: more of them is no answer (kingd/daemon/histories.py)
_OLDEST_MS = 10 * 366 * 24 * 3600 * 1000  # no daemon runs for longer, and a calendar ends before a u64 does
_AGAIN_US = 150 * MS  # without an answer it is asked again ...
_TRIES = 3  # ... so often for one page, and then it is silent
_LONGEST_US = 2 * SECOND


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """What one member told its users and when (by this node's clock), as far as it said, the newest first. None: it did not
    answer. `has_more`: it was not asked for the oldest of what it keeps."""

    node: NodeId
    name: str
    told: tuple[tuple[int, Told], ...] | None
    has_more: bool


@dataclass(slots=True)
class _Asked:
    member: Sighting
    next_us: int
    tries: int = 0  # for this page
    has_answered: bool = False
    is_over: bool = False  # it has told all, or is silent
    told: list[tuple[int, Told]] = field(default_factory=list)


class Gathering:
    def __init__(self, known: Acquaintance, voice: Voice, rng: random.Random, *, began_us: int) -> None:
        self._voice = voice
        self._nonce = rng.getrandbits(64)
        self._end_us = began_us + _LONGEST_US
        alive = [each for each in known.sightings(began_us) if each.verified and each.state is State.ALIVE]
        self._asked = {each.node: _Asked(each, began_us) for each in alive[:_ASKED_MAX]}
        self._most = min(_TOLD_MAX, _ALL_MAX // max(1, len(self._asked)))  # of one

    @property
    def is_done(self) -> bool:
        return all(asked.is_over for asked in self._asked.values())

    @property
    def deadline_us(self) -> int:
        """Of one that is not done."""
        return min(asked.next_us for asked in self._asked.values() if not asked.is_over)

    @property
    def memories(self) -> list[Memory]:
        return [
            Memory(
                node=asked.member.node,
                name=asked.member.name,
                told=tuple(asked.told[: self._most]) if asked.has_answered else None,
                has_more=len(asked.told) >= self._most < _TOLD_MAX and asked.told[self._most - 1][1].number > 1,
            )
            for asked in self._asked.values()
        ]

    def tick(self, *, now_us: int) -> list[Say]:
        said: list[Say] = []
        for asked in self._asked.values():
            if not asked.is_over and asked.next_us <= now_us:
                said += self._ask(asked, now_us)
        return said

    def on_events(self, source: NodeId, session: SessionId, events: Events, *, now_us: int) -> list[Say] | None:
        """What to ask next. None: it answers nothing that this gathering has asked."""
        asked = self._asked.get(source)
        if asked is None or session != asked.member.session or events.echo != self._nonce or asked.is_over:
            return None
        asked.has_answered = True
        before = asked.told[-1][1].number if asked.told else 1 << 32
        older = [each for each in events.told if each.number < before]
        if events.told and not older:
            return []  # a page that came before
        possible = [(now_us - each.age_ms * MS, each) for each in older if each.age_ms <= _OLDEST_MS]
        asked.told += possible
        asked.tries = 0
        has_lied = len(possible) < len(older)
        asked.is_over = has_lied or not older or older[-1].number <= 1 or len(asked.told) >= self._most
        return [] if asked.is_over else self._ask(asked, now_us)

    def _ask(self, asked: _Asked, now_us: int) -> list[Say]:
        """For the page behind what it has told, unless it has been silent for too long."""
        if asked.tries == _TRIES or now_us >= self._end_us:
            asked.is_over = True
            return []
        asked.tries += 1
        asked.next_us = min(now_us + _AGAIN_US, self._end_us)
        before = asked.told[-1][1].number if asked.told else 0
        return [self._voice.to_member(Recall(nonce=self._nonce, before=before), asked.member)]
