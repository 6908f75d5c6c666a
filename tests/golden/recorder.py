"""What a simulated cluster says and does, in lines for people: when, who, to whom, what.

A line is a datagram as it is sent, a change of what a host is or follows, something that its users are told, or (`!`) what
the story does to the cluster. Left out is what says nothing about the election: numbers of datagrams and attempts, and of
routine (announcements, probes, heartbeats, their answers) everything that the same host has said to the same one before."""

from collections.abc import Callable
from typing import NamedTuple

from kingd.core.effect import Event, EventKind
from kingd.core.wire.message import (
    NOBODY,
    Ack,
    Announce,
    Ballot,
    Body,
    Claim,
    Datagram,
    Grant,
    Heartbeat,
    NodeId,
    Obituary,
    Offer,
    Ping,
    Pong,
    Probe,
    ProbeAck,
    Ready,
    Refuse,
    Report,
    Resign,
    Role,
    Roster,
    Survey,
)
from kingd.sim.cluster import Cluster
from kingd.sim.host import Host

_ROUTINE = (Ack, Announce, Heartbeat, Ping, Pong, Probe, ProbeAck, Report, Roster, Survey)


def _line(at_us: int, who: str, to: str, what: str) -> str:
    way = f"{who} -> {to}" if to else who
    return f"{at_us / 1000:8.1f}  {way:<22} {what}"


class State(NamedTuple):
    """What is told of a host when it changes; of a host that does not run, nothing."""

    role: Role | None = None
    ballot: str = ""
    unfit: str | None = None
    voters: tuple[str, ...] = ()

    def words(self, before: "State") -> str:
        if self.role is None:
            return "= does not run"
        parts = [f"{self.role.name.lower()} {self.ballot}".rstrip()]
        if self.unfit:
            parts.append(f"may not lead: {self.unfit}")
        if self.voters != before.voters:
            parts.append(f"voters {' '.join(self.voters)}")
        return f"= {', '.join(parts)}"


class Recorder:
    def __init__(self, cluster: Cluster) -> None:
        """Record from now on; the clock of the lines begins here."""
        self.cluster = cluster
        self._rows: list[tuple[int, str, str, str]] = []
        self._began_us = cluster.now_us
        self._routine: set[tuple[str, str, str]] = set()
        self._told = [len(host.events) for host in cluster.hosts]
        self._states: dict[str, State] = {host.name: self._state(host) for host in cluster.hosts}
        cluster.driver.watch = self._hear
        for host in cluster.running():
            self._line(host.name, "", self._states[host.name].words(State()))

    def does(self, what: str, action: Callable[[], None]) -> None:
        """What the story does to the cluster, in words."""
        self._line("!", "", what)
        action()
        self._look()

    def run(self, duration_ms: int) -> None:
        self.cluster.run_until(self._nothing_is_enough, duration_ms * 1000)

    def until(self, condition: Callable[[], bool], *, within_ms: int, settles_ms: int = 0) -> None:
        """Up to the step after which it holds, and so much longer."""

        def look_and_see() -> bool:
            self._look()
            return condition()

        assert self.cluster.run_until(look_and_see, within_ms * 1000), "\n".join(self.lines)
        self.run(settles_ms)

    def agree(self, name: str, *, within_ms: int = 10_000, settles_ms: int = 20) -> None:
        """Up to where all that run name this one, and so much longer."""
        self.until(lambda: self.cluster.agreed() == name, within_ms=within_ms, settles_ms=settles_ms)

    def _nothing_is_enough(self) -> bool:
        self._look()
        return False

    # -- what happened ---------------------------------------------------------------------------------------------

    def _hear(self, host: Host, datagram: Datagram, sends: bool) -> None:
        """As it is sent; an obituary, which the guardian sends, as it arrives."""
        body, header = datagram.body, datagram.header
        if isinstance(body, Obituary) and not sends:
            self._say(self._name(header.source), host.name, "obituary", routine=True)
        elif sends:
            to = "all" if header.destination == NOBODY else self._name(header.destination)
            self._say(host.name, to, self._body(body, header.leader), routine=isinstance(body, _ROUTINE))

    def _say(self, source: str, target: str, what: str, *, routine: bool) -> None:
        if routine and (source, target, what) in self._routine:
            return
        self._routine.add((source, target, what))
        self._line(source, target, what)

    def _look(self) -> None:
        """What has changed since the last step."""
        for host in self.cluster.hosts:
            before, state = self._states[host.name], self._state(host)
            if state != before:
                self._states[host.name] = state
                self._line(host.name, "", state.words(before))
            for _, event in host.events[self._told[host.index] :]:
                if event.kind is not EventKind.STARTED:
                    self._line(host.name, "", f"tells: {self._event(event)}")
            self._told[host.index] = len(host.events)

    def _line(self, who: str, to: str, what: str) -> None:
        self._rows.append((self.cluster.now_us - self._began_us, who, to, what))

    @property
    def lines(self) -> list[str]:
        """What one host says to several at one instant is one line, and so is what several become."""
        rows: list[tuple[int, list[str], list[str], str]] = []
        for at_us, who, to, what in self._rows:
            if rows and (rows[-1][0], rows[-1][3]) == (at_us, what) and [who] == rows[-1][1] and to:
                rows[-1][2].append(to)
            elif rows and (rows[-1][0], rows[-1][3]) == (at_us, what) and not to and not rows[-1][2]:
                rows[-1][1].append(who)
            else:
                rows.append((at_us, [who], [to] if to else [], what))
        return [_line(at_us, " ".join(who), " ".join(sorted(to)), what) for at_us, who, to, what in rows]

    # -- in words --------------------------------------------------------------------------------------------------

    def _state(self, host: Host) -> State:
        if host.core is None:
            return State()
        status = host.core.status(self.cluster.local_us(host))
        ballot = self._ballot(status.ballot) if status.ballot.node else ""
        return State(host.role, ballot, status.ineligible_reason, status.voters)

    def _name(self, node: NodeId) -> str:
        """Of a namesake's two hosts the first one has it."""
        return next((host.name for host in self.cluster.hosts if host.node_id == node), "?")

    def _ballot(self, ballot: Ballot) -> str:
        return f"{ballot.term}.{self._name(ballot.node)}" if ballot.node else "nobody"

    def _event(self, event: Event) -> str:
        about = f" {event.member.name}" if event.member else ""
        led = f" {event.leader.name}" if event.leader and not event.member else ""
        return f"{event.kind}{about}{led}" + ("" if event.member else f" ({event.reason.word})")

    def _body(self, body: Body, leader: Ballot) -> str:  # noqa: C901 # one case for each kind
        match body:
            case Heartbeat():
                return f"heartbeat {self._ballot(leader)}" + (", lonely" if body.lonely else "")
            case Claim(ticket=ticket):
                ticketed = f", with the ticket of {self._ballot(ticket.ballot)}" if ticket else ""
                return f"{'prepare' if body.pre_vote else 'claim'} {body.term} ({body.reason.word}){ticketed}"
            case Grant():
                return f"{'would grant' if body.pre_vote else 'grant'} {body.term}"
            case Refuse():
                holds = f"{self._ballot(body.holder)} {'leads' if body.led else 'has my promise'}"
                return f"{'would refuse' if body.pre_vote else 'refuse'} {body.term}: {holds}"
            case Resign():
                to = f" for {self._name(body.successor)}" if body.successor else ""
                leaves = ", leaving" if body.leaving else ""
                return f"resign {self._ballot(body.ballot)}{to} ({body.reason.word}){leaves}"
            case Offer():
                return f"offer {self._ballot(body.ballot)} ({body.reason.word})"
            case Ready():
                silent = f", silent: {' '.join(map(self._name, body.silent))}" if body.silent else ""
                return f"ready for {self._ballot(body.ballot)}{silent}"
            case Ping():
                return "ping, polling" if body.polling else "ping"
            case Ack():
                return f"ack {self._ballot(leader)}"
            case ProbeAck():
                return "probe-ack"
            case _:
                return type(body).__name__.lower()
