"""One core and scripted peers: what a unit test of the election needs. Time passes only where a test says so."""

import random
from dataclasses import dataclass, field
from typing import TypeVar

from kingd.core.effect import Effect, Event, EventKind, Multicast, Persist, Send
from kingd.core.election import Core
from kingd.core.settings import Settings, Voters
from kingd.core.state.node import Node
from kingd.core.state.roles import Follower, Leader, Seeking
from kingd.core.timing import MS, Timing, promise_us
from kingd.core.wire.endpoint import Endpoint
from kingd.core.wire.message import (
    NO_BALLOT,
    NO_SESSION,
    NOBODY,
    Announce,
    Ballot,
    Body,
    Claim,
    Datagram,
    Grant,
    Header,
    Heartbeat,
    Ineligible,
    NodeId,
    Probe,
    ProbeAck,
    Reason,
    Refuse,
    Resign,
    Role,
    SessionId,
    Term,
)
from kingd.core.wire.voter_list import NO_VOTERS, Generation, VoterList
from kingd.daemon import sentences

T = TypeVar("T")
CLUSTER = 7
ME = NodeId(50)
MY_SESSION = SessionId(5000)
VOTERS = ("box60", "box70", "me")
LIST = Voters(VOTERS).id


def made(names: tuple[str, ...], number: int, *, term: int = 5) -> Voters:
    """A list by the leader of this term, which had made so many."""
    return Voters(names, Generation(Term(term), number))


def ballot(term: int, node: int) -> Ballot:
    return Ballot(Term(term), NodeId(node))


def refusal(claim: Claim, holder: Ballot, session: int, *, led: bool, remaining_ms: int) -> Refuse:
    """Of this claim: that session holds the promise."""
    return Refuse(
        term=claim.term,
        attempt=claim.attempt,
        pre_vote=claim.pre_vote,
        holder=holder,
        holder_session=SessionId(session),
        led=led,
        remaining_ms=remaining_ms,
    )


def resignation(
    given_up: Ballot, reason: Reason, *, to: int = NOBODY, session: int = 0, leaving: bool = False
) -> Resign:
    return Resign(
        ballot=given_up,
        successor=NodeId(to),
        successor_session=SessionId(session),
        reason=reason,
        leaving=leaving,
    )


@dataclass
class Peer:
    """Another host, whose every word is written in the test."""

    node: int
    session: int = 0
    priority: int = 100
    role: Role = Role.SEEKING
    leader: Ballot = NO_BALLOT
    floor: Ballot = NO_BALLOT
    eligible: bool = True
    ineligible: Ineligible = Ineligible.UNSAID
    voters: VoterList = NO_VOTERS
    wanted: int = 0  # digest of its configuration's list; 0: that of `voters`
    recovering: bool = False
    begun: bool = False
    by_list: bool = True  # if it leads
    key_id: int = 0
    sequence: int = 0
    name: str = ""
    endpoint: Endpoint = field(init=False)

    def __post_init__(self) -> None:
        self.session = self.session or self.node * 100
        self.name = self.name or f"box{self.node}"
        self.endpoint = Endpoint(f"10.0.0.{self.node % 250}", 5466, "eth0")

    def leads(self, term: int) -> "Peer":
        self.role, self.leader = Role.LEADER, ballot(term, self.node)
        self.floor = self.leader
        return self

    def restarted(self) -> "Peer":
        return Peer(
            node=self.node, session=self.session + 1, priority=self.priority, name=self.name, voters=self.voters
        )

    def says(self, body: Body, *, to: int = ME, receiver: SessionId = MY_SESSION, multicast: bool = False) -> Datagram:
        self.sequence += 1
        asks = isinstance(body, Claim) and not body.pre_vote and self.role is not Role.LEADER
        header = Header(
            cluster=CLUSTER,
            source=NodeId(self.node),
            destination=NOBODY if multicast else NodeId(to),
            session=SessionId(self.session),
            receiver=NO_SESSION if multicast else receiver,
            sequence=self.sequence,
            leader=self.leader,
            floor=self.floor,
            priority=self.priority,
            role=Role.CANDIDATE if asks else self.role,
            eligible=self.eligible and not self.ineligible,
            ineligible=self.ineligible,
            voters=self.voters,
            wanted=self.wanted or self.voters.digest,
            recovering=self.recovering,
            begun=self.begun,
            by_list=self.by_list and self.role is Role.LEADER and bool(self.voters.digest),
            multicast=multicast,
            key_id=self.key_id,
        )
        return Datagram(header, body)


def voter(node: int) -> Peer:
    return Peer(node=node, priority=10, voters=LIST)


def settings_voters(changes: dict[str, object]) -> tuple[str, ...]:
    voters = changes.get("voters", ())
    assert isinstance(voters, tuple)
    return voters


class Bench:
    """The core under test; `effects` is all that it asked for since `clear`."""

    def __init__(
        self,
        *,
        priority: int = 100,
        ceiling: int = 0,
        hold_us: int = 0,
        in_force: Voters | None = None,
        has_disk: bool = True,
        has_link: bool = True,
        unfit: dict[Ineligible, int] | None = None,
        **changes: object,
    ) -> None:
        voters = settings_voters(changes)
        if ceiling and voters:  # it has been one before
            hold_us, in_force = hold_us or promise_us(Timing().lease_us), in_force or Voters(voters)
        self.now_us = 1_000_000
        self.has_disk = has_disk
        self.effects: list[Effect] = []
        settings = Settings(cluster=CLUSTER, name="me", version="0", priority=priority, **changes)  # type: ignore[arg-type]
        self.core = Core(
            settings,
            node_id=ME,
            session=MY_SESSION,
            rng=random.Random(1),
            now_us=self.now_us,
            ceiling=Term(ceiling),
            hold_us=hold_us,
            in_force=in_force,
            unfit=unfit,
        )
        self.perform(self.core.links_changed(1 if has_link else 0, now_us=self.now_us))

    @property
    def node(self) -> Node:
        return self.core.node

    @property
    def leading(self) -> Leader:
        state = self.core.node.state
        assert isinstance(state, Leader)
        return state

    @property
    def following(self) -> Follower:
        state = self.core.node.state
        assert isinstance(state, Follower)
        return state

    @property
    def seeking(self) -> Seeking:
        state = self.core.node.state
        assert isinstance(state, Seeking)
        return state

    def role(self) -> Role:  # no property: mypy would take it for constant
        return self.core.node.role

    # -- what happens

    def perform(self, effects: list[Effect]) -> list[Effect]:
        done_here = [not isinstance(effect, Send | Multicast) for effect in effects]
        assert done_here == sorted(done_here), "what goes to other hosts comes first"
        self.effects += effects
        for effect in effects:
            if isinstance(effect, Persist) and self.has_disk:
                self.perform(
                    self.core.persisted(
                        effect.ceiling, hold_us=effect.hold_us, in_force=effect.voters, now_us=self.now_us
                    )
                )
        return effects

    def deliver(self, datagram: Datagram, source: Endpoint) -> list[Effect]:
        return self.perform(self.core.receive(datagram, source=source, now_us=self.now_us))

    def hear(self, peer: Peer, body: Body, *, multicast: bool = False) -> list[Effect]:
        return self.deliver(peer.says(body, multicast=multicast), peer.endpoint)

    def advance(self, duration_us: int) -> None:
        """Time passes; every timer fires when it is due."""
        end_us = self.now_us + duration_us
        while self.core.deadline_us <= end_us:
            self.now_us = max(self.now_us, self.core.deadline_us)
            self.perform(self.core.tick(now_us=self.now_us))
        self.now_us = end_us

    def advance_ms(self, duration_ms: int) -> None:
        self.advance(duration_ms * MS)

    def run_late(self, duration_us: int) -> None:
        """The process does not run for so long, and then all its timers are late."""
        self.now_us += duration_us
        self.perform(self.core.tick(now_us=self.now_us))

    def meet(self, *peers: Peer) -> None:
        """Each announces itself and answers the challenge."""
        for peer in peers:
            self.hear(peer, Announce(name=peer.name, version="0", interval_ms=3_600_000), multicast=True)
            self.acknowledge(peer)

    def acknowledge(self, peer: Peer) -> None:
        """Answer the newest probe that was sent to the peer."""
        probes = [d.body for d in self.sent_to(peer) if isinstance(d.body, Probe)]
        self.hear(peer, ProbeAck(echo=probes[-1].nonce, name=peer.name, version="0", returns=0))

    def acknowledge_from(self, peer: Peer) -> None:
        """Answer the newest probe that went to where this peer is, if there is one."""
        sends = [e for e in self.effects if isinstance(e, Send) and e.to == peer.endpoint]
        probes = [e.datagram.body for e in sends if isinstance(e.datagram.body, Probe)]
        if probes:
            self.hear(peer, ProbeAck(echo=probes[-1].nonce, name=peer.name, version="0", returns=0))

    def beat(self, leader: Peer, *, lonely: bool = False, lease_ms: int = 0, alive: int = 0) -> list[Effect]:
        """`alive`: as many as the leader counts, if it is another number than this node does."""
        alive = alive or len(self.node.members.alive()) + 1
        return self.hear(
            leader, Heartbeat(interval_ms=100, lonely=lonely, alive=alive, lease_ms=lease_ms), multicast=True
        )

    # -- how it gets into a role

    def become_candidate(self, *peers: Peer) -> Claim:
        """The peers are there, outranked, and silent: its claim is out."""
        self.meet(*peers)
        while self.role() is not Role.CANDIDATE or not self.sent(Claim):
            self.advance(max(0, self.core.deadline_us - self.now_us))
        return self.claim

    def become_leader(self, *peers: Peer) -> None:
        claim = self.become_candidate(*peers)
        for peer in peers:
            self.hear(peer, Grant(term=claim.term, attempt=claim.attempt))
        while self.role() is not Role.LEADER:
            self.advance(max(0, self.core.deadline_us - self.now_us))

    # -- what it did

    def clear(self) -> None:
        self.effects.clear()

    def datagrams(self) -> list[Datagram]:
        return [e.datagram for e in self.effects if isinstance(e, Send | Multicast)]

    def sent_to(self, peer: Peer) -> list[Datagram]:
        return [d for d in self.datagrams() if d.header.destination == peer.node]

    def sent(self, kind: type[T]) -> list[T]:
        return [d.body for d in self.datagrams() if isinstance(d.body, kind)]

    def answer(self, peer: Peer, kind: type[T]) -> T:
        """The newest message of this kind to the peer."""
        return [d.body for d in self.sent_to(peer) if isinstance(d.body, kind)][-1]

    @property
    def claim(self) -> Claim:
        return self.sent(Claim)[-1]

    def events(self) -> list[EventKind]:
        return [e.kind for e in self.effects if isinstance(e, Event)]

    def problems(self) -> tuple[str, ...]:
        """As users are told them."""
        return tuple(map(sentences.problem, self.core.status(self.now_us).problems))

    def told(self) -> list[Event]:
        return [e for e in self.effects if isinstance(e, Event)]

    def leader_name(self) -> str | None:
        leader = self.core.status(self.now_us).leader
        return leader.name if leader else None
