"""The short way of the heartbeat that a follower hears again and again: the same one under a new number. docs/protocol.md 4.3.

It renews the promise as `dispatch` would. What says anything else goes the long way."""

from kingd.core.rules import following
from kingd.core.state.members import Member, State
from kingd.core.state.node import Node
from kingd.core.state.roles import Follower
from kingd.core.timing import MS, NEVER
from kingd.core.wire.endpoint import Endpoint
from kingd.core.wire.message import Datagram, Heartbeat


def its_leader(node: Node, beat: Datagram, sequence: int, *, source: Endpoint) -> Member | None:
    """None: it is to go the long way."""
    leader = node.members.get(node.promise.floor.node)
    if not isinstance(node.state, Follower) or leader is None:
        return None
    is_same = _is_same_beat(node, node.state, leader, beat, sequence=sequence, source=source)
    return leader if is_same else None


def take(node: Node, leader: Member, beat: Datagram, sequence: int) -> None:
    assert isinstance(node.state, Follower)
    assert isinstance(beat.body, Heartbeat)
    leader.window.accept(sequence)
    leader.heard_us = leader.multicast_us = leader.endpoint_seen_us = node.now_us
    leader.heard_sequence = sequence
    leader.alive = beat.body.alive
    if leader.alive != node.last.counted:
        node.last.count(leader.alive)
    node.detector.expect(beat.body.interval_ms * MS)
    following.renew(node, node.state, leader, node.promise.led)


def _is_same_beat(
    node: Node, state: Follower, leader: Member, beat: Datagram, *, sequence: int, source: Endpoint
) -> bool:
    """The heartbeat `beat` under a new number says nothing but that the leader is still there, and how many it counts."""
    header, body = beat.header, beat.body
    return (
        isinstance(body, Heartbeat)
        and not body.lonely
        and header.multicast
        and header.session == leader.session == node.promise.session
        and sequence > leader.window.newest
        and source == leader.endpoint
        and header.leader == leader.leader == node.promise.led
        and (header.floor, header.priority, header.role) == (leader.floor, leader.priority, leader.role)
        and (header.eligible, header.ineligible) == (leader.eligible, leader.ineligible)
        and (body.alive == leader.alive or _is_only_count(node, state, body))
        and leader.state is State.ALIVE
        and (node.priority <= leader.priority or state.preempt_at_us != NEVER)  # else this may be the moment to preempt
        and node.succession.yielded is None
        and not node.orders.stopping
        and not node.is_exclusive  # a voter answers each one
    )


def _is_only_count(node: Node, state: Follower, beat: Heartbeat) -> bool:
    """Another number of members, in a cluster that is large before and after: nothing waits for that."""
    return node.is_large and beat.alive > node.settings.mesh_max and not state.waits_for_all
