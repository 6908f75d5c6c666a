"""How the hosts come to stand where a scope starts: they are started, and all that they say arrives at once, until they do."""

from kingd.core.wire.message import Resign, Role
from kingd.explorer.clocks import Clocks
from kingd.explorer.host import MEETING, ORIGIN_US
from kingd.explorer.inputs import Input
from kingd.explorer.local import Locals
from kingd.explorer.scope import TICK_US, Fault, Scope


class Beginning:
    def __init__(self, scope: Scope, locals_: Locals, clocks: Clocks) -> None:
        self.scope = scope
        self.locals = locals_
        self.clocks = clocks
        self.now_us = ORIGIN_US
        self.hosts = [locals_.first(i) for i in range(len(scope.hosts))]
        self._queue: list[int] = []  # what has been said, and is about to arrive

    def run(self) -> tuple[int, ...]:
        """Go there. Out: the tickets that are on their way then."""
        copies = dict(self.scope.copies)
        for given in ("start", "announce"):
            for i in range(len(self.hosts)):
                if i not in copies:
                    self._step(i, given)
        self._drain()
        led_us = 0
        while not self._has_begun() or self.now_us < led_us + self.scope.led_ticks * TICK_US:
            self.now_us = self.clocks.next_us(self.hosts, self.now_us)
            self._run_due()
            led_us = led_us or (self.now_us if self._has_begun() else 0)
        tickets = self._resign() if self.scope.start == "resigned" else ()
        for i, place in copies.items():
            self.hosts[i] = self.locals.copy(self.hosts[i], of=self.hosts[place], place=place)
        return tickets

    def _step(self, host: int, given: Input) -> None:
        step = self.locals.step(self.hosts[host], given, self.clocks.us(host, self.now_us))
        assert step.wrong is None, step.wrong
        self.hosts[host] = step.after
        self._queue += step.sends

    def _drain(self) -> None:
        """Deliver all, and all that comes of it."""
        while self._queue:
            self._deliver(self._queue.pop(0))

    def _deliver(self, message: int) -> None:
        target, datagram, _ = self.locals.messages[message]
        hears = isinstance(datagram.body, MEETING) or target not in self.scope.asleep
        if hears and self.locals.views[self.hosts[target]].role is not None and self.scope.start != "split":
            self._step(target, message)

    def _run_due(self) -> None:
        """All timers that are due, and all that comes of it."""
        ready = self._is_ready()
        awake = [i for i in range(len(self.hosts)) if not ready or i not in self.scope.asleep]
        while due := [i for i in awake if self.clocks.is_due(i, self.hosts[i], self.now_us)]:
            for host in due:
                self._step(host, "timer")
                self._drain()
                if self.scope.start == "cold" and self._is_ready():
                    return

    def _resign(self) -> tuple[int, ...]:
        """The first steps down in favour of the second: the resignation has been sent, and has not arrived."""
        self._step(0, Fault("step-down", 0, self.scope.hosts[1].name))
        tickets = []
        while self._queue:
            message = self._queue.pop(0)
            if isinstance(self.locals.messages[message].datagram.body, Resign):
                tickets.append(self.locals.kept(message))
            else:
                self._deliver(message)
        return tuple(sorted(tickets))

    def _has_begun(self) -> bool:
        if self.scope.start == "new":
            return True
        if self.scope.start == "split":
            return all(self.locals.views[i].role is Role.LEADER for i in self.hosts)
        return self._is_led() if self.scope.start == "led" else self._is_ready()

    def _is_led(self) -> bool:
        roles = [self.locals.views[i].role for i in self.hosts]
        return roles[0] is Role.LEADER and all(
            role is Role.FOLLOWER for i, role in enumerate(roles) if i > 0 and role and i not in self.scope.asleep
        )

    def _is_ready(self) -> bool:
        """All voters know what they may promise."""
        return not any(self.locals.views[i].recovering for i in self.hosts)
