"""What users are told of each change: by `watch` and `history`, in the log, and in systemd's line of status.

In: the core's events. It keeps what was told last, for those who ask in between."""

import time
from collections import deque
from collections.abc import Callable, Iterator
from functools import cache, partial

from kingd.control.service import JsonObject, Tell
from kingd.core.effect import Event, EventKind
from kingd.core.election import Core
from kingd.core.wire.message import Role
from kingd.core.wire.past import Evidence
from kingd.daemon import evidence, systemd, views
from kingd.daemon.clock import Instant, instant, moment, now_us
from kingd.daemon.journal import HISTORY_MAX, Entry, Journal
from kingd.daemon.tally import Tally
from kingd.log import Logger
from kingd.loop import Loop, Timer
from kingd.records import replace

_log = Logger("kingd")

_TELL_AFTER_S = 0.5
_WATCHERS_WAIT_S = 0.05  # for what is no change of leadership: no hand-over to who has just joined waits for them
_HOUR_US = 3_600_000_000
_LEAST_US = 1000  # of an overlap whose beginning is not known, that much is counted
_LEADERSHIP = (
    EventKind.ELECTED,
    EventKind.DEPOSED,
    EventKind.LEADER_CHANGED,
    EventKind.LEADER_LOST,
    EventKind.STARTED,
    EventKind.OVERLAP_RESOLVED,
)
_OF_THE_CHANGE = ("time", "monotonic_ns", "previous_role", "previous_leader", "evidence", "repeat")
_KIND_NOW = {Role.LEADER: EventKind.ELECTED, Role.FOLLOWER: EventKind.LEADER_CHANGED, Role.JOINING: EventKind.STARTED}


Gist = tuple[object, ...]
"""What a host that comes and goes makes again and again. (The term is another each time.)"""


class News:
    def __init__(
        self,
        core: Core,
        loop: Loop,
        *,
        here: Callable[[], str | None],
        detail: Callable[[str], str | None] = lambda _: None,
    ) -> None:
        """`here`: this node's own address. `detail`: more about why it may not lead."""
        self._core = core
        self._loop = loop
        self._here = here
        self._detail = detail
        self._past: deque[tuple[int, Event, Gist]] = deque(maxlen=HISTORY_MAX)  # (number, what, ...)
        self._journal = Journal()
        self.tally = Tally(now_us=now_us())
        self._changed: Entry | None = None  # the last event about leadership, as users were told it
        self._placed: tuple[int, str | None] = (-1, None)  # this node's own address at that moment
        self._telling: Timer | None = None
        self._watchers_wait: Timer | None = None
        self._unsaid: list[tuple[Event, str | None, int]] = []  # with its detail, and how often it was told
        self._unsettled: dict[
            object, Tell
        ] = {}  # who was told first that nobody is known, in the middle of what is no event yet
        self.since = moment(time.time())  # of that event, or the start
        self.waiting: tuple[str, ...] = ()  # keys whose new values need a restart

    def tell(self, event: Event) -> None:
        at = instant(event.at_us)
        overlap_us = self.tally.note(event, wall_s=at.wall_s)
        if overlap_us > _LEAST_US:
            event = replace(event, evidence=Evidence(lasted_us=overlap_us))
        seq = self._journal.next_seq()
        self._past.append((seq, event, _gist(event)))
        repeat, detail = self._repeats(event), self._detail_of(event)
        entry = cache(self._shown(event, at, seq=seq, detail=detail, repeat=repeat))  # made when somebody reads it
        if event.kind in _LEADERSHIP:
            self.since = moment(at.wall_s)
            self._changed = entry
            self._unsettled.clear()
        elif self._telling is None:  # 450 hosts that come together are one change of their number
            self._telling = self._loop.call_later(_TELL_AFTER_S, self._tell_systemd_late)
        self._journal.add(entry)
        if event.kind in _LEADERSHIP:
            self._tell_watchers()
        elif self._watchers_wait is None:
            self._watchers_wait = self._loop.call_later(_WATCHERS_WAIT_S, self._tell_watchers)
        if not self._unsaid:
            self._loop.call_soon(self._say)
        self._unsaid.append((event, detail, repeat))

    def _say(self) -> None:
        """In the log, and in systemd's line of status: when the turn is over, for a claim may be due in it."""
        leads = any(event.kind in _LEADERSHIP for event, _, _ in self._unsaid)
        self._say_in_log()
        if leads:
            self.tell_systemd()

    def _say_in_log(self) -> None:
        unsaid, self._unsaid = self._unsaid, []
        for event, detail, repeat in unsaid:
            said = ", ".join(filter(None, (evidence.words(event.evidence, event.kind), detail)))
            line = views.line(event, said=said, repeat=repeat)
            _log.info("%s", line, fields=views.journal_fields(event, said=said, repeat=repeat))

    def _detail_of(self, event: Event) -> str | None:
        """Why this host itself may not lead."""
        is_me = event.member is not None and event.member.node == self._core.id
        return self._detail(event.reason.word) if is_me and event.on else None

    def _repeats(self, event: Event) -> int:
        """How often the same was told within the hour, this time included. (A claim may wait for this.)"""
        mine = self._past[-1][2]
        return sum(gist == mine and event.at_us - each.at_us <= _HOUR_US for _, each, gist in self._past)

    def _shown(self, event: Event, at: Instant, *, seq: int, detail: str | None = None, repeat: int = 1) -> Entry:
        """As it is now, whenever it is read."""
        if self._placed[0] != at.us:
            self._placed = at.us, self._here()
        return partial(views.event, event, at, here=self._placed[1], seq=seq, detail=detail, repeat=repeat)

    @property
    def count(self) -> int:
        """Of all that was told."""
        return self._journal.seq

    def history(self) -> list[JsonObject]:
        return self._journal.history()

    def past(self, *, before: int = 0) -> Iterator[tuple[int, Event]]:
        """With its number each, the newest first, of those with a lower number than `before` (0: all)."""
        return ((seq, event) for seq, event, _ in reversed(tuple(self._past)) if before == 0 or seq < before)

    def watch(self, tell: Tell) -> Callable[[], None]:
        first = self._present()
        leave, key = self._journal.watch(first, tell), object()
        if first["leader"] is None and self._changed is not None and self._changed()["leader"] is not None:
            self._unsettled[key] = tell

        def end() -> None:
            self._unsettled.pop(key, None)
            leave()

        return end

    def stepped(self) -> None:
        """The core has. A loss that resolves itself is no event, and nor is its end: who was told of it is told of that."""
        if self._unsettled and (now := self._present())["leader"] is not None:
            unsettled, self._unsettled = self._unsettled, {}
            for tell in unsettled.values():
                tell(now)

    def close(self) -> None:
        self._say_in_log()
        self._journal.close()

    def _present(self) -> JsonObject:
        """The state right now, in the shape of the event that brought it about."""
        now = now_us()
        facts = self._core.status(now)
        event = Event(
            at_us=now,
            kind=_KIND_NOW.get(facts.role, EventKind.LEADER_LOST),
            role=facts.role,
            previous_role=facts.role,
            term=facts.term,
            leader=facts.leader,
            previous_leader=None,
            reason=facts.reason,
        )
        shown = self._shown(event, instant(now), seq=self._journal.seq)()
        changed = {} if self._changed is None else self._changed()
        former = {key: changed[key] for key in _OF_THE_CHANGE if key in changed}
        return shown | former | {"initial": True}

    def tell_systemd(self) -> None:
        """`systemctl reload` itself says nothing when it went well: what it left undone stands where one looks next."""
        if not systemd.listens():
            return
        systemd.status(self.sentence() + (f"; needs a restart: {', '.join(self.waiting)}" if self.waiting else ""))

    def _tell_watchers(self) -> None:
        if self._watchers_wait is not None:
            self._watchers_wait.cancel()
            self._watchers_wait = None
        self._journal.tell()

    def _tell_systemd_late(self) -> None:
        self._telling = None
        self.tell_systemd()

    def sentence(self) -> str:
        """Who leads now."""
        facts = self._core.status(now_us())
        if facts.leader is None:
            return f"no leader is known ({facts.reason.word}), {facts.alive} members alive"
        me = "I lead" if facts.role is Role.LEADER else f"leader is {facts.leader.name}"
        return f"{me}, term {facts.term}, {facts.alive} members alive"


def _gist(event: Event) -> Gist:
    leader, member = (each and each.node for each in (event.leader, event.member))
    return event.kind, event.reason, leader, member, event.on
