"""What is due when: the one table of timers. A timer is a deadline of `Node`, and what is done then.

Of several that are due the earliest comes first, of two at the same time the upper one. A deadline that does not come
is NEVER; most are, most of the time."""

from collections.abc import Callable
from operator import attrgetter

from kingd.core.effect import Stopped, Will
from kingd.core.rules import (
    claiming,
    commands,
    contact,
    following,
    handover,
    leading,
    namesakes,
    preempting,
    readiness,
    seeking,
    survey,
    voters,
)
from kingd.core.state.node import Node
from kingd.core.timing import NEVER
from kingd.core.wire.message import Reason, Role


def _on_isolated(node: Node) -> None:
    node.orders.isolate_at(NEVER)
    node.join(Reason.ISOLATED)


def _on_ping_time(node: Node) -> None:
    following.on_ping_time(node)
    readiness.prepare(node)


def _on_sweep_time(node: Node) -> None:
    contact.sweep(node)
    voters.step(node)
    if node.is_blank and node.role is not Role.JOINING:  # a host that has become a voter while it runs
        contact.ask_voters(node)
        seeking.learn(node)
    node.will_role = None  # others may be next by now
    if node.role is Role.SEEKING:
        seeking.look_around(node)


def _on_stop_time(node: Node) -> None:
    node.orders.ended()
    node.out += [Will(None), Stopped()]  # goodbye was said


Handler = Callable[[Node], None]

TIMERS: dict[str, Handler] = {
    "orders.isolated_at_us": _on_isolated,
    "join_at_us": seeking.on_join_time,
    "announce_at_us": contact.announce,
    "ping_at_us": _on_ping_time,
    "heartbeat_at_us": leading.on_heartbeat_time,
    "expires_at_us": following.on_expired,
    "seek_at_us": seeking.on_seek_time,
    "preempt_at_us": preempting.on_preempt_time,
    "sweep_at_us": _on_sweep_time,
    "namesake.at_us": namesakes.on_namesake_time,
    "claim_at_us": claiming.on_timer,
    "lease_over_at_us": leading.on_lease_over,
    "drain_over_us": commands.on_drain_over,
    "offer_at_us": handover.on_offer_timer,
    "yielded_at_us": handover.on_yielded_timer,
    "survey_at_us": survey.on_timer,
    "orders.stop_at_us": _on_stop_time,
}
"""Name of the deadline -> what is done then."""

_NAMES = tuple(TIMERS)
_PUT_OFF = ("ping_at_us", "expires_at_us")  # by each heartbeat of the leader
_deadlines_us: Callable[[Node], tuple[int, ...]] = attrgetter(*_NAMES)
_others_us: Callable[[Node], tuple[int, ...]] = attrgetter(*(name for name in _NAMES if name not in _PUT_OFF))


def others_us(node: Node) -> int:
    """When the next timer is due that a heartbeat of the leader does not put off."""
    return min(_others_us(node))


def next_us(node: Node, *, others_us: int) -> int:
    """When the next timer is due, given when the next of the others is."""
    return min(others_us, node.ping_at_us, node.expires_at_us)


def due(node: Node) -> Handler | None:
    """What is to be done now, or None."""
    deadlines_us = _deadlines_us(node)
    first_us = min(deadlines_us)
    return TIMERS[_NAMES[deadlines_us.index(first_us)]] if first_us <= node.now_us else None
