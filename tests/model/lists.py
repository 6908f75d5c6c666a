"""The real core with one rule taken out of it, as in mutants.py: the rules by which lists of voters change (quorum.md 8)."""

from contextlib import AbstractContextManager
from unittest.mock import patch

from kingd.core.problems import Obstacle
from kingd.core.rules import voters
from kingd.core.settings import Voters
from kingd.core.state.node import Node
from kingd.core.wire.voter_list import Generation


def nobody_follows_to_a_list() -> AbstractContextManager[object]:
    """88: each voter waits until it leads, and may make the list that is wanted."""
    return patch.object(voters, "_to_take", lambda node: None)


def leader_makes_the_next_list_at_once() -> AbstractContextManager[object]:
    """88: what has been made of the present list in older terms may still be newer."""
    to_make = voters._to_make  # noqa: SLF001 - a mutant

    def makes(node: Node) -> Voters | Obstacle | None:
        found = to_make(node)
        again = isinstance(found, Voters) and found.names == node.voters.names
        return Voters(node.settings.voters, Generation(node.leader.term, 1)) if again else found

    return patch.object(voters, "_to_make", makes)


def any_list_is_taken() -> AbstractContextManager[object]:
    """88: that others show and that is wanted here, even if it is older."""

    def to_take(node: Node) -> Voters | None:
        digest = Voters(node.settings.voters).id.digest
        shown = [m.voters for m in node.members.alive() if m.voters.digest == digest and m.voters != node.voters.id]
        return Voters(node.settings.voters, min(each.generation for each in shown)) if shown else None

    return patch.object(voters, "_to_take", to_take)
