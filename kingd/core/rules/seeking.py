"""A node without a leader: it listens (joining), leaves it to the better ones, then claims. docs/protocol.md 4.4."""

from kingd.core.rules import becoming, claiming, contact, following, line, mode, quorum
from kingd.core.rules.eligibility import is_eligible, must_not_lead
from kingd.core.state.node import Node
from kingd.core.state.roles import Joining, Seeking
from kingd.core.timing import NEVER
from kingd.core.wire.message import NO_BALLOT, Reason


def on_join_time(node: Node) -> None:
    state = node.state
    assert isinstance(state, Joining)
    state.put_off(NEVER)
    recover(node)
    if node.is_recovering:
        contact.probe_voters(node)
    elif node.state is state:
        becoming.seek(node, None, delay_us=line.turn_us(node))


def recover(node: Node) -> None:
    """A voter without history was told something, or it is time: perhaps it knows enough now, and its next session will."""
    if not node.is_recovering:
        return
    state = node.state
    if node.quorum.knows or quorum.learns(node):
        node.quorum.recover(is_durable=node.durable.holds(node.promise.floor.term))
        if isinstance(state, Joining):  # it may follow, and does not vote before its disk knows
            becoming.seek(node, None, delay_us=line.turn_us(node))
    elif isinstance(state, Joining):  # in between it may ask who moved, at the new address
        state.put_off(min(state.join_at_us, node.quorum.asks_us(node.now_us, 2 * node.timing.challenge_us)))


def on_seek_time(node: Node) -> None:
    state = node.state
    assert isinstance(state, Seeking)
    if node.promise.is_live(node.now_us):
        _await_promised(node, state)
    elif node.is_large and node.promise.until_us:
        # It has run out, as those of hundreds to the same candidate. Few may duel: that costs them a round trip.
        state.put_off(node.promise.until_us + line.turn_us(node))
        node.promise.release()
    elif must_not_lead(node) or not (is_eligible(node) or _led_last(node)):
        state.put_off(node.now_us + node.timing.leader_timeout_us)
    elif node.hears_foreign_leader() and not node.foreign.lonely:
        becoming.back_off(node)  # somebody leads, and is being probed
    elif not mode.of(node).may_be_elected(node):
        state.put_off(node.now_us + node.timing.slot_us)
    elif contact.verify_heard_of(node):
        state.put_off(node.now_us + 2 * node.timing.round_trip_us)  # who is there by then is asked
    else:
        claiming.start(node, node.news.why, ticket=state.inherited)


def _led_last(node: Node) -> bool:
    """It stalled, and asks whether it still leads: who may lead now has claimed meanwhile, or does."""
    return node.news.why is Reason.STALLED


def _await_promised(node: Node, state: Seeking) -> None:
    """Until the promise is over; where nothing else frees one by rank, and until those who promised a moment later are
    free. Who got it as a candidate is asked whether it leads, where no heartbeat would arrive."""
    turn_us = line.turn_us(node) + node.timing.round_trip_us // 10 if node.is_exclusive else 0
    state.put_off(node.promise.until_us + turn_us)
    if node.promise.led == NO_BALLOT and not following.hears_multicast(node, node.timing.contact_us):
        candidate = node.members.find(node.promise.floor.node, node.promise.session)
        if candidate is not None:
            following.ping(node, candidate)
        again_us = node.now_us + node.timing.ask_after_us
        if again_us < node.promise.until_us:
            state.put_off(again_us)


def look_around(node: Node, state: Seeking) -> None:
    """Now and then, while it seeks: there may be no reason any more to wait as long as it does."""
    if node.backoff.waits_for_foreign and not node.hears_foreign_leader():
        node.backoff.wait_for_foreign(False)  # the leader that it could hear but not reach is gone
        state.hurry(node.now_us + line.turn_us(node))
    if not mode.of(node).may_be_elected(node):
        contact.probe_voters(node)
    elif node.backoff.failures:
        _look_for_contact(node, state)


def _look_for_contact(node: Node, state: Seeking) -> None:
    """It backs off ever longer because nobody answers it: the first round trip ends that, or that nobody is there."""
    if contact.has_contact(node) or contact.hears_nobody(node):
        node.backoff.succeed()
        state.hurry(node.now_us + line.turn_us(node))
        return
    contact.look_for_contact(node)
