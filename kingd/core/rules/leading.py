"""A leader's side: heartbeats, the proof that somebody hears it, raising its term, standing down. docs/protocol.md 4.6."""

from kingd.core.rules import becoming, claiming, contact, mode, proof, rosters, saying, transfer, voters
from kingd.core.state.members import Member
from kingd.core.state.node import Node
from kingd.core.state.roles import Leader
from kingd.core.timing import MS
from kingd.core.wire.message import NO_BALLOT, Ack, Header, Ping, Pong, Reason, Role

_RAISE_EVERY_US = 200 * MS


def on_heartbeat_time(node: Node) -> None:
    assert isinstance(node.state, Leader)
    mode.of(node).extend_lease(node, node.state.votes)
    voters.step(node)
    if becoming.is_lonely(node):
        if node.hears_foreign_leader() and _had_time_to_meet(node):
            stand_down(node)
            return
        contact.look_for_contact(node)
    becoming.beat(node, node.state)
    transfer.mind_eligibility(node)
    transfer.mind_drain(node)


def _had_time_to_meet(node: Node) -> bool:
    """A leader that hears me as I hear it has answered my probes by now, and we have merged. A lonely one gets more time:
    it may be I whom nobody hears, or it."""
    return node.foreign.for_us > (node.timing.contact_us if node.foreign.lonely else node.timing.claim_timeout_us)


def stand_down(node: Node) -> None:
    """Alone beside another leader: it is I who hears nobody. Seek, late, and lead only with somebody's grant."""
    node.news.end_overlap()
    node.out.found(proof.LONELY)
    node.promise.release()
    node.news.explain(Reason.ISOLATED)
    becoming.back_off(node)
    # That one may be as lonely: if it stands down too, nothing is won by leading at once.
    node.backoff.wait_for_foreign(False)


def note_rival(node: Node, member: Member, header: Header) -> None:
    """Another one leads beside me, or does no more: users are told of the end, whichever way it came about."""
    if node.role is not Role.LEADER or node.is_exclusive:
        return
    if header.role is Role.LEADER and header.leader.node == member.node:
        member.rival = True
    elif member.rival:
        member.rival = False
        node.news.end_overlap()


def on_ping(node: Node, member: Member, ping: Ping) -> None:
    """Anybody's question is answered; a follower's carries the proof that it hears me."""
    sequence = saying.send(node, Pong(echo=ping.nonce, lease_ms=node.lease_ms), member)
    state = node.state
    if not isinstance(state, Leader):
        return
    state.remember_echo(sequence, node.now_us)
    sent_us = state.echoes.get(ping.heard)
    if sent_us is not None:
        node.note_contact(member, sent_us)
    member.polls = ping.polling
    if ping.polling:
        rosters.send(node, member)


def on_ack(node: Node, voter: Member, ack: Ack) -> None:
    """A voter renewed its promise to this leadership: the lease counts from when that was asked."""
    state = node.state
    if isinstance(state, Leader) and (sent_us := state.echoes.get(ack.sequence)) is not None:
        node.note_contact(voter, sent_us)
        mode.of(node).note_vote(node, state.votes, voter, sent_us=sent_us)


def on_lease_over(node: Node) -> None:
    """Somebody else may lead from now on. Saying so frees those who still hear it."""
    node.out.found(proof.of_lease(node))
    transfer.resign(node, mode.of(node).lost, leaving=node.orders.stopping)
    becoming.back_off(node)


def raise_term(node: Node, member: Member) -> None:
    """Somebody without a leader has promised above my ballot: it may follow me only above that."""
    state = node.state
    if (
        isinstance(state, Leader)
        and member.floor > state.ballot
        and member.leader == NO_BALLOT
        and member.role in (Role.JOINING, Role.SEEKING)
        and state.raising is None
        and node.now_us - state.raised_us >= _RAISE_EVERY_US
    ):
        node.see_term(member.floor.term)
        state.note_raise(node.now_us)
        claiming.start(node, node.news.why)


def on_stall(node: Node) -> None:
    """This process did not run for longer than others wait for a leader: what it believed to lead may be led by another.
    It claims anew. Who still follows it grants at once (same holder); who follows another refuses."""
    node.out.found(proof.of_stall(node))
    node.promise.release()
    becoming.seek(node, Reason.STALLED, delay_us=node.timing.round_trip_us // 2)
