"""One client on the control socket: bytes to calls, replies to bytes, and every limit that a client can run into.

At most one call is under way per connection; what is pipelined behind it waits in a buffer of one message, then in
the kernel. Nothing here waits for a client without a limit: a message that does not arrive whole, a reply that is
not read and a stream that is not read each end the connection. A client's mistake never raises; an exception of
ours goes to the loop's exception handler, which ends the daemon."""

import asyncio
import json
from collections.abc import AsyncGenerator
from typing import Protocol

from kingd.control.call import MESSAGE_SIZE_MAX, Call, CallError, Garbage, look_up, parse
from kingd.control.dispatch import Dispatcher
from kingd.control.peer import Peer, identify
from kingd.control.service import JsonObject

MESSAGE_WAIT_S = 10.0  # for a message to arrive whole, counted from the connect or from its first byte
REPLY_WAIT_S = 10.0  # for a reply to be read
STREAM_BACKLOG_MAX = 65536  # bytes beyond what the kernel buffers (200 KiB, some 300 events): this reader does not read


class Hub(Protocol):
    """What a connection needs of the server that it belongs to."""

    dispatcher: Dispatcher

    def admit(self, connection: "Connection") -> bool: ...
    def forget(self, connection: "Connection") -> None: ...
    def may_watch(self) -> bool: ...
    def note(self, reason: str, peer: Peer | None) -> None: ...


class Connection(asyncio.Protocol):
    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport
        self._peer: Peer | None = None
        self._buffer = bytearray()
        self._task: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._written = asyncio.Event()
        self._written.set()
        self._ended = False  # the client will send no more
        self.is_watching = False
        self.idle_since_s = self._loop.time()

    @property
    def is_idle(self) -> bool:
        return self._task is None

    # What asyncio calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.set_write_buffer_limits(high=0)  # so that pause_writing means "not all of it was taken"
        self._peer = identify(transport.get_extra_info("socket"))
        if self._hub.admit(self):
            self._await_message()
        else:
            self._send({"error": "org.kingd.Busy", "parameters": {"message": "too many clients at once; try again"}})
            transport.close()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if self._task is None:
            self._next()
        elif len(self._buffer) > MESSAGE_SIZE_MAX:
            if self.is_watching:  # we would no longer see it go away
                self._drop("sends while it is being streamed to")
            else:
                self._transport.pause_reading()

    def eof_received(self) -> bool:
        self._ended = True
        if self.is_watching and self._task is not None:
            self._task.cancel()
        return self._task is not None  # the transport stays open until what was asked is answered

    def connection_lost(self, _error: Exception | None) -> None:
        self._stop_timer()
        self._written.set()
        if self._task is not None:
            self._task.cancel()
        self._hub.forget(self)

    def pause_writing(self) -> None:
        self._written.clear()

    def resume_writing(self) -> None:
        self._written.set()

    # One message after the other.

    def _next(self) -> None:
        """Serve what is in the buffer, or wait for more of it."""
        if b"\0" in self._buffer:
            self._stop_timer()
            self._task = self._loop.create_task(self._serve())
            self._task.add_done_callback(self._served)
        elif len(self._buffer) > MESSAGE_SIZE_MAX:
            self._drop("a message over 64 KiB")
        elif self._buffer and self._timer is None:
            self._await_message()

    async def _serve(self) -> None:
        while not self._transport.is_closing():
            end = self._buffer.find(b"\0")
            if end < 0:
                return
            if end > MESSAGE_SIZE_MAX:
                self._drop("a message over 64 KiB")
                return
            raw = bytes(self._buffer[:end])
            del self._buffer[: end + 1]
            try:
                call = parse(raw)
            except Garbage as garbage:
                self._drop(str(garbage))
                return
            await self._answer(call)
            await self._wait_until_read()
            await asyncio.sleep(0)  # many pipelined calls must not keep the loop from a heartbeat

    def _served(self, task: "asyncio.Task[None]") -> None:
        self._task = None
        self.idle_since_s = self._loop.time()
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self._transport.abort()
            self._loop.call_exception_handler(
                {"message": "the control socket's service failed", "exception": error, "task": task}
            )
        elif self._ended:
            self._transport.close()
        elif not self._transport.is_closing():
            self._transport.resume_reading()
            self._next()

    async def _answer(self, call: Call) -> None:
        try:
            method = look_up(call)
            assert self._peer is not None
            await self._hub.dispatcher.authorise(method, call, self._peer)
            if method.streams:
                await self._stream()
                return
            message: JsonObject = {"parameters": await self._hub.dispatcher.reply(call)}
        except CallError as error:
            if error.name == "org.kingd.NotAuthorized":
                self._hub.note("may not change anything", self._peer)
            message = {"error": error.name, "parameters": error.parameters}
        if not call.oneway:
            self._send(message)

    async def _stream(self) -> None:
        if not self._hub.may_watch():
            raise CallError("org.kingd.Busy", {"message": "too many watchers at once; end some, or try again"})
        self.is_watching = True
        events = self._hub.dispatcher.watch()
        try:
            async for event in events:
                self._send({"parameters": event, "continues": True})
                if self._transport.get_write_buffer_size() > STREAM_BACKLOG_MAX:
                    self._drop("does not read what it watches")
                    return
        finally:
            self.is_watching = False
            if isinstance(events, AsyncGenerator):
                await events.aclose()
        # The service ended the stream: it stops, or this reader lagged. A last reply would say "complete".
        self._transport.close()

    async def _wait_until_read(self) -> None:
        if not self._written.is_set():
            try:
                async with asyncio.timeout(REPLY_WAIT_S):
                    await self._written.wait()
            except TimeoutError:
                self._drop("does not read its answer")

    def _send(self, message: JsonObject) -> None:
        if not self._transport.is_closing():
            self._transport.write(json.dumps(message, separators=(",", ":")).encode() + b"\0")

    # Limits.

    def close(self) -> None:
        self._transport.close()

    def abort(self) -> None:
        self._transport.abort()

    async def stop(self) -> None:
        """Let what is already there go out, then end."""
        self._transport.close()
        task = self._task
        if task is not None:
            task.cancel()
            await asyncio.wait([task])

    def _drop(self, reason: str) -> None:
        if not self._transport.is_closing():
            self._hub.note(reason, self._peer)
        self._transport.abort()

    def _await_message(self) -> None:
        self._timer = self._loop.call_later(MESSAGE_WAIT_S, self._drop, "no whole message in time")

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
