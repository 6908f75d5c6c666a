"""Which list of voters is in force here, and the step to the one that the operator wants. docs/quorum.md 8.

In: the list of the configuration (`Settings.voters`), and what others show in all that they say: which list they have,
of which generation, and which one is wanted there. Out: `Node.voters`, which changes as soon as that is safe, or the
reason why not yet. The leader makes a list, all others take it. A list that few want never comes into force, so that there is
nothing to be taken back."""

from operator import attrgetter

from kingd.core.problems import (
    AnotherRecovers,
    LeaderIsFirst,
    LedByFormer,
    ModeWouldChange,
    NobodyLeads,
    Obstacle,
    TooFar,
    TooFewAnswer,
    TooFewWant,
)
from kingd.core.rules.majority import has_won, majority
from kingd.core.settings import Voters, digest_of
from kingd.core.state.node import Node
from kingd.core.timing import promise_us
from kingd.core.wire.message import Role, Term
from kingd.core.wire.voter_list import GENERATION_NUMBER_MAX, Generation
from kingd.records import replace


def step(node: Node) -> None:
    """Make the list that is wanted, if it may be made now, or take a newer one."""
    if not (node.in_quorum_mode and node.settings.voters):
        return
    following = _to_make(node) if node.role is Role.LEADER else _to_take(node)
    if isinstance(following, Voters):
        _take(node, following)


def refusal(node: Node, wanted: tuple[str, ...]) -> Obstacle | None:
    """Why no waiting makes this list the one in force, or None."""
    if bool(wanted) != node.in_quorum_mode:
        return ModeWouldChange()
    return _too_far(node, wanted) if node.settings.name in wanted and not _is_shown(node, wanted) else None


def _is_shown(node: Node, wanted: tuple[str, ...]) -> bool:
    """Whether one of its voters has it, who knows its past: then this host has only to take it."""
    digest = digest_of(wanted)
    return any(m.voters.digest == digest and m.name in wanted and not m.recovering for m in node.members.alive())


def _too_far(node: Node, wanted: tuple[str, ...]) -> TooFar | None:
    """Two lists in a row differ by one name."""
    changed = tuple(sorted(set(wanted) ^ set(node.voters.names)))
    return TooFar(changed) if len(changed) > 1 else None


def obstacle(node: Node) -> Obstacle | None:
    """Why the list that is wanted is not in force yet, or None if it is."""
    if node.settings.voters == node.voters.names:
        return None
    found = refusal(node, node.settings.voters) or _why_not_open(node)
    made = _to_make(node) if node.role is Role.LEADER and not found else None
    return found or (made if made and not isinstance(made, Voters) else LeaderIsFirst())


# -- the leader makes a list ----------------------------------------------------------------------------------------------


def _to_make(node: Node) -> Voters | Obstacle | None:
    """Its first list in a term is the present one: so whatever others may have made of that in older terms is older."""
    present, wanted, term = node.voters, node.settings.voters, node.leader.term
    if wanted == present.names:
        if present.generation.term == term or not _is_missed(node):
            return None
    elif _is_made(node):
        return None  # those who want it take it, then this node leads no more, and takes it, too
    elif why_not := _why_not_open(node):
        return why_not
    if not node.is_by_list:
        return LedByFormer()
    if present.generation.term != term:
        return replace(present, generation=Generation(term, 0))
    if silent := _silent(node):
        return TooFewAnswer(silent)
    if present.generation.number == GENERATION_NUMBER_MAX:
        return NobodyLeads()  # who could: until the next term
    return Voters(wanted, Generation(term, present.generation.number + 1))


def _is_made(node: Node) -> bool:
    """A leader of before has made the list that is wanted."""
    digest = digest_of(node.settings.voters)
    return any(m.voters.digest == digest and m.voters.generation > node.voters.generation for m in node.members.alive())


def _silent(node: Node) -> tuple[str, ...]:
    """Who is needed by the list that is wanted, and has not answered this leader by the present one, or not of late. Who is
    new, or has the wanted one already, cannot."""
    wanted, votes = node.settings.voters, node.votes
    digest = digest_of(wanted)
    answers = {
        m.name
        for m in node.members.alive()
        if m.name not in node.voters.names
        or m.voters.digest == digest
        or (votes is not None and votes.until_us.get(m.node, 0) > node.now_us)
    } | {node.settings.name}
    return () if has_won(wanted, answers) else tuple(sorted(set(wanted) - answers))


def _is_missed(node: Node) -> bool:
    """Somebody wants the present list, and cannot take it, for it has one that is as new."""
    present, digest = node.voters.id, node.voters.id.digest
    return any(
        m.wanted == digest and m.voters != present and m.voters.generation >= present.generation
        for m in node.members.alive()
    )


def _why_not_open(node: Node) -> Obstacle | None:
    """Why the list that is wanted must not be made now, as far as this node sees, or None. Majorities of two lists that differ
    by one name share a voter. Those of three in a row need not: so a majority of the one in the middle has elected first."""
    too_far = _too_far(node, node.settings.voters)
    if too_far:
        return too_far
    present = node.voters.names
    recovering = sorted(m.name for m in node.members.alive() if m.name in present and m.recovering)
    if recovering:
        return AnotherRecovers(tuple(recovering))
    unwilling = _unwilling(node)
    return TooFewWant(unwilling) if unwilling else _why_not_elected(node)


def _unwilling(node: Node) -> tuple[str, ...]:
    """Whose configuration has another list: the leader, or if those that have this one are no majority of both lists; else
    nobody."""
    wanted, present = node.settings.voters, node.voters.names
    digest = digest_of(wanted)
    willing = {m.name for m in node.members.alive() if m.wanted == digest} | {node.settings.name}
    leader = node.followed()
    if leader is not None and leader.wanted != digest:
        return (leader.name,)
    if all(len(willing & set(names)) >= majority(len(names)) for names in (wanted, present)):
        return ()
    return tuple(sorted((set(wanted) | set(present)) - willing))


def _why_not_elected(node: Node) -> NobodyLeads | LedByFormer | None:
    """Whether a majority of the present list has promised to a leader of its own: else the list after it may share no voter
    with any majority that has. The leader knows, and once it is so it remains so."""
    leader = node.followed()
    if leader is not None and leader.role is Role.LEADER and leader.voters == node.voters.id:
        return None if leader.by_list else LedByFormer()
    if node.role is Role.LEADER:
        return None if node.is_by_list else LedByFormer()
    return NobodyLeads()


# -- all others take it ---------------------------------------------------------------------------------------------------


def _to_take(node: Node) -> Voters | None:
    """The newest list that somebody has, if it is the one that is wanted here or has the present names, and is newer."""
    names_of = {digest_of(names): names for names in (node.settings.voters, node.voters.names)}
    shown = (m.voters for m in node.members.alive() if m.voters.digest in names_of)
    newest = max(shown, key=attrgetter("generation"), default=node.voters.id)
    return Voters(names_of[newest.digest], newest.generation) if newest.generation > node.voters.generation else None


def _take(node: Node, voters: Voters) -> None:
    """What was proven by the list before stays proven until its lease ends, and only new votes count for more."""
    was_voter, others = node.is_voter, voters.names != node.voters.names
    is_bound = node.is_bound and not node.promise.is_held_by(node.session)
    node.quorum.take(voters, bound_until_us=node.promise.until_us if is_bound else 0)
    node.see_term(Term(voters.generation.term))  # so who is elected by it is so above that
    _restart_votes(node, others=others)
    if node.is_voter and not was_voter and not node.quorum.recovered:
        hold_us = max(node.durable.hold_us, promise_us(node.timing.lease_us), promise_us(node.timing.vote_us))
        node.quorum.forget(node.now_us, recover_from_us=node.now_us + hold_us)
        node.rounds.sweep_by(node.quorum.recover_from_us)  # where it asks
    if node.role is not Role.JOINING:
        node.rounds.announce_by(node.now_us)


def _restart_votes(node: Node, *, others: bool) -> None:
    if node.votes is not None:
        node.votes.restart(others=others)
    if node.campaign is not None:
        node.campaign.votes.restart(others=others)
    node.quorum.restart(node.now_us)
    want_hold(node)


def want_hold(node: Node) -> None:
    """Of the length that a promise of its own timing has: to itself, above all."""
    if node.is_voter:
        node.durable.want_hold(node.timing.lease_us)


def may_vote(node: Node) -> bool:
    """Whether the disk holds the list in force: somebody may be elected by it with this node's vote."""
    return node.durable.voters is node.voters or node.durable.voters == node.voters
