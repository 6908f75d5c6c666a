"""What the daemon says, brought to the one thread that draws. Here are the sockets and the threads that wait on them.

One thread asks (`Status` twice a second at most, `Members` as often unless they take long), one listens (`Watch`, and `History`
for what was before), and one is started for each order of the user's. None of them touches the model: they leave messages.
A thread may hang for as long as the daemon does; top ends without waiting for it."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from queue import Empty, SimpleQueue

from kingd.control.answer import rows
from kingd.control.client import JsonObject, KingdError, Line, call, stream
from kingd.top.model import Instant

PERIOD_S = 0.5
_AGAIN_S = 1.0
_SHARE = 10  # a list of members may take this part of the time, so that a large cluster is asked less often
_MEMBERS_PERIOD_MAX_S = 5.0
_ORDER_S = 40.0  # what runs because this host leads has 30 s to end, before leadership is handed over


@dataclass(frozen=True, slots=True)
class Answered:
    status: JsonObject
    members: JsonObject | None
    at: Instant


@dataclass(frozen=True, slots=True)
class Failed:
    why: str


@dataclass(frozen=True, slots=True)
class Happened:
    events: list[JsonObject]


@dataclass(frozen=True, slots=True)
class Done:
    """What came of an order: the answer, or why there is none."""

    method: str
    answer: JsonObject | None
    why: str
    at: Instant


Message = Answered | Failed | Happened | Done


def instant() -> Instant:
    return Instant(time.monotonic(), time.time())


class Feed:
    def __init__(self, path: str, *, timeout_s: float, wake: Callable[[], None]) -> None:
        self._path = path
        self._timeout_s = timeout_s
        self._wake = wake
        self._messages: SimpleQueue[Message] = SimpleQueue()
        self._may_ask = threading.Event()
        self._may_ask.set()

    def start(self) -> None:
        for run in (self._ask, self._listen):
            threading.Thread(target=run, daemon=True).start()

    def pause(self, *, is_paused: bool) -> None:
        """Ask nothing meanwhile."""
        (self._may_ask.clear if is_paused else self._may_ask.set)()

    def order(self, method: str, parameters: JsonObject | None = None) -> None:
        """Once, and not again: `Done` says what came of it."""
        threading.Thread(target=self._order, args=(method, parameters), daemon=True).start()

    def messages(self) -> list[Message]:
        found: list[Message] = []
        try:
            while True:
                found.append(self._messages.get_nowait())
        except Empty:
            return found

    def _tell(self, message: Message) -> None:
        self._messages.put(message)
        self._wake()

    def _ask(self) -> None:
        line = Line(self._path)
        members_at_s = 0.0
        while True:
            self._may_ask.wait()
            members: JsonObject | None = None
            try:
                status = line.call("Status", timeout_s=self._timeout_s)
                asked_s = time.monotonic()
                if asked_s >= members_at_s:
                    members = line.call("Members", timeout_s=self._timeout_s)
                    took_s = time.monotonic() - asked_s
                    members_at_s = asked_s + min(_SHARE * took_s, _MEMBERS_PERIOD_MAX_S)
                self._tell(Answered(status, members, instant()))
            except KingdError as error:
                self._tell(Failed(str(error)))
            time.sleep(PERIOD_S)

    def _listen(self) -> None:
        while True:
            try:
                for event in stream(self._path, "Watch", first_s=self._timeout_s):
                    if event.get("initial"):  # what came before it; what comes after it is told by the stream
                        history = call(self._path, "History", timeout_s=self._timeout_s)
                        self._tell(Happened(rows(history, "events")))
                    self._tell(Happened([event]))
            except KingdError:
                pass  # whoever asks will find the same
            time.sleep(_AGAIN_S)

    def _order(self, method: str, parameters: JsonObject | None) -> None:
        answer, why = None, ""
        try:
            answer = call(self._path, method, parameters, timeout_s=max(self._timeout_s, _ORDER_S))
        except KingdError as error:
            why = str(error)
        self._tell(Done(method, answer, why, instant()))
