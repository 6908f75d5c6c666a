"""Who is here: what was last heard of each, whether it is verified, and their rank. docs/protocol.md 4.1.

In: headers of datagrams, announcements, rosters. Out: facts; nothing here decides who leads. A session is verified after
it answered a challenge (challenges.py). In a small cluster everybody verifies everybody. In a large one that would be N^2
round trips, at its start and after whatever hits all of it. There most members, for most nodes, are only heard of, and
believed as far as that can do no harm: they are listed, surveyed, and let go first when there is no leader. All tables are
bounded: a LAN peer can fill none."""

from collections.abc import Iterable, ValuesView
from enum import StrEnum
from heapq import nsmallest
from operator import attrgetter

from kingd.core.scale import ANNOUNCE_US, MEMBERS_MAX
from kingd.core.timing import MS, SECOND
from kingd.core.wire.endpoint import Endpoint
from kingd.core.wire.message import (
    NO_BALLOT,
    NOBODY,
    Announce,
    Ballot,
    Header,
    Ineligible,
    NodeId,
    Role,
    RosterEntry,
    SessionId,
)
from kingd.core.wire.voter_list import NO_VOTERS, VoterList
from kingd.records import dataclass, field

FORGET_AFTER_US = 3600 * SECOND  # a dead or departed node stays listed so long
ANNOUNCE_FIRST_US = (150 * MS, 450 * MS)  # after the first one of a newcomer: a lost one costs little
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
    """A session, and what its newest word said of it, or a roster if it is only heard of."""

    node: NodeId
    session: SessionId
    name: str
    version: str
    endpoint: Endpoint
    heard_us: int
    verified: bool = False  # it answered a challenge: `Members.add` says so
    heard_since_us: int = 0  # when it was heard again after a silence
    priority: int = 0
    rank: tuple[int, int] = field(init=False)
    role: Role = Role.JOINING
    role_us: int = 0  # since when, as far as this node has heard
    eligible: bool = False
    ineligible: Ineligible = Ineligible.UNSAID  # if not: why, as far as it said
    told_unfit: Ineligible | None = None  # what users were told of that last
    voters: VoterList = NO_VOTERS
    wanted: int = 0  # digest of the one in its configuration
    by_list: bool = False  # it leads, and its lease rests on that list alone
    recovering: bool = False  # a voter that does not know what it has promised before
    hold_us: int = 0  # the longest promise that it may have given as a voter, as it told last
    told_us: int = -1  # when it was asked last what it has answered with that; -1 = never
    met_us: int = 0  # when its session answered first
    new_us: int = -1  # when it was asked last what it answered as a recovering voter; -1 = never
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
    better_asks: int = 0  # since it is at `endpoint`: how often it was asked at a better one
    multicast_us: int = -1  # when a multicast of its was last heard; -1 = never
    heard_sequence: int = 0  # newest heartbeat or pong of its: echoed in pings
    alive: int = 0  # of a leader: how many members it counts as alive, itself included
    roster_us: int = -1  # when a roster was last sent to it ...
    roster_after: NodeId = NOBODY  # ... and who was the last in it
    polls: bool = False  # my multicast does not reach it, as its last ping says
    obituary_us: int = -1  # when the obituary of this session came; -1 = none did, or it was refuted
    distrusted: bool = False  # an obituary of this node was refuted: no other one is believed
    window: ReplayWindow = field(default_factory=ReplayWindow)
    starts: tuple[int, ...] = ()  # when its newest sessions were first seen
    asked_us: int = -1  # while it is only heard of: when it was last probed, in vain so far

    def __post_init__(self) -> None:
        self._place()

    def _place(self) -> None:
        """By rank: smaller is better: higher priority, then lower node id. A pure function of the two; incumbency is no part
        of it. (It is kept, for hundreds are looked through for the best ones.)"""
        self.rank = (-self.priority, self.node)

    @property
    def leads_at_best(self) -> tuple[int, tuple[int, int]]:
        """Smaller is better, of two leaders that meet: who may lead, then who may stay, then the others; then by rank."""
        return (0 if self.eligible else 1 if self.ineligible.may_stay else 2, self.rank)

    def is_announced(self, now_us: int) -> bool:
        """Five announcements in a row are not missing."""
        return now_us - self.heard_us <= MISSED_MAX * self.interval_us

    def state_at(self, now_us: int) -> State:
        """Who is only heard of is alive for as long as it announces itself; of the others it is noted (`Members.bury`)."""
        return self.state if self.verified or self.is_announced(now_us) else State.DEAD

    def returns(self, now_us: int) -> int:
        """How often it came back with a new session in the last five minutes."""
        return max(0, sum(1 for at in self.starts if now_us - at < _FLAP_US) - 1)

    def update(self, header: Header, *, source: Endpoint, now_us: int) -> None:
        if now_us - self.heard_us > 3 * self.interval_us:
            self.heard_since_us = now_us
        self.heard_us = now_us
        if self.priority != header.priority:
            self.priority = header.priority
            self._place()
        if self.role is not header.role:
            self.role, self.role_us = header.role, now_us
        self.eligible, self.ineligible = header.eligible, header.ineligible
        self.voters, self.by_list = header.voters, header.by_list
        self.wanted = header.wanted
        self.recovering = header.recovering
        self.key_id = header.key_id
        self.leader = header.leader
        self.floor = header.floor
        if source == self.endpoint:
            self.endpoint_seen_us = now_us
        if header.multicast:
            self.multicast_us = now_us
        elif source == self.endpoint:
            self.endpoint_us = now_us

    def told(self, hold_us: int, *, sent_us: int, recovering: bool) -> None:
        """It has answered what it was asked then: what it may have promised, or that it does not know."""
        self.hold_us = max(self.hold_us, hold_us)
        self.told_us = max(self.told_us, sent_us)
        if recovering:
            self.new_us = max(self.new_us, sent_us)

    def would_move(self, source: Endpoint, now_us: int) -> bool:
        """Whether it is better reached where this came from by unicast, if it is there: anybody can write a source address."""
        return source != self.endpoint and (
            not self.endpoint.is_better_than(source) or now_us - self.endpoint_us > ENDPOINT_STALE_US
        )

    def move(self, source: Endpoint, now_us: int) -> None:
        self.endpoint = source
        self.endpoint_us = self.endpoint_seen_us = now_us
        self.better_asks = 0


class Members:
    """The table, without this node itself. Who is verified and who is only heard of is told apart by each name.

    A node may be in it twice: with the session that was verified, and with a newer one that a roster tells of."""

    def __init__(self) -> None:
        self._verified: dict[NodeId, Member] = {}
        self._heard_of: dict[NodeId, Member] = {}  # the longest silent first
        self.announced_us = -1  # when anybody who is only heard of last announced itself

    # -- verified ones

    def verified(self) -> ValuesView[Member]:
        return self._verified.values()

    def alive(self) -> list[Member]:
        """The verified ones that are."""
        return [m for m in self._verified.values() if m.state is State.ALIVE]

    def get(self, node: NodeId) -> Member | None:
        """If it is verified."""
        return self._verified.get(node)

    def find(self, node: NodeId, session: SessionId) -> Member | None:
        """If that session is verified."""
        member = self._verified.get(node)
        return member if member is not None and member.session == session else None

    def named(self, name: str) -> list[Member]:
        """Those alive and verified who are called so. It may be more than one: nobody checks names."""
        return [m for m in self.alive() if m.name == name]

    def has_room_for(self, node: NodeId) -> bool:
        """A full table forgets the dead for a newcomer, and never the living: who comes in great numbers drives nobody out."""
        full = len(self._verified) >= MEMBERS_MAX and node not in self._verified
        return not full or any(m.state is not State.ALIVE for m in self._verified.values())

    def add(self, member: Member) -> None:
        """It is verified now: a member, or a member's new session. In a full table the one that is dead for longest gives
        way."""
        assert self.has_room_for(member.node)
        former = self._verified.get(member.node)
        if former is not None:
            member.starts, member.distrusted = former.starts, former.distrusted
        elif len(self._verified) >= MEMBERS_MAX:
            silent = min((m for m in self._verified.values() if m.state is not State.ALIVE), key=lambda m: m.heard_us)
            del self._verified[silent.node]
        member.starts = (*member.starts, member.heard_us)[-_RETURNS_MAX:]
        member.verified = True
        self._verified[member.node] = member
        self._heard_of.pop(member.node, None)

    # -- those who are only heard of

    def heard_of(self) -> ValuesView[Member]:
        return self._heard_of.values()

    def heard_of_lately(self, now_us: int) -> list[Member]:
        """Those of them who are alive."""
        return [m for m in self._heard_of.values() if m.is_announced(now_us)]

    def hear_of(self, member: Member) -> None:
        """In a full table the one that has been silent longest gives way."""
        self._heard_of.pop(member.node, None)
        while len(self._heard_of) >= MEMBERS_MAX:
            del self._heard_of[next(iter(self._heard_of))]
        self._heard_of[member.node] = member

    def note(self, header: Header, body: Announce, source: Endpoint, *, interval_us: int, now_us: int) -> None:
        """What somebody who is not verified says of itself."""
        self.announced_us = now_us
        former = self._heard_of.get(header.source)
        self.hear_of(
            Member(
                node=header.source,
                session=header.session,
                name=body.name,
                version=body.version,
                endpoint=source if former is None or not former.endpoint.is_better_than(source) else former.endpoint,
                heard_us=now_us,
                priority=header.priority,
                role=Role.FOLLOWER,  # as far as anybody knows
                eligible=header.eligible,
                ineligible=header.ineligible,
                interval_us=interval_us,
                asked_us=former.asked_us if former and former.session == header.session else -1,
            )
        )

    def note_entry(self, entry: RosterEntry, interface: str, *, interval_us: int, now_us: int) -> None:
        """Of a roster: it was alive for the leader a short while ago. What it is called, it says itself."""
        if entry.node not in self._heard_of:
            self.hear_of(
                Member(
                    node=entry.node,
                    session=entry.session,
                    name=f"{entry.node:016x}",
                    version="",
                    endpoint=Endpoint(entry.host, entry.port, interface),
                    heard_us=now_us,
                    role=Role.FOLLOWER,
                    interval_us=interval_us,
                )
            )

    def unlist(self, node: NodeId, session: SessionId) -> None:
        """It has left, as somebody says who is not verified either."""
        member = self._heard_of.get(node)
        if member is not None and member.session == session:
            del self._heard_of[node]

    # -- all of them

    def everybody(self) -> list[Member]:
        return [*self._verified.values(), *self._heard_of.values()]

    def everybody_alive(self, now_us: int) -> list[Member]:
        return self.alive() + self.heard_of_lately(now_us)

    def bury(self, now_us: int, *, interval_us: int = ANNOUNCE_US) -> list[Member]:
        """Who is verified and was silent for too long is dead from now on: these. Those dead for long are forgotten. Nobody is
        expected to announce itself more often than every `interval_us`."""
        self._forget(now_us)
        dead = [m for m in self.alive() if now_us - m.heard_us > MISSED_MAX * max(m.interval_us, interval_us)]
        for member in dead:
            member.state = State.DEAD
        return dead

    def _forget(self, now_us: int) -> None:
        """(2,000 announce themselves every 67 minutes: that is no silence.)"""
        for table in (self._verified, self._heard_of):
            for gone in [
                m
                for m in table.values()
                if now_us - m.heard_us > FORGET_AFTER_US and m.state_at(now_us) is not State.ALIVE
            ]:
                del table[gone.node]

    def excuse(self, late_us: int) -> None:
        """This node did not run for so long: nobody is to blame for not having been heard meanwhile."""
        for member in self.everybody():
            member.heard_us += late_us


def best_three(members: Iterable[Member]) -> list[Member]:
    return nsmallest(3, members, key=attrgetter("rank"))


def third_rank(ranks: Iterable[tuple[int, int]]) -> tuple[int, int] | None:
    """The third best; None if they are fewer."""
    best = nsmallest(3, ranks)
    return best[2] if len(best) == 3 else None
