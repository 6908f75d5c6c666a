"""What is delivered next, from what the daemon said: the state machine of docs/hooks.md. Pure: no clock, no file, no process.

In: events of `Watch` (`told`), that the daemon is gone (`lost`), that leadership is to be handed over (`drain`), that the
runner is to end (`stop`). Out: `next`, the event to deliver now, or None; `begin` says that its delivery begins. Each event is
an object as in INTERFACE `watch --json`; one that the daemon did not send has the same shape."""

from __future__ import annotations

from typing import NamedTuple

from kingd.control.client import JsonObject

STATES = ("elected", "deposed", "leader-changed", "leader-lost", "started", "stopping")
_NOTICE = "overlap-resolved"

Key = list[object]


class Moment(NamedTuple):
    """Of an event that the daemon did not send."""

    time: str  # RFC 3339
    monotonic_ns: int


class Delivery:
    """`open`: the `elected` that has begun to be delivered and is not followed by its `deposed` yet."""

    def __init__(self) -> None:
        self.seq = 0
        self.open: JsonObject | None = None
        self.last: Key | None = None  # the state that was delivered last
        self.redo_term: int | None = (
            None  # `elected` was delivered under it, and `deposed` only because the runner ended
        )
        self.is_broken = False  # what is open was not delivered to all
        self.draining = False
        self.stopping = False
        self._state: JsonObject | None = None  # the newest
        self._deposed: JsonObject | None = None  # as the daemon told it, since `elected` was delivered
        self._is_closed_early = False  # the daemon's own `deposed` is still to come
        self._notice: JsonObject | None = None

    # -- what happens --------------------------------------------------------------------------------------------------

    def told(self, event: JsonObject) -> None:
        name = event.get("event")
        if name == _NOTICE:
            self._notice = event
            if event.get("role") == "leader":
                self._goes_on_under(event.get("term"))
        elif name in STATES:
            if name == "deposed" and self.open is not None:
                self._deposed = event
            if self._notice is not None and not _has_leader_of(self._notice, event):
                self._notice = None  # it was about what is over
            if not self._is_last_word(event):
                self._state = event

    def _is_last_word(self, event: JsonObject) -> bool:
        """A daemon that stops has nothing newer to say; the next one begins with an initial event."""
        return self._state is not None and self._state["event"] == "stopping" and not event.get("initial")

    def _goes_on_under(self, term: object) -> None:
        """Who survives an overlap leads on under a higher term, and is not elected again."""
        state = self._state
        if state is None or state["event"] != "elected":
            return
        if self.open is not None and self._deposed is None and self.open.get("term") == state.get("term"):
            self.open = self.open | {"term": term}
        self._state = state | {"term": term}

    def lost(self, now: Moment) -> None:
        """The daemon is gone. A stop that it announced is no loss."""
        self.draining = False
        state = self._state or self._of_record()
        if state is None or state["event"] in ("leader-lost", "stopping"):
            return
        reason = "leader-crashed" if state.get("role") == "leader" else "isolated"
        self._state = _made("leader-lost", state, role="joining", reason=reason, now=now)
        self._notice = None

    def drain(self, on: bool) -> None:
        self.draining = on

    def stop(self) -> None:
        self.stopping = True

    # -- what follows from it ------------------------------------------------------------------------------------------

    @property
    def is_leading(self) -> bool:
        """As far as it is to be acted on."""
        leads = self._state is not None and self._state["event"] == "elected"
        return leads and not self.draining and not self.stopping

    @property
    def is_drained(self) -> bool:
        return self.draining and self.open is None

    def next(self, now: Moment) -> JsonObject | None:
        found = self._next(now)
        if found is None:
            return None
        seq = found.get("seq")
        return found | {"seq": max(self.seq + 1, seq if isinstance(seq, int) else 0)}

    def _next(self, now: Moment) -> JsonObject | None:
        state = self._state
        if self.open is not None and not self._is_still_open():
            return self._deposed or self._deposition(self.open, now)
        if self.stopping or state is None:
            return None
        if state["event"] == "elected":
            if self.open is None and self.is_leading:
                if state.get("term") == self.redo_term:
                    return _made("started", state, role="joining", now=now)
                return state
        elif key_of(state) != self.last:
            return self._translated(state)
        return self._newer_notice()

    def _is_still_open(self) -> bool:
        if self._state is None and not self.stopping and not self.is_broken:
            return True  # of a former runner: the daemon has not said yet what is
        assert self.open is not None
        same = self._state is not None and self._state.get("term") == self.open.get("term")
        return self.is_leading and same and not self.is_broken and self._deposed is None

    def _deposition(self, elected: JsonObject, now: Moment) -> JsonObject:
        ours = self.stopping or self.is_broken or (self._state is not None and self._state["event"] == "stopping")
        reason = "leader-left" if ours else "handover" if self.draining else "leader-crashed"
        found = _made("deposed", elected, role="follower", reason=reason, now=now)
        return found | {"previous_role": "leader"}

    def _translated(self, state: JsonObject) -> JsonObject:
        """`deposed` has been delivered before the fact: what is left to tell is who leads now."""
        if state["event"] != "deposed" or not self._is_closed_early:
            return state
        return state | {"event": "leader-lost" if state.get("leader") is None else "leader-changed"}

    def _newer_notice(self) -> JsonObject | None:
        return None if self._state is None else self._notice

    def begin(self, event: JsonObject) -> None:
        """Its delivery begins: from now on it counts as delivered."""
        seq, name = event["seq"], event["event"]
        assert isinstance(seq, int)
        self.seq = seq
        if name == _NOTICE:
            self._notice = None
            return
        self.last = key_of(event)
        self._is_closed_early = name == "deposed" and self._deposed is None
        if name == "elected":
            self.open = event
        elif name == "started":
            self.redo_term = None

    def end(self, event: JsonObject) -> None:
        """It has been delivered. Only now `deposed` closes what is open: all of it has been taken back."""
        if event["event"] != "deposed":
            return
        if self.open is not None and (self.stopping or self.is_broken):
            term = self.open.get("term")
            self.redo_term = term if isinstance(term, int) else None
        self.open, self._deposed, self.is_broken = None, None, False

    def is_newer_waiting(self, event: JsonObject) -> bool:
        """While this one is delivered: the state has moved on."""
        name, state = event["event"], self._state
        if name == "elected":
            return not self._is_still_open()
        if self.stopping or state is None:
            return self.stopping and name != "deposed"
        if name == _NOTICE:
            return not _has_leader_of(event, state)
        if state["event"] == "elected":
            return self.is_leading and state.get("term") != event.get("term")
        return key_of(state) != key_of(event)

    def _of_record(self) -> JsonObject | None:
        """What a former runner delivered last, as far as `lost` needs it."""
        if self.open is not None:
            return self.open
        if self.last is None:
            return None
        name = self.last[0] or ("leader-changed" if self.last[1] is not None else "leader-lost")
        return {"event": name, "term": self.last[2], "leader": None}


def key_of(event: JsonObject) -> Key:
    """Two events with the same one say the same about who leads."""
    name, leader = event["event"], event.get("leader")
    if name in ("started", "stopping"):
        return [name, None, None]
    if not isinstance(leader, dict):
        return ["deposed" if name == "deposed" else "", None, event.get("term")]
    return ["", leader.get("id"), event.get("term")]


def _has_leader_of(event: JsonObject, other: JsonObject) -> bool:
    return key_of(event)[1] == key_of(other)[1]


def _made(name: str, of: JsonObject, *, role: str, now: Moment, reason: str | None = None) -> JsonObject:
    """An event that the daemon did not send, after one that it did."""
    return {
        "version": 1,
        "event": name,
        "time": now.time,
        "monotonic_ns": now.monotonic_ns,
        "role": role,
        "previous_role": of.get("role", "joining"),
        "term": of.get("term", 0),
        "seq": of.get("seq", 0),
        "leader": None,
        "previous_leader": of.get("leader"),
        "reason": reason if reason is not None else of.get("reason", "joined"),
    }
