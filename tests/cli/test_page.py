"""The page's events: whole, resumed where it was, for so many pages and no more. docs/page.md."""

import json
import socket
import threading
from collections.abc import Iterator
from functools import partial
from typing import Any, NamedTuple

import pytest

from kingd.control.peer import HasOptions, Peer, identify
from kingd.control.service import JsonObject
from kingd.web import feed
from kingd.web.server import PAGES_EACH, PAGES_MAX, WebServer, is_own
from tests.cli.fake_kingd import BOX1, FakeKingd, event, view
from tests.cli.runs import LIMIT_S, leads, until
from tests.cli.web import Address, connect, get


class Said(NamedTuple):
    id: str
    kind: str
    data: dict[str, Any]


class Page:
    """A browser that has the page open."""

    def __init__(self, web: Address, *, last_id: str = "") -> None:
        self.socket = connect(web)
        header = f"Last-Event-ID: {last_id}\r\n" if last_id else ""
        self.socket.sendall(f"GET /events HTTP/1.1\r\n{header}\r\n".encode())
        self._file = self.socket.makefile("r", encoding="utf-8")
        self.status = int(self._file.readline().split()[1])
        self.headers = dict(line.rstrip().lower().split(": ", 1) for line in iter(self._file.readline, "\n"))

    def next(self) -> Said:
        fields: dict[str, str] = {}
        while True:
            line = self._file.readline()
            assert line, "the stream has ended"
            name, _, value = line.rstrip("\n").partition(": ")
            if name == "" and "data" in fields:
                return Said(fields["id"], fields["event"], json.loads(fields["data"]))
            fields[name] = value

    def until(self, kind: str) -> Said:
        while (found := self.next()).kind != kind:
            pass
        return found

    def close(self) -> None:
        self._file.close()
        self.socket.close()


@pytest.fixture
def pages(web: Address) -> Iterator[list[Page]]:
    found: list[Page] = []
    yield found
    for each in found:
        each.close()


def opened(pages: list[Page], web: Address, **options: str) -> Page:
    pages.append(Page(web, **options))
    return pages[-1]


def test_page_is_told_what_is_and_what_has_been(kingd: FakeKingd, web: Address, pages: list[Page]) -> None:
    kingd.service.status_is = leads()
    page = opened(pages, web)
    assert (page.status, page.headers["content-type"]) == (200, "text/event-stream")
    assert page.headers["cache-control"] == "no-store"
    now, story = page.until("now"), page.until("story")
    assert now.data["status"]["leader"]["name"] == "box2"
    assert [member["name"] for member in now.data["members"]] == ["box1", "box2"]
    (passage,) = story.data["passages"]
    assert (passage["what"], passage["seen"], passage["evidence"]) == ("box1 leads", "box1, box2", "2 of 2 peers agree")
    assert [reign["leader"] for reign in story.data["reigns"]] == ["box1"]


def test_page_that_comes_back_gets_what_it_has_not_seen_and_no_more(web: Address, pages: list[Page]) -> None:
    stays = opened(pages, web)
    story = stays.until("story")
    back = opened(pages, web, last_id=story.id)
    assert back.next().kind == "now"
    assert int(back.next().id.partition("-")[2]) > int(story.id.partition("-")[2])
    for strange in ("cafecafe-99", "x", "-", story.id.partition("-")[0] + "-" + "9" * 30):
        page = opened(pages, web, last_id=strange)
        assert {page.next().kind, page.next().kind} == {"now", "story"}


def test_event_is_there_at_once_and_the_members_are_asked_again(
    kingd: FakeKingd, web: Address, pages: list[Page]
) -> None:
    page = opened(pages, web)
    page.until("story")
    until(lambda: kingd.service.watchers)
    asked = kingd.service.surveys
    kingd.do(lambda: kingd.service.emit(event("elected", role="leader", leader=BOX1)))
    page.until("story")
    assert kingd.service.surveys == asked + 1


def test_past_is_asked_for_again_only_if_somebody_says_something_new(
    kingd: FakeKingd, web: Address, pages: list[Page], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may be 256 events of each host; what they say now is a line of each."""
    monkeypatch.setattr(feed, "_ASK_EVERY_S", 0.0)
    page = opened(pages, web)
    page.until("story")
    asked = kingd.service.surveys
    while kingd.service.surveys < asked + 3:
        assert page.next().kind == "now"
    kingd.service.survey_is = {**kingd.service.survey_is, "nodes": [view(BOX1, leader="box2")]}
    page.until("story")


def test_page_says_that_kingd_does_not_answer_and_that_it_does_again(
    kingd: FakeKingd, web: Address, pages: list[Page]
) -> None:
    page = opened(pages, web)
    page.until("story")
    kingd.close()
    while (now := page.until("now")).data["error"] is None:
        pass
    assert (now.data["status"], "not running" in now.data["error"]) == (None, True)


def test_so_many_pages_and_no_more_and_a_place_comes_back(kingd: FakeKingd, web: Address, pages: list[Page]) -> None:
    for _ in range(PAGES_MAX):
        assert opened(pages, web).status == 200
    late = opened(pages, web)
    assert (late.status, late.headers["retry-after"]) == (503, "10")
    assert get(web, "/leader").status in (200, 503)
    assert get(web, "/healthz").status == 200
    pages.pop(0).close()

    def has_room() -> bool:
        return opened(pages, web).status == 200

    until(has_room)


def test_one_address_takes_some_of_the_places_and_this_host_all(
    monkeypatch: pytest.MonkeyPatch, web: Address, pages: list[Page]
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("kingd.web.server.is_own", lambda _: False)
        assert [opened(pages, web).status for _ in range(PAGES_EACH + 1)] == [*[200] * PAGES_EACH, 503]
        pages.pop(0).close()
        until(lambda: opened(pages, web).status == 200)
    assert opened(pages, web).status == 200


def test_own_addresses() -> None:
    own = ("127.0.0.1", "127.0.0.2", "::1", "::ffff:127.0.0.1")
    assert [is_own(each) for each in own] == [True] * 4
    assert [is_own(each) for each in ("192.0.2.1", "::ffff:192.0.2.1", "fe80::1%eth0", "2001:db8::1")] == [False] * 4


def test_all_pages_cost_the_daemon_what_one_costs(kingd: FakeKingd, web: Address, pages: list[Page]) -> None:
    for _ in range(8):
        opened(pages, web)
    for page in pages:
        page.until("story")
    assert kingd.service.surveys == 1


def test_ten_that_scrape_cost_what_one_costs_until_something_happens(kingd: FakeKingd, web: Address) -> None:
    assert [get(web, "/metrics").status for _ in range(10)] == [200] * 10
    assert kingd.service.answered == 1
    kingd.service.status_is = leads() | {"term": 99}
    kingd.do(lambda: kingd.service.emit(event("elected", role="leader", leader=BOX1)))
    until(lambda: "kingd_term 99.0" in get(web, "/metrics").body)
    assert kingd.service.answered == 2


def test_connection_for_metrics_is_kept_and_replaced_if_it_had_to_make_room(
    kingd: FakeKingd, web: Address, monkeypatch: pytest.MonkeyPatch
) -> None:
    clients: list[Peer] = []

    def noted(connection: HasOptions) -> Peer:
        clients.append(identify(connection))
        return clients[-1]

    def make_room() -> None:
        for each in [each for each in kingd.server.connections if not each.is_watching]:
            each.turn_away({"error": "org.kingd.Busy", "parameters": {"message": "this one makes room"}})

    def told(term: int) -> bool:
        body = get(web, "/metrics").body
        assert "kingd_up 1.0" in body
        return f"kingd_term {term}.0" in body

    monkeypatch.setattr("kingd.control.server.identify", noted)
    for term, count in ((12, 2), (13, 2), (14, 3)):  # one that watches, and one that asks
        if count == 3:
            kingd.do(make_room)
        kingd.service.status_is = leads() | {"term": term}
        kingd.do(lambda: kingd.service.emit(event("elected", role="leader", leader=BOX1)))
        until(partial(told, term))
        assert len(clients) == count


def test_no_page_no_question(kingd: FakeKingd, web: Address, pages: list[Page]) -> None:
    before = set(threading.enumerate())
    page = opened(pages, web)
    page.until("story")
    page.close()
    pages.clear()
    threads = [each for each in threading.enumerate() if each not in before]
    for each in threads:
        each.join(LIMIT_S)
    assert not any(each.is_alive() for each in threads)
    opened(pages, web).until("now")


def test_page_that_does_not_read_is_cut_off(web: Address, server: WebServer, pages: list[Page]) -> None:
    """Its receive buffer is full at once; the others are told all the same."""
    deaf = socket.socket()
    deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
    deaf.connect(web)
    deaf.sendall(b"GET /events HTTP/1.1\r\n\r\n")
    page = opened(pages, web)
    first = page.until("now")
    assert page.until("now").id != first.id
    deaf.close()


def test_events_are_for_own_names_only(web: Address) -> None:
    assert get(web, "/events", host="evil.example").status == 421
    assert get(web, "/events", verb="HEAD").status == 200


def test_page_is_told_what_nobody_foresaw_and_is_served_again(
    monkeypatch: pytest.MonkeyPatch, web: Address, pages: list[Page]
) -> None:
    """As a year that no calendar has, in what another host told."""

    def told(_: object) -> JsonObject:
        monkeypatch.undo()
        raise ValueError("year 62000 is out of range")

    monkeypatch.setattr(feed, "told", told)
    page = opened(pages, web)
    said = next(said for said in iter(page.next, None) if said.data.get("error"))
    assert (
        said.data["error"] == "kingctl serve made a mistake (ValueError('year 62000 is out of range')); it tries again"
    )
    assert next(said for said in iter(page.next, None) if said.kind == "story").data["passages"]


def test_page_for_which_no_thread_can_start_counts_for_nothing(
    monkeypatch: pytest.MonkeyPatch, kingd: FakeKingd
) -> None:
    def start(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    found = feed.Feed(str(kingd.path), timeout_s=1, every_s=0.05)
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", start)
        with pytest.raises(RuntimeError):
            found.open()
    found.open()
    assert found.after(0, wait_s=LIMIT_S)
    found.close()
    until(lambda: not found.after(0, wait_s=0))  # nobody is left, so that it has ended


def test_thread_that_has_died_is_followed_by_another(monkeypatch: pytest.MonkeyPatch, kingd: FakeKingd) -> None:
    deaths: list[str] = []
    monkeypatch.setattr(threading, "excepthook", lambda death: deaths.append(str(death.exc_value)))
    found = feed.Feed(str(kingd.path), timeout_s=1, every_s=0.05)

    def wait(*_: object, **__: object) -> bool:
        raise ValueError("not foreseen")

    with monkeypatch.context() as patch:
        patch.setattr("kingd.web.feed._News.wait", wait)
        found.open()
        until(lambda: deaths == ["not foreseen"])
    number = found.after(0, wait_s=0)[-1].number
    found.open()
    assert found.after(number, wait_s=LIMIT_S)
    found.close()
    found.close()
