"""What is due when: the one table of timers. A timer is a deadline of `Node`, and what is done then.

Of several that are due the earliest comes first, of two at the same time the upper one. (So an announcement that waited for a
heartbeat is said before it: a heartbeat that it overtakes counts for nothing.) A deadline that does not come is NEVER; most
are, most of the time."""

from collections.abc import Callable, Iterable
from operator import attrgetter
from typing import NamedTuple

from kingd.core.effect import Stopped, Will
from kingd.core.rules import (
    becoming,
    claiming,
    commands,
    contact,
    following,
    leading,
    namesakes,
    pre_voting,
    seeking,
    survey,
    transfer,
    voters,
)
from kingd.core.state.node import Node
from kingd.core.state.roles import CHANGES, Candidate, Follower, Joining, Leader, Seeking, State
from kingd.core.timing import NEVER
from kingd.core.wire.message import Reason, Role
from kingd.core.wire.past import Evidence, Sign


def _on_isolated(node: Node) -> None:
    node.orders.isolate_at(NEVER)
    node.out.found(Evidence(sign=Sign.NO_LINK, lasted_us=commands.ISOLATED_AFTER_BEATS * node.timing.heartbeat_us))
    becoming.join(node, Reason.ISOLATED)


def _on_ping_time(node: Node) -> None:
    following.on_ping_time(node)
    pre_voting.prepare_ahead(node)


def _on_sweep_time(node: Node) -> None:
    contact.sweep(node)
    voters.step(node)
    if node.is_recovering and node.role is not Role.JOINING:  # a host that has become a voter while it runs
        contact.probe_voters(node)
        seeking.recover(node)
    node.will.look_again()
    if isinstance(node.state, Seeking):
        seeking.look_around(node, node.state)


def _on_stop_time(node: Node) -> None:
    node.orders.ended()
    node.out.append(Will(None))
    node.out.append(Stopped())  # goodbye was said


Handler = Callable[[Node], None]


class Timer(NamedTuple):
    role: type[State] | None  # in which there is such a deadline; None: in all
    handler: Handler
    wakes: str = ""  # where it stands when it wakes the node up, if nothing has until then; "": it has no slack


TIMERS = {
    "orders.isolated_at_us": Timer(None, _on_isolated),
    "state.join_at_us": Timer(Joining, seeking.on_join_time),
    "rounds.announce_at_us": Timer(None, contact.announce, "rounds.announce_wakes_us"),
    "state.ping_at_us": Timer(Follower, _on_ping_time),
    "state.heartbeat_at_us": Timer(Leader, leading.on_heartbeat_time),
    "promise.until_us": Timer(Follower, following.on_expired),  # any other promise just runs out
    "state.seek_at_us": Timer(Seeking, seeking.on_seek_time),
    "state.preempt_at_us": Timer(Follower, pre_voting.on_preempt_time),
    "rounds.sweep_at_us": Timer(None, _on_sweep_time, "rounds.sweep_wakes_us"),
    "namesake.at_us": Timer(None, namesakes.on_namesake_time),
    "state.claim_at_us": Timer(Candidate, claiming.on_timer),
    "state.raise_at_us": Timer(Leader, claiming.on_timer),
    "state.pre_vote_at_us": Timer(Follower, pre_voting.on_timer),
    "lease_end_us": Timer(Leader, leading.on_lease_over),
    "state.drain_over_us": Timer(Leader, commands.on_drain_over),
    "state.offer_at_us": Timer(Leader, transfer.on_offer_timer),
    "succession.ticket_at_us": Timer(None, transfer.on_ticket_timer),
    "orders.inquiry.at_us": Timer(None, survey.on_timer),
    "orders.stop_at_us": Timer(None, _on_stop_time),
}
"""Where the deadline stands in a node -> in which role, and what is done then."""

_PUT_OFF = ("state.ping_at_us", "promise.until_us")  # by each heartbeat of the leader


class _Due:
    """What may be due in one role."""

    def __init__(self, role: type[State]) -> None:
        self.names = [name for name, timer in TIMERS.items() if timer.role in (None, role)]
        self.deadlines_us = _getter(self.names)
        wakes = [TIMERS[name].wakes or name for name in self.names]
        self.others_us = _getter(name for name in wakes if name not in _PUT_OFF)


def _getter(names: Iterable[str]) -> Callable[[Node], tuple[int, ...]]:
    getter: Callable[[Node], tuple[int, ...]] = attrgetter(*names)
    return getter


_DUE = {role: _Due(role) for role in CHANGES}


def others_us(node: Node) -> int:
    """When the next timer is due that a heartbeat of the leader does not put off."""
    return min(_DUE[type(node.state)].others_us(node))


def next_us(node: Node, *, others_us: int) -> int:
    """When the next timer is due, given when the next of the others is."""
    state = node.state
    return min(others_us, state.ping_at_us, node.promise.until_us) if isinstance(state, Follower) else others_us


def due(node: Node) -> Handler | None:
    """What is to be done now, or None."""
    of_role = _DUE[type(node.state)]
    deadlines_us = of_role.deadlines_us(node)
    first_us = min(deadlines_us)
    return TIMERS[of_role.names[deadlines_us.index(first_us)]].handler if first_us <= node.now_us else None


def deadlines_us(node: Node) -> dict[str, int]:
    """All that there are in its role, for people to read."""
    of_role = _DUE[type(node.state)]
    return dict(zip(of_role.names, of_role.deadlines_us(node), strict=True))
