"""A block of somebody else's code for as long as this host leads: sync (Client.leading) and asyncio (AsyncClient.leading).

In: one pinned leadership (kingd/acting/claim.py, as in `kingctl run`). Out: a `Validity` for the block, which is judged by
the clock whenever it is looked at and by nothing that has to arrive; `on_doubt` for what does not look; and, if wanted, the
kernel's kill. The daemon is told that all has ended (Drained) after the block has, and never before."""

import os
import queue
import select
import threading
import time
from collections.abc import Callable
from contextlib import suppress

from kingd.acting.claim import Claim
from kingd.acting.linux import BootTimer, KillTimer
from kingd.acting.waiting import until_leading
from kingd.control.client import KingdError, call
from kingd.control.validity import now_us

_SECOND = 1_000_000
_NAME_MAX = 32
AGAIN_S = 0.5  # it may lead until all else has ended here
NOT_LEADING = "this host does not lead, or is about to hand over"

OnDoubt = Callable[[str], None]


class NotLeading(KingdError):
    """This host does not lead, or is about to hand over: the block was not entered."""


class LeadershipLost(KingdError):
    """It was lost, may be lost soon, or is to be handed over, as the text says: the block has to end."""


class Validity:
    """How long the code in the block may go on. From any thread."""

    def __init__(self, claim: Claim, doubted: threading.Event) -> None:
        self._claim = claim
        self._doubted = doubted
        self.term = claim.hold.pinned.term
        self.node_id = claim.hold.pinned.node_id

    @property
    def until(self) -> float:
        """When all that the block does must have ended: seconds of `time.clock_gettime(time.CLOCK_BOOTTIME)`. Nine tenths
        of what the daemon's last yes is good for, from when it was said; each further yes moves it."""
        return self._claim.kill_us / _SECOND

    @property
    def remaining(self) -> float:
        """Seconds until then: a time limit for the next thing to do. 0 if this host is known not to lead any more."""
        return 0.0 if self._claim.hold.lost else max(0.0, (self._claim.kill_us - now_us()) / _SECOND)

    @property
    def why(self) -> str:
        """Why the block has to end; "" = it has not. Once there is a reason, it stays."""
        if not self._claim.why:
            doubt = self._claim.hold.doubt(now_us=now_us())
            if doubt:
                self._claim.give_up(doubt)
        return self._claim.why

    @property
    def why_alone(self) -> str:
        """Why a hand-over on purpose does not wait for the block: this user may not ask for that, say. "" = it does."""
        return self._claim.why_alone

    def check(self) -> None:
        """LeadershipLost if the block has to end. It costs a look at the clock."""
        if self.why:
            raise LeadershipLost(self.why)

    def sleep(self, seconds: float) -> None:
        """As time.sleep; LeadershipLost as soon as the block has to end."""
        end_us = now_us() + round(seconds * _SECOND)
        while (left_us := end_us - now_us()) > 0:
            self.check()
            self._doubted.wait(min(left_us, max(self._claim.hold.doubt_us - now_us(), 1)) / _SECOND)
        self.check()


class Guard:
    """Around the block: a thread keeps the leadership confirmed, and another one calls `on_doubt`, once at most."""

    def __init__(self, socket: str, name: str, *, timeout_s: float) -> None:
        self._socket = socket
        self._name = f"{name} {os.getpid()} {now_us():x}"  # no other one on this host, also in another container
        self._timeout_s = timeout_s
        self._claim = Claim(socket, self._name, timeout_s=timeout_s)
        self._timer = BootTimer()
        self._ended = os.eventfd(0)  # can be read when the block has ended
        self._wakes = select.poll()  # a program may have more descriptors than select(2) can wait for
        for each in (self._claim.fileno(), self._timer.fileno(), self._ended):
            self._wakes.register(each, select.POLLIN)
        self._doubted = threading.Event()
        self._is_ended = False
        self._whys: queue.SimpleQueue[str] = queue.SimpleQueue()  # of the doubt; then "", at the end
        self._kill: KillTimer | None = None
        self._keeping: threading.Thread | None = None
        self._doubting: threading.Thread | None = None

    def take(self) -> bool:
        """Whether this host leads; if not, or after an exception, there is no more to do with this one."""
        try:
            is_taken = self._claim.take(pause=self._pause)
        except BaseException:
            self.leave()
            raise
        if not is_taken:
            self.leave()
        return is_taken

    def _pause(self, until_us: int) -> None:
        self._timer.set(until_us)
        self._wakes.poll()

    def begin(self, *, on_doubt: OnDoubt | None, kill: bool) -> Validity:
        """After an exception (no timer or no thread is left for this user), there is no more to do with this one."""
        try:
            return self._begin(on_doubt=on_doubt, kill=kill)
        except BaseException:
            self.end()
            raise

    def _begin(self, *, on_doubt: OnDoubt | None, kill: bool) -> Validity:
        self._kill = KillTimer() if kill else None
        self._set_kill()
        self.validity = Validity(self._claim, self._doubted)
        if on_doubt is not None:
            # On a thread of its own, for the other one has the time to keep; and from the beginning, for in doubt there may
            # be no room for one more.
            self._doubting = _started(lambda: self._tell(on_doubt))
        self._keeping = _started(self._keep)
        return self.validity

    def _keep(self) -> None:
        while not self._is_ended:
            self._claim.turn()
            self._set_kill()
            if self.validity.why and not self._doubted.is_set():
                self._doubted.set()
                self._whys.put(self.validity.why)
            self._pause(self._next_us())

    def _tell(self, on_doubt: OnDoubt) -> None:
        why = self._whys.get()
        if why:
            on_doubt(why)

    def _next_us(self) -> int:
        """After the last moment there is nothing to do but to wait for the block."""
        now, next_us = now_us(), self._claim.next_us
        return next_us if next_us > now else now + _SECOND

    def _set_kill(self) -> None:
        if self._kill is not None:
            self._kill.set(self._claim.kill_us)

    def settle(self) -> None:
        """The block has come to its end: LeadershipLost if that was too late, so that nobody takes it for done."""
        if self.validity.remaining == 0:
            raise LeadershipLost(f"the block ended too late: {self.validity.why or 'its time was over'}")

    def end(self) -> None:
        """When the block has ended, whichever way. Nothing is called afterwards, and only now a hand-over may go on."""
        self._is_ended = True
        try:
            os.eventfd_write(self._ended, 1)
            if self._keeping is not None:
                self._keeping.join()
            self._disarm()
            self._whys.put("")
            if self._doubting is not None:
                self._doubting.join()
        finally:
            self.leave()

    def _disarm(self) -> None:
        kill, self._kill = self._kill, None  # once, also where it fails
        if kill is not None:
            kill.close()

    def leave(self) -> None:
        """Taken, and never begun; or ended."""
        self._disarm()
        self._claim.close()  # first: nobody is owed for what has ended
        self._timer.close()
        os.close(self._ended)
        if not self._claim.why_alone:
            with suppress(KingdError):  # it is not there, or gives up by itself
                call(self._socket, "Drained", {"name": self._name}, timeout_s=self._timeout_s)


def _started(target: Callable[[], None]) -> threading.Thread:
    """RuntimeError: this user, or the machine, may have no more threads."""
    thread = threading.Thread(target=target, daemon=True)
    thread.start()
    return thread


def enter(socket: str, name: str, *, timeout_s: float, wait_s: float) -> Guard:
    """NotLeading, or KingdError: no answer."""
    checked(name)
    end_s = time.monotonic() + wait_s
    while True:
        if wait_s > 0 and not until_leading(socket, timeout_s=timeout_s, total_s=end_s - time.monotonic()):
            raise NotLeading(f"this host does not lead, after {wait_s:g} s of waiting")
        guard = Guard(socket, name, timeout_s=timeout_s)
        if guard.take():
            return guard
        if wait_s <= 0:
            raise NotLeading(NOT_LEADING)
        time.sleep(AGAIN_S)


def checked(name: str) -> None:
    if not 0 < len(name) <= _NAME_MAX or not name.isprintable():
        raise ValueError(f"a name has 1 to {_NAME_MAX} printable characters, unlike {name!r}")
