"""The whole: hosts, the datagrams on their way (`network.py`), true time (`clocks.py`), and all that can happen next.

A state is (true time, a number for each host's state, a number for the network's, a number for the past). Time moves
from one instant at which something falls due to the next; at each, everything that can happen happens in every
order. A datagram that is on its way may arrive at any moment, or never."""

import itertools
from collections.abc import Iterator
from typing import NamedTuple

from kingd.core.wire.message import NO_BALLOT, Ballot, Role, SessionId, Term
from kingd.explorer.beginning import Beginning
from kingd.explorer.clocks import Clocks
from kingd.explorer.host import MEETING
from kingd.explorer.inputs import Input
from kingd.explorer.local import Locals
from kingd.explorer.network import Network
from kingd.explorer.scope import TICK_US, TO_DATAGRAMS, Fault, Scope

State = tuple[int, tuple[int, ...], int, int]
"""True time, hosts, network, past."""

Action = tuple[int, Input]
"""Host and what goes into it; (-1, "time"): time goes on."""

TIME: Action = (-1, "time")


class Past(NamedTuple):
    done: int  # bit i: fault i has happened
    led: frozenset[tuple[Ballot, SessionId]]
    top: Term  # highest of them
    apart: frozenset[frozenset[int]]  # pairs of hosts that are not members of each other: one has started since


class World:
    def __init__(self, scope: Scope) -> None:
        self.scope = scope
        self.quorum = bool(scope.hosts[0].voters)
        self.locals = Locals(scope)
        self.clocks = Clocks(scope, self.locals)
        self._network = Network(self.locals)
        self._pasts: list[Past] = []
        self._past_numbers: dict[Past, int] = {}
        self.pictures: set[tuple[Role | None, ...]] = set()
        self.term_max = scope.term_max

    # -- the beginning --

    def start(self) -> State:
        beginning = Beginning(self.scope, self.locals, self.clocks)
        tickets = beginning.run()
        hosts = tuple(beginning.hosts)
        self.begin_us = beginning.now_us
        self.locals.started()
        top = max(self.locals.hosts[local].watch.view.term for local in hosts)
        self.term_max = top + self.scope.term_max
        pairs = itertools.combinations(range(len(hosts)), 2) if self.scope.start == "split" else ()
        past = Past(0, frozenset(), top, frozenset(map(frozenset, pairs)))
        return (self.begin_us, hosts, self._network.number(tickets), self._past(past))

    def resume(self, other: "World") -> None:
        """Begin where that one began."""
        self.begin_us, self.term_max = other.begin_us, other.term_max
        self.locals.nonces = other.locals.nonces  # hosts keep theirs
        self.locals.started()

    def adopt(self, other: "World", state: State) -> State:
        """A state of that one, with nothing on its way."""
        now_us, locals_, _, past = state
        apart = other._pasts[past].apart  # noqa: SLF001 - of its kind
        hosts = tuple(self.locals.adopt(other.locals.hosts[local]) for local in locals_)
        return (now_us, hosts, self._network.number(()), self._past(Past(0, frozenset(), Term(0), apart)))

    # -- what can happen --

    def successors(self, state: State) -> Iterator[tuple[Action, State, str | None]]:
        """Every action that is possible, where it leads, and what is wrong with it."""
        now_us, locals_, net, past = state
        views = self.locals.views
        waiting = False
        for host, local in enumerate(locals_):
            if views[local].role is None:
                continue
            if self.clocks.is_due(host, local, now_us):
                waiting = waiting or host not in self.scope.stalls
                recovering = views[local].recovering  # it asks what it has promised: by round trips, as where it starts
                everybody = frozenset(range(len(locals_)))
                yield self._meet(state, host, "timer", everybody) if recovering else self.act(state, host, "timer")
            if views[local].writes:
                yield self.act(state, host, "disk")
        yield from self._deliveries(state)
        yield from self._announcements(state)
        yield from self._faults(state)
        if not waiting:
            next_us = self.clocks.next_us(locals_, now_us)
            if next_us <= self.begin_us + self.scope.ticks * TICK_US:
                yield TIME, (next_us, locals_, self._network.age(net, next_us), past), None

    def calmly(self, state: State) -> Iterator[tuple[Action, State, str | None]]:
        """The same; first what comes first where all that is said arrives at once, and before any timer fires."""
        yield from self._faults(state)
        yield from self._deliveries(state)
        yield from self._announcements(state)
        yield from self.successors(state)

    def _deliveries(self, state: State) -> Iterator[tuple[Action, State, str | None]]:
        _, locals_, net, past = state
        views = self.locals.views
        runs = [host for host, local in enumerate(locals_) if views[local].role is not None]
        faults = list(self._to_datagrams(past))
        for message in self._network.messages(net):
            target = self.locals.messages[message].target
            if target in runs:
                yield self.act(state, target, message)
                for fault, then in faults:
                    for host, given in self._misdelivered(fault, message, target):
                        if host in runs:
                            yield self.act(state, host, given, past=then, stays=True)

    def _announcements(self, state: State) -> Iterator[tuple[Action, State, str | None]]:
        """Whoever has something new to say of its lists is heard by one that knows it; and each looks, now and then, whether
        what its list waits for has come."""
        if not self.scope.announces:
            return
        yield from (self.act(state, i, "sweep") for i, local in enumerate(state[1]) if self.locals.views[local].waits)
        views = [self.locals.views[local] for local in state[1]]
        for host, other in itertools.permutations(range(len(views)), 2):
            if not self.scope.hears(other, host):
                continue
            heard = views[other].heard.get(self.locals.hosts[state[1][host]].session)
            if heard is not None and views[host].says not in (None, heard):
                yield self._meet(state, host, "announce", frozenset({host, other}))

    def _misdelivered(self, fault: Fault, message: int, target: int) -> list[tuple[int, int]]:
        """To whom what comes, where this happens to a datagram."""
        if fault.kind == "repeat":
            return [(target, message)]
        if fault.kind == "stray":
            return [(other, message) for other in range(len(self.scope.hosts)) if other != target]
        assert isinstance(fault.value, int)
        return [(target, poisoned) for poisoned in self.locals.poisoned(message, Term(fault.value))]

    def _faults(self, state: State) -> Iterator[tuple[Action, State, str | None]]:
        _, locals_, _, past = state
        known = self._pasts[past]
        views = self.locals.views
        if known.done.bit_count() < self.scope.faults_max:
            for number, fault in enumerate(self.scope.faults):
                runs = views[locals_[fault.host]].role is not None
                happens = fault.kind not in TO_DATAGRAMS and runs == (fault.kind != "start")
                if happens and not known.done & 1 << number:
                    apart = known.apart
                    if fault.kind in ("restart", "forget", "start"):
                        apart |= {frozenset({fault.host, i}) for i in range(len(locals_)) if i != fault.host}
                    after = self._past(known._replace(done=known.done | 1 << number, apart=apart))
                    if fault.kind == "start" and self.scope.namesakes_hear:
                        among = frozenset({fault.host, dict(self.scope.copies)[fault.host]})
                        yield self._meet((*state[:3], after), fault.host, fault, among)
                    else:
                        yield self.act(state, fault.host, fault, past=after)
        for pair in sorted(known.apart, key=sorted):
            if all(views[locals_[host]].role is not None for host in pair):
                yield self._meet(state, min(pair), "announce", pair)

    def _to_datagrams(self, past: int) -> Iterator[tuple[Fault, int]]:
        """What may still happen to a datagram, and the past in which it has."""
        done = self._pasts[past].done
        for number, fault in enumerate(self.scope.faults):
            if fault.kind in TO_DATAGRAMS and not done & 1 << number and done.bit_count() < self.scope.faults_max:
                yield fault, self._past(self._pasts[past]._replace(done=done | 1 << number))

    def act(
        self, state: State, host: int, given: Input, *, past: int | None = None, stays: bool = False
    ) -> tuple[Action, State, str | None]:
        now_us, locals_, net, before = state
        step = self.locals.step(locals_[host], given, self.clocks.us(host, now_us))
        past = before if past is None else past
        wrong = step.wrong
        if step.leads is not None:
            past, again = self._lead(past, step.leads)
            wrong = wrong or again
        message = given if isinstance(given, int) and not stays else -1
        hosts = (*locals_[:host], step.after, *locals_[host + 1 :])
        if message >= 0 or step.sends or step.after != locals_[host]:
            net = self._network.prune(self._network.move(net, message, step.sends), host, step.after)
            for other in {self.locals.messages[m].target for m in step.sends}:
                net = self._network.prune(net, other, hosts[other])
        return (host, given), (now_us, hosts, net, past), wrong

    def _meet(self, state: State, host: int, given: Input, among: frozenset[int]) -> tuple[Action, State, str | None]:
        """The round trips by which two hosts become members of each other, or by which a voter asks what it has promised.
        They happen at one moment, any one after the start of either."""
        now_us, before, net, past = state
        hosts = list(before)
        sent: list[int] = []
        wrong = None
        known = self._pasts[past]
        if given != "timer":
            past = self._past(known._replace(apart=known.apart - {among}))
        work: list[tuple[int, Input]] = [(host, given)]
        while work:
            target, what = work.pop(0)
            if self.locals.views[hosts[target]].role is None and what is not given:
                continue
            step = self.locals.step(hosts[target], what, self.clocks.us(target, now_us))
            hosts[target] = step.after
            wrong = wrong or step.wrong
            if step.leads is not None:
                past, again = self._lead(past, step.leads)
                wrong = wrong or again
            for message in step.sends:
                to, datagram, _ = self.locals.messages[message]
                if isinstance(datagram.body, MEETING) and to in among:
                    work.append((to, message))
                else:
                    sent.append(message)  # and lost where it is not carried
        for met in among:
            if self.locals.views[hosts[met]].role is not None:
                hosts[met] = self.locals.step(hosts[met], "met", self.clocks.us(met, now_us)).after
        return (host, given), (now_us, tuple(hosts), self._network.move(net, -1, tuple(sent)), past), wrong

    # -- invariants of the whole --

    def wrong(self, state: State) -> str | None:
        """Whatever is wrong with a state by itself."""
        now_us, locals_, _, _ = state
        self.pictures.add(tuple([self.locals.views[local].role for local in locals_]))
        leading = [
            (host, ballot)
            for host, local in enumerate(locals_)
            if self.locals.views[local].role is Role.LEADER
            and (ballot := self.locals.leading(local, self.clocks.us(host, now_us))) is not None
        ]
        for host, local in enumerate(locals_):
            if self.locals.views[local].exported_us > self.clocks.us(host, now_us):
                leading.append((host, NO_BALLOT))
        for pair in self.scope.copies:
            views = [self.locals.views[locals_[host]] for host in pair]
            silent = sum(view.duplicate for view in views)
            if silent == 2 or (silent == 0 and self.scope.namesakes_hear and all(v.role is not None for v in views)):
                return f"DUPLICATE: {'both give' if silent else 'neither gives'} way"
        if self.quorum and len(leading) > 1:
            names = " and ".join(f"{self.scope.hosts[h].name} ({b.term})" for h, b in leading)
            return f"Q1: {names} lead at one instant"
        return None

    def _lead(self, past: int, leads: tuple[Ballot, SessionId]) -> tuple[int, str | None]:
        led, top = self._pasts[past].led, self._pasts[past].top
        ballot, session = leads
        wrong = None
        if any(b == ballot and s != session for b, s in led):
            wrong = f"AV1: {ballot} is led by two sessions"
        if self.quorum and ballot.term <= top:
            wrong = f"Q2: {ballot} is led after term {top}"
        return self._past(self._pasts[past]._replace(led=led | {leads}, top=max(top, ballot.term))), wrong

    def within(self, state: State) -> bool:
        """Whether what follows from it is part of the scope."""
        return all(self.locals.views[local].term <= self.term_max for local in state[1])

    # -- the past --

    def _past(self, past: Past) -> int:
        number = self._past_numbers.setdefault(past, len(self._pasts))
        if number == len(self._pasts):
            self._pasts.append(past)
        return number
