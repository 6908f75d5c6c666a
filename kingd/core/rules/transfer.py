"""Stepping aside: planned stop, step-down, preemption, merge. docs/protocol.md 4.5.

Leader: Offer to the successor; it holds a pre-vote (asks all whether they would follow), says Ready; the leader Resigns in
its favour, and never acts under that ballot again. The resignation is the ticket that frees the promises of the
followers, to that successor only. A follower that outranks the leader starts at Ready by itself; of two leaders
that meet, the outranked one starts at Resign."""

from kingd.core.effect import EventKind
from kingd.core.rules import becoming, challenging, claiming, contact, following, pre_voting, proof, saying
from kingd.core.rules.eligibility import ineligible, is_eligible, must_not_lead
from kingd.core.state.members import Member, State
from kingd.core.state.node import Node
from kingd.core.state.pending import Drain, Prepared, Transfer, Yielded
from kingd.core.state.request import Request
from kingd.core.state.roles import Leader, Seeking
from kingd.core.timing import DRAIN_US_MAX, MS
from kingd.core.wire.message import NO_BALLOT, NO_SESSION, NOBODY, Ballot, Offer, Ready, Reason, Resign, Role

_GOODBYES = 3
KEEP_MS_MAX = 0xFFFFFFFF
_OFFERS_MAX = 6  # then it is half a minute


# -- the leader


def begin(node: Node, reason: Reason, *, to: Member | None = None, leaving: bool = False, keep_us: int = 0) -> bool:
    """Look for a successor, best rank first, and offer. False if there is nobody. What runs because it leads is ended before
    that where an operator wants it, and where it must not lead whoever is there; else when a successor is ready."""
    leader = node.state
    assert isinstance(leader, Leader)
    found = [m for m in successors(node) if to is None or m is to]
    at_once = reason is Reason.STEP_DOWN if found else must_not_lead(node)
    if at_once and not leaving and _holds_up(node, reason, to=to, keep_us=keep_us):
        return True
    best = next(iter(found), None)
    if leaving and best is not None and leader.raising is None and node.succession.is_prepared(_prepared(node, best)):
        resign(node, reason, to=best, leaving=True)
        return True
    passed_over = set() if to is None else {m.node for m in node.members.verified() if m is not to}
    return _offer_next(node, leader, Transfer(reason=reason, leaving=leaving, keep_us=keep_us, tried=passed_over))


def _holds_up(node: Node, reason: Reason, *, to: Member | None = None, keep_us: int = 0) -> bool:
    """Whether what runs because this node leads has to end first, while it leads on. The driver says whether there is anything
    (`Orders.drains`), is told (`Draining`), and says when it has ended (commands.drained). The newest order counts, the time
    from the first one."""
    leader = node.state
    assert isinstance(leader, Leader)
    drain = leader.drain
    if drain.done if drain else not node.orders.drains:
        return False
    over_us = node.now_us + DRAIN_US_MAX if drain is None else drain.over_us
    leader.transfer = None
    leader.drain = Drain(reason=reason, to=to, keep_us=keep_us, over_us=over_us)
    return True


def end_drain(node: Node) -> None:
    """It is waited for no longer."""
    if isinstance(node.state, Leader):
        node.state.drain = None


def mind_drain(node: Node) -> None:
    """Nothing is ended here for who is gone, has a new session, or may not lead any more."""
    drain = node.drain
    if drain is None or drain.done or drain.to is None or not is_eligible(node):
        return
    if drain.to.state is not State.ALIVE or not drain.to.eligible or node.members.get(drain.to.node) is not drain.to:
        end_drain(node)


def _prepared(node: Node, successor: Member) -> Prepared:
    """What that one must have asked, to get this leadership at once."""
    others = pre_voting.others(node, successor)
    return Prepared(ballot=node.ballot, successor=successor.session, others=others)


def successors(node: Node) -> list[Member]:
    fresh_us = node.now_us - node.timing.contact_us
    return sorted(
        (
            m
            for m in node.members.alive()
            if m.eligible
            and m.role in (Role.FOLLOWER, Role.SEEKING)
            and m.contact_us >= fresh_us
            and node.succession.may_get(m.node, node.now_us)
        ),
        key=lambda m: m.rank,
    )


def _offer_next(node: Node, leader: Leader, transfer: Transfer) -> bool:
    successor = next((m for m in successors(node) if m.node not in transfer.tried), None)
    leader.transfer = None if successor is None else transfer
    if successor is None:
        return False
    transfer.successor = successor
    transfer.tried.add(successor.node)
    transfer.offer = Request(node.now_us, node.timing.asks_us(node.timing.ready_us + node.scale.claim_limit_us))
    _offer(node, transfer)
    return True


def _offer(node: Node, transfer: Transfer) -> None:
    assert transfer.successor is not None
    keep_ms = min(transfer.keep_us // MS, KEEP_MS_MAX)
    saying.send(node, Offer(ballot=node.ballot, reason=transfer.reason, keep_ms=keep_ms), transfer.successor)


def on_offer_timer(node: Node) -> None:
    leader = node.state
    assert isinstance(leader, Leader)
    transfer = leader.transfer
    assert transfer is not None
    assert transfer.offer is not None
    if transfer.offer.again():
        _offer(node, transfer)
    elif not _offer_next(node, leader, transfer):
        came_to_nothing(node, transfer.reason, leaving=transfer.leaving)


def mind_eligibility(node: Node) -> None:
    """A leader that may not lead (any more) gives leadership to somebody who may. If nobody may, it goes all the same, unless
    its reason lets it stay: then it looks again with each heartbeat, and ever later where what it offered was not taken."""
    state, orders, why = node.state, node.orders, ineligible(node)
    if why is None:
        orders.offer_anew()
    elif isinstance(state, Leader) and not (orders.stopping or state.transfer or state.drain):
        if node.now_us < orders.offer_at_us and why.may_stay:
            return
        if not begin(node, why.reason) and not why.may_stay:
            resign(node, why.reason)


def came_to_nothing(node: Node, reason: Reason, *, leaving: bool = False) -> None:
    """Nobody takes it. A planned stop goes on without a successor; a step-down leaves things as they are."""
    if leaving or must_not_lead(node):
        if leaving or not _holds_up(node, reason):
            resign(node, reason, leaving=leaving)
    elif not is_eligible(node):
        wait_us = node.timing.transfer_us << min(node.orders.offers, _OFFERS_MAX)
        node.orders.put_off_offering(node.now_us + wait_us)


def on_ready(node: Node, member: Member, ready: Ready) -> None:
    leader = node.state
    if not isinstance(leader, Leader) or ready.ballot != leader.ballot or not _all_silent(node, ready):
        return
    if leader.raising is not None:
        return  # its raise would take promises that a ticket for the old ballot does not free
    transfer = leader.transfer
    if transfer is not None:
        held_up = not transfer.leaving and transfer.successor is member and _holds_up(node, transfer.reason, to=member)
        if transfer.successor is member and not held_up:
            resign(node, transfer.reason, to=member, leaving=transfer.leaving)
    elif ready.reason is Reason.LEADER_LEFT and not ready.silent:
        node.succession.prepare(_prepared(node, member))
    elif node.drain is not None or not _may_preempt(node, member, ready.reason):
        return
    elif node.orders.drains and member not in successors(node):
        challenging.probe_member(node, member)  # else all would end here for nobody; Ready comes again
    elif not _holds_up(node, ready.reason, to=member):
        resign(node, ready.reason, to=member)


def _may_preempt(node: Node, member: Member, reason: Reason) -> bool:
    """Who was chosen by name keeps it from those who outranked it then; a priority that was changed since is a newer word."""
    kept = node.now_us < node.orders.keeps_until_us and reason is not Reason.PRIORITY_CHANGED
    may_get = member.eligible and node.succession.may_get(member.node, node.now_us)
    return member.priority > node.priority and may_get and not kept


def _all_silent(node: Node, ready: Ready) -> bool:
    """Whether those who did not answer the successor do not answer me either. They are probed now, and Ready comes
    again."""
    alive = [m for silent in ready.silent if (m := node.members.get(silent)) is not None and m.state is State.ALIVE]
    for member in alive:
        challenging.probe_member(node, member)
    return all(challenging.is_in_vain(node, member, by_us=node.now_us) for member in alive)


def resign(node: Node, reason: Reason, *, to: Member | None = None, leaving: bool = False) -> None:
    """The end of this leadership, now."""
    leader = node.state
    assert isinstance(leader, Leader)
    assert not (leader.raising and to), "its ticket would name a ballot that is about to be replaced"
    ballot = Ballot(leader.raising.claim.term, node.id) if leader.raising else leader.ballot
    goodbye = Resign(
        ballot=ballot,
        successor=to.node if to else NOBODY,
        successor_session=to.session if to else NO_SESSION,
        reason=reason,
        leaving=leaving,
    )
    if reason is Reason.STEP_DOWN:
        node.orders.begin_abstaining(node.now_us)
    node.promise.release()
    mine = Reason.PREEMPTED if reason is Reason.HIGHER_PRIORITY else reason
    becoming.seek(node, mine, delay_us=node.timing.transfer_us)
    if to is not None:
        request = Request(node.now_us, node.timing.asks_us(node.timing.transfer_us))
        node.succession.give(Yielded(goodbye, request))
        saying.send(node, goodbye, to)
    elif leaving:
        node.orders.end(node.now_us)
    saying.multicast(node, goodbye)


def on_ticket_timer(node: Node) -> None:
    """The successor was not heard to claim: the ticket may have been lost, or the successor died with it."""
    yielded = node.succession.yielded
    assert yielded is not None
    ticket = yielded.ticket
    successor = node.members.find(ticket.successor, ticket.successor_session)
    if successor is None or not yielded.request.again():
        _abandon_successor(node)
    elif node.promise.floor == ticket.ballot:
        saying.send(node, ticket, successor)


def _abandon_successor(node: Node) -> None:
    node.succession.end(NOBODY, node.now_us)
    if isinstance(node.state, Seeking):
        node.state.put_off(node.now_us)
    if node.orders.stopping:
        node.orders.end(node.now_us)


# -- the successor and everybody else


def on_successor_leads(node: Node, member: Member) -> None:
    """The one that we resigned to leads. (A node that leaves was told goodbye to: nobody answers it any more.)"""
    yielded = node.succession.yielded
    if yielded is not None and yielded.ticket.successor_session == member.session and node.orders.stopping:
        node.orders.end(node.now_us)


def on_resign(node: Node, member: Member, message: Resign) -> None:
    mine = (message.successor, message.successor_session) == (node.id, node.session)
    member.resigned = max(member.resigned, message.ballot)
    held = node.promise.is_held_by(member.session) and node.promise.floor.node == member.node
    if message.leaving:
        contact.declare_gone(node, member, EventKind.MEMBER_LEFT, message.reason, proof.RESIGNED)
        member.state = State.LEFT
        on_member_gone(node, member)
    if mine and message.ballot != NO_BALLOT:
        _take_over(node, member, message)
    elif held and (message.leaving or message.ballot >= node.promise.floor) and node.role is not Role.LEADER:
        led = node.promise.led != NO_BALLOT
        node.promise.release()  # the holder's own word: it never acts under that ballot again
        if node.role is Role.FOLLOWER or (node.role is Role.SEEKING and (led or message.leaving)):
            following.leader_gone(node, message.reason, proof.RESIGNED, successor=message.successor)
        elif node.role is Role.SEEKING:
            claiming.come_again(node)  # a claim came to nothing: what refused it is still there


def on_member_gone(node: Node, member: Member) -> None:
    """It is gone: the next one is asked to take over; what was given to it already is lost."""
    state, transfer, yielded = node.state, node.transfer, node.succession.yielded
    if (
        isinstance(state, Leader)
        and transfer
        and transfer.successor is member
        and not _offer_next(node, state, transfer)
    ):
        came_to_nothing(node, transfer.reason, leaving=transfer.leaving)
    if yielded is not None and yielded.ticket.successor_session == member.session:
        _abandon_successor(node)


def _take_over(node: Node, member: Member, message: Resign) -> None:
    """The ballot was given to me: claim with it. A leader that gets another's (they met) raises its term above both."""
    ticket = node.ticket(message.ballot, member.session)
    if ticket == node.succession.taken:
        return  # its multicast copy, or sent again
    if member.leader not in (NO_BALLOT, message.ballot):
        return  # long spent, and only now here: who gave it away follows again, or leads
    if node.promise.floor > message.ballot and node.role is not Role.LEADER:
        return  # an old ticket: I have promised above it since
    if node.role is Role.JOINING or (must_not_lead(node) if node.role is Role.LEADER else not is_eligible(node)):
        return
    held = node.promise.is_held_by(member.session)
    if node.role is not Role.LEADER and node.promise.is_live(node.now_us) and not held:
        return  # I follow, or have promised, somebody else by now
    if node.succession.yielded is not None and node.succession.yielded.ticket.successor != member.node:
        return  # it met me while I led: both of us wait for the one that I gave it to
    node.succession.take(ticket)
    node.see_term(message.ballot.term)
    node.news.end_overlap(node.role is Role.LEADER)
    if held:
        node.promise.release()
    if message.reason is Reason.STEP_DOWN:
        node.orders.begin_keeping(node.now_us)
    claiming.start(node, message.reason, ticket=ticket)


# -- leaders that meet


def meet_leader(node: Node, other: Member) -> None:
    """A round trip with a node that says it leads. Nobody who leads: follow it. Two leaders: the outranked resigns to the
    other."""
    ballot = other.leader
    if other.role is not Role.LEADER or ballot.node != other.node or node.namesake.is_there:
        return
    if node.is_exclusive and not other.voters.digest:
        return  # it leads in a mode in which others may lead beside it
    if node.role is Role.LEADER:
        if node.is_exclusive:
            return  # the lease of one of the two is over, and it is about to notice
        if node.transfer is None and node.campaign is None and _is_better(node, other):
            resign(node, Reason.OVERLAP_RESOLVED, to=other)
            node.news.end_overlap()
        return
    if node.followed() is not None and node.promise.is_live(node.now_us):
        return
    if node.is_bound and (
        (node.is_voter and not node.quorum.knows)
        or (node.promise.is_live(node.now_us) and not node.promise.is_held_by(other.session))
    ):
        return  # the promise is not free
    if ballot < node.promise.floor:
        following.ping(node, other)  # shows it our floor: it raises its term above
        return
    claiming.resign_claim(node)
    following.follow(node, other, ballot, node.news.why)


def _is_better(node: Node, other: Member) -> bool:
    """To lead, of the two: not who is about to go."""
    fitness = 0 if is_eligible(node) else 2 if must_not_lead(node) else 1
    at_best = other.leads_at_best
    return at_best[0] < 2 and (bool(other.voters.digest) or at_best < (fitness, node.rank))


def say_goodbye(node: Node) -> None:
    """A node that leaves and does not lead."""
    goodbye = Resign(ballot=NO_BALLOT, reason=Reason.LEADER_LEFT, leaving=True)
    for _ in range(_GOODBYES):
        saying.multicast(node, goodbye, everywhere=True)
