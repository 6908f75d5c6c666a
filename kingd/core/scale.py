"""Every duration that depends on how many members there are. docs/large-clusters.md 6 has the table with the reasons.

What all members do together comes no more often the more they are: each does it more rarely. What many say to one is read
one after the other, and is waited for."""

from typing import NamedTuple

from kingd.core.timing import MS, SECOND, Timing

MEMBERS_MAX = 4096
"""A table of members holds no more."""

ANNOUNCE_US = SECOND
_ANNOUNCES_HEARD_PER_SECOND = 1_000  # by all together; each of N hears N - 1 others (as RTCP scales, RFC 3550 6.2)
_SAID_PER_SECOND = 50  # by all together, to one or to everybody
_TURNS_US_MIN = 2 * SECOND
_DOUBLINGS_MAX = 5
_LARGE_LINE_US = 2 * SECOND
_ROSTER_US, _LARGE_ROSTER_US = SECOND, 200 * MS
_READ_AT_ONCE = 32
_READING_US = 200
_BEATS_IN_FULL = 128  # a leader of twice, three times ... so many beats half, a third ... as often
_TURN_US = 2 * MS
_CLAIM_TURNS = 5

SETTLING_US = 30 * SECOND
"""For so long after an election in a large cluster nobody knows yet how evenly its hosts get to run."""


def announce_us(members: int) -> int:
    """How often each of so many announces itself."""
    return max(ANNOUNCE_US, members * members * SECOND // _ANNOUNCES_HEARD_PER_SECOND)


def reading_us(answers: int) -> int:
    """How much longer a claim to so many takes: hundreds of answers are read one after the other."""
    return max(0, answers - _READ_AT_ONCE) * _READING_US


def claim_us(timing: Timing, asked: int) -> tuple[int, ...]:
    """When a claim to so many goes out again, and when it is decided. Who has not been read yet is not asked again."""
    return tuple(us + reading_us(asked) for us in timing.asks_us(timing.claim_timeout_us))


def ask_ahead_us(timing: Timing, *, is_large: bool) -> int:
    """How long before it would give its leader up a follower asks that is not in the line of succession: hundreds ask once.
    (No property of `Scale`, for each heartbeat needs it.)"""
    return (1 if is_large else 4) * timing.round_trip_us


def beat_us(timing: Timing, alive: int) -> int:
    """How often the leader of so many beats: what wakes all of them comes more rarely the more they are, but never so
    rarely that one lost heartbeat looks like a death. (No property of `Scale`: it is asked at each heartbeat.)"""
    return min(timing.heartbeat_us * max(1, alive // _BEATS_IN_FULL), timing.leader_timeout_us // 2)


class Scale(NamedTuple):
    """These times, as one node has to take them: for so many members as it knows of."""

    timing: Timing
    members: int  # itself included, as far as it or its leader knows
    proven: int  # the same, as verified members and the leader's count say it: nobody can make up a large cluster
    is_large: bool  # too many, of these, for everybody to verify everybody

    # -- how often

    @property
    def announce_us(self) -> int:
        """How often each announces itself, on average."""
        return announce_us(self.members)

    @property
    def missed_us(self) -> int:
        """Who has not been heard for so long has missed three announcements."""
        return 3 * self.announce_us

    @property
    def sweep_us(self) -> int:
        """How often, at least, it is looked who has fallen silent."""
        return self.announce_us // 2

    @property
    def ping_us(self) -> int:
        """How often a follower that is not in the line of succession proves two-way contact."""
        return max(SECOND, self.spread_us)

    @property
    def roster_us(self) -> int:
        """How often the leader sends the next pages of its roster to who asks: in a large cluster there are many."""
        return _LARGE_ROSTER_US if self.is_large else _ROSTER_US

    @property
    def line_us(self) -> int:
        """How often it is looked up who comes next: a large cluster has much to look through. (Who is better is noticed at
        once, who is gone then.)"""
        return _LARGE_LINE_US if self.is_large else self.timing.heartbeat_us

    # -- how long it is waited

    @property
    def round_us(self) -> int:
        """How long it may take until each has had its turn at what all of a large cluster do at one moment: they may share a
        machine. (Who asks knows no more than its table holds.)"""
        return _TURN_US * min(self.proven, MEMBERS_MAX) if self.is_large else 0

    @property
    def slot_us(self) -> int:
        """How much longer each next in rank waits before it claims: the former has had its turn, and all have heard it."""
        return self.timing.slot_us + self.round_us

    @property
    def claim_limit_us(self) -> int:
        """How long a claim lasts at most while answers still come."""
        return _CLAIM_TURNS * self.round_us

    @property
    def look_us(self) -> int:
        """How soon who has no leader looks around, and again: not in the midst of an election that all are at work for."""
        return max(SECOND // 2, 2 * self.round_us)

    @property
    def patience_us(self) -> int:
        """How much longer a leader may be silent, for SETTLING_US. (As much as measured jitter may add at most.)"""
        return min(2 * self.round_us, 3 * self.timing.leader_timeout_us)

    @property
    def spread_us(self) -> int:
        """Within which time each of all says what is to be said after all have seen the same."""
        return self.members * SECOND // _SAID_PER_SECOND

    @property
    def turns_us(self) -> int:
        """Within which time each of a crowd without a leader tries once: so many attempts a second come of all together as
        announcements do."""
        return max(_TURNS_US_MIN, announce_us(self.proven))

    def patient_us(self, wait_us: int, *, after: int) -> int:
        """In a large cluster twice as long after each claim that came to nothing: its hosts, or the machine that they share,
        may take longer for one than its time is, and for several all the more (as Ethernet backs off, IEEE 802.3 4.2)."""
        return wait_us << min(after, _DOUBLINGS_MAX) if self.is_large else wait_us

    @property
    def grant_us(self) -> int:
        """How long a promise to a candidate runs before it must have led: two claims, or one to very many."""
        return self.timing.grant_us + self.claim_limit_us

    @property
    def granted_us(self) -> int:
        """After which time who has granted a claim looks what became of it."""
        return self.timing.ask_after_us + reading_us(self.proven)
