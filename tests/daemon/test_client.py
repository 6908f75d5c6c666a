"""kingd.client with a real daemon: its planned stop waits for a block, and its death ends one."""

import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from kingd.client import Client, DaemonNotRunning, LeadershipLost
from tests.cli.runs import until
from tests.daemon.running import PATIENCE_S, Daemon, free_port


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    found = Daemon(tmp_path / "box1", cluster=f"client-{os.getpid()}", port=free_port())
    # An answer is good for so long: a busy host may not run anybody for a while.
    found.config.write_text('[timing]\nleader_timeout = "3s"\n')
    yield found.start()
    found.close()


def test_planned_stop_waits_for_the_block(daemon: Daemon) -> None:
    client = Client(daemon.socket)
    ended = threading.Event()

    def note() -> None:
        daemon.ends()
        ended.set()

    with client.leading("slow block", wait_s=PATIENCE_S) as validity:
        daemon.signal(signal.SIGTERM)
        with pytest.raises(LeadershipLost, match="handed over"):
            validity.sleep(PATIENCE_S)
        waiting = threading.Thread(target=note)
        waiting.start()
        assert not ended.wait(1)
        until(client.is_leader)
    waiting.join(PATIENCE_S)
    assert ended.is_set()
    with pytest.raises(DaemonNotRunning):
        client.is_leader()


def test_death_of_the_daemon_ends_the_block(daemon: Daemon) -> None:
    def work() -> None:
        with Client(daemon.socket).leading(wait_s=PATIENCE_S) as validity:
            daemon.signal(signal.SIGKILL)
            validity.sleep(PATIENCE_S)

    with pytest.raises(LeadershipLost, match="does not run"):
        work()
