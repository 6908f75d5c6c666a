"""Who is here: verified sessions, what was last heard of each, and their rank.

In: headers of datagrams. Out: facts; nothing here decides who leads. A session is in the table only after it
answered a challenge (docs/protocol.md 4.1); what is not verified yet waits in `Challenges`. Both are bounded: a LAN
peer can fill neither."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum

from kingd.core.timing import MS, SECOND
from kingd.core.wire.endpoint import Endpoint
from kingd.core.wire.message import NO_BALLOT, NO_VOTERS, NOBODY, Ballot, Header, NodeId, Role, SessionId, VoterList

MEMBERS_MAX = 4096
CHALLENGES_MAX = 1024
FORGET_AFTER_US = 3600 * SECOND  # a dead or departed node stays listed so long
ANNOUNCE_FIRST_US = (150 * MS, 450 * MS)  # after the first one of a newcomer: a lost one costs little
ANNOUNCE_US = SECOND
ANNOUNCES_PER_SECOND = 50  # of the whole cluster, at most (as RTCP scales its reports, RFC 3550 6.2) ...
ANNOUNCES_HEARD_PER_SECOND = 1_000  # ... and so many arrive, at all members together: beyond 32 members the rate falls
MISSED_MAX = 5  # announcements; then a member is dead (RFC 3550 6.3.5)
ENDPOINT_STALE_US = 3 * SECOND  # a better address that is silent for so long gives way to a worse one
_WINDOW = 1024
_FLAP_US = 300 * SECOND
_RETURNS_MAX = 8


class State(StrEnum):
    ALIVE = "alive"
    DEAD = "dead"
    LEFT = "left"


class ReplayWindow:
    """Which sequence numbers of a session were seen: the newest 1024 (RFC 4303 3.4.3)."""

    __slots__ = ("_seen", "newest")

    def __init__(self) -> None:
        self.newest = 0
        self._seen = 0  # bit i: newest - i was seen

    def has(self, sequence: int) -> bool:
        """Was it seen, or is it too old to tell? Changes nothing."""
        behind = self.newest - sequence
        return behind >= _WINDOW or (behind >= 0 and bool(self._seen & 1 << behind))

    def accept(self, sequence: int) -> bool:
        ahead = sequence - self.newest
        if ahead > 0:
            self._seen = (self._seen << min(ahead, _WINDOW) | 1) & ((1 << _WINDOW) - 1)
            self.newest = sequence
            return True
        if -ahead >= _WINDOW:  # before the shift: a peer chooses its numbers, up to 2^64
            return False
        bit = 1 << -ahead
        if self._seen & bit:
            return False
        self._seen |= bit
        return True


@dataclass(slots=True, kw_only=True)
class Member:
    """A verified session, and what its newest word said of it."""

    node: NodeId
    session: SessionId
    name: str
    version: str
    endpoint: Endpoint
    heard_us: int
    heard_since_us: int = 0  # when it was heard again after a silence
    priority: int = 0
    role: Role = Role.JOINING
    role_us: int = 0  # since when, as far as this node has heard
    eligible: bool = False
    voters: VoterList = NO_VOTERS
    wanted: int = 0  # digest of the one in its configuration
    voters_us: int = 0  # since when it has that list, as far as this node has heard
    blank: bool = False  # a voter that does not know what it has promised before
    hold_us: int = 0  # the longest promise that it may have given as a voter, when it was last asked
    key_id: int = 0  # which key signs what it says; 0 = none
    lease_ms: int = 0  # of a leader or candidate: how long it counts on a promise
    leader: Ballot = NO_BALLOT
    floor: Ballot = NO_BALLOT
    rival: bool = False  # it leads, and so do I
    resigned: Ballot = NO_BALLOT  # the highest one that it gave back: no claim of its for that or less is alive
    tags: tuple[tuple[str, str], ...] = ()
    state: State = State.ALIVE
    interval_us: int = ANNOUNCE_US  # how often it announces itself
    contact_us: int = -1  # when I sent the newest message of mine that it provably heard; -1 = never
    endpoint_us: int = 0  # when it was last heard from `endpoint` by unicast
    endpoint_seen_us: int = 0  # the same, by unicast or multicast
    multicast_us: int = -1  # when a multicast of its was last heard; -1 = never
    heard_sequence: int = 0  # newest heartbeat or pong of its: echoed in pings
    alive: int = 0  # of a leader: how many members it counts as alive, itself included
    roster_us: int = -1  # when a roster was last sent to it ...
    roster_after: NodeId = NOBODY  # ... and who was the last in it
    polls: bool = False  # my multicast does not reach it, as its last ping says
    obituary_us: int = -1  # when the obituary of this session came; -1 = none did, or it was refuted
    distrusted: bool = False  # an obituary of this node was refuted: no other one is believed
    window: ReplayWindow = field(default_factory=ReplayWindow)
    starts: deque[int] = field(default_factory=lambda: deque(maxlen=_RETURNS_MAX))  # when its sessions were first seen

    @property
    def rank(self) -> tuple[int, int]:
        """Smaller is better: higher priority, then lower node id. A pure function of the two; incumbency is no part of
        it.
        """
        return (-self.priority, self.node)

    def returns(self, now_us: int) -> int:
        """How often it came back with a new session in the last five minutes."""
        return max(0, sum(1 for at in self.starts if now_us - at < _FLAP_US) - 1)

    def update(self, header: Header, *, source: Endpoint, now_us: int) -> None:
        if now_us - self.heard_us > 3 * self.interval_us:
            self.heard_since_us = now_us
        self.heard_us = now_us
        self.priority = header.priority
        if self.role is not header.role:
            self.role, self.role_us = header.role, now_us
        self.eligible = header.eligible
        if self.voters != header.voters:
            self.voters, self.voters_us = header.voters, now_us
        self.wanted = header.wanted
        self.blank = header.blank
        self.key_id = header.key_id
        self.leader = header.leader
        self.floor = header.floor
        if source == self.endpoint:
            self.endpoint_seen_us = now_us
        if header.multicast:
            self.multicast_us = now_us
        elif source == self.endpoint:
            self.endpoint_us = now_us

    def would_move(self, source: Endpoint, now_us: int) -> bool:
        """Whether it is better reached where this came from by unicast, if it is there: anybody can write a source address."""
        return source != self.endpoint and (
            not self.endpoint.is_better_than(source) or now_us - self.endpoint_us > ENDPOINT_STALE_US
        )

    def move(self, source: Endpoint, now_us: int) -> None:
        self.endpoint = source
        self.endpoint_us = self.endpoint_seen_us = now_us


@dataclass(slots=True)
class Challenge:
    """A probe in flight."""

    nonce: int
    sent_us: int
    endpoint: Endpoint | None = None  # where it went last


class Challenges:
    """Probes in flight, by (node, session): the only trace that an unverified session leaves. The oldest give way."""

    def __init__(self) -> None:
        self._sent: dict[tuple[NodeId, SessionId], Challenge] = {}

    def __len__(self) -> int:
        return len(self._sent)

    def put(self, node: NodeId, session: SessionId, challenge: Challenge) -> None:
        self._sent.pop((node, session), None)
        while len(self._sent) >= CHALLENGES_MAX:
            del self._sent[next(iter(self._sent))]
        self._sent[node, session] = challenge

    def get(self, node: NodeId, session: SessionId) -> Challenge | None:
        return self._sent.get((node, session))

    def forget(self, node: NodeId, session: SessionId) -> None:
        """What answers an earlier one proves nothing about now."""
        self._sent.pop((node, session), None)

    def take(self, node: NodeId, session: SessionId, *, echo: int) -> Challenge | None:
        challenge = self._sent.get((node, session))
        if challenge is None or challenge.nonce != echo:
            return None
        return self._sent.pop((node, session))


class Members:
    """The table of verified members, without this node itself."""

    def __init__(self) -> None:
        self._by_node: dict[NodeId, Member] = {}

    def __iter__(self) -> Iterator[Member]:
        return iter(self._by_node.values())

    def __len__(self) -> int:
        return len(self._by_node)

    def get(self, node: NodeId) -> Member | None:
        return self._by_node.get(node)

    def find(self, node: NodeId, session: SessionId) -> Member | None:
        member = self._by_node.get(node)
        return member if member is not None and member.session == session else None

    def named(self, name: str) -> list[Member]:
        """Those alive who are called so. It may be more than one: nobody checks names."""
        return [m for m in self.alive() if m.name == name]

    def alive(self) -> list[Member]:
        return [m for m in self if m.state is State.ALIVE]

    def has_room_for(self, node: NodeId) -> bool:
        """A full table forgets the dead for a newcomer, and never the living: who comes in great numbers drives nobody out."""
        full = len(self._by_node) >= MEMBERS_MAX and node not in self._by_node
        return not full or any(m.state is not State.ALIVE for m in self)

    def add(self, member: Member) -> None:
        """Enter a member, or a member's new session. In a full table the one that is dead for longest gives way."""
        assert self.has_room_for(member.node)
        former = self._by_node.get(member.node)
        if former is not None:
            member.starts, member.distrusted = former.starts, former.distrusted
        elif len(self._by_node) >= MEMBERS_MAX:
            silent = min((m for m in self if m.state is not State.ALIVE), key=lambda m: m.heard_us)
            del self._by_node[silent.node]
        member.starts.append(member.heard_us)
        self._by_node[member.node] = member

    def bury(self, now_us: int, *, interval_us: int = ANNOUNCE_US) -> list[Member]:
        """Who was silent for too long is dead from now on: these. Those dead for long are forgotten. Nobody is expected to
        announce itself more often than every `interval_us`."""
        for gone in [m for m in self if m.state is not State.ALIVE and now_us - m.heard_us > FORGET_AFTER_US]:
            del self._by_node[gone.node]
        dead = [m for m in self.alive() if now_us - m.heard_us > MISSED_MAX * max(m.interval_us, interval_us)]
        for member in dead:
            member.state = State.DEAD
        return dead

    def excuse(self, late_us: int) -> None:
        """This node did not run for so long: nobody is to blame for not having been heard meanwhile."""
        for member in self:
            member.heard_us += late_us


def announce_interval_us(size: int) -> int:
    """How often each of so many members announces itself."""
    return max(ANNOUNCE_US, size * size * SECOND // ANNOUNCES_HEARD_PER_SECOND)
