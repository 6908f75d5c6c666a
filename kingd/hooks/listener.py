"""Two threads that read what the daemon says, `Watch` and `Drain`, and put it where the runner finds it.

Each of them connects again for ever. kingd counts as gone when its stream has ended and the next connection brings nothing: a
stream that was cut for another reason begins anew at once, with the state that is."""

import os
import queue
import signal
import threading
import time
from contextlib import suppress

from kingd.control.answer import flag
from kingd.control.client import CallFailed, JsonObject, KingdError, stream
from kingd.log import Logger
from kingd.records import dataclass

_AGAIN_FIRST_S, _AGAIN_MAX_S = 0.1, 1.0
_BUSY = "org.kingd.Busy"
_AGAIN_REFUSED_S = 30.0  # the group of control.group may be changed
DRAIN_NAME = "kingd-hooks.service"

_log = Logger("kingd.hooks")


@dataclass(frozen=True, slots=True)
class Told:
    """By `Watch`."""

    event: JsonObject


@dataclass(frozen=True, slots=True)
class Draining:
    """Also after each reload of the daemon, with the same value as before."""

    on: bool


@dataclass(frozen=True, slots=True)
class Gone:
    """The daemon."""


@dataclass(frozen=True, slots=True)
class Signal:
    """SIGTERM, SIGINT: end; SIGHUP: read the configuration again."""

    number: int


News = Told | Draining | Gone | Signal


class Listener:
    """`woken`: a descriptor that can be read when there is news."""

    def __init__(self, socket: str) -> None:
        self._socket = socket
        self._news: queue.SimpleQueue[News] = queue.SimpleQueue()
        self._spoken = threading.Event()  # kingd has, on a new stream
        self.woken, self._waker = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)

    def start(self) -> None:
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._on_signal)
        signal.set_wakeup_fd(self._waker, warn_on_full_buffer=False)
        signal.pthread_sigmask(signal.SIG_SETMASK, [])
        threading.excepthook = _end
        for listen in (self._watch, self._drain):
            threading.Thread(target=listen, daemon=True).start()

    def news(self) -> list[News]:
        """What has come since the last call."""
        with suppress(BlockingIOError):
            os.read(self.woken, 4096)
        found = []
        with suppress(queue.Empty):
            while True:
                found.append(self._news.get_nowait())
        return found

    def _put(self, news: News) -> None:
        self._news.put(news)
        with suppress(BlockingIOError):  # it is awake
            os.write(self._waker, b".")

    def _on_signal(self, number: int, _frame: object) -> None:
        self._put(Signal(number))

    def _watch(self) -> None:
        again_s = 0.0
        while True:
            time.sleep(again_s)
            again_s = min(_AGAIN_MAX_S, again_s * 2 or _AGAIN_FIRST_S)
            try:
                for event in stream(self._socket, "Watch"):
                    self._spoken.set()
                    again_s = 0.0  # should it end, the next connection tells whether kingd is gone
                    self._put(Told(event))
            except CallFailed as error:
                _log.warning("kingd is there, and does not tell us when leadership changes: %s", error)
            except KingdError:
                if again_s:
                    self._put(Gone())

    def _drain(self) -> None:
        again_s = _AGAIN_FIRST_S
        while True:
            try:
                for told in stream(self._socket, "Drain", {"name": DRAIN_NAME}):
                    again_s = _AGAIN_FIRST_S
                    self._put(Draining(flag(told, "draining")))
            except CallFailed as error:
                _log.warning(
                    "a hand-over does not wait for the hooks, for kingd does not let us ask for that: %s", error
                )
                if error.name != _BUSY:  # it may have told us to end, and waits
                    self._put(Draining(on=False))
                time.sleep(_AGAIN_MAX_S if error.name == _BUSY else _AGAIN_REFUSED_S)
            except KingdError:
                self._spoken.clear()
                self._spoken.wait(again_s)  # as soon as it is there: else a hand-over would not wait for us
                again_s = min(_AGAIN_MAX_S, again_s * 2)


def _end(arguments: threading.ExceptHookArgs) -> None:
    """Without a thread that listens this process is no good; systemd starts the next one."""
    _log.critical("a mistake in kingd, ending", error=arguments.exc_value)
    os._exit(os.EX_SOFTWARE)
