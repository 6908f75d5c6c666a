"""The feed as server-sent events (html.spec.whatwg.org, 9.2), for one page.

The id is this process's mark and the number of the newest message: who comes back with it gets what is newer, and no more."""

import secrets
import time
from collections.abc import Generator

from kingd.web.feed import Feed

STREAM_S = 600.0  # then the page comes again: one that has gone without a word keeps no place for longer
_KEEP_ALIVE_S = 15.0
_RETRY_MS = 1000


class Stream:
    def __init__(self, feed: Feed) -> None:
        self._feed = feed
        self._mark = secrets.token_hex(4)

    def pieces(self, last_id: str | None) -> Generator[bytes, None, None]:
        """`last_id`: the header Last-Event-ID. It ends when the page has had its time."""
        until_s = time.monotonic() + STREAM_S
        number = self._number(last_id)
        self._feed.open()
        try:
            yield f"retry: {_RETRY_MS}\n\n".encode()
            while time.monotonic() < until_s:
                found = self._feed.after(number, wait_s=_KEEP_ALIVE_S)
                for each in found:
                    number = each.number
                    yield f"id: {self._mark}-{number}\nevent: {each.kind}\ndata: {each.data}\n\n".encode()
                if not found:
                    yield b":\n\n"
        finally:
            self._feed.close()

    def _number(self, last_id: str | None) -> int:
        mark, _, number = (last_id or "").partition("-")
        return int(number) if mark == self._mark and number.isascii() and number.isdecimal() and len(number) < 19 else 0
