"""What users are told of each change: by `watch` and `history`, in the log, and in systemd's line of status.

In: the core's events. It keeps what was told last, for those who ask in between."""

import time
from collections.abc import Callable

from kingd.control.service import JsonObject, Tell
from kingd.core.effect import Event, EventKind
from kingd.core.election import Core
from kingd.core.wire.message import Role
from kingd.daemon import systemd, views
from kingd.daemon.clock import moment, now_us
from kingd.daemon.journal import Journal
from kingd.daemon.tally import Tally
from kingd.log import Logger
from kingd.loop import Loop, Timer

_log = Logger("kingd")

_TELL_AFTER_S = 0.5
_LEADERSHIP = (
    EventKind.ELECTED,
    EventKind.DEPOSED,
    EventKind.LEADER_CHANGED,
    EventKind.LEADER_LOST,
    EventKind.STARTED,
    EventKind.OVERLAP_RESOLVED,
)
_OF_THE_CHANGE = ("time", "monotonic_ns", "previous_role", "previous_leader")
_KIND_NOW = {Role.LEADER: EventKind.ELECTED, Role.FOLLOWER: EventKind.LEADER_CHANGED, Role.JOINING: EventKind.STARTED}


class News:
    def __init__(self, core: Core, loop: Loop, *, here: Callable[[], str | None]) -> None:
        """`here`: this node's own address."""
        self._core = core
        self._loop = loop
        self._here = here
        self._journal = Journal()
        self.tally = Tally(now_us=now_us())
        self._changed: JsonObject = {}  # the last event about leadership, as users were told it
        self._telling: Timer | None = None
        self.since = moment(time.time())  # of that event, or the start
        self.waiting: tuple[str, ...] = ()  # keys whose new values need a restart

    def tell(self, event: Event) -> None:
        wall_s = time.time()
        shown = self._shown(event, seq=self._journal.next_seq(), wall_s=wall_s)
        if event.kind in _LEADERSHIP:
            self.since = moment(wall_s)
            self._changed = shown
            self.tell_systemd()
        elif self._telling is None:  # 450 hosts that come together are one change of their number
            self._telling = self._loop.call_later(_TELL_AFTER_S, self._tell_systemd_late)
        self._journal.add(shown)
        self.tally.note(event, now_us=now_us(), wall_s=wall_s)
        _log.info("%s", views.line(event))

    def _shown(self, event: Event, *, seq: int, wall_s: float) -> JsonObject:
        monotonic_ns = time.clock_gettime_ns(time.CLOCK_MONOTONIC)
        return views.event(event, here=self._here(), seq=seq, wall_s=wall_s, monotonic_ns=monotonic_ns)

    def history(self) -> list[JsonObject]:
        return self._journal.history()

    def watch(self, tell: Tell) -> Callable[[], None]:
        return self._journal.watch(self._present(), tell)

    def close(self) -> None:
        self._journal.close()

    def _present(self) -> JsonObject:
        """The state right now, in the shape of the event that brought it about."""
        facts = self._core.status(now_us())
        event = Event(
            kind=_KIND_NOW.get(facts.role, EventKind.LEADER_LOST),
            role=facts.role,
            previous_role=facts.role,
            term=facts.term,
            leader=facts.leader,
            previous_leader=None,
            reason=facts.reason,
        )
        shown = self._shown(event, seq=self._journal.seq, wall_s=time.time())
        former = {key: self._changed[key] for key in _OF_THE_CHANGE if key in self._changed}
        return shown | former | {"initial": True}

    def tell_systemd(self) -> None:
        """`systemctl reload` itself says nothing when it went well: what it left undone stands where one looks next."""
        systemd.status(self.sentence() + (f"; needs a restart: {', '.join(self.waiting)}" if self.waiting else ""))

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
