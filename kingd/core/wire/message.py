"""What nodes say to each other: one frozen dataclass per datagram kind.

A `Datagram` is a `Header` (the same for all: who speaks, from which session, and what it believes right now) and
one `Body`. Only `codec.py` knows the bytes; `dispatch.py` says who knows what to do about them. docs/protocol.md 3."""

from enum import IntEnum
from typing import NamedTuple, NewType

from kingd.core.wire.aside import Aside
from kingd.core.wire.voter_list import NO_VOTERS, VoterList
from kingd.records import dataclass

NodeId = NewType("NodeId", int)
"""u64, random, durable: the host's identity. 0 = nobody."""

SessionId = NewType("SessionId", int)
"""u64, random, new at each start of the daemon. 0 = nobody."""

Term = NewType("Term", int)
"""u64: grows with every leadership (the fencing token). 0 = none yet."""

NOBODY, NO_SESSION = NodeId(0), SessionId(0)

SEQUENCE_MAX = (1 << 64) - 1
"""Of an obituary: the last word of its session."""

SILENT_MAX = 8
"""More members than these silent to a successor: it is the successor that is cut off."""


class Ballot(NamedTuple):
    """A leadership that was asked for: ordered by term, then by the node that asks. Never led by two sessions (AV1)."""

    term: Term
    node: NodeId


NO_BALLOT = Ballot(Term(0), NOBODY)


class Role(IntEnum):
    """What a node is, as every datagram of its says. The public names are in `status`."""

    JOINING = 0  # listening, or without network, or refused as a duplicate: claims nothing
    FOLLOWER = 1
    SEEKING = 2  # no leader: waiting for its turn to claim, or for a promised candidate to lead
    CANDIDATE = 3  # its claim is in flight
    LEADER = 4


class Reason(IntEnum):
    """Why leadership changed (INTERFACE.md, "Reasons"): the wire value, and in lower case with dashes the public word."""

    JOINED = 0
    HIGHER_PRIORITY = 1
    LEADER_TIMEOUT = 2
    LEADER_CRASHED = 3
    LEADER_LEFT = 4
    HANDOVER = 5
    STEP_DOWN = 6
    PREEMPTED = 7
    OVERLAP_RESOLVED = 8
    QUORUM_LOST = 9
    ISOLATED = 10
    STALLED = 11
    CHECK_FAILED = 12
    MAINTENANCE = 13
    PRIORITY_CHANGED = 14

    @property
    def word(self) -> str:
        return self.name.lower().replace("_", "-")


class Ineligible(IntEnum):
    """Why a node may not lead: the wire value, and in lower case with dashes the public word. Of several the first counts."""

    UNSAID = 0  # on the wire only: it said nothing, or what this version does not know
    DUPLICATE_ID = 1
    STOPPING = 2
    MAINTENANCE = 3
    PRIORITY_0 = 4
    STEP_DOWN = 5
    STATE_NOT_WRITABLE = 6
    CHECK_FAILED = 7
    CHECK_PENDING = 8

    @property
    def word(self) -> str:
        return self.name.lower().replace("_", "-")

    @property
    def reason(self) -> Reason:
        """With which a leader goes that has become so."""
        if self is Ineligible.PRIORITY_0:
            return Reason.PRIORITY_CHANGED
        return Reason.__members__.get(self.name, Reason.CHECK_FAILED)

    @property
    def may_stay(self) -> bool:
        """Who leads goes on while nobody else may: better one leader that is not fit than none."""
        return self >= Ineligible.CHECK_FAILED


def word_of(why: Ineligible | None) -> str | None:
    """For users. None: there is nothing, or it was not said."""
    return why.word if why else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """What every datagram begins with."""

    cluster: int  # u64, BLAKE2b of the cluster's name
    source: NodeId
    destination: NodeId  # NOBODY = whoever hears it
    session: SessionId
    receiver: SessionId = NO_SESSION  # of the destination: what is said to one session means nothing to a later one
    sequence: int  # u64, from 1, per session; a retransmission takes a new one
    leader: Ballot  # whom the sender follows or that it leads; NO_BALLOT = nobody
    floor: Ballot  # highest ballot it has promised: a leader below it must raise its term
    priority: int  # u16
    role: Role
    eligible: bool  # may it lead now?
    ineligible: Ineligible = Ineligible.UNSAID  # if not: why
    voters: VoterList = NO_VOTERS
    wanted: int = 0  # u32 digest of the list of voters in its configuration, which may not be in force yet
    recovering: bool = False  # a voter that does not know what it has promised before (quorum.py)
    begun: bool = False  # the receiver's session was new when the cluster began with it
    by_list: bool = False  # it leads, and its lease rests on that list of voters alone
    multicast: bool = False  # this copy went to a group (or by broadcast)
    key_id: int = 0  # which key signed the copy that came; 0 = none, or it was not sent yet


@dataclass(frozen=True, slots=True, kw_only=True)
class Announce:
    """I am here. A hint: nobody believes it before a Probe came back."""

    name: str
    version: str  # of the software
    interval_ms: int  # until the next one on average; five missed = dead
    tags: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Heartbeat:
    """I lead (header.leader is my ballot). Renews promises unless lonely."""

    interval_ms: int
    lonely: bool  # no proof of two-way contact: believe me only if you can reach me yourself
    alive: int  # members that the leader counts as alive, itself included
    lease_ms: int = 0  # how long the leader counts on the promise that this renews; 0 = availability mode


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """Are you there, and is it you? Padded, so that the answer is never larger."""

    nonce: int  # u64


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeAck:
    """Echo of a probe: proves that its sender's session lives and hears us."""

    echo: int
    name: str
    version: str
    returns: int  # how often the prober came back with a new session of late (flap damping)
    hold_ms: int = 0  # u32, the longest promise that it may have given as a voter
    nonce: int = 0  # a challenge in turn, where the prober is not known; 0 = none


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticket:
    """A resigned leadership and to whom it was given: whoever promised to the first may promise to the second at once."""

    ballot: Ballot
    session: SessionId
    successor: NodeId
    successor_session: SessionId


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """May I lead under this term (my node id completes the ballot)?

    `pre_vote`: answer as if the leader named in header.leader had consented to step aside, and promise nothing."""

    term: Term
    attempt: int  # u32 nonce: an answer counts only for the attempt that it names
    pre_vote: bool = False
    reason: Reason = Reason.JOINED
    ticket: Ticket | None = None
    lease_ms: int = 0  # as in Heartbeat


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """Yes: I promise to follow this ballot, and nobody else until it runs out (nothing if `pre_vote`)."""

    term: Term
    attempt: int
    pre_vote: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Refuse:
    """No: my promise belongs to `holder`. A refused claim changes nothing anywhere."""

    term: Term
    attempt: int
    pre_vote: bool
    holder: Ballot
    holder_session: SessionId
    led: bool  # the holder leads as far as I know (else it is a candidate like you)
    remaining_ms: int  # how long the promise still runs


@dataclass(frozen=True, slots=True, kw_only=True)
class Resign:
    """I shall never act under this ballot again: the only early end of a promise. Sent to a successor it is the ticket."""

    ballot: Ballot  # NO_BALLOT: only says goodbye
    successor: NodeId = NOBODY
    successor_session: SessionId = NO_SESSION
    reason: Reason
    leaving: bool = False  # the process ends


@dataclass(frozen=True, slots=True, kw_only=True)
class Ping:
    """Are you still my leader? `heard` proves to it at the same time that what it sends arrives."""

    nonce: int  # u32
    heard: int  # sequence of the newest heartbeat or pong heard from the destination's session, 0 = none
    polling: bool  # its heartbeats do not arrive: multicast is broken between us, and this is the only way


@dataclass(frozen=True, slots=True, kw_only=True)
class Pong:
    """The answer is in the header (role, leader); the echo proves when it was given."""

    echo: int
    lease_ms: int = 0  # as in Heartbeat


@dataclass(frozen=True, slots=True, kw_only=True)
class Ack:
    """A voter's answer to each heartbeat and pong of its leader: my promise was renewed by the datagram `sequence`."""

    sequence: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """Leader to successor: prepare to take over my ballot.

    `keep_ms`: it was chosen by name, and keeps it from those who only outrank it for so long."""

    ballot: Ballot
    reason: Reason
    keep_ms: int = 0  # u32


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """Successor to leader: all that answered would follow me; resign for me, unless you reach the silent ones."""

    ballot: Ballot
    reason: Reason
    silent: tuple[NodeId, ...] = ()  # who did not answer, at most SILENT_MAX


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """Tell me your view (the seed's DEBUG)."""

    nonce: int  # u64


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The view is in the header; this completes it."""

    echo: int
    name: str
    leader_name: str  # "" = none


@dataclass(frozen=True, slots=True, kw_only=True)
class RosterEntry:
    """One member that somebody else knows, and where it was heard."""

    node: NodeId
    session: SessionId
    host: str
    port: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Roster:
    """A hint to who asked for it: these nodes exist, at these addresses."""

    entries: tuple[RosterEntry, ...]
    alive: int = 0  # members that the sender counts as alive, itself included


@dataclass(frozen=True, slots=True, kw_only=True)
class Obituary:
    """The sender's process has ended without a word. Written while it lived, sent by its guardian."""


Body = (
    Announce
    | Heartbeat
    | Probe
    | ProbeAck
    | Claim
    | Grant
    | Refuse
    | Resign
    | Ping
    | Pong
    | Ack
    | Offer
    | Ready
    | Survey
    | Report
    | Roster
    | Obituary
    | Aside
)


@dataclass(frozen=True, slots=True)
class Datagram:
    """Who speaks, and what is said."""

    header: Header
    body: Body
