"""How long an answer of leadership may be used: `valid_ms` from before its question was sent, by CLOCK_BOOTTIME, which counts
the time in which the asking process, or the whole machine, did not run. After that another host may lead.

Imported by `kingctl leader`, so: nothing that takes time to import (see client.py)."""

from __future__ import annotations

import time

from kingd.control.answer import number, section, section_or_none, text
from kingd.control.client import CallTimedOut, JsonObject, Line, stream

_AGAIN_S = 0.05
LATE_AGAIN_S = 0.01


class Answer:
    """What `Status` said, and when it was asked."""

    def __init__(self, where: str | Line, *, timeout_s: float) -> None:
        """Asks; again and again, for `timeout_s` in all, while the answer comes too late to be used (`is_over` stays true if it
        always does). `where`: the socket's path, or a connection, which is kept. KingdError: there is no answer."""
        end_s = time.monotonic() + timeout_s
        line = where if isinstance(where, Line) else Line(where)
        try:
            self._ask(line, timeout_s)
            # It waited in the socket's queue, behind whoever, or this process did not run. Now the daemon knows who asks.
            while self.is_over and (left_s := end_s - time.monotonic()) > 0:
                time.sleep(min(LATE_AGAIN_S, left_s))  # a busy host is not made busier
                try:
                    self._ask(line, end_s - time.monotonic())
                except CallTimedOut:
                    return
        finally:
            if line is not where:
                line.close()

    def _ask(self, line: Line, timeout_s: float) -> None:
        asked_ns = now_ns()
        status = line.call("Status", timeout_s=timeout_s)
        self.note(status, asked_ns=asked_ns)  # all of it: where no answer comes, what is left is the former one

    @classmethod
    def of(cls, status: JsonObject, *, asked_ns: int) -> Answer:
        """What somebody else has asked for, who has looked at the clock before."""
        answer = cls.__new__(cls)
        answer.note(status, asked_ns=asked_ns)
        return answer

    def note(self, status: JsonObject, *, asked_ns: int) -> None:
        self.status = status
        self.asked_ns = asked_ns
        self.leader = section_or_none(status, "leader")
        self.valid_ms = 0 if self.leader is None else number(status, "valid_ms")

    @property
    def is_me(self) -> bool:
        """The host that was asked leads, as it said then."""
        node = section(self.status, "node")
        return self.leader is not None and text(node, "role") == "leader" and self.leader.get("id") == node.get("id")

    @property
    def is_over(self) -> bool:
        """It named a leader, and says nothing about now any more. To be asked last of all, when it is about to be used."""
        return self.leader is not None and now_ns() - self.asked_ns >= self.valid_ms * 1_000_000


def is_stalled(status: JsonObject) -> bool:
    """The daemon did not run for a moment, and says so by naming nobody: that is no answer yet."""
    return status.get("leader") is None and status.get("reason") == "stalled"


def wait(path: str, *, me: bool, first_s: float, total_s: float) -> tuple[Answer, JsonObject]:
    """Until there is a leader (`me`: until the host that is asked leads), and the event that told of it. An event may have
    waited for its reader: it only says when to ask. `CallTimedOut` after `total_s`, or no word at all for `first_s`."""
    end_s = time.monotonic() + total_s
    while True:
        for event in stream(path, "Watch", first_s=first_s, total_s=max(0.0, end_s - time.monotonic())):
            if section_or_none(event, "leader") is None or (me and text(event, "role") != "leader"):
                continue
            answer = Answer(path, timeout_s=first_s)
            if answer.is_me if me else answer.leader is not None:
                return answer, event
            break  # it has changed since; the next stream begins with what is true now
        time.sleep(_AGAIN_S)


def now_us() -> int:
    """By the clock that all of this goes by."""
    return now_ns() // 1000


def now_ns() -> int:
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)
