"""The invariants, looked at after every entry into every core, from outside: what went in, what came out, what the
node says it is.

Each has a word, which stands first in the error:

AV1       no ballot is led by two sessions; none is followed that its owner did not lead
AV2       within a session, the ballots followed or led never fall
LISTS     the generation of a node's list of voters never falls: neither in a session, nor below what its disk holds
FLOOR     a node's promised ballot never falls, and a leader's own is the one that it leads
THEFT     a follower that heard its leader a moment ago grants nobody else without the leader's ticket, and nobody has
          one that did not resign in its favour, or die
UNPROVEN  nobody is followed without a round trip with its session, or a grant to it
REFUSED   nobody leads past a refusal that was not followed by a grant
PROMISED  nobody claims while its promise to another one runs
RESIGNED  nothing is said under a ballot that was given back
CEILING   no claim, and no vote in quorum mode, above the term that the node's disk holds
UNFIT     no claim, and no leadership, by who must not lead: priority 0, duplicate, stopping, joining
DEPOSED   a leader stops only because it resigned, did not run, or is alone
SHOWN     what users are told alternates and is what the node is
PREPARE   a question that binds nobody changes nothing
WIRE      datagrams are at most 1232 bytes, survive the codec, and count upwards
BOUNDED   no table grows past its cap
"""

from dataclasses import dataclass, field

from kingd.core.effect import Effect, Event, EventKind, Multicast, Send
from kingd.core.rules.eligibility import ineligible, is_eligible
from kingd.core.scale import MEMBERS_MAX
from kingd.core.state.challenges import CHALLENGES_MAX
from kingd.core.state.members import State
from kingd.core.state.node import Node
from kingd.core.state.roles import Leader
from kingd.core.timing import MS, NEVER
from kingd.core.wire.message import (
    NO_BALLOT,
    NOBODY,
    Ballot,
    Claim,
    Datagram,
    Grant,
    Header,
    Heartbeat,
    Ineligible,
    NodeId,
    Ping,
    Pong,
    Probe,
    ProbeAck,
    Reason,
    Refuse,
    Resign,
    Role,
    SessionId,
    Term,
    Ticket,
)
from kingd.core.wire.voter_list import NO_GENERATION, Generation
from kingd.sim.host import Host
from kingd.sim.outcome import SafetyError

_TABLE_MAX = 1024


@dataclass(slots=True)
class _Session:
    """What was seen of one session from outside."""

    view: Ballot = NO_BALLOT  # highest ballot that it followed or led
    floor: Ballot = NO_BALLOT
    lists: tuple[Generation, Generation] = (NO_GENERATION, NO_GENERATION)  # of its list of voters, and on its disk
    sequence: int = 0
    told: NodeId = NOBODY  # who leads, as its users were last told
    lost_us: int = NEVER  # since when it does not lead, and its users are not told
    stopping: bool = False
    resigned: set[Ballot] = field(default_factory=set)
    asked: set[int] = field(default_factory=set)  # nonces of its probes and pings
    proven: set[SessionId] = field(default_factory=set)  # sessions that echoed one
    granted: set[tuple[Ballot, SessionId]] = field(default_factory=set)
    refused: dict[int, set[SessionId]] = field(default_factory=dict)  # attempt -> who said no, and not yes since
    given: set[tuple[int, SessionId]] = field(default_factory=set)  # attempt, and who said yes to it
    claims: dict[Term, int] = field(default_factory=dict)  # term -> attempt
    # as it was before the entry that is being looked at
    role: Role = Role.JOINING
    ballot: Ballot = NO_BALLOT
    holder: SessionId = SessionId(0)
    promise: tuple[Ballot, SessionId] = (NO_BALLOT, SessionId(0))
    evidence_us: int = 0
    leading: Leader | None = None  # its last leadership
    lease_us: int = NEVER  # how long it counts on the promises that its last heartbeat renewed, if it counts on any

    def is_silent(self, node: Node) -> bool:
        """It has been for so long that others may have replaced it."""
        return self.leading is None or node.now_us > self.leading.stalls_at_us(node.timing)


@dataclass(slots=True)
class Checker:
    leader_changes: int = 0
    entries: int = 0
    _led: dict[Ballot, SessionId] = field(default_factory=dict)
    _sessions: dict[SessionId, _Session] = field(default_factory=dict)
    _mourned: set[SessionId] = field(default_factory=set)

    def mourn(self, session: SessionId) -> None:
        """An obituary of it is under way: whoever gets it may claim what the session held."""
        self._mourned.add(session)

    def prove(self, session: SessionId, other: SessionId) -> None:
        """`session` has had a round trip with `other` before this run began."""
        self._sessions.setdefault(session, _Session()).proven.add(other)

    def before(self, node: Node, cause: Datagram | None) -> None:
        """Something is about to enter the core."""
        self.entries += 1
        seen = self._sessions.get(node.session)
        if seen is None:
            seen = self._sessions[node.session] = _Session()
        promise = node.promise
        seen.role, seen.ballot, seen.holder = node.role, node.ballot, promise.session
        seen.evidence_us = node.detector.evidence_us
        if isinstance(node.state, Leader):
            seen.leading = node.state
        if cause is not None:
            seen.promise = (promise.floor, promise.session)
            self._on_received(node, seen, cause)

    def after(self, node: Node, effects: list[Effect], cause: Datagram | None, host: Host) -> None:
        """The core came back with `effects`."""
        seen, ceiling = self._sessions[node.session], host.ceiling
        self._check_lists(node, seen, host.voters.generation if host.voters else NO_GENERATION)
        forced = False
        for effect in effects:
            if isinstance(effect, (Send, Multicast)):
                self._on_sent(node, seen, effect.datagram, cause, ceiling)
            elif isinstance(effect, Event):
                self._on_event(node, seen, effect)
                forced = forced or (effect.kind is EventKind.DEPOSED and effect.reason in _FORCED)
        self._check_views(node, seen)
        self._check_shown(node, seen)
        self._check_leading(node, seen, forced=forced)
        if cause is not None and isinstance(cause.body, Claim) and cause.body.pre_vote:
            promise = node.promise
            if (promise.floor, promise.session) != seen.promise:
                raise SafetyError(f"PREPARE: {_name(node)} promised for a question: {seen.promise} -> {promise}")
        if self.entries % 256 == 0:
            self.check_tables(node)

    # -- states -----------------------------------------------------------------------------------

    def _check_views(self, node: Node, seen: _Session) -> None:
        floor, view = node.promise.floor, node.leader
        if floor < seen.floor:
            raise SafetyError(f"FLOOR: {_name(node)} fell from {seen.floor} to {floor}")
        seen.floor = floor
        if view == seen.view or view == NO_BALLOT:
            return
        if view < seen.view:
            raise SafetyError(f"AV2: {_name(node)} went from {seen.view} back to {view}")
        seen.view = view
        if node.role is not Role.FOLLOWER:
            return
        holder = node.promise.session
        if self._led.get(view) != holder:
            raise SafetyError(f"AV1: {_name(node)} follows {view} of {holder:x}, which does not lead it")
        if holder not in seen.proven and (view, holder) not in seen.granted:
            raise SafetyError(f"UNPROVEN: {_name(node)} follows {view} without a round trip or a grant")

    def _check_lists(self, node: Node, seen: _Session, kept: Generation) -> None:
        former, seen.lists = seen.lists, (node.voters.generation, kept)
        if seen.lists[0] < max(former[0], kept) or kept < former[1]:
            raise SafetyError(f"LISTS: {_name(node)} has {seen.lists} after {former}")

    def _check_shown(self, node: Node, seen: _Session) -> None:
        leads = node.role is Role.LEADER
        if leads == (seen.told == node.id):
            seen.lost_us = NEVER
            return
        if not leads:
            # After a stall it asks whether it still leads, and its users are told of a loss only if it does not.
            silent = seen.is_silent(node)
            seen.lost_us = min(seen.lost_us, node.now_us) if silent or seen.lost_us != NEVER else 0
            if node.now_us - seen.lost_us <= node.timing.transfer_us:
                return
        raise SafetyError(f"SHOWN: {_name(node)} is {node.role.name}, users were told {seen.told:x}")

    def _check_leading(self, node: Node, seen: _Session, *, forced: bool) -> None:
        if node.role is Role.CANDIDATE and node.promise.is_live(node.now_us):
            raise SafetyError(f"PROMISED: {_name(node)} claims for itself and holds {node.promise}")
        if node.role is not Role.LEADER:
            if seen.role is Role.LEADER and seen.ballot not in seen.resigned:
                if not forced and not seen.is_silent(node):
                    raise SafetyError(
                        f"DEPOSED: {_name(node)} left {seen.ballot} without a word ({node.news.why.word})"
                    )
                seen.resigned.add(seen.ballot)
            return
        if node.ballot != node.promise.floor or node.promise.session != node.session:
            raise SafetyError(f"FLOOR: {_name(node)} leads {node.ballot} and promised {node.promise}")
        if node.ballot == seen.ballot and seen.role is Role.LEADER:
            return
        if self._led.setdefault(node.ballot, node.session) != node.session:
            raise SafetyError(f"AV1: {node.ballot} is led by two sessions")
        if node.ballot in seen.resigned:
            raise SafetyError(f"RESIGNED: {_name(node)} leads {node.ballot}, which it gave back")
        if seen.role is not Role.LEADER:
            self._check_elected(node, seen)

    def _check_elected(self, node: Node, seen: _Session) -> None:
        self.leader_changes += 1
        if (not is_eligible(node) and not _may_lead_on(node)) or seen.stopping:
            raise SafetyError(f"UNFIT: {_name(node)} was elected ({ineligible(node)!r})")
        refused = seen.refused.get(seen.claims.get(node.ballot.term, -1), set()) - self._mourned
        if refused and not node.in_quorum_mode:  # there they are missing votes
            raise SafetyError(f"REFUSED: {_name(node)} leads {node.ballot} against {len(refused)} refusals")

    def check_tables(self, node: Node) -> None:
        sizes = {
            "members": (len(node.members.verified()), MEMBERS_MAX),
            "members heard of": (len(node.members.heard_of()), MEMBERS_MAX),
            "echoes": (len(node.state.echoes) if isinstance(node.state, Leader) else 0, _TABLE_MAX),
            "challenges": (len(node.challenges), CHALLENGES_MAX),
            "unanswered": (len(node.strangers.unanswered), 64),
            "earning": (len(node.strangers.earning), _TABLE_MAX),
            "foreign sequences": (len(node.foreign.sequences), _TABLE_MAX),
            "refused handovers": (len(node.succession.refused), len(node.members.verified())),
        }
        for name, (size, limit) in sizes.items():
            if size > limit:
                raise SafetyError(f"BOUNDED: {_name(node)} keeps {size} {name}, {limit} are allowed")

    # -- what goes in and out -----------------------------------------------------------------------------------

    def _on_received(self, node: Node, seen: _Session, datagram: Datagram) -> None:
        header, body = datagram.header, datagram.body
        if header.destination != node.id:
            return
        if isinstance(body, (ProbeAck, Pong)):
            if body.echo in seen.asked:
                seen.proven.add(header.session)
        elif isinstance(body, Refuse) and not body.pre_vote and _believes(node, header):
            if (body.attempt, header.session) not in seen.given:
                seen.refused.setdefault(body.attempt, set()).add(header.session)
        elif isinstance(body, Grant):
            seen.refused.setdefault(body.attempt, set()).discard(header.session)
            seen.given.add((body.attempt, header.session))

    def _on_sent(self, node: Node, seen: _Session, datagram: Datagram, cause: Datagram | None, ceiling: Term) -> None:
        header, body = datagram.header, datagram.body
        if header.sequence <= seen.sequence:
            raise SafetyError(f"WIRE: {_name(node)} sent {header.sequence} after {seen.sequence}")
        seen.sequence = header.sequence
        if header.leader.node == node.id and header.leader in seen.resigned:
            raise SafetyError(f"RESIGNED: {_name(node)} speaks as leader of {header.leader}")
        if isinstance(body, (Probe, ProbeAck, Ping)) and body.nonce:
            seen.asked.add(body.nonce)
        elif isinstance(body, Claim):
            self._on_claim(node, seen, datagram, ceiling)
        elif isinstance(body, Grant):
            self._on_grant(node, seen, datagram, cause, ceiling)
        elif isinstance(body, Resign) and body.ballot != NO_BALLOT:
            seen.resigned.add(body.ballot)
            if seen.role is Role.LEADER and body.ballot > seen.ballot:  # of a raise under way: what it led is less
                seen.resigned.add(seen.ballot)
        elif isinstance(body, Heartbeat):
            if header.role is not Role.LEADER or header.leader.node != node.id:
                raise SafetyError(f"SHOWN: {_name(node)} sent a heartbeat as {header.role.name}")
            seen.lease_us = body.lease_ms * MS or NEVER

    def _on_claim(self, node: Node, seen: _Session, datagram: Datagram, ceiling: Term) -> None:
        header, claim = datagram.header, datagram.body
        assert isinstance(claim, Claim)
        fit = (header.eligible or _may_lead_on(node)) and header.role is not Role.JOINING and not seen.stopping
        if not fit and header.role is not Role.LEADER:
            raise SafetyError(f"UNFIT: {_name(node)} claims as {header.role.name} ({ineligible(node)!r})")
        if claim.pre_vote:
            return
        ticket = claim.ticket
        if ticket is not None and not self._is_due(ticket):
            raise SafetyError(f"THEFT: {_name(node)} claims with {ticket}, which was not given back")
        if claim.term > ceiling:
            raise SafetyError(f"CEILING: {_name(node)} claims term {claim.term}, its disk holds {ceiling}")
        if Ballot(claim.term, node.id) in seen.resigned:
            raise SafetyError(f"RESIGNED: {_name(node)} claims term {claim.term} again")
        if seen.claims.setdefault(claim.term, claim.attempt) != claim.attempt and header.role is not Role.LEADER:
            raise SafetyError(f"REFUSED: {_name(node)} claims term {claim.term} a second time")

    def _is_due(self, ticket: Ticket) -> bool:
        return ticket.session in self._mourned or ticket.ballot in self._sessions[ticket.session].resigned

    def _on_grant(self, node: Node, seen: _Session, datagram: Datagram, cause: Datagram | None, ceiling: Term) -> None:
        grant = datagram.body
        assert isinstance(grant, Grant)
        if grant.pre_vote:
            return
        assert cause is not None
        assert isinstance(cause.body, Claim)
        if node.is_voter and grant.term > ceiling:
            raise SafetyError(f"CEILING: {_name(node)} votes for term {grant.term}, its disk holds {ceiling}")
        claimant = cause.header.session
        seen.granted.add((Ballot(grant.term, datagram.header.destination), claimant))
        if seen.role is node.role is Role.LEADER:  # one that did not run for long stops leading first
            raise SafetyError(f"THEFT: {_name(node)} grants {claimant:x} while it leads")
        # A voter's own patience may be longer than the lease of who leads: nothing is promised after that.
        held_us = min(node.timing.ask_after_us, self._sessions[seen.holder].lease_us if seen.holder else NEVER)
        fresh = node.now_us - seen.evidence_us < held_us
        if seen.role is Role.FOLLOWER and fresh and claimant != seen.holder and cause.body.ticket is None:
            raise SafetyError(f"THEFT: {_name(node)} grants {claimant:x} and hears {seen.holder:x}")

    def _on_event(self, node: Node, seen: _Session, event: Event) -> None:
        if event.kind is EventKind.STOPPING:
            seen.stopping = True
        if event.kind not in _LEADERSHIP:
            return
        leader = event.leader.node if event.leader else NOBODY
        former = event.previous_leader.node if event.previous_leader else NOBODY
        told, seen.told = seen.told, leader
        fits = {
            EventKind.ELECTED: leader == node.id != told,
            EventKind.DEPOSED: told == node.id != leader,
            EventKind.LEADER_CHANGED: leader not in (NOBODY, node.id, told) and told != node.id,
            EventKind.LEADER_LOST: leader == NOBODY and told not in (NOBODY, node.id),
        }
        if former != told or not fits[event.kind]:
            raise SafetyError(f"SHOWN: {_name(node)} tells {event.kind} {former:x} -> {leader:x} after {told:x}")


def _may_lead_on(node: Node) -> bool:
    """It could not write its next term, but has this one (see CEILING); or it led, and asks whether it still does."""
    why = ineligible(node)
    stays = why is not None and why.may_stay and node.news.why is Reason.STALLED
    return why is Ineligible.STATE_NOT_WRITABLE or stays


_FORCED = (Reason.STALLED, Reason.ISOLATED, Reason.QUORUM_LOST)
_LEADERSHIP = (EventKind.ELECTED, EventKind.DEPOSED, EventKind.LEADER_CHANGED, EventKind.LEADER_LOST)


def _believes(node: Node, header: Header) -> bool:
    """It is a member's, and an answer to the claim that is out."""
    member, campaign = node.members.find(header.source, header.session), node.campaign
    if member is None or member.state is State.LEFT or campaign is None:
        return False
    return campaign.asked.get(header.source) == header.session


def _name(node: Node) -> str:
    return node.settings.name
