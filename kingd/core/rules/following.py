"""A follower's side: heartbeats renew its promise, silence makes it ask, and a promise that ran out makes it seek.

docs/protocol.md 4.3. Before it runs out the leader is asked by unicast, so that a host that multicast stopped reaching polls
instead of electing."""

from kingd.core.effect import EventKind, Rejoin
from kingd.core.rules import becoming, claiming, contact, line, mode, proof, saying
from kingd.core.scale import ask_ahead_us
from kingd.core.state.members import Member
from kingd.core.state.node import Node
from kingd.core.state.roles import Follower
from kingd.core.timing import MS, NEVER, SECOND
from kingd.core.wire.endpoint import Endpoint
from kingd.core.wire.message import (
    NO_BALLOT,
    NOBODY,
    Ack,
    Ballot,
    Heartbeat,
    NodeId,
    Ping,
    Pong,
    Reason,
    Role,
)
from kingd.core.wire.past import Evidence

_REJOIN_EVERY_US = 30 * SECOND
_DOUBLINGS_MAX = 8


def on_heartbeat(node: Node, leader: Member, beat: Heartbeat, *, sequence: int) -> None:
    """From a verified session. Somebody who leads without our promise is asked whether it is really there (round trip)."""
    ballot = leader.leader
    if ballot.node != leader.node:
        node.out.drop("heartbeat")
        return
    leader.heard_sequence = max(leader.heard_sequence, sequence)
    leader.alive = beat.alive
    leader.lease_ms = beat.lease_ms
    if not is_my_leader(node, leader, ballot):
        # A follower stays loyal: leaders settle it among themselves.
        proven = bool(leader.voters.digest) and _is_proven(node, leader)
        contact.hear_foreign_leader(node, leader.session, lonely=beat.lonely, proven=proven)
        return
    if beat.lonely:
        # When it is lost, nobody is to lead beside it with no grant.
        contact.hear_foreign_leader(node, leader.session, lonely=True, proven=False)
        ping(node, leader)  # it hears nobody; perhaps it hears me
        return
    if node.is_voter and not _is_proven(node, leader):
        ping(node, leader)  # only its answer renews: a heartbeat may have been held back since long ago
        return
    node.last.count(beat.alive)
    node.detector.expect(beat.interval_ms * MS)
    _renew(node, leader, ballot, sequence=sequence)


def _is_proven(node: Node, leader: Member) -> bool:
    """Whether an answer of its, or the beginning of this leadership, is recent enough: four pings may have been lost."""
    limit_us = max(node.timing.contact_us, 4 * node.scale.ping_us)
    return node.now_us - max(leader.contact_us, node.last.since_us) <= limit_us


def is_my_leader(node: Node, leader: Member, ballot: Ballot) -> bool:
    return (
        node.role is not Role.LEADER
        and node.promise.is_held_by(leader.session)
        and ballot >= node.promise.expected
        and (node.promise.is_live(node.now_us) or node.role is Role.FOLLOWER)
    )


def _renew(node: Node, leader: Member, ballot: Ballot, *, sequence: int) -> None:
    """`sequence` of the heartbeat or pong that does it: a voter tells the leader, who counts on it."""
    if isinstance(node.state, Follower):
        renew(node, node.state, leader, ballot)
    else:  # the candidate that we granted leads
        claiming.resign_claim(node)
        has_told = node.role is Role.SEEKING
        state = follow(node, leader, ballot)
        if has_told:  # our grant was a proof of contact; one given while joining did not say that we take part
            _prove_later(node, state)
    if mode.of(node).may_renew(node, leader):
        saying.send(node, Ack(sequence=sequence), leader)


def follow(node: Node, leader: Member, ballot: Ballot, reason: Reason | None = None) -> Follower:
    """Promise to a leader after a round trip with it, or after having granted its claim."""
    if node.leader != ballot:
        # In a large one others need not know whom each follows, and a newcomer is about to say more of itself anyway.
        if not node.is_large and node.rounds.is_at_rest:
            node.rounds.announce_by(node.now_us + node.rng.randint(0, node.scale.spread_us))
        node.last.begin(node.now_us, priority=leader.priority, mine=node.priority)
    node.succession.end(leader.node, node.now_us)
    state = Follower()
    node.become(state, reason)
    node.out.found(proof.of_former(node, node.news.why))
    node.backoff.follow()
    node.detector.begin(node.now_us, patience_us=node.scale.patience_us)
    until_us = mode.of(node).promise_until_us(node, leader, leads=True)
    if node.promise.floor > ballot:  # it has asked this node for more since, and still leads under the old ballot
        node.promise.renew(ballot, until_us=until_us)
    else:
        node.promise.give(ballot, leader.session, until_us=until_us, led=True)
    state.stand(in_line=line.is_next(node, node.rank))
    # A large cluster would storm its new leader, which has just heard from each of them anyway.
    spread_us = 0 if state.in_line or not node.is_large else node.rng.randint(0, node.scale.spread_us)
    state.ping_at_us = state.prove_at_us = node.now_us + spread_us
    return state


def renew(node: Node, state: Follower, leader: Member, ballot: Ballot) -> None:
    """A sign of life of the leader that this node follows."""
    node.detector.alive(node.now_us)
    node.promise.renew(ballot, until_us=mode.of(node).promise_until_us(node, leader, leads=True))
    state.ping_at_us = min(state.prove_at_us, _next_question(node, state))


def _next_question(node: Node, state: Follower) -> int:
    """When silence would make us ask: the first in line early, the others shortly before they would give up."""
    silent_at_us = node.detector.silent_at_us
    if state.in_line:
        return silent_at_us
    return max(silent_at_us, node.detector.limit_at_us - ask_ahead_us(node.timing, is_large=node.is_large))


def _another_question(node: Node, leader: Member) -> int:
    """After one, two, four ... round trips, and once more when there is just time for an answer: few, however long the limit.
    To who polls, questions are all that it has to go by: it asks every round trip."""
    unit_us = node.timing.round_trip_us
    last_us = node.promise.until_us - unit_us
    if node.now_us >= last_us:
        return NEVER
    pause_us = unit_us if _polls(node, leader) else unit_us << min(node.detector.asks - 1, _DOUBLINGS_MAX)
    return max(node.now_us + unit_us, min(node.now_us + pause_us, last_us))


def on_ping_time(node: Node) -> None:
    state, leader = node.state, node.followed()
    assert isinstance(state, Follower)
    if leader is None:  # its entry gave way to another session: the promise ends, or runs out
        state.ping_at_us = NEVER
        return
    ping(node, leader, for_roster=contact.misses_somebody(node, leader))
    if node.detector.is_silent(node.now_us):
        state.ping_at_us = _another_question(node, leader)
        return
    _prove_later(node, state)


def _prove_later(node: Node, state: Follower) -> None:
    """When the leader is to be told again that it is heard, if no silence makes us ask before."""
    state.stand(in_line=line.is_next(node, node.rank))
    if state.in_line:
        alone = len(node.members.alive()) == 1
        wait_us = node.timing.ping_us * (1 if alone else 2)  # others in the line prove it as well
    else:
        interval_us = node.scale.ping_us
        wait_us = node.rng.randint(interval_us * 3 // 4, interval_us * 5 // 4)
    state.prove_at_us = node.now_us + wait_us
    state.ping_at_us = min(state.prove_at_us, _next_question(node, state))


def knows_all(node: Node, leader: Member) -> bool:
    """As many members as the leader counts: else there is somebody whom this node could not ask, and would leave behind. The
    first heartbeat or roster tells how many they are; where none comes, that is not waited for."""
    if leader.alive == 0:
        return node.now_us - node.last.since_us >= 2 * node.timing.heartbeat_us
    return len(node.members.alive()) + 1 >= leader.alive


def ping(node: Node, leader: Member, *, for_roster: bool = False) -> None:
    nonce = node.rng.getrandbits(32)
    node.detector.asked(nonce, node.now_us)
    polling = _polls(node, leader)
    if polling:
        rejoin(node)
    saying.send(node, Ping(nonce=nonce, heard=leader.heard_sequence, polling=polling or for_roster), leader)


def hears_multicast(node: Node, within_us: int) -> bool:
    """Anybody's, so short a while ago: then the heartbeat of who is elected will be heard, too."""
    heard_us = max((m.multicast_us for m in node.members.verified()), default=-1)
    return node.now_us - max(heard_us, node.members.announced_us) < within_us


def _polls(node: Node, leader: Member) -> bool:
    """Its multicast has not been heard for so long that only its answers keep it leader here. (Without these it is silent.)"""
    heard_us = max(leader.multicast_us, node.last.since_us)
    return node.now_us - heard_us > node.timing.leader_timeout_us and node.detector.evidence_us > heard_us


def rejoin(node: Node) -> None:
    """No multicast arrives: perhaps a switch has forgotten that we are in the group."""
    if node.now_us - node.rounds.rejoined_us > _REJOIN_EVERY_US:
        node.rounds.rejoined_us = node.now_us
        node.out.append(Rejoin())


def on_pong(node: Node, leader: Member, pong: Pong, *, sequence: int) -> None:
    """The header is the answer, and it was given after our question: the newest word there is."""
    sent_us = node.detector.answered(pong.echo)
    if sent_us is None:
        node.out.drop("unasked")
        return
    leader.contact_us = max(leader.contact_us, sent_us)
    leader.heard_sequence = max(leader.heard_sequence, sequence)
    leader.lease_ms = pong.lease_ms
    if leader.role is Role.LEADER and is_my_leader(node, leader, leader.leader):
        _renew(node, leader, leader.leader, sequence=sequence)
    elif node.role is not Role.FOLLOWER or leader.session != node.promise.session or node.is_bound:
        return  # to a voter it may have been said before its promise was given: only a resignation names the ballot it ends
    elif leader.role is not Role.LEADER and leader.leader != NO_BALLOT:
        leader_gone(node, Reason.LEADER_LEFT, proof.FOLLOWS_ANOTHER)
    elif leader.role is not Role.LEADER:  # it stalled and is about to claim anew, or its resignation is on the way
        node.promise.shorten(node.now_us + node.timing.slot_us)


def on_expired(node: Node) -> None:
    """The promise ran out. Said before: it was asked, and did not answer."""
    if node.role is not Role.FOLLOWER:
        node.promise.release()
        return
    _lose(node, Reason.LEADER_TIMEOUT, proof.of_silence(node))


def on_refused(node: Node, endpoint: Endpoint) -> None:
    """Nobody listens there: its process has ended, or a firewall says so. Asked twice while it is silent, that is as good as
    the rest of the limit; others may hear it still, and refuse the claim."""
    leader = node.followed()
    if leader is None or endpoint[:2] != leader.endpoint[:2]:
        return
    node.detector.refused(node.now_us)
    if node.detector.is_refused:
        _lose(node, Reason.LEADER_CRASHED, proof.of_refusal(node))


def _lose(node: Node, reason: Reason, evidence: Evidence) -> None:
    if (leader := node.followed()) is not None:
        node.detector.declare_dead(leader.session)
        contact.declare_gone(node, leader, EventKind.MEMBER_DEAD, reason, evidence)
    if not hears_multicast(node, node.timing.leader_timeout_us):
        rejoin(node)
    leader_gone(node, reason, evidence)


def leader_gone(node: Node, reason: Reason, evidence: Evidence, *, successor: NodeId = NOBODY) -> None:
    """The promise is over. The best-ranked claims at once, each next one a slot later; a named successor before all."""
    node.out.found(evidence)
    former = node.promise.floor.node
    becoming.let_go(node)
    others_us = node.scale.slot_us if successor not in (NOBODY, node.id) else 0
    becoming.seek(node, reason, delay_us=line.turn_us(node, without=former) + others_us)
