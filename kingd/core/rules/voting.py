"""A voter's side: who gets the promise. docs/protocol.md 4.2.

A promise to a leader is refused to others while the leader is heard; after one missed heartbeat the leader is asked
first, and the claimant's resend is judged by what came of it. A promise to a candidate is refused to others until
it runs out or is resigned."""

from kingd.core.rules import becoming, claiming, following, mode, proof, rosters, saying
from kingd.core.state.members import Member
from kingd.core.state.node import Node
from kingd.core.state.roles import Follower
from kingd.core.timing import MS
from kingd.core.wire.message import NO_BALLOT, Ballot, Claim, Grant, Refuse, Role, SessionId


def on_claim(node: Node, claimant: Member, claim: Claim) -> None:
    if claimant.voters != node.voters.id:
        node.out.drop("voters")  # who counts differently must not count this one
        return
    if Ballot(claim.term, claimant.node) <= claimant.resigned:
        node.out.drop("resigned")  # its resignation has overtaken it: a promise would wait for nobody
        return
    if not claim.pre_vote and claimant.role not in (Role.CANDIDATE, Role.LEADER):
        node.out.drop("stale-claim")  # a newer word of its says that it asks no more: a promise would wait for nobody
        return
    answer = _judge(node, claimant, claim)
    if answer is None or (isinstance(answer, Grant) and not mode.of(node).may_promise(node, claim)):
        return
    if isinstance(answer, Grant) and not claim.pre_vote:
        _promise(node, claimant, claim)
    saying.send(node, answer, claimant)
    if isinstance(answer, Refuse) and answer.led and not claim.pre_vote:
        rosters.send(node, claimant)  # it may not know that leader, or not where it is


def _judge(node: Node, claimant: Member, claim: Claim) -> Grant | Refuse | None:
    """None: ask the leader first; the claimant asks again."""
    promise = node.promise
    granted = Grant(term=claim.term, attempt=claim.attempt, pre_vote=claim.pre_vote)
    ballot = Ballot(claim.term, claimant.node)
    mine = claiming.asking(node)
    if (
        promise.is_held_by(claimant.session)
        and ballot >= promise.floor
        and node.role is not Role.LEADER
        and mine is None
    ):
        return granted  # its own ballot again, or its leader raises its term
    if node.role is Role.LEADER:
        return _refuse(node, claim, node.ballot, node.session, led=True)
    if claim.term <= promise.floor.term:
        return _refuse(node, claim, promise.floor, promise.session, led=promise.led != NO_BALLOT)
    if promise.is_live(node.now_us) and not promise.is_free_by(
        claim.ticket, node=claimant.node, session=claimant.session
    ):
        if promise.led == NO_BALLOT or node.is_bound:
            # A voter's promise is exclusive, whatever it believes of the holder.
            return _refuse(node, claim, promise.floor, promise.session, led=promise.led != NO_BALLOT)
        if not node.detector.is_silent(node.now_us):
            return _refuse(node, claim, promise.floor, promise.session, led=True)
        if not node.detector.is_doubtful(node.now_us):
            _ping_leader(node)
            return None
    if mine is not None and node.rank < claimant.rank:
        return _refuse(node, claim, Ballot(mine.term, node.id), node.session, led=False)
    return granted


def _ping_leader(node: Node) -> None:
    state = node.state
    if isinstance(state, Follower) and node.followed() is not None and state.ping_at_us > node.now_us:
        following.on_ping_time(node)


def _refuse(node: Node, claim: Claim, holder: Ballot, session: SessionId, *, led: bool) -> Refuse:
    remaining_us = node.promise.until_us - node.now_us if node.promise.is_live(node.now_us) else 0
    return Refuse(
        term=claim.term,
        attempt=claim.attempt,
        pre_vote=claim.pre_vote,
        holder=holder,
        holder_session=session,
        led=led,
        remaining_ms=min(max(remaining_us, 0) // MS, 0xFFFFFFFF),
    )


def _promise(node: Node, claimant: Member, claim: Claim) -> None:
    """Idempotent: a claim that was sent again finds its own promise."""
    ballot = Ballot(claim.term, claimant.node)
    if node.role is Role.CANDIDATE:
        claiming.resign_claim(node)  # it outranks me
    keeps_leading = node.role is Role.FOLLOWER and node.promise.is_held_by(claimant.session)
    claimant.lease_ms = claim.lease_ms
    until_us = mode.of(node).promise_until_us(node, claimant, leads=False)
    if keeps_leading:  # a raise: it leads on, under the higher term once that is complete
        node.promise.allow_raise(ballot, until_us=until_us)
        return
    node.promise.give(ballot, claimant.session, until_us=until_us, led=False)
    if node.role is Role.JOINING:
        node.news.explain(claim.reason)
        return
    node.out.found(proof.of_former(node, claim.reason))
    becoming.seek(node, claim.reason, delay_us=node.scale.granted_us)
