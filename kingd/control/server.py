"""The control socket: Varlink on a Unix stream socket, INTERFACE of `org.kingd.varlink`, served on the daemon's event
loop.

Written by hand because nobody's server does what an election daemon needs: any local user may connect, and nothing
that such a user does may cost the loop more than a moment or the process more than a few megabytes. The limits:

* connections: 128, and the one that has been idle longest makes room for a new one, so idle clients lock nobody out;
* watchers: 64 of them, so watchers lock nobody out either;
* bytes: 64 KiB a message, one reply at a time (connection.py).

What was refused is said in the log, once per reason and then at every power of ten.
"""

import asyncio
import logging
from collections import Counter
from pathlib import Path

from kingd.control.connection import Connection
from kingd.control.dispatch import Dispatcher
from kingd.control.listener import BACKLOG, Listener
from kingd.control.peer import Authority, Peer
from kingd.control.service import Service

CONNECTIONS_MAX = 128
WATCHERS_MAX = 64
ACCEPT_MAX = 16  # connections that asyncio takes in one turn of the loop: a flood of them must not delay a heartbeat

_log = logging.getLogger(__name__)


class ControlServer:
    def __init__(self, service: Service, *, path: Path, group: str) -> None:
        self.dispatcher = Dispatcher(service, Authority(group))
        self.refused: Counter[str] = Counter()
        self._listener = Listener(path)
        self._server: asyncio.Server | None = None
        self._connections: set[Connection] = set()

    async def start(self) -> None:
        """Raises `SocketBusy`, or `SocketUnusable` with a sentence for the operator."""
        loop = asyncio.get_running_loop()
        listener = self._listener.open()
        self._server = await loop.create_unix_server(lambda: Connection(self), sock=listener, backlog=ACCEPT_MAX)
        listener.listen(BACKLOG)  # again, because asyncio has just said ACCEPT_MAX

    async def close(self) -> None:
        """End every connection and remove the socket. What is in the watchers' streams still goes out."""
        if self._server is not None:
            self._server.close()
            self._server = None
        # A watcher's next event passes through a future, a task and a write: a few turns of the loop, no time.
        for _ in range(5):
            await asyncio.sleep(0)
        for connection in list(self._connections):
            await connection.stop()
        await asyncio.sleep(0)
        for connection in list(self._connections):
            connection.abort()  # it had not read everything
        self._listener.close()

    # The hub of connection.py.

    def admit(self, connection: Connection) -> bool:
        if len(self._connections) >= CONNECTIONS_MAX:
            idle = [other for other in self._connections if other.is_idle]
            if not idle:
                self.note("too many clients", None)
                return False
            oldest = min(idle, key=lambda other: other.idle_since_s)
            self._connections.discard(oldest)  # now, not when it has closed: the next one may arrive before that
            self.note("idle, and the room was needed", None)
            oldest.close()
        self._connections.add(connection)
        return True

    def forget(self, connection: Connection) -> None:
        self._connections.discard(connection)

    def may_watch(self) -> bool:
        return sum(other.is_watching for other in self._connections) < WATCHERS_MAX

    def note(self, reason: str, peer: Peer | None) -> None:
        self.refused[reason] += 1
        count = self.refused[reason]
        if count == 10 ** (len(str(count)) - 1):
            who = f" ({peer})" if peer is not None else ""
            _log.warning("control socket: refused a client%s: %s (%d so far)", who, reason, count)
