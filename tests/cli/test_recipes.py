"""What docs/recipes.md says of haproxy, done."""

import re
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest

from tests.cli.fake_kingd import FakeKingd, running, status
from tests.cli.runs import FOLLOWS, LIMIT_S, leads, until
from tests.cli.web import Address, rest, serving
from tests.conftest import require
from tests.daemon.running import free_port
from tests.recipes import recipe

HAPROXY = shutil.which("haproxy", path="/usr/sbin:/usr/bin:/usr/local/sbin")
NAMES = ("box1", "box2", "box3")


@contextmanager
def backend(name: str) -> Iterator[int]:
    """The service of one host: it says its name, and holds the connection. Its port."""
    with socket.create_server(("127.0.0.1", 0)) as listener, ExitStack() as stack:

        def answer() -> None:
            while True:
                try:
                    client, _ = listener.accept()
                except OSError:
                    return
                stack.enter_context(client)
                with suppress(OSError):  # haproxy has looked, and has gone
                    client.sendall(name.encode())

        thread = threading.Thread(target=answer)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            listener.shutdown(socket.SHUT_RDWR)  # a mere close would leave it waiting
            thread.join(LIMIT_S)


def config(services: dict[str, int], webs: dict[str, Address], port: int) -> str:
    """That of the page, with the ports of this test."""
    (text,) = [block.text for block in recipe("haproxy in front of the leader") if block.language == "haproxy"]
    text = text.replace("bind :5432", f"bind 127.0.0.1:{port}")
    for name in NAMES:
        there = f"127.0.0.1:{services[name]} port {webs[name][1]}"
        text, count = re.subn(rf"server {name} 10\.0\.0\.\d:5432", f"server {name} {there}", text)
        assert count == 1
    return text


def served_by(port: int) -> str:
    """ "" = by nobody."""
    try:
        with socket.create_connection(("127.0.0.1", port), LIMIT_S) as client:
            return client.recv(100).decode()
    except ConnectionError:
        return ""


@pytest.mark.timeout(300)
def test_haproxy_follows_the_leader(tmp_path: Path) -> None:
    require(HAPROXY, "haproxy is not installed")
    with ExitStack() as stack:
        kingds: dict[str, FakeKingd] = {name: stack.enter_context(running(tmp_path / f"{name}.sock")) for name in NAMES}
        services = {name: stack.enter_context(backend(name)) for name in NAMES}
        webs = {name: stack.enter_context(serving(each.path)) for name, each in kingds.items()}
        port = free_port()
        path = tmp_path / "haproxy.cfg"
        path.write_text(config(services, webs, port))
        proxy = subprocess.Popen([str(HAPROXY), "-db", "-q", "-f", str(path)])
        stack.callback(proxy.wait, LIMIT_S)
        stack.callback(proxy.terminate)

        def lead(leader: str) -> None:
            for name, each in kingds.items():
                each.service.status_is = leads() if name == leader else FOLLOWS

        lead("box1")
        until(
            lambda: [served_by(port) for _ in range(6)] == ["box1"] * 6
        )  # at first it takes each of them for the leader
        with socket.create_connection(("127.0.0.1", port), LIMIT_S) as client:
            assert client.recv(100) == b"box1"
            lead("box3")
            assert rest(client) == b""  # its connection ends with the leadership
        until(lambda: served_by(port) == "box3")
        for each in kingds.values():
            each.service.status_is = status(role="candidate", leader=None)
        until(lambda: served_by(port) == "")
        kingds["box2"].close()
        lead("box1")
        until(lambda: served_by(port) == "box1")
