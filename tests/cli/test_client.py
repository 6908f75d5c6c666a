"""kingd.client and kingd.client.aio against a daemon whose answers a test chooses: what is imported, what they are told, and
when a block is entered."""

import asyncio
import subprocess
import sys
import threading
import time
from contextlib import aclosing
from pathlib import Path

import pytest

from kingd.client import Client, DaemonNotRunning, NotLeading
from kingd.client.aio import AsyncClient
from tests.cli.fake_kingd import BOX1, BOX2, FakeKingd, event
from tests.cli.runs import FOLLOWS, LIMIT_S, leads, until

pytestmark = pytest.mark.timeout(300)

SHORT_MS = 600
OTHER_NODE = {**leads(), "node": {**BOX1, "role": "leader"}, "leader": BOX1}


# -- what is imported


@pytest.mark.parametrize(
    ("module", "unwanted"),
    [
        ("kingd.client", ("asyncio", "click", "kingd.daemon", "kingd.core", "kingd.cli", "kingd.config", "kingd.net")),
        ("kingd.client.aio", ("click", "kingd.daemon", "kingd.core", "kingd.cli", "kingd.config", "kingd.net")),
    ],
)
def test_import_brings_nothing_of_the_daemon(module: str, unwanted: tuple[str, ...]) -> None:
    program = f"import sys, {module}; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()
    assert module in loaded
    assert [name for name in loaded for top in unwanted if name == top or name.startswith(f"{top}.")] == []


def test_package_says_that_it_is_typed() -> None:
    import kingd

    assert (Path(kingd.__file__).parent / "py.typed").exists()


# -- questions


def test_async_answers_are_those_of_the_sync_client(kingd: FakeKingd) -> None:
    async def ask() -> tuple[object, ...]:
        client = AsyncClient()
        return await client.leader(), await client.is_leader(), await client.status(), await client.wait()

    client = Client()
    for said in (leads(), FOLLOWS):
        kingd.service.status_is = said
        assert asyncio.run(ask()) == (client.leader(), client.is_leader(), client.status(), client.wait())


def test_answer_that_is_over_is_none(kingd: FakeKingd) -> None:
    """Too late each time, as the daemon had it in its hands for longer than it is good for."""
    kingd.service.status_is = leads() | {"valid_ms": 20}
    kingd.service.on_status = lambda: time.sleep(0.03)

    async def ask() -> tuple[object, ...]:
        client = AsyncClient(timeout_s=0.5)
        return await client.leader(), await client.is_leader()

    client = Client(timeout_s=0.5)
    assert (client.leader(), client.is_leader()) == asyncio.run(ask()) == (None, False)


def test_async_answer_that_came_too_late_is_asked_for_again(kingd: FakeKingd) -> None:
    kingd.service.status_is = leads() | {"valid_ms": 1000}
    late = [1.1, 1.1, 1.1]
    kingd.service.on_status = lambda: time.sleep(late.pop() if late else 0)
    assert asyncio.run(AsyncClient(timeout_s=LIMIT_S).is_leader())
    assert late == []


def test_async_watch_gives_events_in_order_and_ends_with_the_daemon(kingd: FakeKingd) -> None:
    async def read() -> list[object]:
        seen: list[object] = []
        async with aclosing(AsyncClient().watch()) as events:
            try:
                async for each in events:
                    seen.append(each["seq"])
                    await asyncio.to_thread(kingd.do, lambda: kingd.service.emit(after.pop(0) if after else None))
            except DaemonNotRunning:
                seen.append("gone")
        return seen

    after = [event("elected", role="leader", leader=BOX2, seq=seq) for seq in (2, 3)]
    assert asyncio.run(read()) == [1, 2, 3, "gone"]


def test_async_errors_are_those_of_the_sync_client(tmp_path: Path) -> None:
    with pytest.raises(DaemonNotRunning, match="there is no"):
        asyncio.run(AsyncClient(tmp_path / "none").leader())


# -- a block


def test_block_is_entered_only_by_the_leader(kingd: FakeKingd) -> None:
    kingd.service.status_is = FOLLOWS

    async def enter() -> None:
        async with AsyncClient().leading():
            raise AssertionError("entered")

    with pytest.raises(NotLeading):
        asyncio.run(enter())
    with pytest.raises(NotLeading), Client().leading():
        raise AssertionError("entered")
    until(lambda: not kingd.service.names_held)


def test_block_is_not_entered_before_a_hand_over(kingd: FakeKingd) -> None:
    kingd.do(lambda: kingd.service.tell_to_drain(True))
    with pytest.raises(NotLeading), Client().leading():
        raise AssertionError("entered")
    assert [call for call, _ in kingd.service.calls] == ["drained"]  # it was told, so it is owed for


def become_leader(kingd: FakeKingd) -> None:
    until(lambda: kingd.service.watchers)
    kingd.service.status_is = leads()
    kingd.do(lambda: kingd.service.emit(event("elected", role="leader", leader=BOX2)))


def test_block_waits_until_this_host_leads(kingd: FakeKingd) -> None:
    async def enter() -> int:
        async with AsyncClient().leading(wait_s=LIMIT_S) as validity:
            return validity.term

    def enter_sync() -> int:
        with Client().leading(wait_s=LIMIT_S) as validity:
            return validity.term

    for attempt in (enter_sync, lambda: asyncio.run(enter())):
        kingd.service.status_is = FOLLOWS
        thread = threading.Thread(target=become_leader, args=(kingd,))
        thread.start()
        assert attempt() == 12
        thread.join(LIMIT_S)


def test_wait_that_is_in_vain_ends(kingd: FakeKingd) -> None:
    kingd.service.status_is = FOLLOWS

    async def enter() -> None:
        async with AsyncClient().leading(wait_s=0.2):
            raise AssertionError("entered")

    with pytest.raises(NotLeading, match="waiting"):
        asyncio.run(enter())
    with pytest.raises(NotLeading, match="waiting"), Client().leading(wait_s=0.2):
        raise AssertionError("entered")
