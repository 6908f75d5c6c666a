"""One host's side of the exploration: what one core does with one input, computed once and remembered.

A host's state has a number. `Locals.step` says what becomes of it with one input at one time of its clock, and what
it sends. A core is a function of its state, its input and the time: so each combination is computed once, by the
real core, however many states of the whole it is part of. What a host is, is in `host.py`, what goes into its core in
`inputs.py`, what is made alike around a step in `alike.py`, and the invariants of one host in `watch.py`."""

from collections.abc import Iterator
from dataclasses import fields, replace
from random import Random

from kingd.core.effect import Effect, Multicast, Persist, Send
from kingd.core.election import Core
from kingd.core.timing import NEVER
from kingd.core.wire.message import Ballot, Datagram, Grant, Heartbeat, Refuse, Role, SessionId, Term
from kingd.core.wire.voter_list import VoterList
from kingd.explorer.alike import expect_anew, prepare, round_off, silence, tidy
from kingd.explorer.frozen import freeze, thaw
from kingd.explorer.host import MEETING, ORIGIN_US, Host, Message, Step, View, view_of, word
from kingd.explorer.inputs import Input, enter
from kingd.explorer.scope import TICK_US, Fault, Scope
from kingd.explorer.watch import Before, Watch, look

_RECOVERING = Persist(Term(0), Term(0))


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
        disk = _RECOVERING
        if self.scope.lists:
            listed = self.scope.lists[index]
            disk = Persist(Term(listed.generation.term), Term(0), hold_us=TICK_US, voters=listed)
        return self._number(Host(index, self.scope.hosts[index], 0, 0, disk, (), Watch(), 0, None), None)

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
        prepare(node, clock_us - host.began_us)
        self.nonces.value = node.out.sequence << 4
        sequence = node.out.sequence
        before = Before.of(node, clock_us)
        cause = self.messages[given].datagram if isinstance(given, int) else None
        if cause is not None and self._is_meeting(cause):
            expect_anew(node, cause)
        disk, writing = host.disk, host.writing
        if given == "disk":
            disk, writing = writing[0], writing[1:]
        effects = round_off(node) if given == "met" else enter(core, given, cause, disk, clock_us)
        disk, writing = self._write(core, effects, disk, writing, clock_us)
        silence(node)
        if not self._starting and given != "announce" and (cause is None or not self._is_meeting(cause)):
            if given != "met":
                node.out.sequence = self._newest(effects, sequence)
            tidy(node, self.scope, clock_us)
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
        exported_us = self._exported_us(host, clock_us)
        ended = host._replace(core=None, writing=(), watch=host.watch.ended(), exported_us=exported_us)
        if fault.kind == "forget":
            return ended._replace(forgotten=host.forgotten + 1, disk=_RECOVERING, watch=Watch())
        return ended

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
        silence(core.node)
        if not self._starting and host.copied is None:  # else it has asked already whether somebody has its id
            tidy(core.node, self.scope, clock_us)
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
        others = [i for i in range(len(self.scope.hosts)) if i != before.place]
        heard = [i for i in others if self._starting or self.scope.hears(i, before.place)]
        for effect in effects:
            if isinstance(effect, Send) and (target := int(effect.to.host.rsplit(".", 1)[1])) in heard:
                sends.append(self._message(target, effect.datagram, clock_us))
            elif isinstance(effect, Multicast):
                sends += [self._message(i, effect.datagram, clock_us) for i in heard]
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
            self.views.append(view_of(host, core))
        return number


def _poisoned(datagram: Datagram, term: Term) -> Iterator[Datagram]:
    for part in ("header", "body"):
        of = getattr(datagram, part)
        for field in fields(of):
            value = getattr(of, field.name)
            if isinstance(value, VoterList):
                changed: object = value._replace(generation=value.generation._replace(term=term))
            elif field.name == "term" or isinstance(value, Ballot):
                changed = value._replace(term=term) if isinstance(value, Ballot) else term
            else:
                continue
            yield replace(datagram, **{part: replace(of, **{field.name: changed})})
