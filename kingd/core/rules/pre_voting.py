"""The successor's side of stepping aside: it asks all others whether they would follow it, and tells its leader.
docs/protocol.md 4.5.

Asked to by the leader (Offer); by itself, where it outranks the leader; or ahead, in case that the leader leaves one day:
then a planned stop begins with the resignation. The leader's side is in transfer.py. Only strictly higher priority preempts:
equal ones never bounce. The wait for that doubles with each return of a flapping node."""

from kingd.core.rules import campaigns, contact, following, line, mode, saying
from kingd.core.rules.eligibility import can_claim
from kingd.core.state.members import Member
from kingd.core.state.node import Node
from kingd.core.state.pending import Prepared, PreVote
from kingd.core.state.request import Request
from kingd.core.state.roles import Follower
from kingd.core.timing import MS, NEVER, SECOND
from kingd.core.wire.message import SILENT_MAX, Grant, Offer, Ready, Reason, Refuse, SessionId

_PREEMPT_WAIT_US_MAX = 600 * SECOND
_PREEMPT_AGAIN_US = 1_000 * MS


# -- when it begins


def on_offer(node: Node, leader: Member, offer: Offer) -> None:
    if node.followed() is not leader or node.leader != offer.ballot or not can_claim(node):
        return
    pre_vote = _pre_vote(node)
    if pre_vote is None or pre_vote.ahead:
        node.orders.offered_keep_us = offer.keep_ms * MS
        _start(node, offer.reason)


def prepare_ahead(node: Node) -> None:
    """If this node comes next: once for each leadership, and again when somebody has come. In a large cluster it would cost too
    much."""
    state, leader = node.state, node.followed()
    if (
        not isinstance(state, Follower)
        or leader is None
        or node.is_large
        or node.detector.is_silent(node.now_us)
        or state.pre_vote is not None
        or not can_claim(node)
        or state.preempt_at_us != NEVER  # it is about to ask for it anyway
        or line.turn_us(node, without=leader.node)
        or not following.knows_all(node, leader)
    ):
        return
    prepared = Prepared(ballot=node.leader, successor=node.session, others=others(node, leader))
    if not node.succession.is_prepared(prepared):
        node.succession.prepare(prepared)
        _start(node, Reason.LEADER_LEFT, ahead=True)


def others(node: Node, member: Member) -> frozenset[SessionId]:
    """Who is here, but for these two."""
    return frozenset(m.session for m in node.members.alive() if m is not member)


def arm_preempting(node: Node) -> None:
    state, leader = node.state, node.followed()
    if not isinstance(state, Follower) or leader is None or not _may_preempt(node, leader):
        return
    if state.preempt_at_us != NEVER:
        if state.waits_for_all and following.knows_all(node, leader):
            state.put_off_preempting(node.now_us, waits_for_all=True)
        return
    base_us = node.settings.preempt.wait_us
    wait_us = max(base_us, min(base_us << min(max(0, node.last.returns - 1), 16), _PREEMPT_WAIT_US_MAX))
    turn_us = line.turn_us(node, without=leader.node)  # the best first: or it would go up step by step
    state.put_off_preempting(max(node.now_us, node.last.since_us + wait_us) + turn_us)


def _may_preempt(node: Node, leader: Member) -> bool:
    return node.priority > leader.priority and can_claim(node) and node.settings.preempt.enabled


def on_preempt_time(node: Node) -> None:
    state, leader = node.state, node.followed()
    assert isinstance(state, Follower)
    state.put_off_preempting(NEVER)
    if leader is None or not _may_preempt(node, leader):
        return
    if not following.knows_all(node, leader):
        contact.verify_heard_of(node)
        following.ping(node, leader, for_roster=True)
        state.put_off_preempting(node.now_us + 2 * node.timing.heartbeat_us, waits_for_all=True)
        return
    if state.pre_vote is None:
        same = node.last.priorities == (leader.priority, node.priority)
        _start(node, Reason.HIGHER_PRIORITY if same else Reason.PRIORITY_CHANGED)
    state.put_off_preempting(node.now_us + (_PREEMPT_AGAIN_US << min(node.backoff.failures, 2)))


# -- how it goes on


def _pre_vote(node: Node) -> PreVote | None:
    return node.state.pre_vote if isinstance(node.state, Follower) else None


def _start(node: Node, reason: Reason, *, ahead: bool = False) -> None:
    """`ahead`: nobody wants it yet."""
    state, target = node.state, node.leader.node
    assert isinstance(state, Follower)
    campaign = campaigns.new(node, reason, target=target)
    if not node.is_exclusive or reason is not Reason.LEADER_LEFT:
        campaign.answered.add(target)  # it would follow; its vote is missing where it leaves
    pre_vote = PreVote(campaign, target, ahead)
    state.hold_pre_vote(pre_vote)
    campaigns.begin(node, campaign)
    _look(node, pre_vote)


def _look(node: Node, pre_vote: PreVote) -> None:
    if mode.of(node).is_decided(node, pre_vote.campaign):
        _end(node, pre_vote)


def on_grant(node: Node, member: Member, grant: Grant) -> None:
    pre_vote = _pre_vote(node)
    if pre_vote is None or campaigns.answered(node, pre_vote.campaign, member, grant) is None:
        return
    pre_vote.campaign.granted.add(member.node)
    pre_vote.campaign.answered.add(member.node)
    _look(node, pre_vote)


def on_refuse(node: Node, member: Member, refuse: Refuse) -> None:
    pre_vote = _pre_vote(node)
    if pre_vote is None or campaigns.answered(node, pre_vote.campaign, member, refuse) is None:
        return
    node.see_term(refuse.holder.term)
    if member.node in pre_vote.campaign.granted:
        return  # it was said before, and comes late
    if refuse.holder.node == pre_vote.target:
        pre_vote.campaign.answered.add(member.node)  # as it should: it would follow if that leader stepped aside
        _look(node, pre_vote)
    elif not node.is_exclusive:
        _fail(node, pre_vote)


def on_member_gone(node: Node, member: Member) -> None:
    pre_vote = _pre_vote(node)
    if pre_vote is not None and campaigns.is_over_without(pre_vote.campaign, member):
        _end(node, pre_vote)


def on_timer(node: Node) -> None:
    pre_vote = _pre_vote(node)
    assert pre_vote is not None
    assert pre_vote.request is not None
    goes_on = pre_vote.request.again()
    if pre_vote.ready is not None:
        (_send_ready if goes_on else _fail)(node, pre_vote)
    elif goes_on:
        campaigns.send(node, pre_vote.campaign)
    else:
        _end(node, pre_vote)


def _end(node: Node, pre_vote: PreVote) -> None:
    """All that answered would follow me: tell the leader, again and again, until it resigns or the time is up. Who did not
    answer is named: the leader agrees only if it does not hear them either."""
    campaign, leader = pre_vote.campaign, node.followed()
    silent = frozenset() if node.is_exclusive else frozenset(campaign.required - campaign.answered)
    if (
        leader is None
        or leader.node != pre_vote.target
        or len(silent) > (0 if pre_vote.ahead else SILENT_MAX)
        or not mode.of(node).is_won(node, campaign)
    ):
        _fail(node, pre_vote)
        return
    node.succession.note_silent(silent)
    _send_ready(node, pre_vote)
    if pre_vote.ahead:
        _drop(node)  # should it be lost, the leader asks when the time has come
    else:
        campaign.request = None  # answers that come now change nothing
        pre_vote.ready = Request(node.now_us, node.timing.asks_us(node.timing.claim_timeout_us))


def _send_ready(node: Node, pre_vote: PreVote) -> None:
    leader = node.followed()
    if leader is not None:
        silent = tuple(sorted(node.succession.silent))
        saying.send(node, Ready(ballot=node.leader, reason=pre_vote.campaign.claim.reason, silent=silent), leader)


def _fail(node: Node, pre_vote: PreVote) -> None:
    if not pre_vote.ahead:
        node.backoff.fail()
    _drop(node)


def _drop(node: Node) -> None:
    if isinstance(node.state, Follower):
        node.state.hold_pre_vote(None)
