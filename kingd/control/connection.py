"""One client on the control socket: its bytes to and from a conversation, and every limit that a client can run into.

The server calls `serve` when it is this client's turn, and each time one step is done: a message is read and answered,
or an answer is written. While an answer is not yet read no more is asked; what is pipelined waits in the kernel. Nothing
here waits for a client without a limit. A client's mistake never raises; an exception of ours ends the daemon."""

import select
import socket
from contextlib import suppress
from typing import Protocol

from kingd.control.call import MESSAGE_SIZE_MAX, Garbage
from kingd.control.conversation import Conversation
from kingd.control.dispatch import Dispatcher
from kingd.control.encoding import encoded
from kingd.control.peer import Peer
from kingd.control.places import Rank, Use
from kingd.control.service import JsonObject

MESSAGE_WAIT_S = 10.0  # for a message to arrive whole, counted from the connect or from its first byte
REPLY_WAIT_S = 10.0  # for a reply to be read
STREAM_BACKLOG_MAX = 128  # events beyond what the kernel buffers (200 KiB, some 300 events): this reader does not read


class Hub(Protocol):
    """What a connection needs of the server that it belongs to."""

    @property
    def dispatcher(self) -> Dispatcher: ...
    def now_s(self) -> float: ...
    def is_served(self, connection: "Connection") -> None: ...
    def is_due(self, connection: "Connection") -> None: ...
    def wants(self, connection: "Connection", events: int) -> None: ...
    def forget(self, connection: "Connection") -> None: ...
    def admit_watcher(self, connection: "Connection") -> bool: ...
    def note(self, reason: str, peer: Peer | None) -> None: ...


class Connection:
    def __init__(self, hub: Hub, sock: socket.socket, peer: Peer, rank: Rank) -> None:
        self.uid = peer.uid
        self.rank = rank
        self.served = 0
        self.peer = peer
        self._hub = hub
        self._socket = sock
        self._talk = Conversation(self, hub.dispatcher, peer)
        self._unsent = memoryview(b"")  # of a reply that the kernel had no room for
        self._has_said_all = False  # it writes no more; some of it may still wait in the kernel
        self._closed = False
        self._since_s = hub.now_s()  # what it does now
        self._is_expected = True  # to send a whole message

    @property
    def fileno(self) -> int:
        return self._socket.fileno()

    @property
    def is_watching(self) -> bool:
        return self._talk.is_watching

    @property
    def is_privileged(self) -> bool:
        return self.rank > Rank.ANYBODY

    @property
    def is_owner(self) -> bool:
        return self.rank is Rank.OWNER

    @property
    def use(self) -> tuple[Use, float]:
        if self._unsent:
            return Use.NOT_READING, self._since_s
        return (Use.BUSY if self._talk.is_served or self._talk.backlog else Use.IDLE), self._since_s

    # -- one step ------------------------------------------------------------------------------------------------------

    def serve(self) -> None:
        if self._closed:
            return
        talk = self._talk
        try:
            if self._unsent or talk.backlog:
                self._post()
            elif talk.is_served:
                self._look_whether_it_has_gone()
            elif talk.has_message or (not talk.has_ended and self._receive()):
                self._answer()
        except BaseException:
            self.close()
            raise
        self._settle()

    def _receive(self) -> bool:
        """Whether there is a message."""
        try:
            data = self._socket.recv(MESSAGE_SIZE_MAX + 1 - self._talk.received)
        except BlockingIOError:
            return False
        except OSError:
            data = b""
        if data and not self._talk.received and not self._is_expected:
            self._is_expected, self._since_s = True, self._hub.now_s()
        self._talk.receive(data)
        return self._talk.has_message

    def _answer(self) -> None:
        """And begin to say it."""
        try:
            self._talk.answer_next()
        except Garbage as garbage:
            self.drop(str(garbage))
        self._is_expected, self._since_s = self._talk.received > 0, self._hub.now_s()
        if self._talk.backlog:
            self._post()

    def _look_whether_it_has_gone(self) -> None:
        """Woken while we work for it: it has said all, and perhaps it reads no more either."""
        poll = select.poll()
        poll.register(self._socket, 0)
        if poll.poll(0) or self.is_watching:
            self.close()
        self._has_said_all = True

    # -- what it is told -----------------------------------------------------------------------------------------------

    def _post(self) -> None:
        """Encode what is next, and write as much as the kernel takes."""
        if not self._unsent:
            self._unsent = memoryview(self._talk.next_bytes())
            self._since_s = self._hub.now_s()
        try:
            sent = self._socket.send(self._unsent)
        except BlockingIOError:
            return
        except OSError:  # it has gone
            self.close()
            return
        self._unsent = self._unsent[sent:]

    def _settle(self) -> None:
        """What it waits for now: the kernel, or another turn."""
        if self._closed:
            return
        talk = self._talk
        self._hub.is_served(self)
        if self._unsent:
            self._hub.wants(self, select.EPOLLOUT)
        elif talk.backlog or (not talk.is_served and talk.has_message):
            self._hub.wants(self, 0)
            self._hub.is_due(self)
        elif talk.is_served:
            self._hub.wants(self, 0 if self._has_said_all else select.EPOLLRDHUP)
        elif talk.has_ended:
            self.close()
        elif talk.received > MESSAGE_SIZE_MAX:
            self.drop("a message over 4 KiB")
        else:
            self._hub.wants(self, select.EPOLLIN)

    # -- the line of conversation.py -----------------------------------------------------------------------------------

    def is_due(self) -> None:
        if self._unsent and self._talk.backlog > STREAM_BACKLOG_MAX:
            self.drop("does not read what it watches")
        elif not self._closed:
            self._hub.is_due(self)

    def take_watchers_place(self) -> bool:
        return self._hub.admit_watcher(self)

    def note_refusal(self) -> None:
        self._hub.note("may not change anything", self.peer)

    def push(self, data: bytes) -> None:
        """At once or never: what could be written later would say less than what is said then."""
        try:
            sent = self._socket.send(data)
        except BlockingIOError:
            sent = 0
        except OSError:  # it has gone
            self.close()
            return
        if sent < len(data):
            self.drop("does not read what it watches")

    # -- limits --------------------------------------------------------------------------------------------------------

    def check(self, now_s: float) -> None:
        """End it if it has taken too long over something."""
        waited_s = now_s - self._since_s
        if self._unsent and not self.is_watching:
            if waited_s > REPLY_WAIT_S:
                self.drop("does not read its answer")
        elif self._is_expected and not self._talk.is_served and not self._talk.backlog and waited_s > MESSAGE_WAIT_S:
            self.drop("no whole message in time")

    def drop(self, reason: str) -> None:
        if not self._closed:
            self._hub.note(reason, self.peer)
        self.close()

    def turn_away(self, message: JsonObject) -> None:
        """End it, and tell it why if it listens."""
        if not self._unsent:
            with suppress(OSError):
                self._socket.send(encoded(message))
        self.close()

    def stop(self) -> None:
        """Let what is already there go out, then end."""
        while not self._closed and self._talk.backlog and not self._unsent:
            self._post()
        self.close()

    def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        self._hub.forget(self)
        self._socket.close()
        self._unsent = memoryview(b"")
        self._talk.end()
