"""One client on the control socket: bytes to calls, replies to bytes, and every limit that a client can run into.

The server calls `serve` when it is this client's turn, and each time one step is done: a message is read and answered,
or an answer is written. While an answer is not yet read no more is asked; what is pipelined waits in the kernel. Nothing
here waits for a client without a limit. A client's mistake never raises; an exception of ours ends the daemon."""

import select
import socket
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

from kingd.control.call import MESSAGE_SIZE_MAX, Call, CallError, Garbage, look_up, parse
from kingd.control.dispatch import Dispatcher
from kingd.control.peer import Peer
from kingd.control.places import Rank, Use
from kingd.control.service import JsonObject

MESSAGE_WAIT_S = 10.0  # for a message to arrive whole, counted from the connect or from its first byte
REPLY_WAIT_S = 10.0  # for a reply to be read
STREAM_BACKLOG_MAX = 128  # events beyond what the kernel buffers (200 KiB, some 300 events): this reader does not read
_POST_SIZE = 65536  # written in one step of a stream


class Hub(Protocol):
    """What a connection needs of the server that it belongs to."""

    dispatcher: Dispatcher

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
        self.is_watching = False
        self._hub = hub
        self._socket = sock
        self.peer = peer
        self._inbox = bytearray()
        self._outbox: deque[JsonObject] = deque()
        self._unsent = memoryview(b"")  # of a reply that the kernel had no room for
        self._is_awaited = False  # the service's answer
        self._leave: Callable[[], None] | None = None  # of who is told on and on
        self._has_said_all = False  # it writes no more; some of it may still wait in the kernel
        self._ended = False  # nothing more is to be read
        self._closed = False
        self._since_s = hub.now_s()  # what it does now
        self._is_expected = True  # to send a whole message

    @property
    def fileno(self) -> int:
        return self._socket.fileno()

    @property
    def _is_served(self) -> bool:
        """What it has asked for goes on."""
        return self._is_awaited or self._leave is not None

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
        return (Use.BUSY if self._is_served or self._outbox else Use.IDLE), self._since_s

    # -- one step ------------------------------------------------------------------------------------------------------

    def serve(self) -> None:
        if self._closed:
            return
        try:
            if self._unsent or self._outbox:
                self._post()
            elif self._is_served:
                self._look_whether_it_has_gone()
            elif b"\0" in self._inbox or (not self._ended and self._receive()):
                self._take_message()
                if self._outbox:
                    self._post()
        except BaseException:
            self.close()
            raise
        self._settle()

    def _receive(self) -> bool:
        """Whether there is a message."""
        try:
            data = self._socket.recv(MESSAGE_SIZE_MAX + 1 - len(self._inbox))
        except BlockingIOError:
            return False
        except OSError:
            data = b""
        if not data:
            self._ended = True
        elif not self._inbox and not self._is_expected:
            self._is_expected, self._since_s = True, self._hub.now_s()
        self._inbox += data
        return b"\0" in self._inbox

    def _take_message(self) -> None:
        end = self._inbox.index(0)
        raw = bytes(self._inbox[:end])
        del self._inbox[: end + 1]
        self._is_expected, self._since_s = bool(self._inbox), self._hub.now_s()
        try:
            call = parse(raw)
        except Garbage as garbage:
            self.drop(str(garbage))
            return
        try:
            self._answer(call)
        except CallError as error:
            self._refuse(call, error)

    def _answer(self, call: Call) -> None:
        method = look_up(call)
        self._hub.dispatcher.authorise(method, call, self.peer)
        if method.pushes:
            self._hold(call)
        elif method.streams:
            self._watch(call)
        elif method.lasts:
            self._answer_later(call)
        else:
            self._reply(call, {"parameters": self._hub.dispatcher.reply(call)})

    def _answer_later(self, call: Call) -> None:
        def reply(said: JsonObject | CallError) -> None:
            self._is_awaited = False
            if self._closed:
                return
            if isinstance(said, CallError):
                self._refuse(call, said)
            else:
                self._reply(call, {"parameters": said})
            self._hub.is_due(self)

        self._is_awaited = True
        self._hub.dispatcher.reply_later(call, reply)

    def _refuse(self, call: Call, error: CallError) -> None:
        self._is_awaited = False
        if error.name == "org.kingd.NotAuthorized":
            self._hub.note("may not change anything", self.peer)
        self._reply(call, {"error": error.name, "parameters": error.parameters})

    def _reply(self, call: Call, message: JsonObject) -> None:
        if not call.oneway:
            self._outbox.append(message)

    def _watch(self, call: Call) -> None:
        self._take_place()
        self._stays(self._hub.dispatcher.stream(call, self._tell))

    def _take_place(self) -> None:
        if not self._hub.admit_watcher(self):
            raise CallError("org.kingd.Busy", {"message": "too many watchers at once; end some, or try again"})
        self.is_watching = True

    def _hold(self, call: Call) -> None:
        self._take_place()
        self._stays(self._hub.dispatcher.hold(call, self._push))

    def _stays(self, leave: Callable[[], None]) -> None:
        if self._closed or self._ended:  # it has heard all already
            leave()
        else:
            self._leave = leave

    def _push(self, data: bytes) -> None:
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

    def _tell(self, event: JsonObject | None) -> None:
        if self._closed:
            return
        if event is not None:
            self._outbox.append({"parameters": event, "continues": True})
            if self._unsent and len(self._outbox) > STREAM_BACKLOG_MAX:
                self.drop("does not read what it watches")
                return
        else:  # the service stops. A last reply would say "complete"
            self._end_stream()
        self._hub.is_due(self)

    def _end_stream(self) -> None:
        leave, self._leave = self._leave, None
        self.is_watching = False
        self._inbox.clear()
        self._ended = True
        if leave is not None:
            leave()

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
            self._unsent = memoryview(self._next_bytes())
            self._since_s = self._hub.now_s()
        try:
            sent = self._socket.send(self._unsent)
        except BlockingIOError:
            return
        except OSError:  # it has gone
            self.close()
            return
        self._unsent = self._unsent[sent:]

    def _next_bytes(self) -> bytes:
        data = bytearray()
        while self._outbox and len(data) < _POST_SIZE:
            data += encoded(self._outbox.popleft())
        return bytes(data)

    def _settle(self) -> None:
        """What it waits for now: the kernel, or another turn."""
        if self._closed:
            return
        self._hub.is_served(self)
        if self._unsent:
            self._hub.wants(self, select.EPOLLOUT)
        elif self._outbox or (not self._is_served and b"\0" in self._inbox):
            self._hub.wants(self, 0)
            self._hub.is_due(self)
        elif self._is_served:
            self._hub.wants(self, 0 if self._has_said_all else select.EPOLLRDHUP)
        elif self._ended:
            self.close()
        elif len(self._inbox) > MESSAGE_SIZE_MAX:
            self.drop("a message over 4 KiB")
        else:
            self._hub.wants(self, select.EPOLLIN)

    # -- limits --------------------------------------------------------------------------------------------------------

    def check(self, now_s: float) -> None:
        """End it if it has taken too long over something."""
        waited_s = now_s - self._since_s
        if self._unsent and not self.is_watching:
            if waited_s > REPLY_WAIT_S:
                self.drop("does not read its answer")
        elif self._is_expected and not self._is_served and not self._outbox and waited_s > MESSAGE_WAIT_S:
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
        while not self._closed and self._outbox and not self._unsent:
            self._post()
        self.close()

    def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        self._hub.forget(self)
        self._socket.close()
        self._unsent = memoryview(b"")
        self._outbox.clear()
        if self._leave is not None:
            self._leave()


def encoded(message: JsonObject) -> bytes:
    import json  # not at the start

    return json.dumps(message, separators=(",", ":")).encode() + b"\0"
