"""The one promise that every node holds: (ballot, holder's session, until). docs/protocol.md 4.2.

Following is having promised, and its expiry is the failure detector. What else ends it early (4.3) frees no voter's promise.
Invariants: the floor, the ballot that was promised last, never falls; a grant to another holder needs a
strictly higher term; only time, the holder's own resignation, or its ticket frees `until`."""

from kingd.core.wire.message import NO_BALLOT, NOBODY, Ballot, SessionId, Ticket
from kingd.records import dataclass


@dataclass(slots=True)
class Promise:
    """To whom, and until when."""

    floor: Ballot = NO_BALLOT  # what was promised last
    session: SessionId = SessionId(0)
    until_us: int = 0
    led: Ballot = NO_BALLOT  # under which the holder was heard to lead; below `floor` while it raises its term

    @property
    def expected(self) -> Ballot:
        """What the holder must lead under at least, to be followed."""
        return self.led if self.led != NO_BALLOT else self.floor

    def is_live(self, now_us: int) -> bool:
        return now_us < self.until_us

    def is_held_by(self, session: SessionId) -> bool:
        return self.session == session and self.floor.node != NOBODY

    def is_free_by(self, ticket: Ticket | None, *, node: int, session: SessionId) -> bool:
        """The holder gave its ballot to exactly this claimant."""
        return (
            ticket is not None
            and ticket.session == self.session
            and ticket.ballot == self.floor
            and (ticket.successor, ticket.successor_session) == (node, session)
        )

    def give(self, ballot: Ballot, session: SessionId, *, until_us: int, led: bool) -> None:
        assert ballot >= self.floor, (ballot, self)
        self.floor, self.session, self.until_us = ballot, session, until_us
        self.led = ballot if led else NO_BALLOT

    def renew(self, ballot: Ballot, *, until_us: int) -> None:
        """The holder leads, under this ballot or a higher one of its own."""
        assert ballot.node == self.floor.node
        assert ballot >= self.expected
        self.floor, self.led = max(self.floor, ballot), ballot
        self.until_us = max(self.until_us, until_us)

    def allow_raise(self, ballot: Ballot, *, until_us: int) -> None:
        """The holder leads on, and asks to do so under a higher term: nobody else gets a lower one. Until it does it is
        followed under the old one, for it may never get there."""
        assert ballot.node == self.floor.node
        assert ballot >= self.floor
        self.floor = ballot
        self.until_us = max(self.until_us, until_us)

    def shorten(self, until_us: int) -> None:
        """The holder said that it does not lead."""
        self.until_us = min(self.until_us, until_us)

    def excuse(self, late_us: int) -> None:
        """This node did not run for so long, and could not hear the holder."""
        self.until_us += late_us

    def raise_floor(self, ballot: Ballot) -> None:
        """A voter that had lost its history was told that it may have promised up to there."""
        assert ballot >= self.floor
        self.floor = ballot

    def release(self) -> None:
        """Expired or resigned. The floor stays."""
        self.until_us = 0
        self.led = NO_BALLOT
