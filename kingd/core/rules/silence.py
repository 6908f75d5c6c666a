"""Links that work in one direction only, seen from either end: who says that it leads and is not followed, and whether
this node is the one that hears nobody. docs/protocol.md 6.

Nothing here decides anything: it is what users are told."""

from kingd.core.rules import contact
from kingd.core.state.members import Member, State
from kingd.core.state.node import Node
from kingd.core.timing import SECOND
from kingd.core.wire.message import Role

_ALONE_US = 5 * SECOND


def rivals(node: Node, now_us: int) -> list[Member]:
    """Who has said that it leads for longer than two leaders need to find each other, and is not followed here."""
    settled_us = now_us - 2 * node.timing.contact_us
    return [
        m
        for m in node.members.alive()
        if m.role is Role.LEADER and m.node not in (node.leader.node, node.id) and m.role_us < settled_us
    ]


def problems(node: Node, now_us: int) -> list[str]:
    found = [
        f"{m.name} ({m.endpoint}) says that it leads (term {m.leader.term}), and does not answer: there are two leaders, and "
        f"that one hears nobody. Does a firewall on {m.name} drop what comes in (UDP)? See `kingctl status` there"
        for m in sorted(rivals(node, now_us), key=lambda m: m.rank)
    ]
    missing = _missing(node, now_us)
    if missing:
        found.append(
            f"nothing is heard: {missing}. If they run, this host is cut off or deaf: does a firewall here drop what comes in "
            "(UDP, to and from kingd's port)? See `kingctl status` on one of them"
        )
    return found


def _missing(node: Node, now_us: int) -> str:
    """Who ought to be heard by a node that hears nobody at all: "" if there is no such evidence."""
    heard_us = max([m.heard_us for m in node.members] + [node.stranger_us])
    if not node.links or node.members.alive() or node.hearsay.alive(now_us) or not contact.hears_nobody(node):
        return ""
    # Who has ended, and had it told, is not missing.
    silent = sorted(m.name for m in node.members if m.state is State.DEAD and m.obituary_us < 0)
    if silent and now_us - heard_us > _ALONE_US:
        return f"{', '.join(silent)} fell silent without a word"
    if node.settings.seeds and not len(node.members) and node.role is not Role.JOINING:
        return f"none of the {len(node.settings.seeds)} peers that are configured or remembered has answered"
    return ""
