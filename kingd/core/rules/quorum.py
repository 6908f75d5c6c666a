"""Quorum mode: who votes, how long a leadership is proven, and what a voter may promise after a start. docs/quorum.md.

With voters, to lead is to hold the promises of a majority of the named hosts, each exclusive and
timed: a *lease*. A voter's promise lasts longer than the leader counts on it, whatever their clocks do within RHO, so
no two sessions lead at one instant (leases: Gray and Cheriton, SOSP 1989). What some votes prove is in majority.py."""

from collections.abc import Iterable

from kingd.core.problems import OtherLists, Problem, Recovering
from kingd.core.rules import voters
from kingd.core.rules.majority import has_lost, has_won, majority, proven_until_us
from kingd.core.state.members import Member, State
from kingd.core.state.node import Node
from kingd.core.state.pending import Campaign, Votes
from kingd.core.timing import MS, promise_us
from kingd.core.wire.message import NOBODY, Ballot, Claim, NodeId, Reason, Role, Term
from kingd.core.wire.voter_list import NO_GENERATION, NO_VOTERS


class QuorumMode:
    """See mode.py."""

    lost = Reason.QUORUM_LOST

    def may_be_elected(self, node: Node) -> bool:
        """A minority asks in vain, and uses up terms."""
        return len(_heard(node, node.now_us)) >= majority(len(node.voters.names))

    def is_decided(self, node: Node, campaign: Campaign) -> bool:
        """A majority need not wait for others, and no refusal changes it."""
        return self.is_won(node, campaign)

    def is_won(self, node: Node, campaign: Campaign) -> bool:
        if campaign.claim.pre_vote:
            return _is_majority(node, campaign.answered)
        self.extend_lease(node, campaign.votes)
        return _is_majority(node, campaign.granted) and node.now_us < campaign.votes.end_us

    def is_lost(self, node: Node, campaign: Campaign) -> bool:
        return has_lost(node.voters.names, _names(node, campaign.refused))

    def leads_until_us(self, node: Node) -> int:
        return node.lease_end_us

    def extend_lease(self, node: Node, votes: Votes) -> None:
        """It lasts as long as a majority has promised."""
        votes.extend(proven_until_us(node.voters.names, _promised_us(node, votes)))

    def note_vote(self, node: Node, votes: Votes, voter: Member, *, sent_us: int) -> None:
        """What took too long counts for nothing: its voter may have lost its state, and asked others (`learns`). Nor what was
        asked by another list."""
        since_us = max(node.now_us - node.timing.vote_us, node.quorum.listed_us)
        if sent_us > since_us and voter.voters == node.voters.id:
            votes.note(voter.node, sent_us=sent_us)
            self.extend_lease(node, votes)

    def may_promise(self, node: Node, claim: Claim) -> bool:
        """What is missing is asked for, and the claimant asks again."""
        if not node.is_voter:
            return True
        if node.is_recovering or not (claim.pre_vote or voters.may_vote(node)):
            return False
        may_hold = node.durable.want_hold(claim.lease_ms * MS)
        node.see_term(claim.term)
        return claim.pre_vote or (claim.term <= node.durable.ceiling and may_hold)

    def promise_until_us(self, node: Node, holder: Member, *, leads: bool) -> int:
        """A voter's promise never gets shorter."""
        lease_us = holder.lease_ms * MS or node.timing.lease_us
        held_us = node.promise.until_us if node.promise.is_held_by(holder.session) else 0
        return max(held_us, node.now_us + promise_us(lease_us))

    def may_renew(self, node: Node, leader: Member) -> bool:
        """By another list it would count for nothing."""
        if not node.is_voter or node.is_recovering or leader.lease_ms == 0:
            return False
        if leader.voters != node.voters.id or not voters.may_vote(node):
            return False
        return node.durable.want_hold(leader.lease_ms * MS)


# -- who votes ------------------------------------------------------------------------------------------------------------


def _is_voter(node: Node, member: Member) -> bool:
    return member.name in node.voters.names and member.voters == node.voters.id


def _names(node: Node, members: Iterable[NodeId]) -> set[str]:
    """Of those of them that vote by this node's list."""
    found = (node.members.get(each) for each in members)
    return {member.name for member in found if member is not None and _is_voter(node, member)}


def _hosts(node: Node) -> dict[str, int]:
    """How many hosts there are of each name, this one and those whose vote still runs among them: a voter that lost its
    state has another id, and is one host again when the vote of its former one is over."""
    votes = [each for each in (node.votes, node.campaign.votes if node.campaign else None) if each is not None]
    hosts = {node.settings.name: 1}
    for m in node.members.verified():
        if m.state is State.ALIVE or any(each.until_us.get(m.node, 0) > node.now_us for each in votes):
            hosts[m.name] = hosts.get(m.name, 0) + 1
    return hosts


def _is_majority(node: Node, members: Iterable[NodeId]) -> bool:
    """Whether these, and this node if it votes, are one. A name that two hosts have is nobody's."""
    hosts, names = _hosts(node), _names(node, members)
    if node.is_voter and not node.is_recovering:
        names.add(node.settings.name)
    return has_won(node.voters.names, {name for name in names if hosts.get(name) == 1})


def _promised_us(node: Node, votes: Votes) -> dict[str, int]:
    """Each voter's name, and until when it has promised to this node. A name that two hosts have is nobody's."""
    hosts, promised_us = _hosts(node), {}
    for voter, until_us in votes.until_us.items():
        member = node.members.get(voter)
        if member is not None and (member.state is State.ALIVE or until_us > node.now_us) and hosts[member.name] == 1:
            promised_us[member.name] = until_us
    own = not node.promise.is_live(node.now_us) or node.promise.is_held_by(node.session)
    if node.is_voter and not node.is_recovering and own and hosts[node.settings.name] == 1 and voters.may_vote(node):
        promised_us[node.settings.name] = node.now_us + votes.lease_ms * MS
    return promised_us


# -- a voter's start ------------------------------------------------------------------------------------------------------


def learns(node: Node) -> bool:
    """A voter without history may have promised what it does not know. It learns that when enough others have told, after those
    promises are over: of any majority that elected a leader with its vote, one is among so many."""
    count = len(node.voters.names)
    voters = [m for m in node.members.alive() if _is_voter(node, m)]
    hosts = _hosts(node)  # a voter that lost its state again is there twice for a while
    others = [m for m in voters if m.told_us >= node.quorum.recover_from_us and hosts[m.name] == 1]
    knowing = [m for m in others if not m.recovering and m.told_us > m.new_us]
    at_once = [m for m in others if m.told_us > _met_us(node, voters)]
    enough = (majority(count) if _begins(node, voters) else count) - 1
    if len(at_once) < enough and len(knowing) <= count - majority(count):
        return False
    hold_us = max((m.hold_us for m in others), default=0)
    if node.now_us < max(node.quorum.recovering_since_us + hold_us, node.quorum.recover_from_us):
        return False
    term = max((m.floor.term for m in others), default=Term(0))
    is_bound = node.promise.is_live(node.now_us) or node.role not in (Role.JOINING, Role.SEEKING)
    if term > node.promise.floor.term and is_bound:
        return False  # a host that became a voter while it follows or leads: its leader raises its term, or it is free one day
    node.quorum.learn()
    node.durable.inherit(hold_us)
    node.see_term(term)
    node.promise.raise_floor(max(node.promise.floor, Ballot(term, NOBODY)))
    return True


def _begins(node: Node, voters: list[Member]) -> bool:
    """Nobody voted before this session if there was an instant at which a majority recovered, itself included (quorum.md 5):
    when the last of them was met, for to what it asked after that each answered as a recovering voter. Or one says so."""
    new = [m for m in voters if m.new_us > _met_us(node, voters)]
    if len({node.settings.name, *(m.name for m in new)}) >= majority(len(node.voters.names)):
        node.quorum.begin(m.session for m in new)
    return node.quorum.told_begun or (bool(node.quorum.begun_with) and all(m.new_us >= 0 for m in voters))


def _met_us(node: Node, voters: list[Member]) -> int:
    """When the last of them was met by the present list."""
    return max([node.quorum.listed_us, *(m.met_us for m in voters)])


# -- what users are told ----------------------------------------------------------------------------------------------


def missing(node: Node, now_us: int) -> tuple[str, ...]:
    """Voters that do not count as this node sees it: not heard of late, with another list, or two of one name."""
    hosts = _hosts(node)
    heard = {name for name in _heard(node, now_us) if hosts.get(name) == 1}
    return tuple(name for name in node.voters.names if name not in heard)


def _heard(node: Node, now_us: int) -> set[str]:
    """The voters with the same list that were heard of late, this node included if it votes."""
    contact_us = node.timing.contact_us
    names = {
        m.name
        for m in node.members.alive()
        if _is_voter(node, m) and now_us - m.heard_us <= max(contact_us, 2 * m.interval_us)
    }
    return names | ({node.settings.name} if node.is_voter else set())


def _vote_by_theirs(node: Node, others: list[Member]) -> list[Member]:
    """Who votes by another list than the one with which this voter has begun, without a history. If it is a voter by theirs, it
    votes by neither, and theirs does not change (AnotherRecovers)."""
    if not node.is_recovering or node.role is not Role.JOINING or node.voters.generation != NO_GENERATION:
        return []
    return [m for m in others if m.voters != NO_VOTERS and m.name in node.voters.names and not m.recovering]


def problems(node: Node) -> list[Problem]:
    others = [m for m in node.members.alive() if m.voters != node.voters.id]
    found: list[Problem] = []
    if others:
        vote = _vote_by_theirs(node, others)
        found = [OtherLists(tuple(sorted(m.name for m in vote or others)), bool(vote))]
    return [*found, Recovering()] if node.is_recovering else found
