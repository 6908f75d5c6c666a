"""From one role to the next: what each begins with. docs/protocol.md 4. `Node.become` is the exchange itself."""

from kingd.core.rules import contact, line, proof, saying
from kingd.core.scale import SETTLING_US, beat_us
from kingd.core.state.node import Node
from kingd.core.state.roles import Candidate, Joining, Leader, Seeking
from kingd.core.timing import MS, NEVER
from kingd.core.wire.message import NOBODY, Ballot, Heartbeat, Reason


def join(node: Node, reason: Reason) -> None:
    """Listen, and claim nothing before `join_wait` is over."""
    let_go(node)
    may_speak = node.orders.links and not node.namesake.is_there
    node.become(Joining(node.now_us + node.timing.join_wait_us if may_speak else NEVER), reason)
    node.rounds.begin(node.now_us if may_speak else NEVER)


def let_go(node: Node) -> None:
    """The leader is gone, as far as this node believes. In availability mode somebody else may have the promise now; a
    voter's belief frees nothing but what it promised to itself: it waits for the promise's end."""
    if not node.is_bound or node.promise.is_held_by(node.session):
        node.promise.release()


def seek(node: Node, reason: Reason | None, *, delay_us: int) -> None:
    """No leader: claim after the delay, unless one shows up."""
    former = node.state
    inherited = former.inherited if isinstance(former, (Seeking, Candidate)) else None
    node.become(Seeking(node.now_us + max(delay_us, 0), inherited), reason)
    node.rounds.sweep_by(node.now_us + node.scale.look_us)


def back_off(node: Node) -> None:
    """A claim came to nothing: come again later, and ever later while there is no two-way contact with anybody (an odd ring
    of one-way links would rotate for ever)."""
    if contact.has_contact(node):
        node.backoff.succeed()
    else:
        node.backoff.fail()
    node.backoff.wait_for_foreign(node.hears_foreign_leader())
    unit_us = 2 * node.timing.leader_timeout_us
    wait_us = node.rng.randint(unit_us, 2 * unit_us) << min(node.backoff.failures, 5)
    _, crowd = line.before_me(node, NOBODY)
    seek(node, None, delay_us=wait_us + line.chance_us(node, crowd))


def lead(node: Node, ballot: Ballot, reason: Reason, *, contact_us: int = -1) -> None:
    """The claim was won (or raised), and somebody heard what was sent at `contact_us` (-1: nobody did). The first heartbeat
    goes out with it."""
    assert ballot.node == node.id
    assert ballot.term <= node.durable.ceiling
    node.promise.give(ballot, node.session, until_us=NEVER, led=True)
    node.succession.end(node.id, node.now_us)
    former = node.state
    if isinstance(former, Leader):
        leader = former
        leader.rise(ballot, node.now_us)
        node.succession.look_again()
        node.news.explain(reason)
    else:
        assert isinstance(former, Candidate)
        node.out.found(proof.of_victory(node, former.campaign))
        leader = Leader(ballot=ballot, raised_us=node.now_us, votes=former.campaign.votes)
        leader.be_patient(node.scale.patience_us * 3 // 5, until_us=node.now_us + SETTLING_US)
        node.become(leader, reason)
        node.backoff.lead()
    leader.note_contact(contact_us)
    beat(node, leader)


def beat(node: Node, leader: Leader) -> None:
    """The leader's heartbeat, and when the next one is due."""
    alive = len(node.members.alive()) + 1
    every_us = beat_us(node.timing, alive)
    if node.is_exclusive:  # a lease hangs on each: none is left out, and one of former timing has as many
        lease_us = node.timing.lease_us
        every_us = node.timing.heartbeat_us * min(leader.votes.lease_ms * MS, lease_us) // lease_us
    body = Heartbeat(interval_ms=every_us // MS, lonely=is_lonely(node), alive=alive, lease_ms=node.lease_ms)
    leader.note_beat(saying.multicast(node, body), every_us=every_us, now_us=node.now_us)


def is_lonely(node: Node) -> bool:
    """Leader without a fresh proof that anybody hears it. (Where there is a lease it would have lost that.)"""
    if node.is_exclusive or not isinstance(node.state, Leader):
        return False
    proven_us = node.state.proven_us
    return proven_us < 0 or node.now_us - proven_us > node.timing.contact_us
