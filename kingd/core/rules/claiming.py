"""A candidate's side: claim, count the answers, lead or give way. docs/protocol.md 4.4.

Availability mode: to lead is to hold the grant of every member that answers; one refusal stops it. Quorum mode: to hold
those of a majority of the voters; a refusal is a missing vote. A claim that fails is resigned in one step: later
grants for it count for nothing."""

from dataclasses import replace

from kingd.core.rules import becoming, line, quorum, voters
from kingd.core.state.members import Member, State
from kingd.core.state.node import Node
from kingd.core.state.pending import Campaign
from kingd.core.state.roles import Candidate, Follower, Leader, Seeking
from kingd.core.timing import MS, NEVER, SPREAD_US
from kingd.core.wire.message import (
    NOBODY,
    SILENT_MAX,
    Ballot,
    Claim,
    Grant,
    Ready,
    Reason,
    Refuse,
    Resign,
    Role,
    SessionId,
    Term,
    Ticket,
)


def start(
    node: Node, reason: Reason, *, ticket: Ticket | None = None, prepare: bool = False, ahead: bool = False
) -> None:
    """Ask everybody. `prepare` asks whether they would follow if their present leader stepped aside; that one is not asked, for
    its resignation will say so. `ahead`: nobody wants it yet."""
    term = Term(max(node.term_seen, node.promise.ballot.term) + 1)
    attempt = node.rng.getrandbits(32)
    claim = Claim(term=term, attempt=attempt, prepare=prepare, reason=reason, ticket=ticket, lease_ms=node.lease_ms)
    target = node.leader.node if prepare else NOBODY
    asked = [
        m for m in node.members.verified() if m.state is not State.LEFT and m.node != target
    ]  # the dead too: they may refuse, and are not waited for
    campaign = Campaign(
        claim=claim,
        asked={m.node: m.session for m in asked},
        required={
            m.node for m in asked if m.state is State.ALIVE and (ticket is None or m.node not in node.succession.silent)
        },
        target=target,
        ahead=ahead,
        answered={target} if prepare and _stays(node, reason) else set(),
    )
    state = node.state
    if not prepare:
        node.see_term(term)
        node.news.explain(reason)
    if isinstance(state, Leader) or (prepare and isinstance(state, Follower)):
        state.ask(campaign)
    else:
        assert not prepare
        inherited = state.inherited if isinstance(state, (Seeking, Candidate)) else None
        node.become(Candidate(campaign, inherited))
    if prepare or _is_durable(node, term):
        _ask(node)


def _is_durable(node: Node, term: Term) -> bool:
    """What a claim for this term needs: the term, and the list by which a voter gives itself its own vote."""
    return term <= node.durable.ceiling and (not node.is_voter or node.is_blank or voters.may_vote(node))


def _stays(node: Node, reason: Reason) -> bool:
    """Whether the leader that steps aside is one of those who would follow: its vote is missing where it leaves."""
    return not node.in_quorum_mode or reason is not Reason.LEADER_LEFT


def keep_ceiling_ahead(node: Node) -> None:
    if node.is_blank and node.role is Role.JOINING:
        return  # it claims nothing before it knows what it promised
    wish = node.durable.ask(
        node.term_seen, led=node.leader.term, voters=node.voters, is_blank=node.is_blank, now_us=node.now_us
    )
    if wish is not None:
        no_claim_waits = wish.ceiling <= node.durable.ceiling
        spread_us = SPREAD_US if node.is_large and not node.in_quorum_mode and no_claim_waits else 0
        node.out.append(replace(wish, spread_us=spread_us))


def on_persisted(node: Node) -> None:
    campaign = node.campaign
    if campaign is not None and campaign.started_us == NEVER and _is_durable(node, campaign.claim.term):
        _ask(node)


def _ask(node: Node) -> None:
    campaign = node.campaign
    assert campaign is not None
    campaign.started_us = campaign.sent_us = node.now_us
    if not campaign.claim.prepare:
        node.durable.claim(campaign.claim.term)
    _send(node, campaign)
    if _is_answered(node, campaign):
        _decide(node, campaign)


def _is_answered(node: Node, campaign: Campaign) -> bool:
    """Nothing more to wait for."""
    if node.in_quorum_mode:
        return _is_carried(node, campaign)
    return campaign.required <= campaign.answered


def _send(node: Node, campaign: Campaign) -> None:
    for target, session in sorted(campaign.asked.items()):
        member = node.members.find(target, session)
        if member is not None and target not in campaign.answered:
            node.send(campaign.claim, member)


def asking(node: Node) -> Claim | None:
    """A candidate's claim that is out (one that waits for its disk must not stand in anybody's way)."""
    state = node.state
    return state.campaign.claim if isinstance(state, Candidate) and state.campaign.started_us != NEVER else None


def drop(node: Node) -> None:
    """What a leader or a follower asked. (A candidate's claim ends with its being one.)"""
    if isinstance(node.state, (Leader, Follower)):
        node.state.ask(None)


def ask_again(node: Node, member: Member) -> None:
    """It has just challenged us, so it did not believe our claim: now it can."""
    campaign = node.campaign
    if campaign is None or campaign.started_us == NEVER or campaign.ready or member.node in campaign.answered:
        return
    if campaign.asked.get(member.node) == member.session:
        node.send(campaign.claim, member)


def without(node: Node, member: Member) -> None:
    """It has died: nobody waits for its answer, and its refusal stands in nobody's way."""
    campaign = node.campaign
    if campaign is None or campaign.asked.get(member.node) != member.session:
        return
    campaign.required.discard(member.node)
    campaign.refused.discard(member.node)
    if campaign.started_us != NEVER and not campaign.ready and campaign.required <= campaign.answered:
        _decide(node, campaign)


def on_timer(node: Node) -> None:
    campaign = node.campaign
    assert campaign is not None
    if campaign.resends < len(node.timing.resends_us):
        campaign.resends += 1
        if campaign.ready:
            _send_ready(node, campaign)
        else:
            _send(node, campaign)
    else:
        _decide(node, campaign)


def _current(node: Node, member: Member, answer: Grant | Refuse) -> Campaign | None:
    """The campaign that this answers, unless it is over: the attempt is a nonce, so old answers count for nothing."""
    campaign = node.campaign
    if (
        campaign is None
        or (campaign.claim.term, campaign.claim.attempt) != (answer.term, answer.attempt)
        or campaign.asked.get(member.node) != member.session
    ):
        node.out.drop("stale-answer")
        return None
    member.contact_us = max(member.contact_us, campaign.started_us)
    return campaign


def on_grant(node: Node, member: Member, grant: Grant) -> None:
    campaign = _current(node, member, grant)
    if campaign is None:
        return
    campaign.granted.add(member.node)
    campaign.refused.discard(member.node)
    campaign.answered.add(member.node)
    if not grant.prepare:
        quorum.note_vote(node, member, sent_us=campaign.sent_us, lease_us=campaign.claim.lease_ms * MS)
    if _is_answered(node, campaign):
        _decide(node, campaign)


def on_refuse(node: Node, member: Member, refuse: Refuse) -> None:
    campaign = _current(node, member, refuse)
    if campaign is None:
        return
    node.see_term(refuse.holder.term)
    if member.node in campaign.granted:
        return  # it was said before, and comes late
    if refuse.prepare and refuse.holder.node == campaign.target:
        campaign.answered.add(member.node)  # as it should: it would follow if that leader stepped aside
        if _is_answered(node, campaign):
            _decide(node, campaign)
    elif isinstance(node.state, Leader):
        _on_raise_refused(node, member, refuse, campaign)
    elif node.in_quorum_mode and (refuse.prepare or (refuse.led and refuse.holder.term < campaign.claim.term)):
        _on_vote_missing(node, member, refuse, campaign)
    elif refuse.prepare:
        fail_preparation(node)
    elif member.node not in campaign.refused and _is_free(node, refuse, campaign):
        campaign.refused.add(member.node)
        ticket = node.ticket(refuse.holder, refuse.holder_session)
        node.send(replace(campaign.claim, ticket=ticket), member)
    elif refuse.holder.term >= campaign.claim.term or refuse.led or _outranks_me(node, refuse):
        give_way(node, refuse)
    else:
        campaign.refused.add(member.node)


def _on_vote_missing(node: Node, member: Member, refuse: Refuse, campaign: Campaign) -> None:
    """Its promise to a leader still runs. One that ends soon is asked again; too many that do not: that leader lives."""
    if refuse.prepare or refuse.remaining_ms * MS < node.timing.claim_timeout_us:
        return
    campaign.refused.add(member.node)
    if not quorum.is_possible(node, without=campaign.refused):
        give_way(node, refuse)


def _is_free(node: Node, refuse: Refuse, campaign: Campaign) -> bool:
    """That promise is to one whose obituary has come here, and not there."""
    holder = node.members.find(refuse.holder.node, refuse.holder_session)
    died = holder is not None and holder.obituary_us >= 0
    return died and refuse.holder.term < campaign.claim.term and not node.in_quorum_mode


def _outranks_me(node: Node, refuse: Refuse) -> bool:
    """A fellow candidate holds that promise. One that I outrank gives way to me when it hears my claim: I go on asking."""
    holder = node.members.get(refuse.holder.node)
    return holder is None or holder.rank < node.rank


def _on_raise_refused(node: Node, member: Member, refuse: Refuse, campaign: Campaign) -> None:
    """A leader raises its term past who follows somebody else (they will merge) and above who has promised more."""
    campaign.answered.add(member.node)
    if refuse.holder.term >= campaign.claim.term and not refuse.led:
        start(node, campaign.claim.reason, ticket=campaign.claim.ticket)
    elif _is_answered(node, campaign):
        _decide(node, campaign)


def give_way(node: Node, refuse: Refuse | None) -> None:
    """End the claim for good, give the grants back, and come again later: soon after a duel, late where a leader is."""
    resign_claim(node)
    if refuse is not None and refuse.led:
        becoming.back_off(node)
        return
    come_again(node)


def come_again(node: Node) -> None:
    """Soon, by rank, and not at once: two candidates that each claim when the other gives way would do so every round trip."""
    node.backoff.count_duel()
    unit_us = line.patient_us(node, node.timing.round_trip_us)
    becoming.seek(node, None, delay_us=line.turn_us(node) + node.jitter(unit_us // 2, unit_us * 2))


def give_up(node: Node) -> None:
    """This node must not lead any more."""
    if isinstance(node.state, Candidate):
        give_way(node, None)
    drop(node)


def resign_claim(node: Node) -> None:
    campaign = node.campaign
    drop(node)
    if campaign is None or campaign.claim.prepare or campaign.started_us == NEVER:
        return
    ballot = Ballot(campaign.claim.term, node.id)
    goodbye = Resign(
        ballot=ballot, successor=NOBODY, successor_session=SessionId(0), reason=campaign.claim.reason, leaving=False
    )
    for target in sorted(campaign.asked):
        member = node.members.find(target, campaign.asked[target])
        if member is not None:
            node.send(goodbye, member)


def _decide(node: Node, campaign: Campaign) -> None:
    """Everybody answered, or the time is up."""
    if campaign.claim.prepare:
        _end_preparation(node, campaign)
    elif _is_carried(node, campaign):
        _win(node, campaign)
    elif campaign.refused and not node.in_quorum_mode:
        give_way(node, None)  # a fellow candidate's promise that did not end in time
    elif not node.in_quorum_mode and _is_won(node, campaign):
        _win(node, campaign)
    elif node.role is Role.LEADER:
        start(node, campaign.claim.reason)  # a raise that too few have granted: again, as long as the lease lasts
    else:
        resign_claim(node)
        becoming.back_off(node)


def _is_carried(node: Node, campaign: Campaign) -> bool:
    """Quorum: a majority has answered well. It need not wait for others, and no refusal changes it."""
    if not node.in_quorum_mode:
        return False
    quorum.extend_lease(node)
    if campaign.claim.prepare:
        return quorum.is_majority(node, campaign.answered)
    return quorum.is_majority(node, campaign.granted) and quorum.has_lease(node, node.now_us)


def _is_won(node: Node, campaign: Campaign) -> bool:
    """Availability: no refusal came, for that ends a campaign at once. Without one grant this node may lead alone, but not
    beside a leader that it hears (a deaf leader believes that it has nobody: contact is what counts)."""
    return bool(campaign.granted) or node.role is Role.LEADER or not node.hears_foreign_leader()


def _win(node: Node, campaign: Campaign) -> None:
    if campaign.granted:
        node.backoff.succeed()
    contact_us = campaign.started_us if campaign.granted else -1
    becoming.lead(node, Ballot(campaign.claim.term, node.id), campaign.claim.reason, contact_us=contact_us)


def _end_preparation(node: Node, campaign: Campaign) -> None:
    """All that answered would follow me: tell the leader, again and again, until it resigns or the time is up. Who did not
    answer is named: the leader agrees only if it does not hear them either."""
    leader = node.followed()
    silent = campaign.required - campaign.answered if not node.in_quorum_mode else set()
    if (
        leader is None
        or leader.node != campaign.target
        or len(silent) > (0 if campaign.ahead else SILENT_MAX)
        or campaign.ready
    ):
        fail_preparation(node)
        return
    if node.in_quorum_mode and not _is_carried(node, campaign):
        fail_preparation(node)
        return
    if (
        not node.in_quorum_mode and len(campaign.answered) + len(silent) + 1 < leader.alive
    ):  # somebody is there for the leader, and dead for me
        fail_preparation(node)
        return
    node.succession.note_silent(frozenset(silent))
    _send_ready(node, campaign)
    if campaign.ahead:
        drop(node)  # should it be lost, the leader asks when the time has come
        return
    campaign.ready = True
    campaign.started_us, campaign.resends = node.now_us, 0


def _send_ready(node: Node, campaign: Campaign) -> None:
    leader = node.followed()
    if leader is not None:
        node.send(
            Ready(ballot=node.leader, reason=campaign.claim.reason, silent=tuple(sorted(node.succession.silent))),
            leader,
        )


def fail_preparation(node: Node) -> None:
    if node.campaign is None or not node.campaign.ahead:
        node.backoff.fail()
    drop(node)
