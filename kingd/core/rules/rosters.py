"""Who has just come, or cannot hear multicast, learns of the others from the leader. docs/protocol.md 4.1.

A roster is a hint: its entries are probed like any stranger, or heard of in a large cluster."""

from kingd.core.rules import challenging, saying
from kingd.core.state.members import Member, State
from kingd.core.state.node import Node
from kingd.core.wire.endpoint import Endpoint
from kingd.core.wire.message import NOBODY, Role, Roster, RosterEntry

_SIZE = 16
_PAGES = 8  # at once


def send(node: Node, to: Member) -> None:
    """The next pages of the others whom we know, the leader first; now and then."""
    if to.roster_us >= 0 and node.now_us - to.roster_us < node.scale.roster_us:
        return
    to.roster_us = node.now_us
    others = sorted((m for m in node.members.alive() if m.node != to.node), key=lambda m: m.node)
    behind = [m for m in others if m.node > to.roster_after]
    chosen = (behind + [m for m in others if m.node <= to.roster_after])[: _PAGES * _SIZE]
    to.roster_after = chosen[-1].node if chosen else NOBODY
    leader = node.followed()
    if leader is not None and leader is not to:
        chosen = [leader, *(m for m in chosen if m is not leader)]
    alive = len(others) + 1 + (to.state is State.ALIVE)
    for page in range(0, max(len(chosen), 1), _SIZE):
        entries = [_roster_entry(m) for m in chosen[page : page + _SIZE]]
        saying.send(node, Roster(entries=tuple(entries), alive=alive), to)


def _roster_entry(member: Member) -> RosterEntry:
    return RosterEntry(node=member.node, session=member.session, host=member.endpoint.host, port=member.endpoint.port)


def on_roster(node: Node, member: Member, roster: Roster, source: Endpoint) -> None:
    """Of our leader, or of anybody while we have none: each entry makes us send something to who has sent us nothing."""
    if node.role is Role.LEADER or node.followed() not in (None, member):
        node.out.drop("roster")
        return
    member.alive = roster.alive
    if member is node.followed():
        node.last.count(roster.alive)
    for entry in roster.entries:
        if entry.node == node.id or node.members.find(entry.node, entry.session) is not None:
            continue
        if node.is_large:  # verified in its turn, if it matters
            interval_us = node.scale.announce_us
            node.members.note_entry(entry, source.interface, interval_us=interval_us, now_us=node.now_us)
        else:
            challenging.probe(node, entry.node, entry.session, Endpoint(entry.host, entry.port, source.interface))
