"""The state of one node, and the few moves that everything else is made of: say, become, follow, lead, seek.

The rules live in the modules beside this one, one topic each: contact (who is here), seeking, claiming, voting,
following, preempting, leading, handover, survey. They are functions over `Node`; `election.Core` calls them (by way of
dispatch, timers and commands), and hands out what they appended to `out`. Nothing here reads a clock or draws from
anything but `rng`."""

import random
from collections.abc import Iterable
from dataclasses import dataclass, field

from kingd.core.effect import Effect, Multicast, Peer, Send
from kingd.core.scale import Scale
from kingd.core.settings import Settings, Voters, digest_of
from kingd.core.state.challenges import Challenges
from kingd.core.state.detector import Detector
from kingd.core.state.durable import Durable
from kingd.core.state.foreign import ForeignLeaders
from kingd.core.state.members import ANNOUNCE_FIRST_US, Member, Members, third_rank
from kingd.core.state.namesake import Namesake
from kingd.core.state.orders import Orders
from kingd.core.state.pending import Campaign, Drain, Handover, Inquiry, Prepared, Yielded
from kingd.core.state.promise import Promise
from kingd.core.state.strangers import Strangers
from kingd.core.timing import MS, NEVER, SECOND, Timing, promise_us
from kingd.core.wire.endpoint import Endpoint
from kingd.core.wire.message import (
    NO_BALLOT,
    NO_SESSION,
    NOBODY,
    Ballot,
    Body,
    Datagram,
    Header,
    Heartbeat,
    NodeId,
    Reason,
    Role,
    SessionId,
    Term,
    Ticket,
    VoterList,
)

_ECHOES_MAX = 1024
_REFUSED_US = 10 * SECOND
_REFUSED_US_MAX = 600 * SECOND
_SLOTS_MAX = 16  # in which a crowd is waited for; whoever comes behind that waits for his luck
_LEASE_GUARD = 50  # so small a part of the lease is its last: what a leader says takes time to arrive
TERM_JUMP_MAX = 1 << 32  # a term that far above all known ones is a mistake or an attack, never a history
TERM_MAX = 1 << 63  # nobody is led up to where terms end, however patiently


@dataclass(slots=True, kw_only=True)
class Node:
    """See above: what one node knows, and what it is about to do."""

    settings: Settings
    id: NodeId
    session: SessionId
    rng: random.Random
    now_us: int
    durable: Durable
    voters: Voters  # the list in force; the one that is wanted is in the settings (voters.py)
    learned: bool = True  # a voter: knows what its earlier sessions may have promised (quorum.learn)
    new_sessions: set[tuple[NodeId, SessionId]] = field(default_factory=set)  # heard to be blank, while this node is
    blank_since_us: int = 0  # since when it does not ...
    learn_from_us: int = 0  # ... and hears it from others not before this
    votes: dict[NodeId, int] = field(default_factory=dict)  # voter -> until when it has promised to this node
    listed_us: int = 0  # since when this node has its list of voters and its timing
    lease_until_us: int = 0  # a majority's promises last so long

    role: Role = Role.JOINING
    ballot: Ballot = NO_BALLOT  # the one it leads, while it leads
    promise: Promise = field(default_factory=Promise)
    detector: Detector = field(init=False)
    members: Members = field(default_factory=Members)
    _third: tuple[int, int] | None = None  # rank of the third in line ...
    _third_until_us: int = 0  # ... as looked up for so long
    challenges: Challenges = field(default_factory=Challenges)
    campaign: Campaign | None = None
    drain: Drain | None = None
    handover: Handover | None = None
    yielded: Yielded | None = None
    prepared: Prepared | None = None  # leader: who said so; follower: what it has asked last
    silent: frozenset[NodeId] = frozenset()  # who did not answer the last preparation: not waited for with its ticket
    taken: Ticket | None = None  # the last ticket that this node claimed with
    inherited: Ticket | None = None  # from a leader that died: frees the promises of who does not know yet
    # Does the obituary that was left go to the group, and to whom else.
    will: tuple[bool, tuple[Endpoint, ...]] | None = None
    will_role: Role | None = None  # of this node when it was written; None = it is to be looked at again
    inquiry: Inquiry | None = None

    why: Reason = Reason.JOINED  # the cause of the change under way; goes into events and status
    term_seen: Term = Term(0)
    orders: Orders = field(default_factory=Orders)

    # Deadlines, by name; timers.py says what is done then.
    join_at_us: int = NEVER
    announce_at_us: int = NEVER
    ping_at_us: int = NEVER
    prove_at_us: int = NEVER  # when a ping is due that asks nothing and proves two-way contact
    heartbeat_at_us: int = NEVER
    seek_at_us: int = NEVER
    sweep_at_us: int = NEVER
    preempt_at_us: int = NEVER
    waits_for_all: bool = False  # it is put off until this node knows all whom its leader counts
    survey_at_us: int = NEVER

    strangers: Strangers = field(default_factory=Strangers)
    returns: int = 0  # how often a leader saw this node come back of late
    overlap_ended: bool = False  # two leaders met and settled it: users are told at the end of this step
    waits_for_foreign: bool = False  # seeking, but backed off because it hears a leader that it cannot follow
    announced: int = 0  # announcements since the start: the first three come quickly
    duels: int = 0  # claims, of this node and to it, that came to nothing since there was a leader
    failures: int = 0  # claims that failed in a row: back-off
    rejoined_us: int = -NEVER  # when the multicast group was last joined anew
    followed_us: int = 0
    counted: int = 0  # members, by the last leader that was followed
    in_line: bool = False  # among those who come next if the leader goes, when it last pinged the leader
    followed_priorities: tuple[int, int] = (0, 0)  # leader's and mine when I began to follow
    beat_us: int = 0  # when the last heartbeat was sent, as leader ...
    beat_every_us: int = 0  # ... and how long after it the next one is due
    contact_us: int = -1  # leader: when the newest message was sent that some follower provably heard
    raised_us: int = 0
    foreign: ForeignLeaders = field(default_factory=ForeignLeaders)
    refused_handover: dict[NodeId, tuple[int, int]] = field(default_factory=dict)  # successor -> (not before, failures)
    echoes: dict[int, int] = field(
        default_factory=dict
    )  # heartbeats and pongs, which pings echo: sequence -> when sent
    out: list[Effect] = field(default_factory=list)
    sequence: int = 0
    dropped: dict[str, int] = field(default_factory=dict)  # reason -> datagrams that were decoded and not believed
    namesake: Namesake = field(default_factory=Namesake)

    def __post_init__(self) -> None:
        self.detector = Detector(self.timing, self.now_us)

    # -- deadlines that follow from something else ------------------------------------------------------------------------

    @property
    def expires_at_us(self) -> int:
        """When a follower gives its leader up. (Any other promise just runs out.)"""
        return self.promise.until_us if self.role is Role.FOLLOWER else NEVER

    @property
    def claim_at_us(self) -> int:
        return NEVER if self.campaign is None else self.campaign.due_us(self.timing)

    @property
    def offer_at_us(self) -> int:
        return NEVER if self.handover is None else self.handover.due_us(self.timing)

    @property
    def drain_over_us(self) -> int:
        return NEVER if self.drain is None or self.drain.done else self.drain.over_us

    @property
    def yielded_at_us(self) -> int:
        return NEVER if self.yielded is None else self.yielded.due_us(self.timing)

    @property
    def lease_over_at_us(self) -> int:
        return self.lease_end_us if self.role is Role.LEADER and self.in_quorum_mode else NEVER

    # -- facts ---------------------------------------------------------------------------------------------------------

    @property
    def timing(self) -> Timing:
        return self.settings.timing

    @property
    def priority(self) -> int:
        return self.settings.priority

    @property
    def in_quorum_mode(self) -> bool:
        return bool(self.voters.names)

    @property
    def is_voter(self) -> bool:
        return self.settings.name in self.voters.names

    @property
    def is_bound(self) -> bool:
        """Its promise is a voter's: it votes, or may go back to a list by which it has."""
        before = self.voters.before
        return self.is_voter or (before is not None and self.settings.name in before.names)

    @property
    def is_blank(self) -> bool:
        """A voter that does not know what it has promised before."""
        return self.is_voter and not self.learned

    @property
    def voter_list(self) -> VoterList:
        return self.voters.id

    @property
    def rank(self) -> tuple[int, int]:
        return (-self.priority, self.id)

    @property
    def ineligible_reason(self) -> str | None:
        """Why this node must not lead now, or None."""
        if self.namesake.is_there:
            return "duplicate-id"
        if self.priority == 0:
            return "priority-0"
        if self.orders.stopping:
            return "stopping"
        if self.now_us < self.orders.abstain_until_us:
            return "step-down"
        if self.orders.unfit:
            return self.orders.unfit
        return "state-not-writable" if self._waits_for_disk() else None

    def _waits_for_disk(self) -> bool:
        """The term that it needs next has been on the way to the disk for too long. (Who leads or has its claim out has its
        term.)"""
        if self.role is Role.LEADER or (self.campaign is not None and self.campaign.started_us != NEVER):
            return False
        return self.durable.is_overdue(self.now_us, self.timing.claim_timeout_us) and not self._has_term

    @property
    def _has_term(self) -> bool:
        """The next term that it would claim is durable."""
        return self.term_seen < self.durable.ceiling

    @property
    def can_claim(self) -> bool:
        """At once: what is prepared must not wait for a disk."""
        return self.eligible and self._has_term

    @property
    def eligible(self) -> bool:
        return self.ineligible_reason is None

    @property
    def leader(self) -> Ballot:
        """The ballot that this node leads or follows right now; NO_BALLOT = it knows of no leader."""
        if self.role is Role.LEADER:
            return self.ballot
        return self.promise.led if self.role is Role.FOLLOWER else NO_BALLOT

    def followed(self) -> Member | None:
        """The leader's entry, while this node follows."""
        if self.role is not Role.FOLLOWER:
            return None
        return self.members.find(self.promise.ballot.node, self.promise.session)

    def _position(self, among: Iterable[Member], without: NodeId) -> int:
        """How many eligible ones would be asked to lead before this node."""
        return sum(1 for m in among if m.eligible and m.rank < self.rank and m.node != without)

    def _before_me(self, without: NodeId) -> tuple[int, int]:
        """How many would be asked to lead before this node: one after the other, and as one of a crowd. That are those that are
        only heard of, for somebody may have made them up, and all of a large cluster."""
        proven = self._position(self.members.alive(), without)
        unproven = self._position(self.members.heard_of_lately(self.now_us), without)
        return (0, proven + unproven) if self.is_large else (proven, unproven)

    def turn_us(self, *, without: NodeId = NOBODY) -> int:
        """How long this node leaves it to the better ones to claim."""
        others, crowd = self._before_me(without)
        slot_us = self.scale.patient_us(self.timing.slot_us, after=self.duels)
        return (others + min(crowd, _SLOTS_MAX)) * slot_us + self._chance_us(crowd)

    def _chance_us(self, crowd: int) -> int:
        """Behind so many a turn is a matter of chance, whatever became of those before."""
        return self.jitter(0, self.scale.turns_us) if crowd > _SLOTS_MAX else 0

    @property
    def scale(self) -> Scale:
        """The times that depend on how many there are."""
        heard_of, proven = len(self.members.heard_of()), self._proven
        return Scale(
            self.settings.timing,
            members=max(len(self.members.verified()) + heard_of + 1, self.counted),
            proven=proven,
            is_large=proven > self.settings.mesh_max,
        )

    @property
    def _proven(self) -> int:
        """How many members there are, as far as nobody can make them up: verified ones, or as many as the leader counts."""
        return max(len(self.members.verified()) + 1, self.counted)

    @property
    def is_large(self) -> bool:
        """Too many for everybody to verify everybody."""
        return self._proven > self.settings.mesh_max

    def look_at_line(self) -> None:
        """Somebody new may be in it."""
        self._third_until_us = 0
        self.in_line = self.role is Role.FOLLOWER and self.is_next(self.rank)

    def is_next(self, rank: tuple[int, int]) -> bool:
        """Whether who has this rank would be among the first three to lead if the leader went."""
        if self.now_us >= self._third_until_us:  # looked up now and then: a large cluster has much to look through
            leader = self.promise.led.node
            known = self.members.everybody_alive(self.now_us)
            ranks = [m.rank for m in known if m.eligible and m.node != leader]
            self._third = third_rank([*ranks, self.rank] if self.eligible else ranks)
            self._third_until_us = self.now_us + self.scale.line_us
        return self._third is None or rank <= self._third

    def hears_foreign_leader(self) -> bool:
        return self.foreign.is_heard(self.now_us, self.timing.leader_timeout_us)

    def note_contact(self, member: Member, sent_us: int) -> None:
        """It provably heard what this node sent then."""
        member.contact_us = max(member.contact_us, sent_us)
        if self.role is Role.LEADER:
            self.contact_us = max(self.contact_us, sent_us)

    def has_contact(self) -> bool:
        """Some live member provably heard this node a short while ago."""
        fresh_us = self.now_us - self.timing.contact_us
        return any(m.contact_us >= fresh_us for m in self.members.alive())

    @property
    def lease_end_us(self) -> int:
        """When this node, if it leads, stops saying so: a little before its lease is over."""
        return self.lease_until_us - self.timing.lease_us // _LEASE_GUARD

    @property
    def lease_ms(self) -> int:
        """What a promise to this node is counted on for; 0 in availability mode."""
        return self.timing.lease_us // MS if self.in_quorum_mode else 0

    def is_lonely(self) -> bool:
        """Leader without a fresh proof that anybody hears it. (In quorum mode it would have lost its lease.)"""
        if self.in_quorum_mode:
            return False
        return self.contact_us < 0 or self.now_us - self.contact_us > self.timing.contact_us

    def ticket(self, ballot: Ballot, session: SessionId) -> Ticket:
        """With it this node claims the promises to that ballot: who held it gave it to this node, or is dead."""
        return Ticket(ballot=ballot, session=session, successor=self.id, successor_session=self.session)

    def me(self) -> Peer:
        return Peer(node=self.id, name=self.settings.name, priority=self.priority, endpoint=None)

    def peer(self, node: NodeId) -> Peer | None:
        if node == NOBODY:
            return None
        if node == self.id:
            return self.me()
        member = self.members.get(node)
        if member is None:
            return Peer(node=node, name=f"{node:016x}", priority=0, endpoint=None)
        return Peer(node=node, name=member.name, priority=member.priority, endpoint=member.endpoint)

    # -- saying --------------------------------------------------------------------------------------------------------

    def datagram(
        self,
        body: Body,
        *,
        destination: NodeId = NOBODY,
        receiver: SessionId = NO_SESSION,
        multicast: bool = False,
    ) -> Datagram:
        self.sequence += 1
        header = self.header(self.sequence, destination=destination, receiver=receiver, multicast=multicast)
        return Datagram(header, body)

    def header(
        self,
        sequence: int,
        *,
        destination: NodeId = NOBODY,
        receiver: SessionId = NO_SESSION,
        multicast: bool = False,
    ) -> Header:
        return Header(
            cluster=self.settings.cluster,
            source=self.id,
            destination=destination,
            session=self.session,
            receiver=receiver,
            sequence=sequence,
            leader=self.leader,
            floor=self.promise.ballot,
            priority=self.priority,
            role=self.role,
            eligible=self.eligible,
            voters=self.voter_list,
            wanted=digest_of(self.settings.voters),
            blank=self.is_blank,
            multicast=multicast,
        )

    def send(self, body: Body, to: Member) -> int:
        """Unicast to a member; the sequence number it went out with."""
        return self.send_to(body, node=to.node, session=to.session, endpoint=to.endpoint)

    def send_to(self, body: Body, *, node: NodeId, session: SessionId, endpoint: Endpoint) -> int:
        """Unicast to that session of that node (or to whoever is there)."""
        self.out.append(Send(self.datagram(body, destination=node, receiver=session), endpoint))
        return self.sequence

    def multicast(
        self, body: Body, *, everywhere: bool = False, broadcast: bool = False, destination: NodeId = NOBODY
    ) -> int:
        datagram = self.datagram(body, destination=destination, multicast=True)
        self.out.append(Multicast(datagram, everywhere=everywhere, broadcast=broadcast))
        return self.sequence

    def beat(self) -> None:
        """The leader's heartbeat, and when the next one is due."""
        alive = len(self.members.alive()) + 1
        # A lease hangs on each of them, so in quorum mode none is left out.
        self.beat_every_us = self.timing.heartbeat_us if self.in_quorum_mode else self.scale.beat_us(alive)
        body = Heartbeat(
            interval_ms=self.beat_every_us // MS, lonely=self.is_lonely(), alive=alive, lease_ms=self.lease_ms
        )
        self.remember_echo(self.multicast(body))
        self.beat_us = self.now_us
        self.heartbeat_at_us = self.now_us + self.beat_every_us

    @property
    def stalls_at_us(self) -> int:
        """As leader: from then on it has been silent for so long that others may have replaced it."""
        return self.beat_us + self.timing.stall_us + self.beat_every_us - self.timing.heartbeat_us

    def remember_echo(self, sequence: int) -> None:
        while len(self.echoes) >= _ECHOES_MAX:
            del self.echoes[next(iter(self.echoes))]
        self.echoes[sequence] = self.now_us

    def drop(self, reason: str) -> None:
        self.dropped[reason] = self.dropped.get(reason, 0) + 1

    def jitter(self, low_us: int, high_us: int) -> int:
        return self.rng.randint(low_us, high_us)

    def end_handover(self, leader: NodeId) -> None:
        """Somebody leads after this node resigned. If it is not the one that got the ticket, that one gets none for a
        while."""
        yielded, self.yielded = self.yielded, None
        if yielded is None:
            return
        successor = yielded.ticket.successor
        if leader == successor:
            self.refused_handover.pop(successor, None)
        else:
            self.refuse_handover(successor)

    def refuse_handover(self, successor: NodeId) -> None:
        """What was to be given to it came to nothing: for a while, and longer each time, it is not tried again."""
        _, failures = self.refused_handover.get(successor, (0, 0))
        wait_us = min(_REFUSED_US << min(failures, 10), _REFUSED_US_MAX)
        self.refused_handover[successor] = (self.now_us + wait_us, failures + 1)

    # -- becoming ------------------------------------------------------------------------------------------------------

    def become(self, role: Role, reason: Reason | None = None) -> None:
        """The only place where the role changes. Whatever belonged to the old role ends here."""
        self.role = role
        self._third_until_us = 0
        if reason is not None:
            self.why = reason
        if role is not Role.LEADER:
            for member in self.members.verified():
                member.rival = False
            self.ballot = NO_BALLOT
            self.heartbeat_at_us = NEVER
            self.handover = self.drain = None
            self.echoes.clear()  # what proved the old leadership proves no new one
        if role is not Role.FOLLOWER:
            self.ping_at_us = self.preempt_at_us = NEVER
        if role is not Role.SEEKING:
            self.seek_at_us = NEVER
        else:
            self.sweep_at_us = min(self.sweep_at_us, self.now_us + SECOND // 2)
        if role is not Role.JOINING:
            self.join_at_us = NEVER
        if role not in (Role.SEEKING, Role.CANDIDATE):
            self.inherited = None
        if role in (Role.FOLLOWER, Role.LEADER):
            self.duels = 0
        if role is Role.FOLLOWER:
            self.failures = 0  # to lead alone is no success

    def join(self, reason: Reason) -> None:
        """Listen, and claim nothing before `join_wait` is over."""
        self.campaign = None
        self.let_go()
        self.become(Role.JOINING, reason)
        self.join_at_us = (
            self.now_us + self.timing.join_wait_us if self.orders.links and not self.namesake.is_there else NEVER
        )
        self.announced = 0
        self.announce_at_us = self.now_us if self.orders.links and not self.namesake.is_there else NEVER

    def let_go(self) -> None:
        """The leader is gone, as far as this node believes. In availability mode somebody else may have the promise now; a
        voter's belief frees nothing but what it promised to itself: it waits for the promise's end."""
        if not self.is_bound or self.promise.is_held_by(self.session):
            self.promise.release()

    def seek(self, reason: Reason | None, *, delay_us: int) -> None:
        """No leader: claim after the delay, unless one shows up."""
        self.campaign = None
        self.become(Role.SEEKING, reason)
        self.seek_at_us = self.now_us + max(delay_us, 0)

    def back_off(self) -> None:
        """A claim came to nothing: come again later, and ever later while there is no two-way contact with anybody (an odd ring
        of one-way links would rotate for ever)."""
        self.failures = 0 if self.has_contact() else self.failures + 1
        self.waits_for_foreign = self.hears_foreign_leader()
        unit_us = 2 * self.timing.leader_timeout_us
        wait_us = self.jitter(unit_us, 2 * unit_us) << min(self.failures, 5)
        _, crowd = self._before_me(NOBODY)
        self.seek(None, delay_us=wait_us + self._chance_us(crowd))

    def follow(self, leader: Member, ballot: Ballot, reason: Reason | None = None) -> None:
        """Promise to a leader after a round trip with it, or after having granted its claim."""
        if self.leader != ballot:
            # In a large one others need not know whom each follows, and a newcomer is about to say more of itself anyway.
            if not self.is_large and self.announced > len(ANNOUNCE_FIRST_US):
                self.announce_at_us = min(self.announce_at_us, self.now_us + self.jitter(0, self.scale.spread_us))
            self.followed_us = self.now_us
            self.followed_priorities = (leader.priority, self.priority)
        self.campaign = None
        self.end_handover(leader.node)
        self.become(Role.FOLLOWER, reason)
        self.detector.begin(self.now_us)
        until_us = self.promise_until_us(leader)
        if self.promise.ballot > ballot:  # it has asked this node for more since, and still leads under the old ballot
            self.promise.renew(ballot, until_us=until_us)
        else:
            self.promise.give(ballot, leader.session, until_us=until_us, led=True)
        self.ping_at_us = self.prove_at_us = self.now_us + self._first_ping_us()

    def promise_until_us(self, leader: Member) -> int:
        """How long a promise to a leader lasts that has just been heard. A voter's never gets shorter."""
        if not self.in_quorum_mode:
            return self.now_us + self.detector.limit_us
        lease_us = leader.lease_ms * MS or self.timing.lease_us
        held_us = self.promise.until_us if self.promise.is_held_by(leader.session) else 0
        return max(held_us, self.now_us + promise_us(lease_us))

    def _first_ping_us(self) -> int:
        """A large cluster would storm its new leader, which has just heard from each of them anyway."""
        self.in_line = self.is_next(self.rank)
        return 0 if self.in_line or not self.is_large else self.jitter(0, self.scale.spread_us)

    def lead(self, ballot: Ballot, reason: Reason) -> None:
        """The claim was won (or raised). The first heartbeat goes out with it."""
        assert ballot.node == self.id
        assert ballot.term <= self.durable.ceiling
        self.promise.give(ballot, self.session, until_us=NEVER, led=True)
        self.end_handover(self.id)
        self.become(Role.LEADER, reason)
        self.ballot = ballot
        self.raised_us = self.now_us
        self.beat()
