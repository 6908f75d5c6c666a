"""A candidate's side: claim, count the answers, lead or withdraw; and a leader's, that asks for a higher term.

What makes it a leader is the mode's to say (mode.py). A claim that fails is resigned in one step: later grants for it count
for nothing. docs/protocol.md 4.4."""

from kingd.core.rules import becoming, campaigns, line, mode, saying, voters
from kingd.core.state.members import Member
from kingd.core.state.node import Node
from kingd.core.state.pending import Campaign
from kingd.core.state.roles import Candidate, Follower, Leader, Seeking
from kingd.core.timing import MS, SPREAD_US
from kingd.core.wire.message import NOBODY, Ballot, Claim, Grant, Reason, Refuse, Resign, Role, Term, Ticket
from kingd.records import replace


def start(node: Node, reason: Reason, *, ticket: Ticket | None = None, term: int = 0) -> None:
    """Ask everybody: a leader for a higher term, or once more for this one; anybody else to lead."""
    state, campaign = node.state, campaigns.new(node, reason, ticket=ticket, term=term)
    node.see_term(campaign.claim.term)
    node.news.explain(reason)
    if isinstance(state, Leader):
        state.begin_raise(campaign)
    else:
        node.become(Candidate(campaign, state.inherited if isinstance(state, (Seeking, Candidate)) else None))
    if _is_durable(node, campaign.claim.term):
        _send_claim(node, campaign)


def _is_durable(node: Node, term: Term) -> bool:
    """What a claim for this term needs: the term, and the list by which a voter gives itself its own vote."""
    return term <= node.durable.ceiling and (not node.is_voter or node.is_recovering or voters.may_vote(node))


def keep_ceiling_ahead(node: Node) -> None:
    knows = node.quorum.knows
    if node.is_recovering and not knows and node.role is Role.JOINING:
        return  # it claims nothing before it knows what it promised
    wish = node.durable.ask(node.term_seen, led=node.leader.term, voters=node.voters, knows=knows, now_us=node.now_us)
    if wish is not None:
        no_claim_waits = wish.ceiling <= node.durable.ceiling
        spread_us = SPREAD_US if node.is_large and not node.is_exclusive and no_claim_waits else 0
        node.out.append(replace(wish, spread_us=spread_us))


def _claim(node: Node) -> Campaign | None:
    """A candidate's claim, or the raise of a leader's term."""
    return None if isinstance(node.state, Follower) else node.campaign


def on_persisted(node: Node) -> None:
    campaign = _claim(node)
    if campaign is not None and campaign.request is None and _is_durable(node, campaign.claim.term):
        _send_claim(node, campaign)


def _send_claim(node: Node, campaign: Campaign) -> None:
    node.durable.claim(campaign.claim.term)
    campaigns.begin(node, campaign)
    _look(node, campaign)


def _look(node: Node, campaign: Campaign) -> None:
    if mode.of(node).is_decided(node, campaign):
        _decide(node, campaign)


def asking(node: Node) -> Claim | None:
    """A candidate's claim that is out (one that waits for its disk must not stand in anybody's way)."""
    state = node.state
    return state.campaign.claim if isinstance(state, Candidate) and state.campaign.request is not None else None


def on_member_gone(node: Node, member: Member) -> None:
    campaign = _claim(node)
    if campaign is not None and campaigns.is_over_without(campaign, member):
        _decide(node, campaign)


def on_timer(node: Node) -> None:
    campaign = _claim(node)
    assert campaign is not None
    assert campaign.request is not None
    if campaign.request.again():
        campaigns.send(node, campaign)
    else:
        _decide(node, campaign)


def on_grant(node: Node, member: Member, grant: Grant) -> None:
    campaign = campaigns.answered(node, _claim(node), member, grant)
    if campaign is None:
        return
    campaign.refused.discard(member.node)
    campaign.answered.add(member.node)
    assert campaign.request is not None
    campaign.granted.add(member.node)
    mode.of(node).note_vote(node, campaign.votes, member, sent_us=campaign.request.sent_us)
    _look(node, campaign)


def on_refuse(node: Node, member: Member, refuse: Refuse) -> None:
    campaign = campaigns.answered(node, _claim(node), member, refuse)
    if campaign is None:
        return
    node.see_term(refuse.holder.term)
    if member.node in campaign.granted:
        return  # it was said before, and comes late
    ends_soon = node.is_exclusive and refuse.remaining_ms * MS < node.timing.claim_timeout_us
    if isinstance(node.state, Leader):
        _on_raise_refused(node, member, refuse, campaign)
    elif refuse.holder.term >= campaign.claim.term:
        withdraw(node, refuse)
    elif member.node not in campaign.refused and _is_free(node, refuse):
        campaign.refused.add(member.node)
        ticket = node.ticket(refuse.holder, refuse.holder_session)
        saying.send(node, replace(campaign.claim, ticket=ticket), member)
    elif not refuse.led and _outranks_me(node, refuse):
        withdraw(node, refuse)
    elif not (refuse.led and ends_soon):  # that can be asked for again
        campaign.refused.add(member.node)
        if (refuse.led or refuse.holder.node == NOBODY) and mode.of(node).is_lost(node, campaign):
            withdraw(node, refuse)  # that leader lives; or too many voters have just started


def _is_free(node: Node, refuse: Refuse) -> bool:
    """That promise is to one whose obituary has come here, and not there."""
    holder = node.members.find(refuse.holder.node, refuse.holder_session)
    return holder is not None and holder.obituary_us >= 0 and not node.is_exclusive


def _outranks_me(node: Node, refuse: Refuse) -> bool:
    """A fellow candidate holds that promise. One that I outrank withdraws when it hears my claim, and a voter that has just
    started has promised to nobody that it knows of: I go on asking."""
    holder = node.members.get(refuse.holder.node)
    return refuse.holder.node != NOBODY and (holder is None or holder.rank < node.rank)


def _on_raise_refused(node: Node, member: Member, refuse: Refuse, campaign: Campaign) -> None:
    """A leader raises its term past who follows somebody else (they will merge) and above who has promised more."""
    campaign.answered.add(member.node)
    if refuse.holder.term >= campaign.claim.term and not refuse.led:
        start(node, campaign.claim.reason, ticket=campaign.claim.ticket)
    else:
        _look(node, campaign)


def withdraw(node: Node, refuse: Refuse | None) -> None:
    """End the claim for good, give the grants back, and come again later: soon after a duel, late where a leader is."""
    resign_claim(node)
    if refuse is not None and refuse.led:
        becoming.back_off(node)
        return
    come_again(node)


def come_again(node: Node) -> None:
    """Soon, by rank, and not at once: two candidates that each claim when the other withdraws would do so every round trip."""
    node.backoff.count_duel()
    unit_us = line.patient_us(node, node.timing.round_trip_us)
    becoming.seek(node, None, delay_us=line.turn_us(node) + node.rng.randint(unit_us // 2, unit_us * 2))


def abandon(node: Node) -> None:
    """This node must not lead any more."""
    if isinstance(node.state, Candidate):
        withdraw(node, None)
    elif isinstance(node.state, Follower):
        node.state.hold_pre_vote(None)


def resign_claim(node: Node) -> None:
    state, claim = node.state, asking(node)
    if not isinstance(state, Candidate) or claim is None:
        return
    goodbye = Resign(ballot=Ballot(claim.term, node.id), reason=claim.reason)
    for target, session in sorted(state.campaign.asked.items()):
        member = node.members.find(target, session)
        if member is not None:
            saying.send(node, goodbye, member)


def _decide(node: Node, campaign: Campaign) -> None:
    """Everybody answered, or the time is up."""
    if mode.of(node).is_won(node, campaign):
        _win(node, campaign)
    elif campaign.refused and not node.is_exclusive:
        withdraw(node, None)  # a fellow candidate's promise that did not end in time
    elif node.role is Role.LEADER:
        start(node, campaign.claim.reason, term=campaign.claim.term)  # too few answered: as long as the lease lasts
    else:
        resign_claim(node)
        becoming.back_off(node)


def _win(node: Node, campaign: Campaign) -> None:
    if campaign.granted:
        node.backoff.succeed()
    contact_us = campaign.request.sent_us if campaign.granted and campaign.request else -1
    becoming.lead(node, Ballot(campaign.claim.term, node.id), campaign.claim.reason, contact_us=contact_us)
