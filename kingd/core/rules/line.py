"""Whose turn it is: how long this node leaves it to the better ones to claim, and whether it comes next. protocol.md 4.4."""

from collections.abc import Iterable

from kingd.core.rules.eligibility import is_eligible
from kingd.core.state.members import Member, third_rank
from kingd.core.state.node import Node
from kingd.core.state.roles import Follower
from kingd.core.wire.message import NOBODY, NodeId

_SLOTS_MAX = 16  # in which a crowd is waited for; whoever comes behind that waits for his luck


def _position(node: Node, among: Iterable[Member], without: NodeId) -> int:
    """How many eligible ones would be asked to lead before this node."""
    rank = node.rank
    return len([m for m in among if m.rank < rank and m.eligible and m.node != without])


def before_me(node: Node, without: NodeId) -> tuple[int, int]:
    """How many would be asked to lead before this node: one after the other, and as one of a crowd. That are those that are
    only heard of, for somebody may have made them up, and all of a large cluster."""
    proven = _position(node, node.members.alive(), without)
    unproven = _position(node, node.members.heard_of_lately(node.now_us), without)
    return (0, proven + unproven) if node.is_large else (proven, unproven)


def turn_us(node: Node, *, without: NodeId = NOBODY) -> int:
    """How long this node leaves it to the better ones to claim."""
    others, crowd = before_me(node, without)
    return (others + min(crowd, _SLOTS_MAX)) * patient_us(node, node.scale.slot_us) + chance_us(node, crowd)


def patient_us(node: Node, wait_us: int) -> int:
    return node.scale.patient_us(wait_us, after=node.backoff.duels)


def chance_us(node: Node, crowd: int) -> int:
    """Behind so many a turn is a matter of chance, whatever became of those before."""
    return node.rng.randint(0, node.scale.turns_us) if crowd > _SLOTS_MAX else 0


def look_again(node: Node) -> None:
    """Somebody new may be in it."""
    node.succession.look_again()
    if isinstance(node.state, Follower):
        node.state.stand(in_line=is_next(node, node.rank))


def is_next(node: Node, rank: tuple[int, int]) -> bool:
    """Whether who has this rank would be among the first three to lead if the leader went."""
    if node.now_us >= node.succession.line_until_us:
        leader = node.promise.led.node
        known = node.members.everybody_alive(node.now_us)
        ranks = [m.rank for m in known if m.eligible and m.node != leader]
        best = third_rank([*ranks, node.rank] if is_eligible(node) else ranks)
        node.succession.know(best, until_us=node.now_us + node.scale.line_us)
    return node.succession.is_next(rank)
