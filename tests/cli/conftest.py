"""A daemon whose answers a test chooses, and runs of kingctl that are ended after it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.fake_kingd import FakeKingd, running
from tests.cli.runs import SHORT_MS, Hang, Run, Start, Witness, leads


@pytest.fixture
def kingd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeKingd]:
    monkeypatch.setenv("KINGCTL_SOCKET", str(tmp_path / "control.sock"))
    with running(tmp_path / "control.sock") as server:
        server.service.status_is = leads()
        yield server


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
def hang(kingd: FakeKingd) -> Iterator[Hang]:
    kingd.service.status_is = leads() | {"valid_ms": SHORT_MS}
    found = Hang(kingd)
    yield found
    found.ends.set()
