"""kingd's Python API for asyncio: the same questions, and a block that is cancelled when leadership ends.

    from kingd.client.aio import AsyncClient

    async with AsyncClient().leading() as validity:
        await serve(fencing_token=validity.term)

Errors are those of `kingd.client`. What is not here (members, survey, step_down, ...) is one short call:
`await asyncio.to_thread(kingd.client.Client().members)`."""

import asyncio
import json
import math
import os
import socket
from collections.abc import AsyncGenerator
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing, suppress
from types import TracebackType

from kingd.client import Client, Leader, LeadershipLost, NotLeading, Validity, of
from kingd.client.leading import AGAIN_S, NOT_LEADING, Guard, checked
from kingd.control.answer import section_or_none, text
from kingd.control.client import (
    ANSWER_SIZE_MAX,
    CallFailed,
    CallTimedOut,
    JsonObject,
    full,
    gone,
    parameters_of,
    parsed,
    timed_out,
    too_long,
    why_not,
)
from kingd.control.validity import LATE_AGAIN_S, Answer, now_ns

__all__ = ["AsyncClient", "Leading"]

_NO_ROOM_S = 0.001
_BUSY_AGAIN_S = 1.0


class AsyncClient:
    """As `kingd.client.Client`: which daemon, and `timeout_s` for each call."""

    def __init__(
        self, socket: str | os.PathLike[str] | None = None, instance: str | None = None, timeout_s: float = 5
    ) -> None:
        self.socket = Client(socket, instance).socket
        self.timeout_s = timeout_s

    async def leader(self) -> Leader | None:
        """Who leads. None: that is not known now, or nobody does; `status()` says why."""
        answer = await self._ask()
        leader = of(answer)
        return None if answer.is_over else leader

    async def is_leader(self) -> bool:
        """Whether this host leads. False if that is not known: what only the leader may do is not done then."""
        answer = await self._ask()
        return answer.is_me and not answer.is_over

    async def status(self) -> JsonObject:
        """As `Client.status`."""
        return await self._call("Status")

    async def watch(self) -> AsyncGenerator[JsonObject, None]:
        """As `Client.watch`. A loop that is left early ends the connection only when the generator is closed, as by
        `contextlib.aclosing`."""
        connection = await self._connect()
        try:
            connection.send("Watch", more=True)
            message = await self._in_time(connection)
            while True:
                yield parameters_of(message)
                if not message.get("continues"):
                    return
                message = await connection.receive()
        finally:
            connection.close()

    async def wait(self, *, me: bool = False, timeout_s: float | None = None) -> Leader:
        """Wait until somebody leads (`me`: until this host does). `CallTimedOut` after `timeout_s`; None: never."""
        try:
            async with asyncio.timeout(timeout_s):
                while True:
                    leader = await self._wait(me=me)
                    if leader is not None:
                        return leader
                    await asyncio.sleep(AGAIN_S)
        except TimeoutError:
            raise CallTimedOut(f"{'this host does not lead' if me else 'nobody leads'} after {timeout_s} s") from None

    async def _wait(self, *, me: bool) -> Leader | None:
        """An event may have waited for its reader: it only says when to ask."""
        async with aclosing(self.watch()) as events:
            async for event in events:
                if section_or_none(event, "leader") is None or (me and text(event, "role") != "leader"):
                    continue
                answer = await self._ask()
                return of(answer) if not answer.is_over and (answer.is_me or not me) else None
        return None

    def leading(self, name: str = "kingd.client", *, wait_s: float = 0, kill: bool = False) -> "Leading":
        """`async with`: a block of code for as long as this host leads, in this one leadership. `NotLeading`: it was not
        entered.

        When it has to end, the task is cancelled, as by asyncio.timeout: the block ends with `LeadershipLost`. `name`,
        `wait_s`, `kill`: as `Client.leading`; a hand-over on purpose waits for the block in the same way."""
        return Leading(self, name, wait_s=wait_s, kill=kill)

    async def _ask(self) -> Answer:
        """Again and again while the answer comes too late to be used, for `timeout_s` in all: as `Answer` itself does."""
        loop = asyncio.get_running_loop()
        end_s = loop.time() + self.timeout_s
        connection = await self._connect()
        try:
            answer = await self._status(connection, end_s)
            while answer.is_over and loop.time() < end_s:
                await asyncio.sleep(LATE_AGAIN_S)
                with suppress(CallTimedOut):
                    answer = await self._status(connection, end_s)
            return answer
        finally:
            connection.close()

    async def _status(self, connection: "_Connection", end_s: float) -> Answer:
        asked_ns = now_ns()
        connection.send("Status")
        return Answer.of(parameters_of(await self._in_time(connection, end_s)), asked_ns=asked_ns)

    async def _call(self, method: str) -> JsonObject:
        connection = await self._connect()
        try:
            connection.send(method)
            return parameters_of(await self._in_time(connection))
        finally:
            connection.close()

    async def _connect(self) -> "_Connection":
        try:
            async with asyncio.timeout(self.timeout_s):
                return await _connected(self.socket)
        except TimeoutError:
            raise timed_out(self.socket) from None
        except OSError as error:
            raise why_not(self.socket, error) from None

    async def _in_time(self, connection: "_Connection", end_s: float | None = None) -> JsonObject:
        """`end_s`: by the loop's clock; None: `timeout_s` from now."""
        try:
            async with asyncio.timeout_at(
                asyncio.get_running_loop().time() + self.timeout_s if end_s is None else end_s
            ):
                return await connection.receive()
        except TimeoutError:
            raise timed_out(self.socket) from None


class _Connection:
    def __init__(self, path: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._path = path
        self._reader = reader
        self._writer = writer

    def send(self, method: str, *, more: bool = False) -> None:
        """Without waiting: it is shorter than any buffer."""
        self._writer.write(json.dumps({"method": full(method), "more": more}).encode() + b"\0")

    async def receive(self) -> JsonObject:
        try:
            return parsed((await self._reader.readuntil(b"\0"))[:-1])
        except asyncio.LimitOverrunError:
            raise too_long() from None
        except (asyncio.IncompleteReadError, OSError):
            raise gone(self._path) from None

    def close(self) -> None:
        self._writer.close()


async def _connected(path: str) -> _Connection:
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        while True:
            try:
                sock.connect(path)
                break
            except BlockingIOError:  # no room in the queue just now. asyncio would take this for a connection under way
                await asyncio.sleep(_NO_ROOM_S)
        return _Connection(path, *await asyncio.open_unix_connection(sock=sock, limit=ANSWER_SIZE_MAX))
    except BaseException:
        sock.close()
        raise


class Leading:
    """One `async with`; see AsyncClient.leading."""

    def __init__(self, client: AsyncClient, name: str, *, wait_s: float, kill: bool) -> None:
        checked(name)
        self._client = client
        self._name = name
        self._wait_s = wait_s
        self._kill = kill
        self._is_inside = False
        self._has_cancelled = False
        self._worker = ThreadPoolExecutor(1)  # its thread waits for the end: then there may be no room for a new one

    async def __aenter__(self) -> Validity:
        self._loop = asyncio.get_running_loop()
        task = asyncio.current_task()
        assert task is not None, "not in a task"
        self._task = task
        self._cancelling = task.cancelling()
        try:
            self._guard = await self._enter()
            self._is_inside = True
            return self._guard.begin(on_doubt=self._on_doubt, kill=self._kill)
        except BaseException:
            self._is_inside = False
            self._worker.shutdown(wait=False)
            raise

    async def _enter(self) -> Guard:
        end_s = self._loop.time() + self._wait_s
        while True:
            if self._wait_s > 0:
                await self._until_leading(end_s - self._loop.time())
            taking = self._loop.run_in_executor(self._worker, self._take)
            try:
                guard = await asyncio.shield(taking)
            except asyncio.CancelledError:
                with suppress(Exception):
                    if (guard := await taking) is not None:
                        await self._loop.run_in_executor(self._worker, guard.leave)
                raise
            if guard is not None:
                return guard
            if self._wait_s <= 0:
                raise NotLeading(NOT_LEADING)
            await asyncio.sleep(AGAIN_S)

    def _take(self) -> Guard | None:
        guard = Guard(self._client.socket, self._name, timeout_s=self._client.timeout_s)
        return guard if guard.take() else None

    async def _until_leading(self, left_s: float) -> None:
        end_s = self._loop.time() + left_s
        while True:
            try:
                await self._client.wait(me=True, timeout_s=None if left_s == math.inf else end_s - self._loop.time())
                return
            except CallTimedOut:
                if self._loop.time() < end_s:
                    raise
                raise NotLeading(f"this host does not lead, after {self._wait_s:g} s of waiting") from None
            except CallFailed as error:
                if error.name != "org.kingd.Busy":
                    raise
                await asyncio.sleep(_BUSY_AGAIN_S)  # all places for who waits are taken: ask now and then

    def _on_doubt(self, _why: str) -> None:
        """From another thread."""
        with suppress(RuntimeError):  # the loop was closed around the block
            self._loop.call_soon_threadsafe(self._cancel)

    def _cancel(self) -> None:
        if self._is_inside:
            self._has_cancelled = self._task.cancel()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._is_inside = False
        is_ours = self._has_cancelled and self._task.uncancel() <= self._cancelling
        why = self._guard.validity.why
        too_late: LeadershipLost | None = None
        try:
            if kind is None:
                self._guard.settle()
        except LeadershipLost as found:
            too_late = found
        await self._end()
        if kind is None and self._task.cancelling() > self._cancelling:
            raise asyncio.CancelledError  # somebody else's, meanwhile
        if too_late is not None:
            raise too_late
        if is_ours and kind is asyncio.CancelledError:
            raise LeadershipLost(why) from error

    async def _end(self) -> None:
        """To its end, whoever cancels us: nobody else may lead before. (Our own cancellation may still be on its way.)"""
        ending = self._loop.run_in_executor(self._worker, self._guard.end)
        self._worker.shutdown(wait=False)  # after that
        while not ending.done():
            with suppress(asyncio.CancelledError):
                await asyncio.shield(ending)
        ending.result()
