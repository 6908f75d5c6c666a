"""A daemon whose answers a test chooses, a `kingctl serve` before it, and runs of kingctl that are ended after the test."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from kingd.web.answers import Answers
from kingd.web.server import WebServer
from tests.cli.fake_kingd import FakeKingd, running
from tests.cli.freezer import Freezer, made
from tests.cli.runs import LIMIT_S, SHORT_MS, Hang, Run, Start, Witness, leads
from tests.cli.web import Address


@pytest.fixture
def kingd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeKingd]:
    monkeypatch.setenv("KINGCTL_SOCKET", str(tmp_path / "control.sock"))
    with running(tmp_path / "control.sock") as server:
        server.service.status_is = leads()
        yield server


@pytest.fixture
def server(kingd: FakeKingd) -> Iterator[WebServer]:
    found = WebServer(("127.0.0.1", 0), Answers(str(kingd.path), timeout_s=1, hosts=["box2.example.org"], every_s=0.2))
    thread = threading.Thread(target=found.serve)
    thread.start()
    yield found
    found.shutdown()
    thread.join(LIMIT_S)
    found.server_close()


@pytest.fixture
def web(server: WebServer) -> Address:
    return "127.0.0.1", server.server_port


@pytest.fixture
def start() -> Iterator[Start]:
    runs: list[Run] = []

    def start(*argv: str, user: str = "") -> Run:
        runs.append(Run(*argv, user=user))
        return runs[-1]

    yield start
    for each in runs:
        each.close()


@pytest.fixture
def witness(tmp_path: Path) -> Witness:
    return Witness(tmp_path / "record")


@pytest.fixture
def freezer() -> Iterator[Freezer]:
    with made() as found:
        yield found


@pytest.fixture
def hang(kingd: FakeKingd) -> Iterator[Hang]:
    kingd.service.status_is = leads() | {"valid_ms": SHORT_MS}
    found = Hang(kingd)
    yield found
    found.ends.set()
