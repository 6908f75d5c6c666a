"""The metrics, kept for a few seconds while nothing happens: ten that scrape cost the daemon what one costs.

`Watch` says when something has happened, or the daemon has ended: then what is kept is not used any more."""

import contextlib
import select
import threading
import time

from kingd.control import client
from kingd.control.client import CallFailed, KingdError, Line
from kingd.web.exposition import exposition, look

KEPT_S = 10.0


class Kept:
    def __init__(self, path: str, *, timeout_s: float) -> None:
        self._path = path
        self._timeout_s = timeout_s
        self._lock = threading.Lock()
        self._line = Line(path)  # a connection costs the daemon what an answer costs
        self._watch: client.Feed | None = None
        self._body = b""
        self._until_s = 0.0

    def exposition(self) -> bytes:
        """BadAnswer: the daemon is of another version."""
        if not self._lock.acquire(timeout=self._timeout_s):  # the daemon hangs: that is asked, and told, by each
            with contextlib.closing(Line(self._path)) as line:
                return exposition(look(line, timeout_s=self._timeout_s))
        try:
            if time.monotonic() >= self._until_s or self._has_happened():
                self._ask()
            return self._body
        finally:
            self._lock.release()

    def _has_happened(self) -> bool:
        return self._watch is None or bool(select.select([self._watch], [], [], 0)[0])

    def _ask(self) -> None:
        self._until_s = 0.0
        self._listen()
        seen = look(self._line, timeout_s=self._timeout_s)
        if isinstance(seen.why_not, CallFailed):  # it may have had to make room meanwhile: that is what it was told
            seen = look(self._line, timeout_s=self._timeout_s)
        self._body = exposition(seen)
        if seen.why_not is None and self._watch is not None:
            self._until_s = time.monotonic() + KEPT_S

    def _listen(self) -> None:
        """From now on."""
        try:
            if self._watch is None:
                self._watch = client.Feed(self._path, "Watch", timeout_s=self._timeout_s)
                select.select([self._watch], [], [], self._timeout_s)  # its first word is what is so already
            self._watch.read()
        except KingdError:
            self._stop_listening()

    def close(self) -> None:
        self._line.close()
        self._stop_listening()

    def _stop_listening(self) -> None:
        if self._watch is not None:
            self._watch.close()
            self._watch = None
