"""What the disk holds of a node, and what it was asked to hold. docs/protocol.md 4.4, docs/quorum.md 4.

What is needed is asked for ahead of need: no disk stands in the way of a failover."""

from kingd.core.effect import Persist
from kingd.core.settings import Voters
from kingd.core.timing import promise_us
from kingd.core.wire.message import Term
from kingd.records import dataclass

_CEILING_AHEAD = 2  # terms
_CEILING_BLOCK = 4
_CEILING_FAR = 1 << 16  # others believe no term that is 2^32 ahead


@dataclass(slots=True, kw_only=True)
class Durable:
    """Of all sessions of this node."""

    ceiling: Term  # highest term that this node may claim
    ceiling_asked: Term  # what was asked to be made durable ...
    ceiling_asked_us: int = 0  # ... and when
    claimed: Term  # no session of this node has claimed above it
    rolled_back: bool = False  # a member remembers a term of ours that the disk does not
    term_asked: Term  # of the newest leadership that was followed
    hold_us: int  # longest promise that this node may give as a voter
    hold_wanted_us: int  # what it was asked for
    hold_asked_us: int  # what was asked to be made durable
    voters: Voters | None  # the list in force
    voters_asked: Voters | None

    @classmethod
    def of(cls, *, ceiling: Term, term: Term, hold_us: int, wanted_us: int, voters: Voters | None) -> "Durable":
        """At the start of a session: what the earlier ones have left."""
        return cls(
            ceiling=ceiling,
            ceiling_asked=ceiling,
            claimed=ceiling,
            term_asked=term,
            hold_us=hold_us,
            hold_wanted_us=wanted_us,
            hold_asked_us=hold_us,
            voters=voters,
            voters_asked=voters,
        )

    def persisted(self, ceiling: Term, *, hold_us: int, voters: Voters | None) -> None:
        self.voters = voters or self.voters
        self.hold_us = max(self.hold_us, hold_us)
        self.ceiling = max(self.ceiling, ceiling)

    def want_hold(self, lease_us: int) -> bool:
        """A promise that outlasts this lease. Whether it may be given."""
        self.hold_wanted_us = max(self.hold_wanted_us, promise_us(lease_us))
        return promise_us(lease_us) <= self.hold_us

    def holds(self, floor: Term) -> bool:
        """Whether a later session will know that it may have promised up to there, and for how long."""
        return 0 < self.ceiling >= floor and self.hold_wanted_us <= self.hold_us

    def inherit(self, hold_us: int) -> None:
        """Others may have promised for so long to the leader for whom this node voted, and it says so as they did."""
        self.hold_wanted_us = max(self.hold_wanted_us, hold_us)

    def claim(self, term: Term) -> None:
        self.claimed = max(self.claimed, term)

    def recall(self, term: Term) -> None:
        """A member remembers that this node claimed it."""
        if term > self.claimed:
            self.rolled_back = True  # harmless by now: what this node claims next is above it

    def is_overdue(self, now_us: int, timeout_us: int) -> bool:
        """The terms that were asked for are on the way to the disk for too long."""
        return now_us - self.ceiling_asked_us > timeout_us and self.ceiling_asked > self.ceiling

    def ask(self, seen: Term, led: Term, voters: Voters, knows: bool, now_us: int) -> Persist | None:
        """What is to be written now. `seen`: the highest term that is known; `led`: that of the leader, 0 = none. On the disk
        the longest promise says that this node knows what it promised: who does not, be it no voter now, wants none."""
        low = seen + _CEILING_AHEAD > self.ceiling_asked
        if low:
            self.ceiling_asked, self.ceiling_asked_us = Term(seen + self._ahead(seen)), now_us
        hold_us = self.hold_wanted_us if knows else self.hold_us
        listed = voters is not self.voters_asked and voters != (self.voters_asked or Voters())
        if not (low or listed or led > self.term_asked or hold_us > self.hold_asked_us):
            return None
        self.voters_asked = voters
        self.term_asked = max(self.term_asked, led)
        self.hold_asked_us = max(self.hold_asked_us, hold_us)
        return Persist(self.ceiling_asked, self.term_asked, self.hold_asked_us, voters)

    def _ahead(self, seen: Term) -> int:
        """While the disk is at work terms rise further: the slower it is, the more it is asked for, until a claim is within."""
        behind = 2 * (seen - self.ceiling) if self.ceiling_asked > self.ceiling else 0
        return min(max(_CEILING_BLOCK, behind), _CEILING_FAR)
