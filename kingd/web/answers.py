"""What is said to whom, by kingctl serve: a request's path and Host in, a `Response` out. No sockets here.

`/leader` is for load balancers: 200 on the leader, 503 on every other host and where it is not known. It is judged last of
all, when the response is about to be written, and nothing of it is kept. Metrics are, while nothing happens: kept.py."""

import ipaddress
import time
from collections.abc import Callable, Collection, Generator
from dataclasses import dataclass, field
from http import HTTPStatus

from kingd.control.answer import number, number_or_none, section, text
from kingd.control.client import KingdError, call
from kingd.control.validity import Answer
from kingd.web.feed import EVERY_S, Feed
from kingd.web.kept import Kept
from kingd.web.page import POLICY, body, page
from kingd.web.stream import Stream

_PLAIN = "text/plain; charset=utf-8"


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    status: HTTPStatus
    body: bytes
    content_type: str = _PLAIN
    headers: dict[str, str] = field(default_factory=dict)
    pieces: Generator[bytes, None, None] | None = None  # instead of a body: one that goes on


def say(status: HTTPStatus, words: str, **headers: object) -> Response:
    named = {name.replace("_", "-").title(): str(value) for name, value in headers.items()}
    return Response(status=status, body=f"{words}\n".encode(), headers=named)


class Answers:
    def __init__(self, socket: str, *, timeout_s: float, hosts: Collection[str], every_s: float = EVERY_S) -> None:
        """`hosts`: names by which this server may be called, besides addresses and localhost. `every_s`: how often a page is
        told what is."""
        self._socket = socket
        self._timeout_s = timeout_s
        self._kept = Kept(socket, timeout_s=timeout_s)
        self._stream = Stream(Feed(socket, timeout_s=timeout_s, every_s=every_s))
        self._hosts = {"localhost", *(each.lower().rstrip(".") for each in hosts)}
        self._paths: dict[str, Callable[[], Response]] = {
            "/": self._front,
            "/leader": self._leader,
            "/healthz": lambda: say(HTTPStatus.OK, "ok"),
            "/metrics": self._metrics,
        }

    def close(self) -> None:
        self._kept.close()

    def respond(self, target: str, host: str | None, *, last_id: str | None = None) -> Response:
        """`last_id`: the last that a page has seen.

        `host`: what the client calls us. A page of somebody else's, whose name is made to lead here, gets nothing (DNS
        rebinding); who says none is no browser."""
        if host is not None and not self._is_ours(host):
            hint = f"start kingctl serve with --allow-host {_name(host)}, if that is a name of this host"
            return say(HTTPStatus.MISDIRECTED_REQUEST, hint)
        path = target.partition("?")[0]
        if path == "/events":
            pieces = self._stream.pieces(last_id)
            return Response(status=HTTPStatus.OK, body=b"", content_type="text/event-stream", pieces=pieces)
        answer = self._paths.get(path)
        if answer is None:
            return say(HTTPStatus.NOT_FOUND, "here are /, /events, /leader, /healthz and /metrics")
        return answer()

    def _is_ours(self, host: str) -> bool:
        name = _name(host)
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return name in self._hosts
        return True

    def _leader(self) -> Response:
        try:
            answer = Answer(self._socket, timeout_s=self._timeout_s)
            return self._judge(answer)
        except KingdError as error:
            return say(HTTPStatus.SERVICE_UNAVAILABLE, f"not known: {error}")

    def _judge(self, answer: Answer) -> Response:
        status, leader = answer.status, answer.leader
        me = text(section(status, "node"), "name")
        if leader is None:
            return say(HTTPStatus.SERVICE_UNAVAILABLE, f"not known: {status.get('reason')}")
        said = {"kingd_term": number(status, "term"), "kingd_leader_age_ms": number_or_none(status, "leader_age_ms")}
        if answer.is_over:
            return say(HTTPStatus.SERVICE_UNAVAILABLE, "not known: the answer came too late to be used")
        if answer.is_me:
            return say(HTTPStatus.OK, f"{me} leads: it is this host", **said, kingd_valid_ms=answer.valid_ms)
        return say(HTTPStatus.SERVICE_UNAVAILABLE, f"{text(leader, 'name')} leads, not this host ({me})", **said)

    def _metrics(self) -> Response:
        try:
            found = self._kept.exposition()
        except KingdError as error:  # it is not understood; no answer at all is kingd_up 0
            return say(HTTPStatus.SERVICE_UNAVAILABLE, str(error))
        return Response(status=HTTPStatus.OK, body=found, content_type="text/plain; version=0.0.4; charset=utf-8")

    def _front(self) -> Response:
        found = self._page()
        headers = {"Content-Security-Policy": POLICY}
        return Response(status=HTTPStatus.OK, body=found, content_type="text/html; charset=utf-8", headers=headers)

    def _page(self) -> bytes:
        end_s = time.monotonic() + self._timeout_s
        try:
            members = call(self._socket, "Members", timeout_s=self._timeout_s)
            answer = Answer(self._socket, timeout_s=max(end_s - time.monotonic(), 0.001))  # last: it gets old
            shown, me = body(answer.status, members), text(section(answer.status, "node"), "name")
            return page(_title(answer), who=f"kingd on {me}", time=_utc(), body=shown)
        except KingdError as error:
            return page(f"Not known: {error}", who="kingctl serve", time=_utc())


def _utc() -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime())


def _title(answer: Answer) -> str:
    if answer.leader is None or answer.is_over:
        return f"Who leads is not known ({answer.status.get('reason')})"
    cluster = text(answer.status, "cluster")
    return f"{text(answer.leader, 'name')} leads cluster {cluster}, term {number(answer.status, 'term')}"


def _name(host: str) -> str:
    """Without the port."""
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.rpartition(":")[0].lower().rstrip(".") if host.count(":") == 1 else host.lower().rstrip(".")
