"""The real core with one rule taken out of it, as in mutants.py: the rules that voters which have lost their state rely on.
An adversary found by hand what each is for."""

from collections import defaultdict
from contextlib import AbstractContextManager
from unittest.mock import patch

from kingd.core.problems import Obstacle
from kingd.core.rules import claiming, commands, following, quorum, voters
from kingd.core.state.durable import Durable
from kingd.core.state.members import Member
from kingd.core.state.node import Node
from kingd.core.state.pending import Votes
from kingd.core.state.roles import Leader
from kingd.core.timing import MS
from kingd.core.wire.message import Pong
from kingd.records import replace


def two_hosts_of_a_name_are_two_voters() -> AbstractContextManager[object]:
    """Where a recovering voter counts who has told it, at whatever time: one that lost its state twice is there twice."""
    learns, begins, met_us = quorum.learns, quorum._begins, quorum._met_us  # noqa: SLF001 - a mutant

    def really_begins(node: Node, voters: list[Member]) -> bool:
        with patch.object(quorum, "_met_us", met_us):
            return begins(node, voters)

    def counted(node: Node) -> bool:
        with (
            patch.object(quorum, "_hosts", lambda node: defaultdict(lambda: 1)),
            patch.object(quorum, "_met_us", lambda node, voters: -1),
            patch.object(quorum, "_begins", really_begins),
        ):
            return learns(node)

    return patch.object(quorum, "learns", counted)


def longer_lease_counts_at_once() -> AbstractContextManager[object]:
    """After a reload: those who elected the leader need not know it."""
    on_lease_changed = commands._on_lease_changed  # noqa: SLF001 - a mutant

    def counts(node: Node) -> None:
        lease_ms = node.timing.lease_us // MS
        if isinstance(node.state, Leader) and lease_ms > node.state.votes.lease_ms:
            node.state.votes.lease_ms = lease_ms
        else:
            on_lease_changed(node)

    return patch.object(commands, "_on_lease_changed", counts)


def pong_names_no_lease() -> AbstractContextManager[object]:
    """Who polls renews for the lease that it was told last."""
    on_pong = following.on_pong

    def on_pong_of_former(node: Node, leader: Member, pong: Pong, *, sequence: int) -> None:
        on_pong(node, leader, replace(pong, lease_ms=leader.lease_ms), sequence=sequence)

    return patch.object(following, "on_pong", on_pong_of_former)


def who_leads_leads_by_the_list() -> AbstractContextManager[object]:
    """Whatever list those had who promised: what they promised goes on."""
    return patch.object(Votes, "is_by_list", lambda self, now_us: True)


def list_waits_for_nobody() -> AbstractContextManager[object]:
    """Neither for who recovers, who needs to hear fewer by a shorter list, and others than those who may have voted as it did,
    nor for who does not answer."""
    why_not_open = voters._why_not_open  # noqa: SLF001 - a mutant

    def opens(node: Node) -> Obstacle | None:
        recovering = [m for m in node.members.alive() if m.recovering]
        for member in recovering:
            member.recovering = False
        try:
            return why_not_open(node)
        finally:
            for member in recovering:
                member.recovering = True

    return patch.multiple(voters, _why_not_open=opens, _silent=lambda node: ())


def who_is_left_out_is_free() -> AbstractContextManager[object]:
    """Of what it promised as a voter: it may be one again before that is over."""
    return patch.object(Node, "is_bound", property(lambda self: self.is_voter))


def recovered_before_the_disk_knows() -> AbstractContextManager[object]:
    """A voter says so, and votes, when others have told it enough."""
    return patch.object(Durable, "holds", lambda self, floor: True)


def told_promise_is_not_told_on() -> AbstractContextManager[object]:
    """Who recovers waits for the longest promise that it was told, and tells others of its own ones only."""
    return patch.object(Durable, "inherit", lambda self, hold_us: None)


def who_does_not_vote_knows() -> AbstractContextManager[object]:
    """A recovering voter that a list leaves out for a moment writes that it knows what it promised."""
    keep_ceiling_ahead = claiming.keep_ceiling_ahead

    def keep(node: Node) -> None:
        learned, node.quorum.learned = node.quorum.learned, node.quorum.learned or not node.is_voter
        keep_ceiling_ahead(node)
        node.quorum.learned = learned

    return patch.object(claiming, "keep_ceiling_ahead", keep)
