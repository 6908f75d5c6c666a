"""The control socket: Varlink on a Unix stream socket, INTERFACE of `org.kingd.varlink`, served on the daemon's event
loop.

Written by hand because nobody's server does what an election daemon needs: any local user may connect, and nothing
that such a user does may cost the loop more than a moment or the process more than a few megabytes. To the loop all of it
is one descriptor (an epoll of its own) and one callback, which does no more in a turn than turnstile.py allows. The other
limits:

* connections: 96 of users without rights, 32 of one uid; 16 more with the group; all together 640 (places.py);
* those of them who listen: 48, 16 of one uid; 8 more with the group; all together 576;
* bytes: 4 KiB a message, one reply at a time (connection.py).

When these are full the hungriest user gives one up, and it is told so. What was refused is said in the log, once per
reason and then at every power of ten.
"""

from __future__ import annotations  # Connection comes with the first client

import select
import socket
import time
from collections import Counter
from collections.abc import Collection
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from kingd.control.encoding import encoded
from kingd.control.listener import Listener, SocketUnusable
from kingd.control.peer import Authority, Peer, identify
from kingd.control.places import Places, Use
from kingd.control.service import JsonObject, Service
from kingd.control.turnstile import Turnstile
from kingd.log import Logger
from kingd.loop import Loop, Timer

if TYPE_CHECKING:
    from kingd.control.connection import Connection
    from kingd.control.dispatch import Dispatcher

# Descriptors: a process has 1,024 where nobody has said otherwise. Only root and the daemon's own user come so far.
CONNECTIONS_MAX = 640
WATCHERS_MAX = 576
CONNECTIONS = Places((96, 112, CONNECTIONS_MAX), each=32)
WATCHERS = Places((48, 56, WATCHERS_MAX), each=16)
ACCEPT_MAX = 32  # connections that are taken in one turn
BEAT_S = 1.0  # how often the clients' limits are looked at, and the socket's file: each time wakes the daemon
_GROUP_EVERY_S = 30.0  # while the group does not exist
_IDLE_S = 1.0
FIRST_LOOK_S = 0.2  # what /etc/group says is there at once, when the first client comes

_log = Logger(__name__)


class ControlServer:
    def __init__(self, service: Service, loop: Loop, *, path: Path, group: str) -> None:
        self._service = service
        self._loop = loop
        self._authority = Authority(group)
        self.refused: Counter[str] = Counter()
        self._listener = Listener(path)
        self._door: socket.socket | None = None
        self._connections: dict[int, Connection] = {}
        self._due: dict[Connection, None] = {}  # has something to do without a word from the kernel
        self._wanted: dict[int, int] = {}
        self._held: Counter[int] = Counter()  # connections by uid
        self._turnstile: Turnstile[Connection] = Turnstile(now_us=_now_us, used_us=_used_us)
        self._pause: Timer | None = None
        self._called: Timer | None = None
        self._beat_timer: Timer | None = None
        self.problem = ""  # what an operator has to know about the socket
        self._group_s = time.monotonic()  # looked up

    def start(self) -> None:
        """Raises `SocketBusy`, or `SocketUnusable` with a sentence for the operator. Before the first client is served: see
        `look_up_group`."""
        self._door = self._listener.open()
        self._epoll = select.epoll()
        self._epoll.register(self._door, select.EPOLLIN)
        self._loop.add_reader(self._epoll.fileno(), self._turn)
        self._beat()

    def close(self) -> None:
        """End every connection and remove the socket. What is in the watchers' streams still goes out."""
        if self._door is None:
            return
        self._loop.remove_reader(self._epoll.fileno())
        for handle in (self._pause, self._called, self._beat_timer):
            if handle is not None:
                handle.cancel()
        self._close_door()
        for connection in list(self.connections):
            connection.stop()
        self._epoll.close()
        self._listener.close()

    @property
    def connections(self) -> Collection[Connection]:
        return self._connections.values()

    def look_up_group(self, *, wait_s: float) -> None:
        """At the start, and when the configuration is read again. Only the start may wait."""
        self._group_s = time.monotonic()
        self._authority.look_up(wait_s=wait_s)

    # -- turns of the loop ---------------------------------------------------------------------------------------------

    def _turn(self) -> None:
        self._called = None
        if self._pause is not None:
            return
        ready = {fd for fd, _ in self._epoll.poll(0)}
        waiting = [self._connections[fd] for fd in ready if fd in self._connections]
        waiting += [connection for connection in self._due if connection.fileno not in ready]
        is_called = self._door is not None and self._door.fileno() in ready
        rest_us = self._turnstile.turn(self._accept if is_called else _nobody_calls, waiting)
        if rest_us:
            self._loop.remove_reader(self._epoll.fileno())
            self._pause = self._loop.call_later(rest_us / 1e6, self._resume)
        elif self._due:
            self._call()

    def _resume(self) -> None:
        self._pause = None
        self._loop.add_reader(self._epoll.fileno(), self._turn)
        self._turn()

    def _call(self) -> None:
        if self._called is None and self._pause is None and self._door is not None:
            self._called = self._loop.call_later(0, self._turn)

    def _accept(self) -> None:
        assert self._door is not None
        for _ in range(ACCEPT_MAX):
            try:
                sock, _ = self._door.accept()
            except (BlockingIOError, ConnectionAbortedError):
                return
            except OSError as error:  # no descriptors, no memory: the next beat tries again
                self.note(f"cannot be accepted ({error.strerror})", None)
                self._epoll.modify(self._door, 0)
                return
            sock.setblocking(False)
            self._welcome(sock)

    def _welcome(self, sock: socket.socket) -> None:
        from kingd.control.connection import Connection  # see daemon/after_start.py

        peer = identify(sock)
        rank = self._authority.rank(peer)
        if CONNECTIONS.is_full_for(rank, self._held[peer.uid]):  # as `make_room` says, at a quarter of the price
            self.note("too many clients of one user", peer)
            with suppress(OSError):
                sock.send(encoded(_TOO_MANY))
            sock.close()
            return
        newcomer = Connection(self, sock, peer, rank)
        leaver = CONNECTIONS.make_room(newcomer, self.connections)
        if leaver is not newcomer:
            self._connections[sock.fileno()] = newcomer
            self._held[peer.uid] += 1
            self.wants(newcomer, select.EPOLLIN)
        if leaver is not None:
            self.note("the places for clients are full", leaver.peer)
            leaver.turn_away(_full("clients", leaver))

    # -- the hub of connection.py --------------------------------------------------------------------------------------

    @cached_property
    def dispatcher(self) -> Dispatcher:
        from kingd.control.dispatch import Dispatcher

        return Dispatcher(self._service, self._authority)

    def now_s(self) -> float:
        return self._loop.now_s()

    def is_served(self, connection: Connection) -> None:
        self._due.pop(connection, None)

    def is_due(self, connection: Connection) -> None:
        self._due[connection] = None
        self._call()

    def wants(self, connection: Connection, events: int) -> None:
        fd = connection.fileno
        if fd not in self._wanted:
            self._epoll.register(fd, events)
        elif self._wanted[fd] != events:
            self._epoll.modify(fd, events)
        self._wanted[fd] = events

    def forget(self, connection: Connection) -> None:
        fd = connection.fileno
        self._due.pop(connection, None)
        if self._connections.get(fd) is connection:
            del self._connections[fd], self._wanted[fd]
            self._held[connection.uid] -= 1
            self._held += Counter()  # forgets who has none
            self._epoll.unregister(fd)

    def admit_watcher(self, connection: Connection) -> bool:
        watchers = [other for other in self.connections if other.is_watching]
        leaver = WATCHERS.make_room(connection, watchers)
        if leaver is not None:
            self.note("the places for watchers are full", leaver.peer)
            if leaver is not connection:
                leaver.turn_away(_full("watchers", leaver))
        return leaver is not connection

    def note(self, reason: str, peer: Peer | None) -> None:
        self.refused[reason] += 1
        count = self.refused[reason]
        if count == 10 ** (len(str(count)) - 1):
            who = f" ({peer})" if peer is not None else ""
            _log.warning("control socket: refused a client%s: %s (%d so far)", who, reason, count)

    # -- now and then --------------------------------------------------------------------------------------------------

    def _beat(self) -> None:
        self._beat_timer = self._loop.call_next(BEAT_S, self._beat)
        now_s = self._loop.now_s()
        for connection in list(self.connections):
            connection.check(now_s)
        self._make_room_at_quotas(now_s)
        if not self._authority.knows_group and time.monotonic() - self._group_s > _GROUP_EVERY_S:
            self.look_up_group(wait_s=0)
        self._keep_socket()

    def _make_room_at_quotas(self, now_s: float) -> None:
        """A program that forgets to close its connections must not shut its own user out for ever."""
        for uid, held in list(self._held.items()):
            own = [each for each in self.connections if each.uid == uid and not each.is_owner]
            idle = [each for each in own if each.use[0] < Use.BUSY and now_s - each.use[1] > _IDLE_S]
            spare = sorted(idle, key=lambda each: each.use)[: max(0, held - CONNECTIONS.each * 3 // 4)]
            for each in spare:
                self.note("idle, and its user has too many", each.peer)
                each.turn_away(_full("clients", each))

    def _keep_socket(self) -> None:
        """Somebody may remove its file. Who is connected stays so."""
        assert self._door is not None
        if self._listener.is_in_place():
            self.problem = ""
            self._epoll.modify(self._door, select.EPOLLIN)
            return
        try:
            door = self._listener.renew()
        except SocketUnusable as error:
            problem = f"nobody can ask kingd any more, for its control socket was removed; trying again: {error}"
            if problem != self.problem:
                _log.error("%s", problem)
            self.problem = problem
            return
        self._close_door()
        self._door = door
        self._epoll.register(door, select.EPOLLIN)
        self.problem = ""
        _log.warning("the control socket %s was removed by somebody: made again", self._listener.path)

    def _close_door(self) -> None:
        assert self._door is not None
        self._epoll.unregister(self._door)
        self._door.close()
        self._door = None


def _full(what: str, leaver: Connection) -> JsonObject:
    message = f"too many {what} at once, most of them of uid {leaver.uid}: this one makes room; end some, or try again"
    return {"error": "org.kingd.Busy", "parameters": {"message": message}}


_TOO_MANY: JsonObject = {
    "error": "org.kingd.Busy",
    "parameters": {"message": "too many clients of this user at once; end some, or try again"},
}


def _nobody_calls() -> None:
    return


def _now_us() -> int:
    return time.monotonic_ns() // 1000


def _used_us() -> int:
    return time.thread_time_ns() // 1000
