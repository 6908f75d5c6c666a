"""The real core with one rule taken out of it, as in mutants.py: the rules that voters which have lost their state rely on.
An adversary found by hand what each is for."""

from collections import defaultdict
from contextlib import AbstractContextManager
from unittest.mock import patch

from kingd.core.rules import claiming, quorum
from kingd.core.rules.quorum import QuorumMode
from kingd.core.state.durable import Durable
from kingd.core.state.members import Member
from kingd.core.state.node import Node
from kingd.core.state.roles import Votes
from kingd.core.wire.message import NodeId


def two_hosts_of_a_name_are_two_voters() -> AbstractContextManager[object]:
    """Where a recovering voter counts who has told it, at whatever time: one that lost its state twice is there twice."""
    recover, begins, met_us = quorum.recover, quorum._begins, quorum._met_us  # noqa: SLF001 - a mutant

    def really_begins(node: Node, voters: list[Member]) -> bool:
        with patch.object(quorum, "_met_us", met_us):
            return begins(node, voters)

    def counted(node: Node) -> bool:
        with (
            patch.object(quorum, "_hosts", lambda node: defaultdict(lambda: 1)),
            patch.object(quorum, "_met_us", lambda node, voters: -1),
            patch.object(quorum, "_begins", really_begins),
        ):
            return recover(node)

    return patch.object(quorum, "recover", counted)


def longer_lease_counts_at_once() -> AbstractContextManager[object]:
    """After a reload: a majority of which each has promised the new one need not be there."""

    def note(self: Votes, voter: NodeId, *, sent_us: int, lease_us: int) -> None:
        self.until_us[voter] = max(self.until_us.get(voter, 0), sent_us + lease_us)

    return patch.object(Votes, "note", note)


def told_promise_is_not_told_on() -> AbstractContextManager[object]:
    """Who recovers waits for the longest promise that it was told, and tells others of its own ones only."""
    return patch.object(Durable, "inherit", lambda self, hold_us: None)


def who_does_not_vote_knows() -> AbstractContextManager[object]:
    """A recovering voter that a list leaves out for a moment writes that it knows what it promised."""
    keep_ceiling_ahead = claiming.keep_ceiling_ahead

    def keep(node: Node) -> None:
        recovered, node.quorum.recovered = node.quorum.recovered, node.quorum.recovered or not node.is_voter
        keep_ceiling_ahead(node)
        node.quorum.recovered = recovered

    return patch.object(claiming, "keep_ceiling_ahead", keep)


def late_grants_count() -> AbstractContextManager[object]:
    """For a claim or a raise, though not for the lease."""
    note_vote = QuorumMode.note_vote

    def noted(mode: QuorumMode, node: Node, voter: Member, *, sent_us: int, lease_us: int) -> bool:
        note_vote(mode, node, voter, sent_us=sent_us, lease_us=lease_us)
        return True

    return patch.object(QuorumMode, "note_vote", noted)
