"""Links that work in one direction only, seen from either end: who says that it leads and is not followed, and whether
this node is the one that hears nobody. docs/protocol.md 6.

Nothing here decides anything: it is what users are told."""

from kingd.core.problems import AllFellSilent, DeafLeader, NoPeerAnswers, Problem
from kingd.core.rules import contact
from kingd.core.rules.publishing import rivals
from kingd.core.state.members import State
from kingd.core.state.node import Node
from kingd.core.timing import SECOND
from kingd.core.wire.message import Role

_ALONE_US = 5 * SECOND


def problems(node: Node, now_us: int) -> list[Problem]:
    found: list[Problem] = [
        DeafLeader(m.name, m.endpoint, m.leader.term)
        for m in sorted(rivals(node, now_us), key=lambda m: m.rank)
        if now_us - m.contact_us > node.timing.contact_us  # else it answers
    ]
    missing = _missing(node, now_us)
    return found if missing is None else [*found, missing]


def _missing(node: Node, now_us: int) -> AllFellSilent | NoPeerAnswers | None:
    """Who ought to be heard by a node that hears nobody at all."""
    heard_us = max([m.heard_us for m in node.members.verified()] + [node.strangers.heard_us])
    if not node.orders.links or node.members.everybody_alive(now_us) or not contact.hears_nobody(node):
        return None
    # Who has ended, and had it told, is not missing.
    silent = sorted(m.name for m in node.members.verified() if m.state is State.DEAD and m.obituary_us < 0)
    if silent and now_us - heard_us > _ALONE_US:
        return AllFellSilent(tuple(silent))
    if node.settings.seeds and not node.members.verified() and node.role is not Role.JOINING:
        return NoPeerAnswers(len(node.settings.seeds))
    return None
