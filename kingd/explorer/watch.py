"""The invariants of one host, looked at after every step of it: what went in, what came out, what it is now.

Each has a word, which stands first in the sentence that `wrong` returns:

AV2       within a session, the ballots followed or led never fall
FLOOR     the promised ballot never falls
RESIGNED  nothing is said or led under a ballot that was given back
CEILING   no claim above the term that the disk holds
PROMISED  nobody claims while its promise to another one runs
LEASE     the lease of a leadership never shrinks
TICKET    a ballot is given to one successor: to who was asked last, and for no longer than it was given for at first
THEFT     who heard its leader a moment ago grants nobody else without the leader's ticket
DUPLICATE who gives way to a namesake listens and is silent, and nobody gives way to one that only listens yet
TERM      no term is believed that is far above all known ones
LISTS     the generation of the list of voters never falls, and what the disk holds of it does not
SHOWN     users hear of elected and deposed in turn
"""

from typing import NamedTuple

from kingd.core.effect import Effect, Event, EventKind, Multicast, Persist, Send
from kingd.core.rules.eligibility import is_eligible
from kingd.core.state.node import TERM_JUMP_MAX, Node
from kingd.core.state.roles import Leader
from kingd.core.wire.message import NO_BALLOT, Ballot, Claim, Datagram, Grant, Probe, Resign, Role
from kingd.core.wire.voter_list import NO_GENERATION, Generation


class Watch(NamedTuple):
    """What has to be remembered of a session."""

    view: Ballot = NO_BALLOT  # highest ballot that it followed or led
    spent: Ballot = NO_BALLOT  # highest ballot that it led, and leads no more
    told: bool = False  # users were told that it leads
    given: tuple[Ballot, int] = (NO_BALLOT, 0)  # highest ballot that it gave away, and the session that got it
    listed: Generation = NO_GENERATION  # of the newest list of voters that was in force here
    kept: Generation = NO_GENERATION  # the same, on the disk

    def ended(self) -> "Watch":
        """What the next session is held to."""
        return Watch(listed=self.kept, kept=self.kept)


class Before(NamedTuple):
    """What has to be remembered of a host during a step."""

    role: Role
    ballot: Ballot
    floor: Ballot
    holder: int
    lease_us: int
    fresh: bool  # it heard its leader a moment ago
    duplicate: bool
    asked: int  # the session to which it wants to hand over
    ticket_us: int | None  # since when it waits for a successor

    @classmethod
    def of(cls, node: Node, now_us: int) -> "Before":
        fresh = node.role is Role.FOLLOWER and now_us - node.detector.evidence_us < node.timing.ask_after_us
        asked = node.transfer.successor.session if node.transfer and node.transfer.successor else 0
        promise = node.promise
        return cls(
            role=node.role,
            ballot=node.ballot,
            floor=promise.floor,
            holder=promise.session,
            lease_us=node.votes.lease_until_us if node.votes else 0,
            fresh=fresh,
            duplicate=node.namesake.is_there,
            asked=asked,
            ticket_us=_ticket_us(node),
        )


def look(
    watch: Watch, before: Before, node: Node, effects: list[Effect], cause: Datagram | None, disk: Persist
) -> tuple[Watch, str | None]:
    """What to remember from now on, and what is wrong, if something is."""
    spent = max(watch.spent, before.ballot) if node.ballot != before.ballot else watch.spent
    kept = disk.voters.generation if disk.voters else watch.kept
    wrong = _states(watch, spent, before, node) or _duplicate(before, node, effects, cause)
    if node.voters.generation < watch.listed or kept < watch.kept:
        wrong = wrong or f"LISTS: {node.voters.generation} after {watch.listed}, on the disk {kept} after {watch.kept}"
    told, given = watch.told, watch.given
    for effect in effects:
        if isinstance(effect, (Send, Multicast)):
            wrong = wrong or _sent(effect.datagram, watch.spent, before, cause, disk)
            if isinstance(effect.datagram.body, Resign) and effect.datagram.body.successor:
                given, twice = _given(effect.datagram.body, given, before)
                wrong = wrong or twice
        elif isinstance(effect, Event) and effect.kind in (EventKind.ELECTED, EventKind.DEPOSED):
            if told == (effect.kind is EventKind.ELECTED):
                wrong = wrong or f"SHOWN: {effect.kind} twice"
            told = effect.kind is EventKind.ELECTED
    return Watch(max(watch.view, node.leader), spent, told, given, node.voters.generation, kept), wrong


def _states(watch: Watch, spent: Ballot, before: Before, node: Node) -> str | None:
    if node.term_seen > TERM_JUMP_MAX:
        return f"TERM: believes in {node.term_seen}"
    if node.promise.floor < before.floor:
        return f"FLOOR: fell from {before.floor} to {node.promise.floor}"
    if node.leader not in (NO_BALLOT, watch.view) and node.leader < watch.view:
        return f"AV2: went from {watch.view} back to {node.leader}"
    if node.role is Role.LEADER and node.ballot <= spent:
        return f"RESIGNED: leads {node.ballot} again"
    if node.role is Role.CANDIDATE and node.promise.is_live(node.now_us):
        return f"PROMISED: claims for itself and holds {node.promise.floor}"
    leads_on = isinstance(node.state, Leader) and before.role is Role.LEADER
    if leads_on and node.votes and node.votes.lease_until_us < before.lease_us:
        return "LEASE: shrank"
    if None not in (before.ticket_us, _ticket_us(node)) and _ticket_us(node) != before.ticket_us:
        return "TICKET: its time begins anew"
    return None


def _ticket_us(node: Node) -> int | None:
    return None if node.succession.yielded is None else node.succession.yielded.request.sent_us


def _duplicate(before: Before, node: Node, effects: list[Effect], cause: Datagram | None) -> str | None:
    if not node.namesake.is_there:
        return None
    if node.role is not Role.JOINING or is_eligible(node):
        return f"DUPLICATE: it is {node.role.name.lower()}"
    if not before.duplicate and before.role is not Role.JOINING and cause and cause.header.role is Role.JOINING:
        return f"DUPLICATE: {before.role.name.lower()} gives way to {cause.header.session:x}, which is joining"
    said = [e.datagram for e in effects if isinstance(e, (Send, Multicast))] if before.duplicate else []
    other = [d for d in said if not isinstance(d.body, Probe) or d.header.destination != node.id]
    return f"DUPLICATE: says {other[0].body}" if other else None


def _given(ticket: Resign, given: tuple[Ballot, int], before: Before) -> tuple[tuple[Ballot, int], str | None]:
    to = ticket.successor_session
    if ticket.ballot == given[0] and to != given[1]:
        return given, f"TICKET: {ticket.ballot} goes to {to:x} and to {given[1]:x}"
    if before.asked and to != before.asked:
        return given, f"TICKET: goes to {to:x}, and {before.asked:x} was asked"
    return max(given, (ticket.ballot, int(to))), None


def _sent(datagram: Datagram, spent: Ballot, before: Before, cause: Datagram | None, disk: Persist) -> str | None:
    header, body = datagram.header, datagram.body
    if header.leader.node == header.source and header.leader <= spent:
        return f"RESIGNED: speaks as leader of {header.leader}"
    if isinstance(body, Claim) and not body.pre_vote and body.term > disk.ceiling:
        return f"CEILING: claims term {body.term}, its disk holds {disk.ceiling}"
    if isinstance(body, Grant) and not body.pre_vote and before.fresh and cause and isinstance(cause.body, Claim):
        theft = cause.header.session != before.holder and cause.body.ticket is None
        return f"THEFT: grants {cause.header.session:x} and hears {before.holder:x}" if theft else None
    return None
