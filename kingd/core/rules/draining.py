"""Before a hand-over on purpose: what runs because this node leads is ended first, while it leads on. docs/protocol.md 4.5.

The driver says whether there is anything to end (`Node.drains`), is told to end it (`Draining`), and says when that is done
(commands.drained). Nobody else is told: whoever comes next follows a leader that lives, and so it waits."""

from kingd.core.state.members import Member
from kingd.core.state.node import Node
from kingd.core.state.pending import Drain
from kingd.core.state.roles import Leader
from kingd.core.timing import DRAIN_US_MAX
from kingd.core.wire.message import Reason


def holds_up(node: Node, reason: Reason, *, to: Member | None = None, keep_us: int = 0) -> bool:
    """Whether the hand-over has to wait. The newest order counts, the time from the first one."""
    leader = node.state
    assert isinstance(leader, Leader)
    drain = leader.drain
    if drain is None and not node.orders.drains:
        return False
    if drain is not None and drain.done:
        return False
    over_us = node.now_us + DRAIN_US_MAX if drain is None else drain.over_us
    leader.drain = Drain(reason=reason, to=to, keep_us=keep_us, over_us=over_us)
    return True


def end(node: Node) -> None:
    """It is waited for no longer."""
    if isinstance(node.state, Leader):
        node.state.drain = None
