"""One host's side of the exploration: what one core does with one input, computed once and remembered.

A host's state has a number. `Locals.step` says what becomes of it with one input at one time of its clock, and what
it sends. A core is a function of its state, its input and the time: so each combination is computed once, by the
real core, however many states of the whole it is part of. The invariants of one host are in `watch.py`."""

from collections.abc import Iterator
from dataclasses import fields, replace
from random import Random
from typing import NamedTuple

from kingd.core.effect import Effect, EventKind, Multicast, Persist, Send
from kingd.core.election import Core
from kingd.core.problems import StepDownError
from kingd.core.rules import contact, following, proof
from kingd.core.settings import Settings, digest_of
from kingd.core.state.detector import Detector
from kingd.core.state.members import ReplayWindow, State
from kingd.core.state.node import Node
from kingd.core.state.roles import Follower, Leader
from kingd.core.timing import NEVER
from kingd.core.wire.endpoint import Endpoint
from kingd.core.wire.message import (
    Announce,
    Ballot,
    Datagram,
    Grant,
    Heartbeat,
    NodeId,
    Ping,
    Probe,
    ProbeAck,
    Reason,
    Refuse,
    Role,
    SessionId,
    Term,
    VoterList,
)
from kingd.explorer.frozen import Frozen, freeze, thaw
from kingd.explorer.scope import TICK_US, Fault, Scope
from kingd.explorer.watch import Before, Watch, look

ORIGIN_US = 1000 * TICK_US  # where all clocks begin
MEETING = (Announce, Probe, ProbeAck)
_PER_TICK = 32  # sequence numbers in a tick: a whole run stays within the replay window
_RECOVERING = Persist(Term(0), Term(0))
_ALWAYS = 1 << 60  # a time that is never long ago

Input = int | str | Fault
"""A message's number; "timer", "disk", "start", "announce", "sweep" or "met"; a fault."""


class Host(NamedTuple):
    """All of one host that can make a difference."""

    place: int  # in the scope's hosts
    settings: Settings
    starts: int
    forgotten: int  # how often it lost its disk
    disk: Persist
    writing: tuple[Persist, ...]
    watch: Watch
    exported_us: int  # a lease of an earlier session on which somebody still acts
    core: Frozen  # None: does not run
    began_us: int = ORIGIN_US  # its process, by its clock
    copied: int | None = None  # the place of the host whose state folder it has

    @property
    def node_id(self) -> NodeId:
        place = self.place if self.copied is None else self.copied
        return NodeId(place + 1 + 16 * self.forgotten)

    @property
    def session(self) -> SessionId:
        return SessionId(256 * (self.place + 1) + self.starts)


def place_of(session: SessionId) -> int:
    """The host whose session this is."""
    return session // 256 - 1


class Message(NamedTuple):
    target: int
    datagram: Datagram
    lost_us: int  # when it has been on its way for too long


class Step(NamedTuple):
    after: int
    sends: tuple[int, ...]
    wrong: str | None
    leads: tuple[Ballot, SessionId] | None  # a leadership that began with it


class View(NamedTuple):
    """What the whole needs to know of a host's state."""

    role: Role | None  # None: does not run
    deadline_us: int
    instants_us: tuple[int, ...]  # of its clock: when something falls due
    writes: bool
    term: Term  # highest that it has promised or claimed
    exported_us: int
    attempt: int | None  # of its claim that is out
    recovering: bool  # a voter that has not learned yet what it may promise
    newest: dict[SessionId, int]  # session -> newest sequence number that was heard of it
    duplicate: bool  # another one has its node id, and keeps it
    waits: bool  # another list than the one in force is wanted
    says: "Says | None"
    heard: "dict[SessionId, Says]"  # of each other session, as far as it has heard


class Says(NamedTuple):
    """What a host says of its lists."""

    voters: VoterList
    wanted: int
    recovering: bool


class Nonces(Random):
    """In place of a random generator: numbers that differ, and delays that are always the shortest. Without a state of
    its own: it counts on from what the session has sent."""

    value = 0

    def getrandbits(self, k: int, /) -> int:
        self.value += 1
        return self.value

    def randint(self, a: int, b: int) -> int:
        return min(-(-a // TICK_US) * TICK_US, b)

    def sample(self, population, k, *, counts=None):  # type: ignore[no-untyped-def] # as its parent
        return list(population)[:k]


def endpoint(index: int) -> Endpoint:
    return Endpoint(f"10.0.0.{index}", 5466, "sim0")


class Locals:
    def __init__(self, scope: Scope) -> None:
        self.scope = scope
        self.hosts: list[Host] = []
        self.messages: list[Message] = []
        self.views: list[View] = []
        self.seen: set[tuple[str, str, str, str, tuple[str, ...]]] = set()  # host, input, role before and after, output
        self._starting = True  # everything travels
        self._numbers: dict[Host, int] = {}
        self._message_numbers: dict[Message, int] = {}
        self._steps: dict[tuple[int, Input, int], Step] = {}
        self._leading: dict[tuple[int, int], Ballot | None] = {}
        self.nonces = Nonces()

    def first(self, index: int) -> int:
        """A host that was never started."""
        return self._number(Host(index, self.scope.hosts[index], 0, 0, _RECOVERING, (), Watch(), 0, None), None)

    def adopt(self, host: Host) -> int:
        """A host as it was found elsewhere."""
        return self._number(host, None if host.core is None else thaw(host.core))

    def copy(self, local: int, *, of: int, place: int) -> int:
        """A host that has the state folder of another one, and does not run yet."""
        return self._number(self.hosts[local]._replace(disk=self.hosts[of].disk, copied=place), None)

    def started(self) -> None:
        """From now on the scope says what travels."""
        self._starting = False
        self._steps.clear()
        self.seen.clear()

    def kept(self, message: int) -> int:
        """The same datagram, however long it takes."""
        target, datagram, _ = self.messages[message]
        return self._intern(Message(target, datagram, NEVER))

    def poisoned(self, message: int, term: Term) -> list[int]:
        """The same datagram with this term in it: in each place in turn that may name one."""
        target, datagram, lost_us = self.messages[message]
        return [self._intern(Message(target, d, lost_us)) for d in _poisoned(datagram, term)]

    def carries(self, message: int) -> bool:
        return type(self.messages[message].datagram.body) in self.scope.carries

    def step(self, local: int, given: Input, clock_us: int) -> Step:
        key = (local, given, clock_us)
        step = self._steps.get(key)
        if step is None:
            step = self._steps[key] = self._compute(self.hosts[local], given, clock_us)
        return step

    def leading(self, local: int, clock_us: int) -> Ballot | None:
        """What it leads, as it would answer now."""
        key = (local, clock_us)
        if key not in self._leading:
            core: Core = thaw(self.hosts[local].core)
            status = core.status(clock_us)
            self._leading[key] = status.ballot if status.role is Role.LEADER else None
        return self._leading[key]

    def is_spent(self, local: int, message: int) -> bool:
        """Whether it can never make a difference to this host again: an answer to a claim that is over, or a heartbeat that
        was overtaken. (Both know their place: a host that was not there when they were sent is never asked.)"""
        view, datagram = self.views[local], self.messages[message].datagram
        header, body = datagram.header, datagram.body
        newest = view.newest.get(header.session)
        if newest is None or header.sequence > newest:
            return False
        if isinstance(body, (Grant, Refuse)):
            return view.attempt != body.attempt
        return isinstance(body, Heartbeat)

    def _compute(self, host: Host, given: Input, clock_us: int) -> Step:
        if given == "start":
            return self._start(host, clock_us)
        if isinstance(given, Fault) and given.kind == "start":
            return self._start(host, clock_us)
        if isinstance(given, Fault) and given.kind in ("crash", "restart", "forget"):
            ended = self._end(host, given, clock_us)
            if given.kind == "crash":
                return self._settle(ended, None, host, given, [], None, clock_us)
            return self._start(ended, clock_us)
        core: Core = thaw(host.core)
        node = core.node
        _prepare(node, clock_us - host.began_us)
        self.nonces.value = node.out.sequence << 4
        sequence = node.out.sequence
        before = Before.of(node, clock_us)
        cause = self.messages[given].datagram if isinstance(given, int) else None
        if cause is not None and self._is_meeting(cause):
            _expect_anew(node, cause)
        disk, writing = host.disk, host.writing
        if given == "disk":
            disk, writing = writing[0], writing[1:]
        effects = _round_off(node) if given == "met" else _enter(core, given, cause, disk, clock_us)
        disk, writing = self._write(core, effects, disk, writing, clock_us)
        _silence(node)
        if not self._starting and given != "announce" and (cause is None or not self._is_meeting(cause)):
            if given != "met":
                node.out.sequence = self._newest(effects, sequence)
            _tidy(node, self.scope, clock_us)
        watch, wrong = look(host.watch, before, node, effects, cause, disk)
        if core.deadline_us > clock_us:
            node.now_us = ORIGIN_US  # when it last ran matters to who is late only
        after = host._replace(disk=disk, writing=writing, watch=watch, settings=node.settings, core=freeze(core))
        leads = (node.ballot, node.session) if node.ballot not in (before.ballot, (0, 0)) else None
        return self._settle(after, core, host, given, effects, wrong, clock_us, leads, before.role)

    def _is_meeting(self, datagram: Datagram) -> bool:
        """It is part of round trips that happen at one moment."""
        return isinstance(datagram.body, MEETING) and type(datagram.body) not in self.scope.carries

    def _end(self, host: Host, fault: Fault, clock_us: int) -> Host:
        ended = host._replace(core=None, writing=(), watch=Watch(), exported_us=self._exported_us(host, clock_us))
        return ended._replace(forgotten=host.forgotten + 1, disk=_RECOVERING) if fault.kind == "forget" else ended

    def _exported_us(self, host: Host, clock_us: int) -> int:
        core: Core = thaw(host.core)
        leads = core.status(clock_us).role is Role.LEADER
        return core.node.lease_end_us if self.scope.exported and leads else host.exported_us

    def _start(self, host: Host, clock_us: int) -> Step:
        host = host._replace(starts=host.starts + 1, began_us=clock_us)
        self.nonces.value = 0
        core = Core(
            host.settings,
            node_id=host.node_id,
            session=host.session,
            rng=self.nonces,
            now_us=clock_us,
            ceiling=host.disk.ceiling,
            term=host.disk.term,
            hold_us=host.disk.hold_us,
            in_force=host.disk.voters,
        )
        effects = core.links_changed(1, now_us=clock_us)
        if host.copied is not None:
            effects += core.tick(now_us=clock_us)  # nobody is told of it in another way
        _silence(core.node)
        if not self._starting and host.copied is None:  # else it has asked already whether somebody has its id
            _tidy(core.node, self.scope, clock_us)
        disk, writing = self._write(core, effects, host.disk, (), clock_us)
        after = host._replace(core=freeze(core), disk=disk, writing=writing)
        return self._settle(after, core, host, "start", effects, None, clock_us)

    def _write(
        self, core: Core, effects: list[Effect], disk: Persist, writing: tuple[Persist, ...], clock_us: int
    ) -> tuple[Persist, tuple[Persist, ...]]:
        """What the disk holds, and what is on its way to it. A disk that is not explored takes no time."""
        asked = tuple(effect for effect in effects if isinstance(effect, Persist))
        if self.scope.disk and not self._starting:
            return disk, writing + asked
        waiting = list(asked)
        while waiting:
            disk = waiting.pop(0)
            more = core.persisted(disk.ceiling, hold_us=disk.hold_us, in_force=disk.voters, now_us=clock_us)
            waiting += [effect for effect in more if isinstance(effect, Persist)]
            effects += more
        return disk, ()

    def _settle(
        self,
        after: Host,
        core: Core | None,
        before: Host,
        given: Input,
        effects: list[Effect],
        wrong: str | None,
        clock_us: int,
        leads: tuple[Ballot, SessionId] | None = None,
        role: Role | None = None,
    ) -> Step:
        sends: list[int] = []
        for effect in effects:
            if isinstance(effect, Send):
                sends.append(self._message(int(effect.to.host.rsplit(".", 1)[1]), effect.datagram, clock_us))
            elif isinstance(effect, Multicast):
                others = [i for i in range(len(self.scope.hosts)) if i != before.place]
                sends += [self._message(i, effect.datagram, clock_us) for i in others]
        self.seen.add(
            (
                before.settings.name,
                self.word(given),
                role.name.lower() if role is not None else "-",
                core.node.role.name.lower() if core else "-",
                tuple(sorted({word(self.messages[m].datagram) for m in sends})),
            )
        )
        if wrong is not None:
            wrong = f"{wrong} ({before.settings.name})"
        return Step(self._number(after, core), tuple(sends), wrong, leads)

    def _newest(self, effects: list[Effect], before: int) -> int:
        """The sequence number of the last datagram that travels."""
        sent = [e.datagram for e in effects if isinstance(e, (Send, Multicast))]
        return max((d.header.sequence for d in sent if type(d.body) in self.scope.carries), default=before)

    def word(self, given: Input) -> str:
        if isinstance(given, int):
            return word(self.messages[given].datagram)
        return given if isinstance(given, str) else given.kind

    def _message(self, target: int, datagram: Datagram, sent_us: int) -> int:
        ticks = self.scope.ticks if type(datagram.body) in self.scope.any_time else self.scope.late_ticks
        return self._intern(Message(target, datagram, sent_us + round(ticks * TICK_US)))

    def _intern(self, message: Message) -> int:
        number = self._message_numbers.setdefault(message, len(self.messages))
        if number == len(self.messages):
            self.messages.append(message)
        return number

    def _number(self, host: Host, core: Core | None) -> int:
        number = self._numbers.setdefault(host, len(self.hosts))
        if number == len(self.hosts):
            self.hosts.append(host)
            self.views.append(_view(host, core))
        return number


def word(datagram: Datagram) -> str:
    body = datagram.body
    return f"{'pre-vote ' if getattr(body, 'pre_vote', False) else ''}{type(body).__name__.lower()}"


def _poisoned(datagram: Datagram, term: Term) -> Iterator[Datagram]:
    for part in ("header", "body"):
        of = getattr(datagram, part)
        for field in fields(of):
            value = getattr(of, field.name)
            if field.name == "term" or isinstance(value, Ballot):
                changed = value._replace(term=term) if isinstance(value, Ballot) else term
                yield replace(datagram, **{part: replace(of, **{field.name: changed})})


def _view(host: Host, core: Core | None) -> View:
    if core is None:
        return View(
            None,
            NEVER,
            (),
            writes=False,
            term=Term(0),
            exported_us=host.exported_us,
            attempt=None,
            recovering=False,
            newest={},
            duplicate=False,
            waits=False,
            says=None,
            heard={},
        )
    node = core.node
    instants = {us for us in (core.deadline_us, node.promise.until_us) if us < NEVER}
    claims = node.campaign.claim.term if node.campaign is not None and not node.campaign.claim.pre_vote else Term(0)
    term = max(node.promise.floor.term, claims)
    return View(
        node.role,
        core.deadline_us,
        tuple(sorted(instants)),
        writes=bool(host.writing),
        term=term,
        exported_us=host.exported_us,
        attempt=node.campaign.claim.attempt if node.campaign is not None else None,
        recovering=node.is_recovering,
        newest={m.session: m.window.newest for m in node.members.verified()},
        duplicate=node.namesake.is_there,
        waits=node.voters.names != node.settings.voters,
        says=Says(node.voters.id, digest_of(node.settings.voters), node.is_recovering),
        heard={m.session: Says(m.voters, m.wanted, m.recovering) for m in node.members.alive()},
    )


def _enter(core: Core, given: Input, cause: Datagram | None, disk: Persist, now_us: int) -> list[Effect]:
    if cause is not None:
        return core.receive(cause, source=endpoint(place_of(cause.header.session)), now_us=now_us)
    if given == "timer":
        return core.tick(now_us=now_us)
    if given == "disk":
        return core.persisted(disk.ceiling, hold_us=disk.hold_us, in_force=disk.voters, now_us=now_us)
    if given == "announce":
        core.node.rounds.announce_at_us = NEVER if core.node.namesake.is_there else now_us
        return core.tick(now_us=now_us)
    if given == "sweep":
        core.node.rounds.sweep_at_us = now_us
        return core.tick(now_us=now_us)
    assert isinstance(given, Fault)
    return _command(core, given, now_us)


def _command(core: Core, fault: Fault, now_us: int) -> list[Effect]:
    value = fault.value
    match fault.kind:
        case "stop":
            return core.stop(now_us=now_us)
        case "priority":
            assert isinstance(value, int)
            return core.set_priority(value, now_us=now_us)
        case "step-down":
            assert value is None or isinstance(value, str)
            try:
                return core.step_down(to=value, for_us=0, now_us=now_us)
            except StepDownError:
                return []
        case "reload":
            assert isinstance(value, tuple)
            effects = core.tick(now_us=now_us)
            if core.refusal(value) is None:
                effects += core.configure(replace(core.node.settings, voters=value), now_us=now_us)
            return effects
        case "timeout":
            assert isinstance(value, int)
            timing = replace(core.node.timing, leader_timeout_us=value * TICK_US)
            return core.configure(replace(core.node.settings, timing=timing), now_us=now_us)
        case "believe":
            return _believe(core, now_us)
        case "start" | "crash" | "restart" | "forget" | "repeat" | "stray" | "poison":
            raise AssertionError(fault)


def _believe(core: Core, now_us: int) -> list[Effect]:
    """What any sign of its leader's death comes to: an obituary, a refused connection, a new session of its host."""
    effects = core.tick(now_us=now_us)
    leader = core.node.followed()
    if leader is not None:
        contact.declare_gone(core.node, leader, EventKind.MEMBER_DEAD, Reason.LEADER_CRASHED)
        following.leader_gone(core.node, Reason.LEADER_CRASHED, proof.of_return(core.node))
    return effects + core.tick(now_us=now_us)


def _prepare(node: Node, age_us: int) -> None:
    """Sequence numbers go by the time since the session began, so that what was sent before does not tell states apart."""
    node.out.sequence = max(node.out.sequence, age_us // TICK_US * _PER_TICK)


def _expect_anew(node: Node, datagram: Datagram) -> None:
    """Whoever has started again had its last round trip in its former session before that: `_tidy` has forgotten when."""
    former = node.members.get(datagram.header.source)
    if former is not None and former.session != datagram.header.session:
        former.contact_us = 0


def _round_off(node: Node) -> list[Effect]:
    """Those who have met have sent more or fewer datagrams to each other, in one order or another: it makes no difference.
    Who came back under another id is known to be dead under the former one."""
    newest = {member.name: member for member in node.members.verified()}
    node.out.sequence |= _PER_TICK // 2 - 1
    for member in node.members.verified():
        member.window.newest |= _PER_TICK // 2 - 1
        if newest[member.name] is not member:
            member.state = State.DEAD
    return []


def _silence(node: Node) -> None:
    """No announcements but those of a meeting, and no sweeps but of who has to learn what it promised: nobody is silent for
    five announcements within a scope."""
    node.rounds.announce_at_us = node.namesake.at_us = NEVER
    if not node.is_recovering or node.role is Role.JOINING:
        node.rounds.sweep_at_us = NEVER


def _tidy(node: Node, scope: Scope, now_us: int) -> None:
    """Make alike what cannot make a difference within the scope: what does not travel was never sent; a run is shorter than
    the time in which a member or a contact grows stale, and no jitter is measured in it."""
    node.rounds.announced, node.strangers.since_us, node.strangers.probed = 3, 0, 0
    node.out.dropped.clear()
    node.strangers.unanswered.clear()
    node.strangers.earning.clear()
    node.foreign.sequences.clear()
    if not node.is_recovering:
        node.quorum.recovering_since_us = node.quorum.recover_from_us = 0
    if not node.is_recovering and Probe not in scope.carries:
        node.challenges = type(node.challenges)()
    node.detector = _tidied(node.detector, keeps_pings=Ping in scope.carries)
    _tidy_role(node, keeps_pings=Ping in scope.carries, now_us=now_us)
    node.rounds.rejoined_us = node.strangers.heard_us = -NEVER
    if not scope.disk:
        node.durable.ceiling_asked_us = 0
    for member in node.members.verified():
        member.heard_us = member.multicast_us = member.endpoint_us = member.endpoint_seen_us = _ALWAYS
        member.roster_us = _ALWAYS
        member.starts = ()
        if not node.is_recovering:
            member.contact_us = _ALWAYS
        if Ping not in scope.carries:
            member.heard_sequence = 0
        if not scope.repeats:
            member.window = _window(member.window.newest)


def _tidy_role(node: Node, *, keeps_pings: bool, now_us: int) -> None:
    state = node.state
    if isinstance(state, Follower) and not keeps_pings:
        state.prove_at_us = NEVER
    if not isinstance(state, Leader):
        return
    if not keeps_pings:
        fresh_us = now_us - node.timing.lease_us if node.in_quorum_mode else NEVER
        state.echoes = {q: us for q, us in state.echoes.items() if us > fresh_us}
    state.proven_us = _ALWAYS if state.proven_us >= 0 else -1
    if state.raised_us < now_us:
        state.raised_us = 0


def _tidied(detector: Detector, *, keeps_pings: bool) -> Detector:
    frozen = list(freeze(detector))
    names = list(vars(detector))
    frozen[1 + names.index("_gaps_us")] = (list, 0, 0)
    frozen[1 + names.index("_bucket_us")] = ORIGIN_US
    if not keeps_pings:
        frozen[1 + names.index("_pings")] = (dict,)
    tidied: Detector = thaw(tuple(frozen))
    return tidied


def _window(newest: int) -> ReplayWindow:
    """Has seen nothing: each datagram comes once."""
    window = ReplayWindow()
    window.newest = newest
    return window
