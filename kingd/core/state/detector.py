"""Is the leader silent? What a follower knows of its leader's heartbeat, judged against `now_us`.

The limit is the configured leader timeout, raised (never lowered) by the jitter that was measured: twice the
largest gap between two signs of life in the last minute, at most four times the timeout (and at least half a second: a
short timeout must not keep jitter from being believed). What the leader of a large cluster beats more slowly, by its own
word, is no jitter. A leader that was given up, and is heard again, was late and not dead: that gap counts too. Before
the limit the leader is asked (Ping); `is_doubtful` means that it was asked, twice, and had a round trip to answer, or
that its port refused both questions."""

from kingd.core.timing import MS, SECOND, Timing
from kingd.core.wire.message import SessionId

_RAISED_AT_LEAST_US = 500 * MS
_BUCKET_US = 30 * SECOND
_SENT_MAX = 32


class Detector:
    def __init__(self, timing: Timing, now_us: int) -> None:
        self._timing = timing
        self.evidence_us = now_us  # the newest sign of life
        self._judged_us = now_us  # the same, without the time in which this node did not run itself
        self._asked_us = -1  # when the first question since then went out ...
        self.asks = 0  # ... and how many did
        self._refusals = 0  # how many of these met a port where nobody listens
        self._slower_us = 0  # by how much the leader beats more slowly than every `heartbeat_us`
        self._gaps_us = [0, 0]  # largest gap in this and in the last half minute
        self._bucket_us = now_us
        self._pings: dict[int, int] = {}  # nonce -> when it was sent
        self._lost = SessionId(0)  # the last leader that was given up ...
        self._lost_us = 0  # ... and its newest sign of life then

    @property
    def limit_us(self) -> int:
        return min(max(self._timing.leader_timeout_us, 2 * max(self._gaps_us)), self._limit_us_max)

    @property
    def _limit_us_max(self) -> int:
        return max(4 * self._timing.leader_timeout_us, _RAISED_AT_LEAST_US)

    @property
    def limit_at_us(self) -> int:
        """When the leader has been silent for the limit."""
        return self._judged_us + self.limit_us

    def expect(self, interval_us: int) -> None:
        """How often the leader beats, by its own word. Believed up to half the timeout: beyond that nothing but its answers
        would keep it."""
        timing = self._timing
        self._slower_us = max(0, min(interval_us, timing.leader_timeout_us // 2) - timing.heartbeat_us)

    @property
    def interval_us(self) -> int:
        """How often the leader is expected to beat."""
        return self._timing.heartbeat_us + self._slower_us

    def configure(self, timing: Timing) -> None:
        self._timing = timing

    def begin(self, now_us: int, *, patience_us: int = 0) -> None:
        """A new leader: what was silent before is no jitter of its. Until some is measured, it may be so much longer than the
        timeout in a large cluster; it is remembered for half a minute at least (scale.SETTLING_US)."""
        self._judged_us = now_us
        self.alive(now_us)
        if patience_us:
            self._note_gap((self._timing.leader_timeout_us + patience_us) // 2, now_us)

    def alive(self, now_us: int) -> None:
        self._note_gap(now_us - self._judged_us - self._slower_us, now_us)
        self.evidence_us = self._judged_us = now_us
        self._asked_us, self.asks, self._refusals = -1, 0, 0

    def _note_gap(self, gap_us: int, now_us: int) -> None:
        if now_us - self._bucket_us > _BUCKET_US:
            self._gaps_us = [0, self._gaps_us[0]]
            self._bucket_us = now_us
        if 2 * gap_us <= self._limit_us_max:  # a longer one was an outage or a stall of ours, no jitter
            self._gaps_us[0] = max(self._gaps_us[0], gap_us)

    def declare_dead(self, leader: SessionId) -> None:
        self._lost, self._lost_us = leader, self._judged_us

    def heard_again(self, session: SessionId, now_us: int) -> None:
        """From somebody who had been given up."""
        if session == self._lost:
            self._lost = SessionId(0)
            self._note_gap(now_us - self._lost_us, now_us)

    def asked(self, nonce: int, now_us: int) -> None:
        if self.is_silent(now_us):
            self.asks += 1
            if self._asked_us < 0:
                self._asked_us = now_us
        while len(self._pings) >= _SENT_MAX:
            del self._pings[next(iter(self._pings))]
        self._pings[nonce] = now_us

    def refused(self, now_us: int) -> None:
        """Nobody listens where the leader was asked. Heartbeats that still come are worth more."""
        if self.is_silent(now_us):
            self._refusals += 1

    @property
    def is_refused(self) -> bool:
        return self._refusals >= 2

    def answered(self, echo: int) -> int | None:
        """When the ping that this answers was sent, or None if it answers none of ours."""
        return self._pings.pop(echo, None)

    @property
    def silent_at_us(self) -> int:
        return self._judged_us + self._timing.ask_after_us + self._slower_us * 3 // 2

    def is_silent(self, now_us: int) -> bool:
        return now_us >= self.silent_at_us

    def is_doubtful(self, now_us: int) -> bool:
        return self.is_refused or (self.asks >= 2 and now_us - self._asked_us >= self._timing.round_trip_us)

    def excuse(self, late_us: int) -> None:
        """We did not run: the silence was ours. What users are told still counts from `evidence_us`."""
        self._judged_us += late_us
        if self._asked_us >= 0:
            self._asked_us += late_us
