"""What the pages are told, asked for once for all of them: docs/page.md.

In: the daemon's answers. Out: `now` and `story`, each whole, and each with a number that grows. One thread asks, for as long as
a page is open."""

import json
import select
import threading
import time
from typing import NamedTuple

from kingd.cli import story
from kingd.cli.text import clean
from kingd.control import client
from kingd.control.answer import rows
from kingd.control.client import JsonObject, KingdError, Line
from kingd.web import reigns

EVERY_S = 5.0
_MEMBERS_TIMES = 3  # so much more rarely the list of members, where nothing happens: it is the dearer one
_ASK_EVERY_S = 60.0  # the members themselves, where nothing happens; for the past only if they say something new
_SOON_S = 0.3  # after an event: most of what belongs to it has happened by then
_PASSAGES_MAX = 200


class Message(NamedTuple):
    number: int
    kind: str
    data: str


class Feed:
    def __init__(self, path: str, *, timeout_s: float, every_s: float = EVERY_S) -> None:
        self._path = path
        self._timeout_s = timeout_s
        self._every_s = every_s
        self._changed = threading.Condition()
        self._number = 0
        self._latest: dict[str, Message] = {}
        self._readers = 0
        self._runs = False
        self._ask_at_s = 0.0  # the members themselves
        self._views: list[JsonObject] = []  # what they said when they were asked what they told
        self._looks = 0
        self._members: list[JsonObject] = []
        self._survey: JsonObject | None = None
        self._surveyed_ms = 0.0

    def open(self) -> None:
        """A page is there."""
        with self._changed:
            if not self._runs:  # RuntimeError, if no thread can start: then nothing has been counted
                threading.Thread(target=self._run, daemon=True).start()
                self._runs = True
            self._readers += 1

    def close(self) -> None:
        with self._changed:
            self._readers -= 1

    def after(self, number: int, *, wait_s: float) -> list[Message]:
        """The newest of each kind that is newer than that, as soon as there is one; none when the time is over."""
        with self._changed:
            self._changed.wait_for(lambda: self._number > number, wait_s)
            return sorted(each for each in self._latest.values() if each.number > number)

    def _publish(self, kind: str, content: JsonObject) -> None:
        with self._changed:
            self._number += 1
            self._latest[kind] = Message(self._number, kind, json.dumps(_cleaned(content)))
            self._changed.notify_all()

    def _run(self) -> None:
        line, news = Line(self._path), _News(self._path)
        self._begin_anew()
        try:
            while self._goes_on():
                began_s = time.monotonic()
                self._look(line, is_time=began_s >= self._ask_at_s)
                if news.wait(began_s + self._every_s, timeout_s=self._timeout_s):
                    self._begin_anew()
                    time.sleep(_SOON_S)
        except BaseException:  # the next page begins anew
            with self._changed:
                self._runs = False
            raise
        finally:
            line.close()
            news.close()

    def _begin_anew(self) -> None:
        self._ask_at_s, self._views = 0.0, []

    def _goes_on(self) -> bool:
        with self._changed:
            self._runs = self._readers > 0
            if not self._runs:  # the next page is not told what was then
                self._latest.clear()
            return self._runs

    def _look(self, line: Line, *, is_time: bool) -> None:
        now: JsonObject = {
            "at_ms": time.time() * 1000,
            "every_s": self._every_s,
            "status": None,
            "members": [],
            "error": None,
        }
        try:
            if is_time or self._looks % _MEMBERS_TIMES == 0:
                self._members = rows(line.call("Members", timeout_s=self._timeout_s), "members")
            self._looks += 1
            now["status"] = line.call("Status", timeout_s=self._timeout_s)
            now["members"] = self._members
            self._publish("now", now | {"survey": self._survey, "surveyed_ms": self._surveyed_ms})
            if is_time:
                self._ask_at_s = time.monotonic() + _ASK_EVERY_S
                self._ask_members(line, now)
        except Exception as error:  # also over an answer that nobody foresaw: the pages are told, and it is tried again
            self._begin_anew()
            self._survey, self._looks = None, 0
            self._publish("now", now | {"error": _words(error), "survey": None, "surveyed_ms": 0})

    def _ask_members(self, line: Line, now: JsonObject) -> None:
        self._survey = line.call("Survey", timeout_s=self._timeout_s)
        self._surveyed_ms = time.time() * 1000
        self._publish("now", now | {"survey": self._survey, "surveyed_ms": self._surveyed_ms})
        views = [{**view, "rtt_ms": None} for view in rows(self._survey, "nodes")]
        if views != self._views:
            self._publish("story", told(line.call("Histories", timeout_s=self._timeout_s)))
            self._views = views


def _words(error: Exception) -> str:
    return str(error) if isinstance(error, KingdError) else f"kingctl serve made a mistake ({error!r}); it tries again"


class _News:
    """Whether something happens: `Watch`, as long as there is a daemon."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._feed: client.Feed | None = None

    def wait(self, until_s: float, *, timeout_s: float) -> bool:
        """Until then, or until something has happened: whether it has. So has what ended the daemon."""
        if self._feed is None:
            try:
                self._feed = client.Feed(self._path, "Watch", timeout_s=timeout_s)
            except KingdError:
                time.sleep(max(0.0, until_s - time.monotonic()))
                return False
        while select.select([self._feed], [], [], max(0.0, until_s - time.monotonic()))[0]:
            try:
                if any(not event.get("initial") for event in self._feed.read()):
                    return True
            except KingdError:
                self.close()
                return True
        return False

    def close(self) -> None:
        if self._feed is not None:
            self._feed.close()
            self._feed = None


def told(answer: JsonObject) -> JsonObject:
    """The past of all hosts, for the page: the newest first."""
    events = story.told(answer)
    found, now_ms = reigns.reigns(events), time.time() * 1000
    passages = story.passages(events)[-_PASSAGES_MAX:]
    return {
        "at_ms": now_ms,
        "silent": story.silent(answer),
        "reigns": [
            {"leader": each.leader, "term": each.term, "from_ms": each.from_ms, "to_ms": each.to_ms} for each in found
        ],
        "overlaps": [list(span) for span in reigns.overlaps(found, now_ms)],
        "passages": [_passage(each) for each in reversed(passages)],
    }


def _passage(passage: story.Passage) -> JsonObject:
    _, term, seen, what, reason, proof = story.row(passage)
    return {
        "at_ms": passage.at_ms,
        "term": term,
        "seen": seen,
        "what": what,
        "reason": reason,
        "evidence": proof,
        "kind": passage.event["event"],
    }


def _cleaned(value: object) -> object:
    """What other hosts say has no control characters in it, here as on a terminal."""
    match value:
        case str():
            return clean(value)
        case dict():
            return {clean(key): _cleaned(each) for key, each in value.items()}
        case list():
            return [_cleaned(each) for each in value]
        case _:
            return value
