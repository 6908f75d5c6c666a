"""kingctl serve, against a daemon whose answers a test chooses, and clients of all kinds."""

import base64
import hashlib
import re
import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import ThreadingHTTPServer
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from kingd.cli import serve
from kingd.cli.main import run
from kingd.control.service import JsonObject
from kingd.web.server import CLIENTS_MAX, WebServer
from tests.cli.fake_kingd import BOX1, BOX2, FakeKingd, member, status
from tests.cli.runs import FOLLOWS, LIMIT_S, leads, until
from tests.cli.web import Address, connect, get, raw, rest, serving

# -- /leader, /healthz


def test_leader_is_200_on_the_leader(web: Address) -> None:
    got = get(web, "/leader")
    assert (got.status, got.body) == (200, "box2 leads: it is this host\n")
    assert got.headers["kingd-term"] == "12"
    assert got.headers["kingd-leader-age-ms"] == "37"
    assert int(got.headers["kingd-valid-ms"]) > 0


NOT_KNOWN = status(role="candidate", leader=None, reason="isolated")


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (FOLLOWS, "box1 leads, not this host (box2)"),
        (NOT_KNOWN, "not known: isolated"),
        (leads() | {"valid_ms": 0}, "not known: the answer came too late"),
        (leads(node=BOX1), "box1 leads, not this host"),  # never "yes" because of the role alone
    ],
)
def test_leader_is_503_elsewhere(kingd: FakeKingd, web: Address, said: JsonObject, words: str) -> None:
    kingd.service.status_is = said
    got = get(web, "/leader")
    assert got.status == 503
    assert got.body.startswith(words)


def test_leader_is_503_when_the_daemon_is_away_or_hangs(kingd: FakeKingd, web: Address) -> None:
    goes_on = threading.Event()

    def hang() -> None:
        goes_on.wait(LIMIT_S)

    kingd.service.on_status = hang
    got = get(web, "/leader")
    assert (got.status, "in time" in got.body) == (503, True)
    assert get(web, "/healthz").status == 200  # this process runs
    goes_on.set()
    kingd.close()
    got = get(web, "/leader")
    assert (got.status, "not running" in got.body) == (503, True)
    assert get(web, "/healthz")[::2] == (200, "ok\n")


def test_nothing_is_kept_from_one_request_to_the_next(kingd: FakeKingd, web: Address) -> None:
    for said, code in ((leads(), 200), (FOLLOWS, 503), (leads(), 200)):
        kingd.service.status_is = said
        assert get(web, "/leader").status == code
        assert get(web, "/leader?x=1", verb="HEAD")[::2] == (code, "")


# -- /metrics, /


def test_metrics_are_those_of_kingctl_metrics(
    kingd: FakeKingd, web: Address, capfd: pytest.CaptureFixture[str]
) -> None:
    got = get(web, "/metrics")
    assert got.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert run(["metrics"]) == 0
    assert got.body == capfd.readouterr().out
    kingd.close()
    got = get(web, "/metrics")
    (up,) = text_string_to_metric_families(got.body)
    assert (got.status, up.name, up.samples[0].value) == (200, "kingd_up", 0)


def test_metrics_that_are_not_understood_are_503(kingd: FakeKingd, web: Address) -> None:
    kingd.service.counters_are = {"version": 1}
    got = get(web, "/metrics")
    assert (got.status, "is not understood" in got.body) == (503, True)


def test_front_page_says_who_leads_and_links_the_others(kingd: FakeKingd, web: Address) -> None:
    kingd.service.status_is = leads(node={**BOX2, "name": "<b>&"})
    got = get(web, "/")
    assert "&lt;b&gt;&amp; leads cluster default, term 12" in got.body
    assert "<b>" not in got.body
    links = re.findall(r'href="(/[^"]*)"', got.body)
    assert [get(web, each).status for each in links] == [200] * 3
    kingd.service.status_is = NOT_KNOWN
    assert "not known (isolated)" in get(web, "/").body
    kingd.close()
    assert "Not known: kingd is not running" in get(web, "/").body


def test_front_page_has_a_row_a_member_and_the_problems_of_this_host(kingd: FakeKingd, web: Address) -> None:
    evil = "<script>&\"'\x1b"
    box1 = member({**BOX1, "name": evil, "address": evil}, role=evil, last_heard_ms=1200, state="dead")
    unfit = {"eligible": False, "ineligible_reason": "check-failed"}
    box2 = {**member(BOX2, role="follower", last_heard_ms=None), **unfit}
    kingd.service.members_are = {"version": 1, "members": [box1 | {"version": evil}, box2]}
    kingd.service.status_is = leads() | {"problems": ["the disk is <full>"]}
    got = get(web, "/")
    assert got.body.count("<script") == 1  # the page's own
    assert "\x1b" not in got.body
    first, second = (re.findall(r"<td[^>]*>([^<]*)", row) for row in got.body.partition("</table>")[0].split("<tr")[2:])
    escaped = "&lt;script&gt;&amp;&quot;&#x27;\ufffd"
    assert [each.strip() for each in first] == [
        escaped,
        "300",
        escaped,
        "dead",
        "yes",
        "1.2 s ago",
        "-",
        escaped,
        escaped,
    ]
    assert second[0] == "box2 (this host)"
    assert second[4] == "no: check-failed"
    assert "<li>the disk is &lt;full&gt;" in got.body


def test_front_page_loads_itself_again_also_while_kingd_does_not_answer(kingd: FakeKingd, web: Address) -> None:
    answers = [get(web, "/")]
    kingd.service.members_are = {"version": 1}
    answers.append(get(web, "/"))
    kingd.close()
    answers.append(get(web, "/"))
    assert ['<h1 id="title">Not known' in each.body for each in answers] == [False, True, True]
    for each in answers:
        assert each.status == 200
        assert '<noscript><meta http-equiv="refresh" content="2"></noscript>' in each.body
        assert re.search(r" at \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC", each.body)
        for tag in ("style", "script"):
            (own,) = re.findall(f"<{tag}>(.*?)</{tag}>", each.body, re.DOTALL)
            digest = base64.b64encode(hashlib.sha256(own.encode()).digest()).decode()
            assert f"{tag}-src 'sha256-{digest}'" in each.headers["content-security-policy"]
        assert each.headers["content-security-policy"].startswith("default-src 'none'")
        assert "unsafe" not in each.headers["content-security-policy"]


# -- who may ask, and how


def test_answers_are_for_no_cache_and_no_frame(web: Address) -> None:
    for path in ("/", "/leader", "/healthz", "/metrics", "/nowhere"):
        headers = get(web, path).headers
        assert headers["cache-control"] == "no-store"
        assert headers["content-security-policy"].startswith("default-src 'none'")
        assert headers["x-content-type-options"] == "nosniff"


def test_nothing_else_is_there_and_nothing_is_changed(kingd: FakeKingd, web: Address) -> None:
    assert get(web, "/leader/../etc/passwd").status == 404
    for verb in ("POST", "PUT", "DELETE", "PATCH", "OPTIONS"):
        got = get(web, "/leader", verb=verb)
        assert (got.status, got.headers["allow"]) == (405, "GET, HEAD")
    assert get(web, "/leader", verb="BREW").status == 501
    assert kingd.service.calls == []


@pytest.mark.parametrize(
    "host", [None, "127.0.0.1:9466", "[::1]:9466", "10.0.0.1", "localhost:1", "LOCALHOST", "box2.example.org.:9466"]
)
def testown_names_are_answered(web: Address, host: str | None) -> None:
    assert get(web, "/leader", host=host).status == 200


@pytest.mark.parametrize("host", ["evil.example", "evil.example:9466", "localhost.evil.example", "box2", ""])
def test_page_of_somebody_else_cannot_read_by_a_name_that_leads_here(web: Address, host: str) -> None:
    for path in ("/leader", "/metrics", "/"):
        got = get(web, path, host=host)
        assert (got.status, "leads" in got.body) == (421, False)


@pytest.mark.parametrize(
    "request_", [b"\0" * 100 + b"\r\n\r\n", b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"GET /" + b"x" * 70_000]
)
def test_garbage_is_refused(web: Address, request_: bytes) -> None:
    got = raw(web, request_)
    assert got == b"" or re.match(rb"HTTP/1\.0 (4|5)|(4|5)\d\d ", got)
    assert get(web, "/healthz").status == 200


# -- many, and slow ones


def test_slow_client_is_cut_off_however_often_it_says_something(web: Address) -> None:
    began_s = time.monotonic()
    with connect(web) as client:
        try:
            while True:
                client.sendall(b"X: y\r\n" if time.monotonic() > began_s + 0.1 else b"GET / HTTP/1.0\r\n")
                client.settimeout(0.1)
                try:
                    if not client.recv(1):
                        break
                except TimeoutError:
                    assert time.monotonic() < began_s + LIMIT_S
        except ConnectionError:
            pass
    assert get(web, "/healthz").status == 200


def test_who_is_quick_is_answered_beside_any_number_of_slow_ones(server: WebServer, web: Address) -> None:
    slow: list[socket.socket] = []
    try:
        for _ in range(3 * CLIENTS_MAX):
            slow.append(connect(web))
            slow[-1].sendall(b"GET /leader HTTP/1.0\r\nX:")
        assert get(web, "/leader").status == 200
        assert rest(slow[0]) == b""  # the oldest has made room
        until(lambda: threading.active_count() <= 2 * CLIENTS_MAX + 8)
    finally:
        for each in slow:
            each.close()
    assert get(web, "/leader").status == 200


def test_who_goes_away_in_the_middle_is_no_mistake(web: Address, capfd: pytest.CaptureFixture[str]) -> None:
    for request in (b"", b"GET / HT", b"GET /metrics HTTP/1.0\r\n\r\n"):
        client = connect(web)
        client.sendall(request)
        client.close()
    assert get(web, "/healthz").status == 200
    assert capfd.readouterr().err == ""


def test_thread_that_cannot_start_keeps_no_place(server: WebServer, web: Address) -> None:
    real = ThreadingHTTPServer.process_request
    failed: list[object] = []

    def none_left(self: ThreadingHTTPServer, request: Any, client_address: Any) -> None:
        if len(failed) < 3 * CLIENTS_MAX:  # more than there are places
            failed.append(client_address)
            raise RuntimeError("can't start new thread")
        real(self, request, client_address)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ThreadingHTTPServer, "process_request", none_left)
        for _ in range(3 * CLIENTS_MAX):
            assert raw(web, b"GET /healthz HTTP/1.0\r\n\r\n") == b""
        assert get(web, "/healthz").status == 200


# -- the command


def test_no_resolver_is_asked_before_it_listens(monkeypatch: pytest.MonkeyPatch) -> None:
    def ask(*_: object) -> str:
        raise AssertionError("asked")

    for name in ("getfqdn", "gethostbyaddr", "getaddrinfo"):
        monkeypatch.setattr(socket, name, ask)
    monkeypatch.setattr(socket, "gethostname", lambda: "box2.example.org")
    assert serve.own_names() == {"box2.example.org", "box2"}


def test_command_serves_and_ends_with_sigterm(kingd: FakeKingd) -> None:
    with serving(kingd.path, "--allow-host", "lb.example") as address:
        assert get(address, "/leader", host="lb.example").status == 200
        assert get(address, "/leader", host=socket.gethostname()).status == 200
        assert get(address, "/leader", host="other.example").status == 421


@contextmanager
def asking(address: Address, path: str) -> Iterator[socket.socket]:
    """It goes away by RST in the end: what is written to it then fails."""
    with connect(address) as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.sendall(f"GET {path} HTTP/1.0\r\n\r\n".encode())
        yield client


@pytest.mark.parametrize("path", ["/", "/events", "/metrics"])
def test_command_outlives_clients_that_close_early(kingd: FakeKingd, path: str) -> None:
    go_on, asked = threading.Event(), threading.Semaphore(0)

    def hang() -> None:
        asked.release()
        go_on.wait(LIMIT_S)

    with serving(kingd.path) as address:  # which sees to it that it ends with 0, when it is told to
        for _ in range(20):
            with asking(address, path) as client:
                if path == "/events":
                    client.recv(1)  # it is one of the pages, and gets what happens
        kingd.service.on_status = hang
        with asking(address, path):
            assert asked.acquire(timeout=LIMIT_S)  # so it goes before there is an answer
        go_on.set()
        assert get(address, "/healthz").status == 200
        assert get(address, "/leader").status == 200


def test_address_that_is_taken_or_none(kingd: FakeKingd, web: Address, capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["serve", "--listen", f"127.0.0.1:{web[1]}"]) == 1
    assert "another one is chosen by --listen" in capfd.readouterr().err
    for value in ("9466", "127.0.0.1:", "127.0.0.1:70000", ":1"):
        assert run(["serve", "--listen", value]) == 2
