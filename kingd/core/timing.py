"""Every duration of the election, derived from the two that a user sets, with the reasons. docs/protocol.md 5 has the
numbers. What many members make longer is in scale.py."""

from kingd.records import dataclass

MS = 1_000
"""Microseconds in a millisecond; time in the core is an int of microseconds."""

SECOND = 1_000_000
NEVER = 1 << 62
"""A deadline that does not come."""

DRAIN_US_MAX = 30 * SECOND
"""How long leadership waits, before it is handed over, for what runs because this node leads to end."""

SPREAD_US = 2 * SECOND
"""In a large cluster all members do the same for a new leader, at the moment when all have to hear of it: what can wait is
spread over so long, for hundreds of them may share a machine or a disk."""

_RHO_PERCENT = 1  # how far the rate of a host's clock may be from real time
_SLACK_US = 5 * MS


def promise_us(lease_us: int) -> int:
    """How long a voter promises for a lease that is counted from before it was asked: longer, by any two clocks; in whole
    milliseconds, as it is told to others."""
    return -(-lease_us * (100 + _RHO_PERCENT) // ((100 - _RHO_PERCENT) * MS)) * MS + _SLACK_US


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """What is configured; all other times are made of these two."""

    heartbeat_us: int = 100 * MS  # three may be lost, jitter is far below; smaller: faster detection, more packets
    leader_timeout_us: int = 500 * MS  # at least 3 heartbeats; smaller: a stall of a few hundred ms looks like a death

    @property
    def round_trip_us(self) -> int:
        """How long an answer from a live peer may take: the unit of all that waits for answers. Far above a LAN's 99th
        percentile."""
        return min(max(self.heartbeat_us // 2, 10 * MS), 50 * MS)

    @property
    def challenge_us(self) -> int:
        """How long until a session that did not answer a probe is asked again: contact that rests on a lost one is renewed
        several times before it is too old."""
        return 4 * self.round_trip_us

    @property
    def resends_us(self) -> tuple[int, ...]:
        """When a request that was not answered goes out again, after the first time: three more tries."""
        unit = self.round_trip_us
        return (unit * 6 // 10, unit * 16 // 10, unit * 32 // 10)

    def asks_us(self, limit_us: int) -> tuple[int, ...]:
        """When a request goes out again, after the first time, and when it is given up."""
        return (*self.resends_us, limit_us)

    @property
    def claim_timeout_us(self) -> int:
        """Who has not answered a claim by now is not there. (Of a claim to many later: scale.py.)"""
        return 5 * self.round_trip_us

    @property
    def slot_us(self) -> int:
        """How much longer each next in rank waits before it claims: the former surely had its round trip."""
        return 3 * self.round_trip_us

    @property
    def grant_us(self) -> int:
        """How long a promise to a candidate runs before it must have led: two claims. (Of many longer: scale.py.)"""
        return 2 * self.claim_timeout_us

    @property
    def lease_us(self) -> int:
        """Quorum mode: how long a leader counts on a promise that a voter gave or renewed. Two timeouts: a stall that costs
        no leadership in availability mode costs none here."""
        return 2 * self.leader_timeout_us

    @property
    def vote_us(self) -> int:
        """Quorum mode: how long a vote may take, from the question to its answer; the longest claim fits into it. The same on
        all hosts, whatever their timing: who has forgotten its promises relies on it."""
        return SECOND // 2

    @property
    def ask_after_us(self) -> int:
        """Silence after which a follower asks its leader: one lost heartbeat and some jitter."""
        return self.heartbeat_us * 3 // 2

    @property
    def ping_us(self) -> int:
        """How often a follower in the line of succession proves two-way contact to its leader."""
        return 5 * self.heartbeat_us

    @property
    def contact_us(self) -> int:
        """How old the newest proof of two-way contact may be: five pings. (Three gave false alarms at 20 % loss.)"""
        return 25 * self.heartbeat_us

    @property
    def join_wait_us(self) -> int:
        """How long a starting node listens before it may claim: five chances to hear a leader."""
        return max(self.leader_timeout_us, 4 * self.round_trip_us)

    @property
    def stall_us(self) -> int:
        """A leader that did not run for so long must ask again whether it leads: before others may have replaced it, also where
        its last heartbeat was lost."""
        return min(3 * self.heartbeat_us, self.leader_timeout_us * 3 // 5)

    @property
    def transfer_us(self) -> int:
        """How long a resigned leader waits for its successor to lead before it seeks leadership like anybody."""
        return 2 * self.claim_timeout_us

    @property
    def ready_us(self) -> int:
        """How long an offered successor may take to say that it is ready."""
        return 4 * self.round_trip_us + self.claim_timeout_us
