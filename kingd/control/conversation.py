"""What one client asks and is answered, sans-IO: bytes in, replies out. It knows no socket, no clock and no other client.

In: what was received, and from the service the answers that come later and the events of streams. Out: bytes to be written, a
step at a time. A client's mistake is a reply, or `Garbage`, after which there is nothing more to say to it."""

from collections import deque
from collections.abc import Callable
from typing import Protocol

from kingd.control.call import Call, CallError, look_up, parse
from kingd.control.dispatch import Dispatcher
from kingd.control.encoding import encoded
from kingd.control.peer import Peer
from kingd.control.service import JsonObject

_POST_SIZE = 65536  # written in one step of a stream


class Line(Protocol):
    """The other side: what is needed of who has the socket."""

    def is_due(self) -> None:
        """There is something to be written, or it is over."""

    def take_watchers_place(self) -> bool: ...
    def push(self, data: bytes) -> None: ...
    def note_refusal(self) -> None: ...


class Conversation:
    def __init__(self, line: Line, dispatcher: Dispatcher, peer: Peer) -> None:
        self._line = line
        self._dispatcher = dispatcher
        self._peer = peer
        self._inbox = bytearray()
        self._outbox: deque[JsonObject | bytes] = deque()  # bytes: encoded, and perhaps another's too
        self._is_awaited = False  # the service's answer
        self._leave: Callable[[], None] | None = None  # of who is told on and on
        self.is_watching = False
        self.has_ended = False  # nothing more is to be read
        self._is_over = False

    @property
    def is_served(self) -> bool:
        """What it has asked for goes on."""
        return self._is_awaited or self._leave is not None

    @property
    def has_message(self) -> bool:
        return b"\0" in self._inbox

    @property
    def received(self) -> int:
        """Bytes that nobody has looked at yet."""
        return len(self._inbox)

    @property
    def backlog(self) -> int:
        """Replies that are not written yet."""
        return len(self._outbox)

    def receive(self, data: bytes) -> None:
        """b"": no more will come."""
        self._inbox += data
        self.has_ended = not data

    def answer_next(self) -> None:
        """The first message. Raises Garbage."""
        raw, _, rest = self._inbox.partition(b"\0")
        self._inbox = rest
        call = parse(bytes(raw))
        try:
            self._answer(call)
        except CallError as error:
            self._refuse(call, error)

    def next_bytes(self) -> bytes:
        data = bytearray()
        while self._outbox and len(data) < _POST_SIZE:
            reply = self._outbox.popleft()
            if isinstance(reply, bytes) and not data:
                return reply  # the very bytes
            data += reply if isinstance(reply, bytes) else encoded(reply)
        return bytes(data)

    def end(self) -> None:
        """Whatever comes later is not told any more."""
        self._is_over = self.has_ended = True
        self._outbox.clear()
        self._stop_listening()

    # -- calls ---------------------------------------------------------------------------------------------------------

    def _answer(self, call: Call) -> None:
        method = look_up(call)
        self._dispatcher.authorise(method, call, self._peer)
        if method.streams:
            self._take_place()
            hold, stream = self._dispatcher.hold, self._dispatcher.stream
            self._stays(hold(call, self._line.push) if method.pushes else stream(call, self._tell))
        elif method.lasts:
            self._answer_later(call)
        else:
            self._reply(call, {"parameters": self._dispatcher.reply(call)})

    def _answer_later(self, call: Call) -> None:
        def reply(said: JsonObject | bytes | CallError) -> None:
            self._is_awaited = False
            if self._is_over:
                return
            if isinstance(said, CallError):
                self._refuse(call, said)
            else:
                self._reply(call, said if isinstance(said, bytes) else {"parameters": said})
            self._line.is_due()

        self._is_awaited = True
        self._dispatcher.reply_later(call, reply)

    def _refuse(self, call: Call, error: CallError) -> None:
        self._is_awaited = False
        if error.name == "org.kingd.NotAuthorized":
            self._line.note_refusal()
        self._reply(call, {"error": error.name, "parameters": error.parameters})

    def _reply(self, call: Call, message: JsonObject | bytes) -> None:
        if not call.oneway:
            self._outbox.append(message)

    # -- streams -------------------------------------------------------------------------------------------------------

    def _take_place(self) -> None:
        if not self._line.take_watchers_place():
            raise CallError("org.kingd.Busy", {"message": "too many watchers at once; end some, or try again"})
        self.is_watching = True

    def _stays(self, leave: Callable[[], None]) -> None:
        if self.has_ended:  # it has heard all already
            leave()
        else:
            self._leave = leave

    def _tell(self, event: JsonObject | None) -> None:
        if self._is_over:
            return
        if event is not None:
            self._outbox.append({"parameters": event, "continues": True})
        else:  # the service stops. A last reply would say "complete"
            self._inbox.clear()
            self.has_ended = True
            self._stop_listening()
        self._line.is_due()

    def _stop_listening(self) -> None:
        leave, self._leave = self._leave, None
        self.is_watching = False
        if leave is not None:
            leave()
