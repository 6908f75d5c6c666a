"""Who else says that it leads: docs/protocol.md 6. It decides nothing, and is what users are told."""

from kingd.core.state.members import Member
from kingd.core.state.node import Node
from kingd.core.wire.message import Role


def rivals(node: Node, now_us: int) -> list[Member]:
    """Who has said that it leads for longer than two leaders need to find each other, and is not followed here."""
    settled_us = now_us - 2 * node.timing.contact_us
    return [
        m
        for m in node.members.alive()
        if m.role is Role.LEADER and m.node not in (node.leader.node, node.id) and m.role_us < settled_us
    ]
