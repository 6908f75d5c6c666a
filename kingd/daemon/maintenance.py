"""Maintenance: a member that does not lead, by an operator's word, until an end that may be named; it survives a restart.

In: the order (`SetMaintenance`). Out: to the core until when, and a file in the state folder. What is kept is the time of both
clocks: that of the election, which nobody sets, counts within one boot, with which it begins anew; after another boot the
calendar does, and makes it no longer than it was to be. So each start writes anew what is left.
A file that cannot be read counts as maintenance without an end: somebody wanted it, and only a person knows until when."""

import time
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import NamedTuple, TypeGuard

from kingd.control.service import Answer
from kingd.core.timing import NEVER, SECOND
from kingd.core.wire.message import Ineligible
from kingd.daemon.clock import boot_id, moment, now_us
from kingd.daemon.store import Store
from kingd.log import Logger
from kingd.loop import Loop, Timer

_FILE = "maintenance.json"
_FORMAT = 1
_RETRY_S = 5.0
_TIME_MAX_S = 253402300800  # the year 10000
_log = Logger("kingd")


class Order(NamedTuple):
    """`begin_s`, `end_s`: since the epoch; `end_s` None: until it is taken back. `boot_s`: when it began, by CLOCK_BOOTTIME of
    `boot` ("" = not known which)."""

    begin_s: float
    end_s: float | None
    reason: str
    boot: str
    boot_s: float

    def left_s(self) -> float | None:
        """None: no end; 0 or less: it is over."""
        if self.end_s is None:
            return None
        ordered_s = self.end_s - self.begin_s
        if self.boot and self.boot == boot_id():
            left_s = self.boot_s + ordered_s - now_us() / SECOND
        else:
            left_s = self.end_s - time.time()
        return min(left_s, ordered_s)


def _from_now(for_s: float | None, reason: str) -> Order:
    begin_s = time.time()
    return Order(begin_s, None if for_s is None else begin_s + for_s, reason, boot_id(), now_us() / SECOND)


class Maintenance:
    def __init__(self, store: Store, loop: Loop) -> None:
        self._store = store
        self._loop = loop
        self._problem = ""
        self._order = self._read()
        self._until_us = self._end_us()
        self._waiting: deque[Callable[[bool], None]] = deque()  # until it is kept; for the first it is being written
        self._again: Timer | None = None
        if self._order is not None:
            _log.warning("this host is in maintenance%s: it does not lead", _words(self._order))

    def at_start(self) -> dict[Ineligible, int]:
        return {} if self._order is None else {Ineligible.MAINTENANCE: self._until_us}

    def begin(self, set_unfit: Callable[[Ineligible, int], object]) -> None:
        """`set_unfit`: this host may not lead because of that, until then; 0: not for that any more."""
        self._set_unfit = set_unfit

    def order(self, answer: Answer, *, on: bool, for_s: float | None, reason: str) -> None:
        """In force at once; the answer comes when it is kept, or says that it is not."""
        self._order = _from_now(for_s, reason) if on else None
        self._until_us = self._end_us()
        _log.info("maintenance is %s", f"on{_words(self._order)}" if self._order else "off")
        self._tell()
        until = self._until()
        self._keep(lambda saved: answer({"version": 1, "on": on, "until": until, "saved": saved}))

    def look(self) -> None:
        """Now and then: it may have come to its end."""
        if self._order is not None and now_us() >= self._until_us:
            _log.info("maintenance is over: its time has passed")
            self._order = None
            self._tell()
            self._keep(lambda _: None)

    def detail(self) -> str:
        return "" if self._order is None else self._order.reason

    def problems(self) -> list[str]:
        return [self._problem] if self._problem else []

    def _tell(self) -> None:
        self._set_unfit(Ineligible.MAINTENANCE, 0 if self._order is None else self._until_us)

    def _end_us(self) -> int:
        left_s = None if self._order is None else self._order.left_s()
        return NEVER if left_s is None else now_us() + max(0, round(left_s * SECOND))

    def _until(self) -> str | None:
        return None if self._order is None or self._order.end_s is None else moment(self._order.end_s)

    def _keep(self, then: Callable[[bool], None]) -> None:
        self._waiting.append(then)
        if len(self._waiting) == 1:
            self._write()

    def _write(self) -> None:
        """The newest order, whichever was asked for first."""
        if self._again is not None:
            self._again.cancel()
        order = self._order
        self._loop.in_kept_thread(partial(self._store.keep, _FILE, _encode(order)), partial(self._on_written, order))

    def _on_written(self, order: Order | None, error: OSError | None) -> None:
        if error is None:
            self._problem = ""
        else:
            self._note_not_kept(order, error)
            self._again = self._loop.call_later(_RETRY_S, self._retry)
        then = self._waiting.popleft()
        if self._waiting:
            self._write()
        then(error is None)

    def _retry(self) -> None:
        if not self._waiting:
            self._keep(lambda _: None)

    def _note_not_kept(self, order: Order | None, error: OSError) -> None:
        problem = (
            f"maintenance is {'off' if order is None else 'on'}, and that is not kept over a restart of kingd: "
            f"{_FILE} cannot be written ({error}); retrying"
        )
        if problem != self._problem:
            _log.warning("%s", problem)
        self._problem = problem

    def _read(self) -> Order | None:
        """Blocking (fsync): before the loop runs."""
        try:
            order = _decode(self._store.kept(_FILE))
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (OSError, ValueError) as error:
            self._problem = (
                f"{_FILE} in the state folder cannot be read ({error}): this host stays in maintenance until `kingctl "
                "maintenance off`"
            )
            return _from_now(None, "its record cannot be read")
        left_s = order.left_s()
        if left_s is None:
            return order
        left = _from_now(left_s, order.reason) if left_s > 0 else None
        try:
            self._store.keep(_FILE, _encode(left))
        except OSError as error:
            self._note_not_kept(left, error)
        return left


def _words(order: Order) -> str:
    until = "" if order.end_s is None else f" until {moment(order.end_s)}"
    return until + (f" ({order.reason})" if order.reason else "")


def _encode(order: Order | None) -> bytes | None:
    import json

    return None if order is None else f"{json.dumps({'format': _FORMAT, **order._asdict()})}\n".encode()


def _decode(data: bytes) -> Order:
    """ValueError says why it is not believed."""
    import json  # of a start only if there is such a file

    try:
        document = json.loads(data)
    except (ValueError, RecursionError):
        raise ValueError("it is not JSON") from None
    if not isinstance(document, dict) or document.get("format") != _FORMAT:
        raise ValueError(f"its format is not {_FORMAT}")
    begin_s, end_s, reason = (document.get(key) for key in ("begin_s", "end_s", "reason"))
    boot, boot_s = document.get("boot", ""), document.get("boot_s", 0)
    if not (_is_time(begin_s) and (end_s is None or _is_time(end_s)) and isinstance(reason, str)):
        raise ValueError("a value is missing or wrong")
    if not (isinstance(boot, str) and _is_time(boot_s)):
        raise ValueError("a value is wrong")
    return Order(begin_s, end_s, reason, boot, boot_s)


def _is_time(value: object) -> TypeGuard[float]:
    """Finite, and one that the calendar has."""
    return isinstance(value, int | float) and 0 <= value < _TIME_MAX_S
