"""The last will: what this node leaves to be sent should its process die, and what an obituary of another one does.

docs/protocol.md 4.7. The obituary is written, and signed, while its session lives; a guardian beside the process sends
it. It ends exactly this session for ever, so it needs no clock, and an old one is worth nothing. It can be wrong all
the same (a forger where there is no key): then the session answers a question that was asked afterwards."""

from kingd.core.effect import EventKind, Will
from kingd.core.rules import becoming, challenging, claiming, contact, following, pre_voting, proof, saying, transfer
from kingd.core.state.members import Member, State, best_three
from kingd.core.state.node import Node
from kingd.core.state.roles import Candidate, Seeking
from kingd.core.timing import SPREAD_US
from kingd.core.wire.endpoint import Endpoint
from kingd.core.wire.message import SEQUENCE_MAX, Body, Datagram, Grant, Obituary, Probe, ProbeAck, Reason, Refuse, Role

_POLLING_MAX = 64


def write(node: Node) -> None:
    """Leave it anew if other nodes are to get it now. Of hundreds only who leads does so at once: what the others have left is
    good enough until they look through the table again (LastWill.look_again)."""
    if node.is_large and node.role is not Role.LEADER and node.will.role is not None:
        return
    group, to = _addressees(node)
    if node.will.write(node.role, (group, to)):
        # Who has sought a leader at one moment with hundreds looks through the table at one moment with them, too.
        spread_us = SPREAD_US if node.is_large and node.role is Role.FOLLOWER else 0
        node.out.append(Will(Datagram(saying.header(node, SEQUENCE_MAX), Obituary()), to, group, spread_us))


def _addressees(node: Node) -> tuple[bool, tuple[Endpoint, ...]]:
    """Of a leader everybody, above all who is to lead next, and who does not hear the group. Of anybody else everybody in a
    small cluster; in a large one, where a hundred may die at once, those who keep count."""
    leads = node.role is Role.LEADER
    if not leads and not node.is_large:
        return True, ()
    alive = node.members.alive()
    leader = node.followed()
    next_ones = best_three(m for m in alive if m.eligible and m is not leader)
    polling = [m for m in alive if leads and m.polls][:_POLLING_MAX]
    addressees = [*([leader] if leader else []), *next_ones, *polling]
    return leads, tuple(dict.fromkeys(m.endpoint for m in addressees))


def is_heeded(member: Member) -> bool:
    """It has gone, and another obituary says nothing new."""
    return member.state is State.LEFT or member.obituary_us >= 0


def on_obituary(node: Node, member: Member) -> None:
    """That session is dead. Nobody waits for it, and what was promised to it is free."""
    if is_heeded(member):
        return
    if member.distrusted:
        node.out.drop("obituary")
        return
    member.obituary_us = node.now_us
    node.challenges.forget(member.node, member.session)
    if isinstance(node.state, Seeking) and member.state is State.ALIVE and member.eligible and member.rank < node.rank:
        node.state.put_off(max(node.now_us, node.state.seek_at_us - node.scale.slot_us))  # its turn was before mine
    contact.declare_gone(node, member, EventKind.MEMBER_DEAD, Reason.LEADER_CRASHED, proof.of_obituary(node, member))
    transfer.on_member_gone(node, member)
    claiming.on_member_gone(node, member)
    pre_voting.on_member_gone(node, member)
    if node.promise.is_held_by(member.session):
        _end_promise(node, member)


def _end_promise(node: Node, member: Member) -> None:
    if node.role is Role.JOINING:
        becoming.let_go(node)
    elif node.role in (Role.FOLLOWER, Role.SEEKING):
        ticket = node.ticket(node.promise.floor, member.session)
        following.leader_gone(node, Reason.LEADER_CRASHED, proof.of_obituary(node, member))
        node.succession.note_silent(frozenset())
        # An exclusive promise runs out, whatever is said about its holder.
        if not node.is_exclusive and isinstance(node.state, Seeking):
            node.state.inherited = ticket


def probe_dead(node: Node, member: Member, datagram: Datagram, source: Endpoint) -> None:
    """A session that is dead is heard: perhaps what it sent before; perhaps it thinks the same of this one."""
    node.out.drop("obituary")
    if isinstance(datagram.body, Probe):
        challenging.answer_probe(node, datagram.header, source, datagram.body)
    if not contact.follow_move(node, member, datagram, source):
        challenging.probe_member(node, member)  # which it has proven; the source it has not


def is_refuted(node: Node, member: Member, body: Body) -> bool:
    """This answers a question asked after the obituary came: it lives. (What was sent before it died may come late.)"""
    if not _answers(node, member, body):
        return False
    member.obituary_us, member.distrusted = -1, True
    state = node.state
    if isinstance(state, (Seeking, Candidate)) and state.inherited and state.inherited.session == member.session:
        state.inherited = None
    contact.revive(node, member)
    return True


def _answers(node: Node, member: Member, body: Body) -> bool:
    if isinstance(body, ProbeAck):
        asked = node.challenges.get(member.node, member.session)
        return asked is not None and asked.nonce == body.echo
    if isinstance(body, Grant | Refuse):
        campaign = node.campaign
        return (
            campaign is not None
            and campaign.request is not None
            and campaign.claim.attempt == body.attempt
            and member.obituary_us <= campaign.request.sent_us
        )
    return False
