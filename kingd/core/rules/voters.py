"""Which list of voters is in force here, and the step to the one that the operator wants. docs/quorum.md 8.

In: the list of the configuration (`Settings.voters`), and what others show in all that they say: which list they have,
of which generation, and which one is wanted there. Out: `Node.voters`, which changes as soon as that is safe, or the
reason why not yet. A list that few want never comes into force, so that there is nothing to be taken back."""

from kingd.core.problems import (
    AnotherIsFirst,
    AnotherIsNewer,
    AnotherRecovers,
    LedByFormer,
    ModeWouldChange,
    NobodyLeads,
    Obstacle,
    TooFar,
    TooFewWant,
)
from kingd.core.rules.majority import majority
from kingd.core.settings import Voters, digest_of
from kingd.core.state.node import Node
from kingd.core.timing import promise_us
from kingd.core.wire.message import Role
from kingd.records import replace


def step(node: Node) -> None:
    """Take the list that is wanted, if it may be taken now, or the newest generation of the present one."""
    if bool(node.settings.voters) == node.in_quorum_mode:
        following = _next(node)
        if isinstance(following, Voters) and following != node.voters:
            _take(node, following)


def refusal(node: Node, wanted: tuple[str, ...]) -> Obstacle | None:
    """Why no waiting makes this list the one in force, or None."""
    if bool(wanted) != node.in_quorum_mode:
        return ModeWouldChange()
    if node.settings.name in wanted and _shown(node, wanted) is None:
        return _too_far(node, wanted)
    return None


def _too_far(node: Node, wanted: tuple[str, ...]) -> TooFar | None:
    """Nobody may be the first to have a list that differs by more than one name."""
    changed = tuple(sorted(set(wanted) ^ set(node.voters.names)))
    return TooFar(changed) if len(changed) > 1 else None


def obstacle(node: Node) -> Obstacle | None:
    """Why the list that is wanted is not in force yet, or None if it is."""
    if node.settings.voters == node.voters.names:
        return None
    found = refusal(node, node.settings.voters) or _next(node)
    return None if isinstance(found, Voters) else found


def _next(node: Node) -> Voters | Obstacle:
    """The list to have from now on, or what it waits for."""
    present, wanted = node.voters, node.settings.voters
    shown = _shown(node, wanted)
    if wanted == present.names:
        newest = _shown(node, wanted, recovering_too=True)
        return present if newest is None or newest <= present.generation else replace(present, generation=newest)
    if present.before is not None and present.before.names == wanted:
        return present.before
    if node.settings.name not in {*wanted, *present.names}:
        if shown is None or shown < present.generation:  # from there it might go to a list that it had left
            return AnotherIsFirst(in_both=False)
        return Voters(wanted, shown)
    is_bound = node.is_voter and node.quorum.recovered  # to what it promised by the present list
    if shown is not None and shown >= present.generation + is_bound:
        return Voters(wanted, shown)
    if not (is_bound and node.settings.name in wanted):
        return AnotherIsFirst(in_both=True)
    newest = max((m.voters.generation for m in node.members.alive()), default=0)
    return _why_not_open(node) or Voters(wanted, max(present.generation, newest) + 1)


def _shown(node: Node, names: tuple[str, ...], *, recovering_too: bool = False) -> int | None:
    """The newest generation in which a voter of this list has it, so that somebody was the first to take it rightly."""
    digest = digest_of(names)
    return max(
        (
            m.voters.generation
            for m in node.members.alive()
            if m.name in names and m.voters.digest == digest and (recovering_too or not m.recovering)
        ),
        default=None,
    )


def _why_not_open(node: Node) -> Obstacle | None:
    """Why this node must not be the first to have the list that is wanted, or None. Majorities of two lists that differ by one
    name share a voter. Those of three in a row need not: so a majority of the one in the middle has elected a leader first."""
    present, wanted = set(node.voters.names), node.settings.voters
    too_far = _too_far(node, wanted)
    if too_far:
        return too_far
    digest = digest_of(wanted)
    newer = sorted(
        m.name
        for m in node.members.alive()
        if m.name in present and m.voters.generation > node.voters.generation and m.voters.digest != digest
    )
    if newer:
        return AnotherIsNewer(tuple(newer))
    recovering = sorted(m.name for m in node.members.alive() if m.name in present and m.recovering)
    if recovering:
        return AnotherRecovers(tuple(recovering))
    unwilling = _unwilling(node)
    return TooFewWant(unwilling) if unwilling else _why_not_elected(node)


def _unwilling(node: Node) -> tuple[str, ...]:
    """Whose configuration has another list, if those that have this one are no majority of both lists; else nobody."""
    wanted, present = node.settings.voters, node.voters.names
    digest = digest_of(wanted)
    willing = {m.name for m in node.members.alive() if m.wanted == digest} | {node.settings.name}
    leader = node.followed()
    if leader is not None and leader.name in wanted and leader.wanted != digest:
        return (leader.name,)  # it would have no majority any more
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


def _take(node: Node, voters: Voters) -> None:
    """What was proven by the list before stays proven until its lease ends, and only new votes count for more."""
    former, was_voter = node.voters, node.is_voter
    may_return = was_voter and voters.names != former.names and voters.generation > former.generation
    node.quorum.take(voters, may_return=may_return)
    _restart_votes(node)
    if node.is_voter and not was_voter and not node.quorum.recovered:
        hold_us = max(node.durable.hold_us, promise_us(node.timing.lease_us), promise_us(node.timing.vote_us))
        node.quorum.forget(node.now_us, recover_from_us=node.now_us + hold_us)
        node.rounds.sweep_by(node.quorum.recover_from_us)  # where it asks
    if node.role is not Role.JOINING:
        node.rounds.announce_by(node.now_us)


def _restart_votes(node: Node) -> None:
    if node.votes is not None:
        node.votes.restart()
    if node.campaign is not None:
        node.campaign.votes.restart()
    node.quorum.restart(node.now_us)
    want_hold(node)


def want_hold(node: Node) -> None:
    """Of the length that a promise of its own timing has: to itself, above all."""
    if node.is_voter:
        node.durable.want_hold(node.timing.lease_us)


def may_vote(node: Node) -> bool:
    """Whether the disk holds the list in force, and that there is no way back from it any more: somebody may be elected by it
    with this node's vote. If not, it is told so."""
    node.quorum.settle()
    return node.durable.voters is node.voters or node.durable.voters == node.voters
