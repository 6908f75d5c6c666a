"""A node without a leader: it listens (joining), leaves it to the better ones, then claims. docs/protocol.md 4.4."""

from kingd.core.rules import claiming, contact, following, quorum
from kingd.core.state.node import Node
from kingd.core.wire.message import NO_BALLOT, Role


def on_join_time(node: Node) -> None:
    if node.now_us < node.learn_from_us and node.is_blank:
        node.join_at_us = node.learn_from_us
        return
    learn(node)
    if node.is_blank:
        contact.ask_voters(node)
        # In between it may ask who moved, at the new address.
        node.join_at_us = node.now_us + 2 * node.timing.challenge_us
        return
    node.seek(None, delay_us=node.turn_us())


def learn(node: Node) -> None:
    """A voter without history was told something: perhaps it knows enough now."""
    if node.is_blank and quorum.learn(node) and node.role is Role.JOINING:
        node.seek(None, delay_us=node.turn_us())


def on_seek_time(node: Node) -> None:
    if node.promise.is_live(node.now_us):
        _await_promised(node)
    elif node.is_large and node.promise.until_us:
        # It has run out, as those of hundreds to the same candidate. Few may duel: that costs them a round trip.
        node.seek_at_us = node.promise.until_us + node.turn_us()
        node.promise.release()
    elif not node.eligible:
        node.seek_at_us = node.now_us + node.timing.leader_timeout_us
    elif node.hears_foreign_leader() and not node.foreign.lonely:
        node.back_off()  # somebody leads, and is being probed
    elif not quorum.hears_majority(node):
        node.seek_at_us = node.now_us + node.timing.slot_us
    elif contact.verify_heard_of(node):
        node.seek_at_us = node.now_us + 2 * node.timing.round_trip_us  # who is there by then is asked
    else:
        claiming.start(node, node.why, ticket=node.inherited)


def _await_promised(node: Node) -> None:
    """Until the promise is over. Who got it as a candidate is asked whether it leads, where no heartbeat would arrive."""
    node.seek_at_us = node.promise.until_us + quorum.turn_us(node)
    if node.promise.led == NO_BALLOT and not following.hears_multicast(node):
        following.ask_candidate(node)
        again_us = node.now_us + node.timing.ask_after_us
        if again_us < node.promise.until_us:
            node.seek_at_us = again_us


def look_around(node: Node) -> None:
    """Now and then, while it seeks: there may be no reason any more to wait as long as it does."""
    if node.waits_for_foreign and not node.hears_foreign_leader():
        node.waits_for_foreign = False  # the leader that it could hear but not reach is gone
        node.seek_at_us = min(node.seek_at_us, node.now_us + node.turn_us())
    if not quorum.hears_majority(node):
        contact.ask_voters(node)
    elif node.failures:
        _look_for_contact(node)


def _look_for_contact(node: Node) -> None:
    """It backs off ever longer because nobody answers it: the first round trip ends that, or that nobody is there."""
    if node.has_contact() or contact.hears_nobody(node):
        node.failures = 0
        node.seek_at_us = min(node.seek_at_us, node.now_us + node.turn_us())
        return
    contact.look_for_contact(node)
