"""Two real daemons on loopback."""

import itertools
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from kingd.control.answer import rows
from tests.cli.raw_client import eventually
from tests.daemon.running import Daemon, free_port

NUMBERS = itertools.count(1)


@pytest.fixture
def daemons(tmp_path: Path) -> Iterator[list[Daemon]]:
    """Two of one cluster, not started."""
    cluster, port = f"test-{os.getpid()}-{next(NUMBERS)}", free_port()
    made = [Daemon(tmp_path / name, cluster=cluster, port=port, name=name) for name in ("box1", "box2")]
    yield made
    for daemon in made:
        daemon.close()


@pytest.fixture
def daemon(daemons: list[Daemon]) -> Daemon:
    return daemons[0]


@pytest.fixture
def pair(daemons: list[Daemon]) -> Daemon:
    """A follower, of a leader that has tags and could hand over to it."""
    leader, follower = daemons
    leader.config.write_text('priority = 200\n[tags]\nurl = "http://x"\n')
    leader.start()
    leader.until_leader("box1")  # alone: what it says of its election does not depend on who comes first
    follower.start()
    follower.until_leader("box1")
    eventually(lambda: [row["leader"] for row in rows(leader.ask("Survey"), "nodes")] == ["box1", "box1"])
    return follower
