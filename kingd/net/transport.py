"""Bytes in, bytes out, over every suitable link of this host, for as long as the host lives.

In: datagrams to send, what the kernel delivers, and the lists of links that `Watch` finds. Out: three callbacks: a
datagram with its source, the number of usable links when they change, and each new `Problem`.

Invariants: nothing here raises for what the network does, so one bad interface never stops the others; a link that
did not change keeps its sockets; no call waits for anything. What a callback raises is a fault of kingd and is
passed on (to the caller of `drain`, else out of the loop).

It knows nothing of messages, members or elections. Our own multicasts come back to us, and a datagram may arrive
twice (by multicast and by broadcast): both are left to the core."""

import contextlib
import errno
import itertools
import socket
import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial

from kingd.core.wire.endpoint import Endpoint
from kingd.loop import Loop
from kingd.net.filter import Filter, detach
from kingd.net.links import Link, why_unused
from kingd.net.problems import Operation, Problem, Problems, describe, name_of, nobody_to_greet, too_many, unused
from kingd.net.routing import destination, own, route, target
from kingd.net.sockets import Address, OpenLink, Ports
from kingd.net.watch import Watch

# Each link costs up to three sockets, and a process has 1,024 descriptors by default.
LINKS_MAX = 256

# Every new IPv6 address is checked for duplicates for a second or two and cannot be opened meanwhile: that is no
# problem before this many short periods are over. (A duplicate stays like this.)
_UNREADY_PERIODS = 4

# Larger than any datagram of ours (1,232), so that a longer one arrives as longer than allowed and is refused.
_RECEIVE_SIZE = 2048
# So much processor time at once empties any honest queue; a flood shall not keep the loop from its timers: a datagram
# that has to be answered costs 0.1 ms and more, and a heartbeat that waits for 2,000 of them comes too late.
_READING_S = 0.02
_QUIET_S = 0.01
_ERRORS_AT_ONCE = 64
# `drain` reads this many from each socket in turn, so that a flood on one does not hide what waits on the others.
_READS_PER_TURN = 64


class Transport:
    def __init__(
        self,
        *,
        interfaces: Sequence[str],
        port: int,
        group4: str,
        group6: str,
        broadcast: bool,
        peers: bool = False,
        on_datagram: Callable[[bytes, Endpoint, bool], None],
        on_refused: Callable[[Endpoint], None],
        on_links_changed: Callable[[int], None],
        on_problem: Callable[[Problem], None],
    ) -> None:
        """`peers`: somebody is known who can be greeted by unicast. `on_datagram` gets the data, its source, and whether it
        came by multicast or broadcast; `on_refused` where a datagram of ours went, if that host says that nobody listens."""
        self._filter: Filter | None = None
        self._group_filter: Filter | None = None
        self._interfaces = tuple(interfaces)
        self._ports = Ports(port=port, group4=group4, group6=group6, broadcast=broadcast, peers=peers)
        self._on_datagram = on_datagram
        self._on_refused = on_refused
        self._on_links_changed = on_links_changed
        self._on_problem = on_problem
        self._problems = Problems(self._report)
        self._watch = Watch(interfaces, on_links=self._use, on_period=self._on_period, on_failed=self._failed)
        self._loop: Loop | None = None
        self._links: dict[Link, OpenLink] = {}  # in the order of the last scan: IPv4 before IPv6 on each interface
        self._readers: dict[socket.socket, tuple[OpenLink, bool]] = {}
        self._unready: dict[Link, int] = {}  # listed but not usable yet, and for how many periods
        self._announced = False
        self._fallback_port = 0
        self._woken_s = 0.0  # when a datagram last woke us

    def start(self, loop: Loop) -> None:
        """Opens what there is now. `on_links_changed` is called before this returns, also with 0."""
        assert self._loop is None, "a transport is started once"
        self._loop = loop
        self._watch.start(loop)

    def close(self) -> None:
        self._watch.close()
        for link in list(self._links):
            self._close(link)
        self._loop = None

    def send(self, data: bytes, to: Endpoint) -> None:
        """Unicast. What cannot be sent is a `Problem`, and lost like any datagram."""
        opened = route(self._links.values(), to)
        if opened is not None:
            self._transmit(opened, data, to.host, to.port, Operation.UNICAST)
        elif self._links:  # else everybody knows: no network at all
            self._failed(OSError(errno.ENETUNREACH, ""), Operation.UNICAST, to=to.host)

    def multicast(self, data: bytes, *, everywhere: bool, broadcast: bool) -> None:
        """To the group: `everywhere` in both families, else in one per interface, IPv4 first (half the packets)."""
        served: set[str] = set()
        for opened in self.primary():
            link = opened.link
            if link.can_multicast and (everywhere or link.interface not in served):
                sent = self._transmit(opened, data, opened.group_host, self._ports.port, Operation.MULTICAST)
                served |= {link.interface} if sent else set()
            if broadcast and self._ports.broadcast and link.broadcast:
                self._transmit(opened, data, link.broadcast, self._ports.port, Operation.BROADCAST)

    def attempt(self, data: bytes, to: Endpoint, family: int, operation: Operation) -> str:
        """By UNICAST to there, or by MULTICAST or BROADCAST to all on its interface. The errno's name; "": it went out."""
        opened = target(self._links.values(), to, family, operation)
        if opened is None:
            return "ENETUNREACH"
        host, port = destination(opened, to, operation, self._ports.port)
        return name_of(self._try(opened, data, opened.address(host, port)))

    def routes(self, to: Sequence[Endpoint], *, group: bool) -> list[tuple[bool, Address, int, tuple[Address, ...]]]:
        """For who sends in our stead to these, and then to the group: by each link whether it is IPv6, from which address (the
        port is left open) of which interface, and where to. (Who is named is to act: it had to wait for all others, where
        hundreds share a machine.)"""
        targets: dict[OpenLink, list[Address]] = {}
        for endpoint in to:
            way = route(self._links.values(), endpoint)
            if way is not None:
                targets.setdefault(way, []).append(way.address(endpoint.host, endpoint.port))
        served: set[str] = set()
        for opened in self.primary():
            if group and opened.link.can_multicast and opened.link.interface not in served:
                served.add(opened.link.interface)
                targets.setdefault(opened, []).append(opened.group_address)
        return [(o.link.family == 6, o.source, o.link.ifindex, tuple(addresses)) for o, addresses in targets.items()]

    def drain(self, limit: int = 2048) -> int:
        """Read what is queued on all sockets, at most `limit` datagrams; returns how many were delivered.

        In a flood it gives up: there is more then, and what was left out is read when the loop comes to it.
        """
        end_s = time.thread_time() + _READING_S
        total = 0
        waiting = list(self._readers)
        while waiting and total < limit and time.thread_time() < end_s:
            still_waiting = []
            for sock in waiting:
                count = self._read(sock, min(_READS_PER_TURN, limit - total))
                total += count
                if count == _READS_PER_TURN:
                    still_waiting.append(sock)
            waiting = still_waiting
        return total

    def rejoin(self) -> None:
        """Leave and join the group again on every link, so that switches which forgot us hear of the membership.

        While another daemon of this host is in the group the kernel sees no change and reports nothing.
        """
        for opened in self.primary():
            opened.rejoin(worked=partial(self._cleared, opened.link), failed=partial(self._failed, link=opened.link))
            self._listen(opened)

    def filter(self, unicast: Filter | None, group: Filter | None) -> None:
        """What the kernel drops from now on. None: nothing."""
        self._filter, self._group_filter = unicast, group
        for sock, (_, is_multicast) in self._readers.items():
            self._apply_filter(sock, is_multicast=is_multicast)

    def _apply_filter(self, sock: socket.socket, *, is_multicast: bool) -> None:
        wanted = self._group_filter if is_multicast else self._filter
        with contextlib.suppress(OSError):  # without it what is of no use costs more time, and nothing else
            if wanted is not None:
                wanted.attach(sock)
            else:
                detach(sock)

    def local_endpoints(self) -> list[Endpoint]:
        """Our unicast endpoints, primary IPv4 ones first."""
        return [opened.endpoint for opened in self.ordered()]

    def own_endpoint(self, members: Iterable[Endpoint]) -> Endpoint | None:
        """The one of ours by which most of these know us. None: there is no link."""
        return own(self.ordered(), members)

    def ordered(self) -> list[OpenLink]:
        return sorted(self._links.values(), key=lambda opened: (opened.link.family, not opened.link.primary))

    def problems(self) -> list[Problem]:
        """What is wrong now, each thing once."""
        return self._problems.current()

    # Links

    def _use(self, found: list[Link]) -> None:
        """Make the open links those that were found. Closing comes first: a moved address frees its port."""
        wanted = found[:LINKS_MAX]
        before = list(self._links)
        for link in before:
            if link not in wanted:
                self._close(link)
        for link in wanted:
            if link in self._links or self._open(link):
                self._complete(self._links[link])
        self._links = {link: self._links[link] for link in wanted if link in self._links}
        self._judge(found)
        if list(self._links) != before or not self._announced:
            self._announced = True
            self._problems.cleared(None, Operation.UNICAST)  # "no link of that family" may be over
            self._count()

    def _count(self) -> None:
        """How many links there are by which somebody can be reached."""
        useful = sum(opened.is_of_use for opened in self._links.values())
        names = sorted({link.interface for link in self._links})
        self._problems.replace(Operation.FIND, [nobody_to_greet(names)] if names and not useful else [])
        self._on_links_changed(useful)

    def _open(self, link: Link) -> bool:
        try:
            opened = OpenLink(link, self._ports, fallback_port=self._fallback_port)
        except OSError as error:
            if error.errno == errno.EADDRNOTAVAIL and self._unready.setdefault(link, 0) < _UNREADY_PERIODS:
                self._watch.hurry()
            else:
                self._failed(error, Operation.OPEN, link=link)
            return False
        self._unready.pop(link, None)
        if opened.port != self._ports.port:  # a second daemon on this host: one free port for all links, if possible
            self._fallback_port = opened.port
        self._cleared(link, Operation.OPEN)
        self._links[link] = opened
        return True

    def _complete(self, opened: OpenLink) -> None:
        link = opened.link
        opened.complete(worked=partial(self._cleared, link), failed=partial(self._failed, link=link))
        self._listen(opened)

    def _listen(self, opened: OpenLink) -> None:
        assert self._loop is not None
        for sock, is_multicast in opened.sockets():
            if sock not in self._readers:
                self._readers[sock] = (opened, is_multicast)
                self._apply_filter(sock, is_multicast=is_multicast)
                self._loop.add_reader(sock, partial(self._on_readable, sock))

    def _close(self, link: Link) -> None:
        assert self._loop is not None
        opened = self._links.pop(link)
        for sock, _ in opened.sockets():
            self._loop.remove_reader(sock)
            self._readers.pop(sock, None)
        opened.close()
        self._problems.forget_link(link)

    def _judge(self, found: list[Link]) -> None:
        """Problems that a scan shows."""
        self._problems.keep_links(found)
        self._unready = {link: periods for link, periods in self._unready.items() if link in found}
        self._problems.replace(Operation.SCAN, [too_many(LINKS_MAX, len(found))] if len(found) > LINKS_MAX else [])
        present = {link.interface for link in found}
        missing = [name for name in self._interfaces if name not in present]
        self._problems.replace(Operation.CHOOSE, [unused(name, why_unused(name)) for name in missing])

    def _on_period(self) -> bool:
        self._problems.sweep()
        self._unready = {link: periods + 1 for link, periods in self._unready.items()}
        return bool(self._problems) or bool(self._unready)

    # Datagrams

    def primary(self) -> list[OpenLink]:
        return [opened for opened in self._links.values() if opened.link.primary]

    def _transmit(self, opened: OpenLink, data: bytes, host: str, port: int, operation: Operation) -> bool:
        error = self._try(opened, data, opened.address(host, port))
        if error is not None:
            self._failed(error, operation, link=opened.link, to=host)
            return False
        if self._problems:
            self._problems.worked(opened.link, operation)
        return True

    def _try(self, opened: OpenLink, data: bytes, address: Address) -> OSError | None:
        error = opened.send(data, address)
        if error is not None and self._note_refusals(opened):  # it was about an earlier one, and this one was not sent
            error = opened.send(data, address)
        return error

    def _on_readable(self, sock: socket.socket) -> None:
        """After a silence it reads one: mostly that is all there is, and to look for another in vain is a system call and an
        exception. What there is more wakes us at once, and is read in one go."""
        now_s = time.monotonic()
        was_quiet, self._woken_s = now_s - self._woken_s > _QUIET_S, now_s
        if was_quiet:
            self._read(sock, 1)
            return
        end_s = time.thread_time() + _READING_S
        while self._read(sock, _READS_PER_TURN) == _READS_PER_TURN and time.thread_time() < end_s:
            pass

    def _read(self, sock: socket.socket, limit: int) -> int:
        """Deliver up to `limit` queued datagrams. A callback may close the transport meanwhile."""
        for count in range(limit):
            entry = self._readers.get(sock)
            if entry is None:
                return count
            opened, is_multicast = entry
            try:
                data, address = sock.recvfrom(_RECEIVE_SIZE)
            except (BlockingIOError, InterruptedError):
                if count == 0 and not is_multicast:  # nothing to read: it was an error that woke us
                    self._note_refusals(opened)
                return count
            except OSError as error:  # the kernel hands over a pending error once
                if not is_multicast and self._note_refusals(opened):
                    continue
                self._failed(error, Operation.RECEIVE, link=opened.link)
                return count
            if self._problems:
                self._problems.worked(opened.link, Operation.RECEIVE)
            if not opened.is_of_use:
                opened.is_of_use = True
                self._count()
            self._on_datagram(data, Endpoint(address[0], address[1], opened.link.interface), is_multicast)
        return limit

    def _note_refusals(self, opened: OpenLink) -> bool:
        """Whether the network had something to say of datagrams that were sent. It is told later: the caller may be in the
        middle of sending."""
        said = list(itertools.islice(iter(opened.next_error, None), _ERRORS_AT_ONCE))
        for number, host, port in said:
            if number == errno.ECONNREFUSED and self._loop is not None:
                self._loop.call_soon(partial(self._on_refused, Endpoint(host, port, opened.link.interface)))
        return bool(said)

    # Problems

    def _failed(self, error: OSError, operation: Operation, *, link: Link | None = None, to: str = "") -> None:
        self._problems.failed(describe(error, operation, port=self._ports.port, link=link, to=to))

    def _cleared(self, link: Link, operation: Operation) -> None:
        self._problems.cleared(link, operation)

    def _report(self, problem: Problem) -> None:
        self._watch.hurry()
        self._on_problem(problem)
