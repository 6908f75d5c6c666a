"""Who is to lead after whom: who comes next, tickets given and taken, who prepared for it, and with whom it came to nothing.
docs/protocol.md 4.1, 4.5."""

from kingd.core.state.pending import Prepared, Yielded
from kingd.core.timing import NEVER, SECOND
from kingd.core.wire.message import NodeId, Ticket
from kingd.records import dataclass, field

_REFUSED_US = 10 * SECOND
_REFUSED_US_MAX = 600 * SECOND
_REMEMBERED_US = 60 * SECOND


@dataclass(slots=True)
class Succession:
    """It outlives the roles: who has given its leadership away waits for the next one in another role."""

    yielded: Yielded | None = None
    taken: Ticket | None = None  # the last ticket that this node claimed with
    prepared: Prepared | None = None  # leader: who said so; follower: what it has asked last
    silent: frozenset[NodeId] = frozenset()  # who did not answer the last pre-vote: not waited for with its ticket
    refused: dict[NodeId, tuple[int, int]] = field(default_factory=dict)  # successor -> (not before, failures)

    # The line: the first three to lead if the leader went. Looked up now and then: a large cluster has much to look through.
    third: tuple[int, int] | None = None  # rank of the third in it; None: they are fewer ...
    line_until_us: int = 0  # ... as looked up for so long

    @property
    def ticket_at_us(self) -> int:
        return NEVER if self.yielded is None else self.yielded.request.due_us

    def look_again(self) -> None:
        """Somebody new may be in the line."""
        self.line_until_us = 0

    def know(self, third: tuple[int, int] | None, *, until_us: int) -> None:
        self.third, self.line_until_us = third, until_us

    def is_next(self, rank: tuple[int, int]) -> bool:
        return self.third is None or rank <= self.third

    def give(self, yielded: Yielded) -> None:
        self.yielded = yielded

    def prepare(self, prepared: Prepared) -> None:
        self.prepared = prepared

    def is_prepared(self, wanted: Prepared) -> bool:
        """For that leadership, and to lead all of these."""
        last = self.prepared
        return (
            last is not None
            and (last.ballot, last.successor) == (wanted.ballot, wanted.successor)
            and wanted.others <= last.others
        )

    def take(self, ticket: Ticket) -> None:
        self.taken = ticket

    def note_silent(self, nodes: frozenset[NodeId]) -> None:
        self.silent = nodes

    def end(self, leader: NodeId, now_us: int) -> None:
        """Somebody leads after this node resigned. If it is not the one that got the ticket, that one gets none for a
        while."""
        yielded, self.yielded = self.yielded, None
        if yielded is None:
            return
        successor = yielded.ticket.successor
        if leader == successor:
            self.allow(successor)
        else:
            self.refuse(successor, now_us)

    def allow(self, successor: NodeId) -> None:
        self.refused.pop(successor, None)

    def refuse(self, successor: NodeId, now_us: int) -> None:
        """What was to be given to it came to nothing: for a while, and longer each time, it is not tried again."""
        _, failures = self.refused.get(successor, (0, 0))
        wait_us = min(_REFUSED_US << min(failures, 10), _REFUSED_US_MAX)
        self.refused[successor] = (now_us + wait_us, failures + 1)

    def may_get(self, node: NodeId, now_us: int) -> bool:
        return now_us >= self.refused.get(node, (0, 0))[0]

    def forget(self, now_us: int) -> None:
        for target, (until_us, _) in list(self.refused.items()):
            if now_us - until_us > _REMEMBERED_US:
                del self.refused[target]
