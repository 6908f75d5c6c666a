"""A host that gives the daemon no more threads: a leader leads on, and who has none for its disk does not lead until it has."""

import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest

from kingd.core.election import Core
from kingd.core.wire.endpoint import Endpoint
from kingd.daemon.peers import Peers
from kingd.daemon.store import Owner, Store
from kingd.loop import Loop
from kingd.net import links, seeds, watch
from kingd.net.links import Link
from kingd.net.problems import Operation
from kingd.net.watch import Watch
from tests.cli.raw_client import eventually
from tests.daemon.loops import LIMIT_S, run_for, until
from tests.daemon.running import Daemon

# As a limit of processes does it: root has none that a test could set for itself alone.
FULL_WHILE = """
import os, sys, threading
start, file, refused = threading.Thread.start, sys.argv.pop(1), 0

def full(thread):
    global refused
    if os.path.exists(file):
        refused += 1
        print(refused, file=open(file, "w"))
        raise RuntimeError("can't start new thread")
    start(thread)

threading.Thread.start = full
from kingd.daemon.main import main
main(sys.argv[1:])
"""


@pytest.fixture
def loop() -> Iterator[Loop]:
    loop = Loop()
    yield loop
    loop.close()


def fail_to_start(_thread: threading.Thread) -> None:
    raise RuntimeError("can't start new thread")


def problems(daemon: Daemon) -> str:
    return str(daemon.ask("Status")["problems"])


def leader(daemon: Daemon) -> object:
    found = daemon.ask("Status")["leader"]
    return found["name"] if isinstance(found, dict) else found


def spawn(daemon: Daemon, full: Path) -> None:
    daemon.spawn("-c", FULL_WHILE, str(full))
    daemon.until_ready()


def test_leader_that_gets_no_more_threads_leads_on_and_keeps_its_state(daemons: list[Daemon]) -> None:
    daemon, full = daemons[0], daemons[0].folder / "full"
    daemon.config.write_text('[control]\ngroup = "no-such-group"\n')
    spawn(daemon, full)
    daemon.until_leader("box1")
    full.touch()
    daemon.signal(signal.SIGHUP)  # looks for the group
    eventually(lambda: full.read_text() != "")
    (daemon.folder / "state" / "lock").unlink()  # which is looked at every 2 s, and made again
    eventually((daemon.folder / "state" / "lock").exists)
    assert leader(daemon) == "box1"
    assert daemon.ask("SetMaintenance", on=True, reason="disk")["saved"] is True
    assert daemon.stop()[0] == 0


def test_who_has_no_thread_for_its_disk_does_not_lead_until_it_has(daemons: list[Daemon]) -> None:
    daemon, full = daemons[0], daemons[0].folder / "full"
    full.touch()
    spawn(daemon, full)
    eventually(lambda: "the state folder cannot be written ([Errno 11] no thread can be started" in problems(daemon))
    eventually(lambda: "still there cannot be seen ([Errno 11] no thread" in problems(daemon))
    assert leader(daemon) is None
    full.unlink()
    daemon.until_leader("box1")
    eventually(lambda: "no thread" not in problems(daemon))
    assert daemon.stop()[0] == 0


class _Members:
    """In the place of the core."""

    def __init__(self) -> None:
        self.known = [Endpoint("10.0.0.1", 1)]

    def endpoints(self) -> list[Endpoint]:
        return list(self.known)


def test_disk_that_hangs_is_asked_for_the_peers_once(
    loop: Loop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    goes_on, saved = threading.Event(), list[list[Endpoint]]()

    def hang(_self: Store, members: list[Endpoint]) -> None:
        saved.append(members)
        goes_on.wait(LIMIT_S)

    store, members = Store.open(tmp_path, Owner("box1", "lan")), _Members()
    monkeypatch.setattr(Store, "save_peers", hang)
    peers, core = Peers((), loop, port=1, store=store), cast(Core, members)
    peers.remember(core)
    until(loop, lambda: saved)
    for port in range(2, 10):
        members.known = [Endpoint("10.0.0.1", port)]
        peers.remember(core)
        run_for(loop, 0)
    goes_on.set()

    def remembered() -> bool:
        peers.remember(core)
        return len(saved) > 1

    until(loop, remembered)
    assert saved == [[Endpoint("10.0.0.1", 1)], [Endpoint("10.0.0.1", 9)]]
    store.close()


def test_peers_that_no_thread_could_save_are_saved_later(
    loop: Loop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, core = Store.open(tmp_path, Owner("box1", "lan")), cast(Core, _Members())
    peers = Peers((), loop, port=1, store=store)
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", fail_to_start)
        peers.remember(core)
        run_for(loop, 0.01)

    def remembered() -> bool:
        peers.remember(core)
        return bool(store.load_peers())

    until(loop, remembered)
    store.close()


def test_interfaces_that_no_thread_could_list_are_listed_later(loop: Loop, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[list[Link]] = []
    failed: list[tuple[int | None, Operation]] = []
    monkeypatch.setattr(links, "scan", lambda _: [])
    monkeypatch.setattr(watch, "PERIOD_TROUBLED_S", 0.01)
    watching = Watch(
        [],
        on_links=seen.append,
        on_period=lambda: True,
        on_failed=lambda error, operation: failed.append((error.errno, operation)),
    )
    watching.start(loop)
    watching.hurry()
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", fail_to_start)
        until(loop, lambda: len(failed) > 2)
        assert (set(failed), seen) == ({(11, Operation.SCAN)}, [[]])
    until(loop, lambda: len(seen) > 2)
    watching.close()


def test_name_that_no_thread_could_look_up_has_not_resolved(loop: Loop, monkeypatch: pytest.MonkeyPatch) -> None:
    found: list[list[Endpoint]] = []
    monkeypatch.setattr(threading.Thread, "start", fail_to_start)
    seeds.resolve([("a.test", 1), ("10.0.0.1", 1), *((f"b{n}.test", 1) for n in range(20))], loop, found.append)
    until(loop, lambda: found)
    assert found == [[Endpoint("10.0.0.1", 1)]]
