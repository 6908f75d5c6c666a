"""The loop of a process that answers: descriptors, timers, signals, and what has to wait on a thread. docs/loop.md.

In: callbacks. Out: their calls, one after the other and none inside another; in a turn first what can be read, then what
is due, what can wait least first, then what was asked for by `call_soon`. What a callback raises comes out of `run`: nothing is
half done and carried on. asyncio does all this and much more, for a fifth of a start.

Timers are a set that is looked through each time: a dozen of them, for which a heap would be more code and no faster."""

import errno
import os
import select
import signal
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from threading import Semaphore, Thread
from typing import Protocol, TypeVar

_PATIENCE_MAX_S = 3600.0  # what epoll takes is 24 days; a turn that finds nothing costs nothing
_SLACK_S = 0.1
_NO_THREAD = (
    "no thread can be started: this host, user or container has all the processes that it may have (pids.max, TasksMax=, "
    "ulimit -u)"
)

T = TypeVar("T")
Work = Callable[[], object]


class HasFileno(Protocol):
    def fileno(self) -> int: ...


class Timer:
    """Made by `Loop.call_at`, `call_later` and `call_next`."""

    __slots__ = ("_timers", "at_s", "wakes_s", "work")

    def __init__(self, at_s: float, work: Work, timers: "set[Timer]", *, slack_s: float = 0.0) -> None:
        self.at_s = at_s  # in the first turn after that ...
        self.wakes_s = at_s + slack_s  # ... which comes for its sake if it comes for no other's until then
        self.work = work
        self._timers = timers
        timers.add(self)

    def cancel(self) -> None:
        """Also one that is over."""
        self._timers.discard(self)


class Loop:
    def __init__(self, *, in_each_thread: Work = lambda: None) -> None:
        """`in_each_thread`: what a thread does before its work."""
        self._made_ns = time.monotonic_ns()
        self._in_each_thread = in_each_thread
        self._epoll = select.epoll()
        self._readers: dict[int, Work] = {}
        self._timers: set[Timer] = set()
        self._soon: deque[Work] = deque()
        self._is_stopped = False
        self._has_kept = False
        self._ordered = Semaphore(0)  # of the kept thread
        self._orders: deque[Work] = deque()
        self._alarm, bell = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)  # rung by threads and signals
        self._bell = open(bell, "wb", buffering=0)  # noqa: PTH123, SIM115 - a pipe, until `close`
        self.add_reader(self._alarm, self._on_alarm)

    def close(self) -> None:
        """Of a loop that runs no more."""
        self._ordered.release()
        self._epoll.close()
        os.close(self._alarm)
        self._bell.close()

    @staticmethod
    def now_s() -> float:
        """The clock of the timers."""
        return time.monotonic()

    @property
    def descriptors(self) -> set[int]:
        """Which are read."""
        return set(self._readers)

    # -- what is to be called ------------------------------------------------------------------------------------------

    def add_reader(self, file: int | HasFileno, work: Work) -> None:
        """Each time that it can be read, until `remove_reader`, which must come before it is closed."""
        fd = _fd(file)
        self._epoll.register(fd, select.EPOLLIN)
        self._readers[fd] = work

    def remove_reader(self, file: int | HasFileno) -> None:
        fd = _fd(file)
        if self._readers.pop(fd, None) is not None:
            self._epoll.unregister(fd)

    def call_at(self, at_s: float, work: Work) -> Timer:
        return Timer(at_s, work, self._timers)

    def call_later(self, delay_s: float, work: Work) -> Timer:
        return Timer(time.monotonic() + delay_s, work, self._timers)

    def call_next(self, interval_s: float, work: Work) -> Timer:
        """When a whole number of these will have passed since the loop was made, or a little later (a tenth of a second, or of
        the interval), in a turn that comes anyway: what comes every second or every five comes in the same turns, and those
        cost no wake-up where there are ten a second. Each process has moments of its own."""
        interval_ns = round(interval_s * 1e9)
        passed = (time.monotonic_ns() - self._made_ns) // interval_ns
        at_s = (self._made_ns + (passed + 1) * interval_ns) / 1e9
        return Timer(at_s, work, self._timers, slack_s=min(_SLACK_S, interval_s / 10))

    def every(self, interval_s: float, work: Work) -> None:
        """Now, and again and again, at `call_next`."""
        work()
        self.call_next(interval_s, partial(self.every, interval_s, work))

    def call_soon(self, work: Work) -> None:
        """When what is being done is done; at the end of this turn, or, if asked for then, of the next."""
        self._soon.append(work)

    def call_from_thread(self, work: Work) -> None:
        """`call_soon`, from any thread, or from a signal's handler."""
        self._soon.append(work)
        self._ring()

    def on_signal(self, number: signal.Signals, work: Work) -> None:
        """Only in the main thread. Whatever the loop waits for, it wakes up: a wait goes on after a signal (PEP 475)."""
        signal.signal(number, lambda *_: self.call_from_thread(work))
        signal.set_wakeup_fd(self._bell.fileno(), warn_on_full_buffer=False)

    def in_thread(self, work: Callable[[], T], then: Callable[[T | OSError], object]) -> None:
        """`work` may wait as long as it likes; `then` gets on the loop what it returned, or its OSError; EAGAIN also where no
        thread can be had: not now. Whatever else it raises is raised on the loop. It begins when what is being done is done: a
        thread that starts takes the interpreter away for up to 5 ms, and what goes to other hosts goes first."""
        thread = Thread(target=self._work, args=(work, then), daemon=True)
        self.call_soon(partial(self._start, thread, then))

    def in_kept_thread(self, work: Callable[[], T], then: Callable[[T | OSError], object]) -> None:
        """As `in_thread`, in the one thread that is kept, each work after the one before: for what must go on where no more
        threads can be had."""
        self.call_soon(partial(self._order, partial(self._work, work, then), then))

    def keep_thread(self) -> bool:
        """To be done at the start, when there is one to be had. Whether it is there; else `in_kept_thread` tries each time."""
        self._has_kept = self._has_kept or _has_started(Thread(target=self._work_on, daemon=True))
        return self._has_kept

    # -- the calls -----------------------------------------------------------------------------------------------------

    def run(self) -> None:
        """Until `stop`; may be called again, also after an exception."""
        while not self._is_stopped:
            self._turn()
        self._is_stopped = False

    def stop(self) -> None:
        """`run` ends with this turn."""
        self._is_stopped = True

    def _turn(self) -> None:
        for fd, _ in self._epoll.poll(self._patience_s()):
            work = self._readers.get(fd)  # another one may have removed it
            if work is not None:
                work()
        self._call_due()
        for _ in range(len(self._soon)):
            self._soon.popleft()()

    def _patience_s(self) -> float | None:
        """epoll rounds it up to a millisecond: a timer that is due is late, and never early."""
        if self._soon:
            return 0
        if not self._timers:
            return None
        until_first_s = min([timer.wakes_s for timer in self._timers]) - time.monotonic()
        return min(max(0.0, until_first_s), _PATIENCE_MAX_S)

    def _call_due(self) -> None:
        now_s = time.monotonic()
        due = [timer for timer in self._timers if timer.at_s <= now_s]
        if len(due) > 1:
            due.sort(key=lambda timer: timer.wakes_s)
        for timer in due:
            if timer in self._timers:  # an earlier one may have cancelled it
                self._timers.remove(timer)
                timer.work()

    def _work(self, work: Callable[[], T], then: Callable[[T | OSError], object]) -> None:
        try:
            self._in_each_thread()
            done = partial(then, work())
        except OSError as error:
            done = partial(then, error)
        except BaseException as error:  # raised where somebody sees it
            self.call_from_thread(partial(_raise, error))
            return
        self.call_from_thread(done)

    def _start(self, thread: Thread, then: Callable[[OSError], object]) -> None:
        if not _has_started(thread):
            self._refuse(then)

    def _order(self, work: Work, then: Callable[[OSError], object]) -> None:
        if self.keep_thread():
            self._orders.append(work)
            self._ordered.release()
        else:
            self._refuse(then)

    def _work_on(self) -> None:
        while self._ordered.acquire() and self._orders:  # without an order: `close`
            self._orders.popleft()()

    def _refuse(self, then: Callable[[OSError], object]) -> None:
        self.call_soon(partial(then, OSError(errno.EAGAIN, _NO_THREAD)))

    def _ring(self) -> None:
        with suppress(ValueError, OSError):  # of a loop that was closed, or is just now: nobody waits any more
            self._bell.write(b"\0")  # None if it rings already

    def _on_alarm(self) -> None:
        os.read(self._alarm, 4096)


def _has_started(thread: Thread) -> bool:
    try:
        thread.start()
    except RuntimeError:
        return False
    return True


def _raise(error: BaseException) -> None:
    raise error


def _fd(file: int | HasFileno) -> int:
    return file if isinstance(file, int) else file.fileno()
