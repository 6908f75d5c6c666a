"""The one promise that every node holds: (ballot, holder's session, until). docs/protocol.md 4.2.

Following is having promised; the failure detector is the promise's expiry; nothing else suspects anybody. Invariants: the floor
(`ballot`, kept when the promise is over) never falls; a grant to another holder needs a strictly higher term; only time, the
holder's own resignation, or its ticket frees `until`.
"""

from dataclasses import dataclass

from kingd.core.message import NO_BALLOT, NOBODY, Ballot, SessionId, Ticket


@dataclass(slots=True)
class Promise:
    ballot: Ballot = NO_BALLOT
    session: SessionId = SessionId(0)
    until_us: int = 0
    led: bool = False  # the holder was heard to lead under this ballot

    def is_live(self, now_us: int) -> bool:
        return self.ballot.node != NOBODY and now_us < self.until_us

    def is_held_by(self, session: SessionId) -> bool:
        return self.session == session and self.ballot.node != NOBODY

    def is_free_by(self, ticket: Ticket | None, *, node: int, session: SessionId) -> bool:
        """The holder gave its ballot to exactly this claimant."""
        return (
            ticket is not None
            and (ticket.ballot, ticket.session) == (self.ballot, self.session)
            and (ticket.successor, ticket.successor_session) == (node, session)
        )

    def give(self, ballot: Ballot, session: SessionId, *, until_us: int, led: bool) -> None:
        assert ballot >= self.ballot, (ballot, self)
        self.ballot, self.session, self.until_us, self.led = ballot, session, until_us, led

    def renew(self, ballot: Ballot, *, until_us: int) -> None:
        """The holder leads, under this ballot or a higher one of its own."""
        assert ballot.node == self.ballot.node and ballot >= self.ballot
        self.ballot, self.led = ballot, True
        self.until_us = max(self.until_us, until_us)

    def release(self) -> None:
        """Expired or resigned. The floor stays."""
        self.until_us = 0
        self.led = False
