"""The real core with one rule taken out of it: the checker has to find each. First the ways in which hand-over, obituaries,
leases and restarts break "one leader at any instant" (docs/quorum.md, scenario 106), then other rules."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import replace
from unittest.mock import patch

from kingd.core.effect import Effect
from kingd.core.election import Core
from kingd.core.rules import (
    becoming,
    claiming,
    dispatch,
    leading,
    namesakes,
    quorum,
    saying,
    timers,
    transfer,
    voting,
)
from kingd.core.rules.majority import majority
from kingd.core.rules.quorum import QuorumMode
from kingd.core.state.members import Member
from kingd.core.state.node import Node
from kingd.core.state.pending import Campaign, Votes, Yielded
from kingd.core.state.promise import Promise
from kingd.core.state.roles import Leader
from kingd.core.state.succession import Succession
from kingd.core.timing import MS, NEVER
from kingd.core.wire.endpoint import Endpoint
from kingd.core.wire.message import (
    Ballot,
    Claim,
    Grant,
    NodeId,
    Ready,
    Reason,
    Refuse,
    Resign,
    Role,
    SessionId,
    Ticket,
)


def leader_resumes_after_a_hand_over() -> AbstractContextManager[object]:
    """Where its successor did not take over in half the time, it leads on under the ballot that it gave away."""

    def ticket_at_us(succession: Succession) -> int:
        yielded = succession.yielded
        return NEVER if yielded is None else yielded.request.sent_us + yielded.request.after_us[-1] // 2

    def on_ticket_timer(node: Node) -> None:
        yielded, node.succession.yielded = node.succession.yielded, None
        assert yielded is not None
        if node.promise.floor == yielded.ticket.ballot:
            lease_us = node.timing.lease_us
            votes = Votes(lease_ms=lease_us // MS, lease_until_us=yielded.request.sent_us + lease_us)
            node.state = Leader(ballot=yielded.ticket.ballot, raised_us=node.now_us, votes=votes)
            node.promise.give(node.ballot, node.session, until_us=NEVER, led=True)
            becoming.beat(node, node.state)

    return _all(
        patch.dict(timers.TIMERS, {"succession.ticket_at_us": timers.Timer(None, on_ticket_timer)}),
        patch.object(Succession, "ticket_at_us", property(ticket_at_us)),
    )


def ticket_is_bound_to_its_bearer_only() -> AbstractContextManager[object]:
    """Whatever ballot and session a promise belongs to, a ticket for this claimant frees it, and its bearer takes it whatever
    it has promised since."""

    def is_free_by(self: Promise, ticket: Ticket | None, *, node: int, session: SessionId) -> bool:
        return ticket is not None and (ticket.successor, ticket.successor_session) == (node, session)

    def take_over(node: Node, member: Member, message: Resign) -> None:
        ticket = Ticket(
            ballot=message.ballot, session=member.session, successor=node.id, successor_session=node.session
        )
        if ticket != node.succession.taken and node.role is not Role.LEADER:
            node.succession.taken = ticket
            node.promise.release()
            claiming.start(node, message.reason, ticket=ticket)

    return _all(patch.object(Promise, "is_free_by", is_free_by), patch.object(transfer, "_take_over", take_over))


def ticket_is_given_while_the_lease_counts() -> AbstractContextManager[object]:
    """The leader gives its ballot away, and says that it leads until its lease is over. (In this design no deadline is exported
    to anybody: this is the same with the leader itself as the client.)"""
    resign = transfer.resign

    def leads_on(node: Node, reason: Reason, *, to: Member | None = None, leaving: bool = False) -> None:
        if to is None:
            resign(node, reason, to=to, leaving=leaving)
            return
        assert isinstance(node.state, Leader)
        node.state.transfer = None
        saying.multicast(
            node,
            Resign(ballot=node.ballot, successor=to.node, successor_session=to.session, reason=reason, leaving=leaving),
        )

    return patch.object(transfer, "resign", leads_on)


def belief_in_a_death_frees_the_promise() -> AbstractContextManager[object]:
    """An obituary, true or false, ends a voter's promise."""
    return patch.object(becoming, "let_go", lambda node: node.promise.release())


def unreachable_means_dead() -> AbstractContextManager[object]:
    """A leader that does not answer a voter is taken as over. (That is what a refused connection would be: it frees no
    voter's promise.)"""
    judge = voting._judge  # noqa: SLF001 - a mutant

    def without_exclusion(node: Node, claimant: Member, claim: Claim) -> Grant | Refuse | None:
        answer = judge(node, claimant, claim)
        free = claim.term > node.promise.floor.term and node.detector.is_doubtful(node.now_us)
        if isinstance(answer, Refuse) and answer.led and free:
            return Grant(term=claim.term, attempt=claim.attempt, pre_vote=claim.pre_vote)
        return answer

    return patch.object(voting, "_judge", without_exclusion)


def promise_is_shorter_than_the_lease() -> AbstractContextManager[object]:
    modules = ("rules.quorum", "state.durable", "election", "rules.voters")
    return _all(*(patch(f"kingd.core.{module}.promise_us", lambda lease_us: lease_us // 2) for module in modules))


def lease_counts_from_the_answer() -> AbstractContextManager[object]:
    """Not from when the question was sent."""
    note_vote = QuorumMode.note_vote

    def late(mode: QuorumMode, node: Node, votes: Votes, voter: Member, *, sent_us: int) -> None:
        note_vote(mode, node, votes, voter, sent_us=node.now_us)

    return patch.object(QuorumMode, "note_vote", late)


def voter_starts_without_a_hold() -> AbstractContextManager[object]:
    """It may promise at once, though its last session has promised."""
    return _started(lambda node: node.promise.release())


def voter_forgets_its_ceiling() -> AbstractContextManager[object]:
    """A voter without history votes like any other."""

    def recovered(node: Node) -> None:
        node.quorum.recovered = True

    return _started(recovered)


def promise_is_not_exclusive() -> AbstractContextManager[object]:
    """One grant for each term, whoever has the promise."""

    def is_free_by(self: Promise, ticket: Ticket | None, *, node: int, session: SessionId) -> bool:
        return True

    return patch.object(Promise, "is_free_by", is_free_by)


def everybody_votes() -> AbstractContextManager[object]:
    """Votes are counted, whoever casts them."""

    def is_majority(node: Node, members: Iterable[NodeId]) -> bool:
        return len(set(members)) + 1 >= majority(len(node.voters.names))

    def extend_lease(mode: QuorumMode, node: Node, votes: Votes) -> None:
        untils = sorted([0, *votes.until_us.values(), node.now_us + node.timing.lease_us], reverse=True)
        votes.extend(untils[min(majority(len(node.voters.names)), len(untils)) - 1])

    return _all(
        patch.object(quorum, "_is_majority", is_majority), patch.object(QuorumMode, "extend_lease", extend_lease)
    )


def voter_waits_for_its_own_promise_only() -> AbstractContextManager[object]:
    """It may have promised to a leader with a longer lease, before it lost its state."""
    learns = quorum.learns

    def learns_at_once(node: Node) -> bool:
        node.quorum.recovering_since_us = -NEVER
        return learns(node)

    return patch.object(quorum, "learns", learns_at_once)


def answers_are_bound_to_no_session() -> AbstractContextManager[object]:
    """What was said to an earlier session counts for this one."""
    return patch.object(dispatch, "is_for_this_session", lambda node, header: True)


# -- other rules, by scenario ---------------------------------------------------------------------------------------------


def leader_resigns_before_a_higher_floor() -> AbstractContextManager[object]:
    """12: as in Raft, a term above its own ends a leadership."""

    def step_down(node: Node, member: Member) -> None:
        if node.role is Role.LEADER and member.floor > node.ballot:
            transfer.resign(node, Reason.LEADER_LEFT)

    return patch.object(leading, "raise_term", step_down)


def floors_raise_nothing() -> AbstractContextManager[object]:
    """12: whoever has promised above its leader's ballot."""
    return patch.object(leading, "raise_term", lambda node, member: None)


def raise_is_led_before_it_is_granted() -> AbstractContextManager[object]:
    """12: the higher term counts as soon as it is asked for."""
    send_claim = claiming._send_claim  # noqa: SLF001 - a mutant

    def lead(node: Node, campaign: Campaign) -> None:
        send_claim(node, campaign)
        if isinstance(node.state, Leader) and node.state.raising is not None:
            becoming.lead(node, Ballot(campaign.claim.term, node.id), campaign.claim.reason)

    return patch.object(claiming, "_send_claim", lead)


def second_successor_gets_a_ticket_too() -> AbstractContextManager[object]:
    """31: who has resigned obeys another order."""

    def begin_again(core: Core, yielded: Yielded, to: Member, now_us: int) -> list[Effect]:
        node = core.node
        node.now_us = now_us
        ticket = replace(yielded.ticket, successor=to.node, successor_session=to.session)
        node.succession.yielded = Yielded(ticket, replace(yielded.request, sent_us=now_us))
        saying.multicast(node, ticket)
        return core.links_changed(node.orders.links, now_us=now_us)

    return _obeyed_after_the_ticket(begin_again)


def second_order_prolongs_the_ticket() -> AbstractContextManager[object]:
    """31: who has resigned waits anew for its successor."""

    def wait_anew(core: Core, yielded: Yielded, to: Member, now_us: int) -> list[Effect]:
        yielded.request.sent_us = now_us
        return core.links_changed(core.node.orders.links, now_us=now_us)

    return _obeyed_after_the_ticket(wait_anew)


def _obeyed_after_the_ticket(
    obey: Callable[[Core, Yielded, Member, int], list[Effect]],
) -> AbstractContextManager[object]:
    step_down = Core.step_down

    def obeys(self: Core, *, to: str | None, for_us: int, now_us: int) -> list[Effect]:
        target = next(iter(self.node.members.named(to or "")), None)
        if self.node.succession.yielded is None or target is None:
            return step_down(self, to=to, for_us=for_us, now_us=now_us)
        return obey(self, self.node.succession.yielded, target, now_us)

    return patch.object(Core, "step_down", obeys)


def whoever_is_ready_gets_the_ticket() -> AbstractContextManager[object]:
    """31: also who was asked before another one was named."""
    on_ready = transfer.on_ready

    def take_it(node: Node, member: Member, ready: Ready) -> None:
        if node.transfer is not None and ready.ballot == node.ballot:
            transfer.resign(node, node.transfer.reason, to=member)
        else:
            on_ready(node, member, ready)

    return patch.object(transfer, "on_ready", take_it)


def no_namesake_gives_way() -> AbstractContextManager[object]:
    """43: both use the id."""
    return patch.object(namesakes, "_on_proven", lambda node, role, session, source: None)


def every_namesake_gives_way() -> AbstractContextManager[object]:
    """43: whoever is established, and whatever the other's session is."""
    proven = namesakes._on_proven  # noqa: SLF001 - a mutant

    def yields(node: Node, role: Role, session: SessionId, source: Endpoint) -> None:
        proven(node, Role.LEADER if node.role is Role.JOINING else role, SessionId(0), source)

    return patch.object(namesakes, "_on_proven", yields)


def newcomer_takes_the_id() -> AbstractContextManager[object]:
    """43: who is established gives way."""
    proven = namesakes._on_proven  # noqa: SLF001 - a mutant

    def yields(node: Node, role: Role, session: SessionId, source: Endpoint) -> None:
        if node.role is not Role.JOINING:
            proven(node, Role.LEADER, SessionId(0), source)

    return patch.object(namesakes, "_on_proven", yields)


def any_term_is_believed() -> AbstractContextManager[object]:
    """102: however far above all known ones."""
    return patch.multiple("kingd.core.rules.dispatch", TERM_JUMP_MAX=1 << 64, TERM_MAX=1 << 64)


def terms_may_jump() -> AbstractContextManager[object]:
    """102: up to where terms end."""
    return patch("kingd.core.rules.dispatch.TERM_JUMP_MAX", 1 << 63)


def _all(*patches: AbstractContextManager[object]) -> AbstractContextManager[object]:
    """All of them, or none: what one of them cannot patch, because it has moved, leaves no other in force."""

    @contextmanager
    def entered() -> Iterator[None]:
        with ExitStack() as stack:
            for each in patches:
                stack.enter_context(each)
            yield

    return entered()


def _started(change: Callable[[Node], None]) -> AbstractContextManager[object]:
    init = Core.__init__

    def changed(self: Core, *args: object, **kwargs: object) -> None:
        init(self, *args, **kwargs)  # type: ignore[arg-type] # passed on
        change(self.node)

    return patch.object(Core, "__init__", changed)
