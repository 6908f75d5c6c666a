"""kingctl serve: HTTP for load balancers, Prometheus and people. A process of its own, that only reads.

In: connections, one request each. Out: what answers.py says. Clients are bounded in number, time and size: when there are
too many the oldest makes room, for who is quick is done by then; who is slow is cut off. Pages that are open have places of
their own; when these are taken, one more is refused."""

import contextlib
import socket
import sys
import threading
import time
from collections import OrderedDict
from collections.abc import Generator
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from typing import Any

from kingd.web.answers import Answers, Response, say

CLIENTS_MAX = 32
PAGES_MAX = 16
PAGES_EACH = 4  # of one address; this host's own may be a proxy, that speaks for many
_THREADS_MAX = 2 * CLIENTS_MAX + PAGES_MAX  # those that were cut off end soon
_CLIENT_S = 5.0  # from its connection to the end of the answer
_LOOK_EVERY_S = 0.25
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


class WebServer(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], answers: Answers) -> None:
        """OSError: cannot listen there."""
        self.address_family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        self.answers = answers
        self._clients: OrderedDict[socket.socket, float] = OrderedDict()  # since when, the oldest first
        self._pages: dict[socket.socket, str] = {}  # and whose
        self._threads_left = threading.BoundedSemaphore(_THREADS_MAX)
        self._lock = threading.Lock()
        super().__init__(address, _Handler)

    def server_bind(self) -> None:
        """Without a question to the resolver, which HTTPServer asks."""
        if self.address_family == socket.AF_INET6:  # [::] is IPv4 too
            self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = str(self.server_address[0]), self.server_address[1]

    @property
    def url(self) -> str:
        host = f"[{self.server_name}]" if self.address_family == socket.AF_INET6 else self.server_name
        return f"http://{host}:{self.server_port}/"

    def serve(self) -> None:
        self.serve_forever(poll_interval=_LOOK_EVERY_S)

    def service_actions(self) -> None:
        """After each poll."""
        latest_s = time.monotonic() - _CLIENT_S
        with self._lock:
            for client, since_s in list(self._clients.items()):
                if since_s < latest_s:
                    self._cut_off(client)

    def server_close(self) -> None:
        super().server_close()
        self.answers.close()

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._lock:
            while len(self._clients) >= CLIENTS_MAX:
                self._cut_off(next(iter(self._clients)))
        if not self._threads_left.acquire(timeout=_CLIENT_S):
            self.shutdown_request(request)
            return
        with self._lock:
            self._clients[request] = time.monotonic()
        try:
            super().process_request(request, client_address)
        except RuntimeError:  # no thread can start just now; this client is cut off, and it is told in the journal
            self._threads_left.release()
            raise

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._threads_left.release()

    def keep(self, page: socket.socket, address: str) -> bool:
        """It stays, if there is a place for it, and gives back that of a request."""
        with self._lock:
            is_full = not is_own(address) and list(self._pages.values()).count(address) >= PAGES_EACH
            if is_full or len(self._pages) >= PAGES_MAX or self._clients.pop(page, None) is None:
                return False
            self._pages[page] = address
            return True

    def shutdown_request(self, request: Any) -> None:
        with self._lock:
            self._pages.pop(request, None)
            self._clients.pop(request, None)  # before it is closed: its number may be somebody else's then
        super().shutdown_request(request)

    def _cut_off(self, client: socket.socket) -> None:
        """Its thread finds out, and closes it."""
        del self._clients[client]
        with contextlib.suppress(OSError):
            client.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Who goes away in the middle is nobody's mistake."""
        if not isinstance(sys.exception(), OSError):
            with contextlib.suppress(OSError):  # stderr's reader may have gone, too
                super().handle_error(request, client_address)


def is_own(address: str) -> bool:
    found = ip_address(address.partition("%")[0])
    return (getattr(found, "ipv4_mapped", None) or found).is_loopback


class _Handler(BaseHTTPRequestHandler):
    server: WebServer
    protocol_version = "HTTP/1.0"  # one request a connection
    timeout = _CLIENT_S
    wbufsize = -1  # an answer is written at one stroke: what was judged a moment ago is on its way
    error_content_type = "text/plain; charset=utf-8"
    error_message_format = "%(code)d %(message)s\n"

    def do_GET(self) -> None:
        last_id = self.headers.get("Last-Event-ID")
        self._write(self.server.answers.respond(self.path, self.headers.get("Host"), last_id=last_id))

    do_HEAD = do_GET

    def do_POST(self) -> None:
        self._write(say(HTTPStatus.METHOD_NOT_ALLOWED, "nothing can be changed here: GET and HEAD", allow="GET, HEAD"))

    do_PUT = do_DELETE = do_PATCH = do_OPTIONS = do_POST

    def _write(self, response: Response) -> None:
        goes_on = response.pieces if self.command != "HEAD" else None
        if goes_on is not None and not self.server.keep(self.connection, self.client_address[0]):
            response = say(HTTPStatus.SERVICE_UNAVAILABLE, "as many pages are open as there may be", retry_after=10)
            goes_on = None
        self.send_response(response.status)
        for name, value in {**_HEADERS, **response.headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Type", response.content_type)
        if response.pieces is None:
            self.send_header("Content-Length", str(len(response.body)))
        self.end_headers()
        if goes_on is not None:
            self._go_on(goes_on)
        elif self.command != "HEAD":
            self.wfile.write(response.body)

    def _go_on(self, pieces: Generator[bytes, None, None]) -> None:
        """Until it ends, or the page has gone, or does not read for as long as a client may take."""
        with contextlib.closing(pieces):
            for piece in pieces:
                self.wfile.write(piece)
                self.wfile.flush()

    def version_string(self) -> str:
        return "kingd"

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: who asks each second would fill the journal."""
