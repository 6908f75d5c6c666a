"""A block of `leading`, sync and asyncio, when leadership ends: the traps of docs/client.md, each a test.

No time is judged by the test's own pace: when the daemon said what is noted by the daemon."""

import asyncio
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from kingd.client import Client, JsonObject, LeadershipLost, NotLeading, Validity
from kingd.client.aio import AsyncClient
from tests.cli.fake_kingd import BOX1, FakeKingd, event, running
from tests.cli.runs import FOLLOWS, LIMIT_S, SHORT_MS, Hang, drained, leads, now_ns, until

pytestmark = pytest.mark.timeout(300)

OTHER_NODE = {**leads(), "node": {**BOX1, "role": "leader"}, "leader": BOX1}


def boottime() -> float:
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def test_until_counts_from_when_the_daemon_said_it(kingd: FakeKingd) -> None:
    """Every word is on its way for a while. When the next one is said, no later one than the one before has come."""
    kingd.service.status_is = leads() | {"valid_ms": 4 * SHORT_MS}
    said: list[float] = []
    inside: list[Validity] = []
    latest: list[tuple[float, float]] = []  # until, and what it may be

    def say_late() -> None:
        if inside:
            latest.append((inside[0].until, said[-1] + 0.9 * 4 * SHORT_MS / 1000))
        said.append(boottime())
        time.sleep(SHORT_MS / 1000 / 5)

    kingd.service.on_status = say_late
    with Client().leading() as validity:
        inside.append(validity)
        until(lambda: len(latest) >= 2)
        inside.clear()
    assert [each for each in latest if each[0] > each[1]] == []


def test_block_ends_by_the_clock_when_the_daemon_hangs(kingd: FakeKingd, hang: Hang) -> None:
    with Client(timeout_s=1).leading() as validity:
        validity.check()
        hang.begins.set()
        with pytest.raises(LeadershipLost, match="does not say"):
            validity.sleep(LIMIT_S)
        assert validity.until <= hang.said_ns / 1e9 + 0.9 * SHORT_MS / 1000
        assert boottime() >= hang.said_ns / 1e9 + SHORT_MS / 1000 / 3  # and not for nothing
        hang.ends.set()
        with pytest.raises(LeadershipLost, match="does not say"):  # what it says then changes nothing
            validity.check()


def test_block_that_goes_on_for_too_long_is_told_at_its_end(kingd: FakeKingd, hang: Hang) -> None:
    def work() -> None:
        with Client(timeout_s=1).leading() as validity:
            hang.begins.set()
            until(lambda: validity.remaining == 0)
            hang.ends.set()

    with pytest.raises(LeadershipLost, match="too late"):
        work()


def test_task_is_cancelled_when_the_daemon_hangs(kingd: FakeKingd, hang: Hang) -> None:
    told: list[float] = []

    async def work() -> None:
        async with AsyncClient(timeout_s=1).leading() as validity:
            hang.begins.set()
            try:
                await asyncio.sleep(LIMIT_S)
            finally:
                told.append(boottime())
                assert validity.why
                hang.ends.set()

    with pytest.raises(LeadershipLost, match="does not say"):
        asyncio.run(work())
    assert told[0] >= hang.said_ns / 1e9 + SHORT_MS / 1000 / 3


def test_cancellation_of_somebody_else_stays_one(kingd: FakeKingd) -> None:
    inside = threading.Event()

    async def work() -> None:
        async with AsyncClient().leading():
            inside.set()
            await asyncio.sleep(LIMIT_S)

    async def cancel() -> bool:
        task = asyncio.create_task(work())
        await asyncio.to_thread(inside.wait, LIMIT_S)
        task.cancel()
        try:
            await task
        except asyncio.CancelledError:
            return True
        return False

    assert asyncio.run(cancel())
    assert len(drained(kingd)) == 1


def test_task_goes_on_after_a_lost_block(kingd: FakeKingd) -> None:
    """The cancellation was ours alone."""

    async def work() -> int:
        task = asyncio.current_task()
        assert task is not None
        try:
            async with AsyncClient().leading():
                kingd.service.status_is = FOLLOWS
                await asyncio.sleep(LIMIT_S)
        except LeadershipLost:
            await asyncio.sleep(0.01)
            return task.cancelling()
        return -1

    assert asyncio.run(work()) == 0


@pytest.mark.parametrize("then", [leads(term=13), OTHER_NODE, FOLLOWS])
def test_another_leadership_is_none(kingd: FakeKingd, then: JsonObject) -> None:

    def work() -> None:
        with Client().leading() as validity:
            kingd.service.status_is = then
            kingd.do(lambda: kingd.service.emit(event("deposed", role="follower", leader=BOX1)))
            with pytest.raises(LeadershipLost, match=r"anew|any more"):
                validity.sleep(LIMIT_S)
            assert validity.remaining == 0
            kingd.service.status_is = leads()  # won again
            with pytest.raises(LeadershipLost):
                validity.check()

    with pytest.raises(LeadershipLost, match="too late"):
        work()


# -- on_doubt, kill


def test_on_doubt_is_for_the_block_and_for_nothing_else(kingd: FakeKingd, hang: Hang) -> None:
    told: list[str] = []
    kingd.service.status_is = FOLLOWS
    with pytest.raises(NotLeading), Client().leading(on_doubt=told.append):
        raise AssertionError("entered")
    assert told == []  # no stop without a start
    kingd.service.status_is = leads() | {"valid_ms": SHORT_MS}
    with Client().leading(on_doubt=told.append):
        pass
    kingd.service.status_is = FOLLOWS
    time.sleep(SHORT_MS / 1000)  # whatever still ran would have found out by now
    assert told == []  # none after the block
    kingd.service.status_is = leads() | {"valid_ms": SHORT_MS}

    def slow(why: str) -> None:
        begun.set()
        may_end.wait(LIMIT_S)
        told.append(why)

    begun, may_end = threading.Event(), threading.Event()

    def work() -> None:
        with Client(timeout_s=1).leading(on_doubt=slow) as validity:
            hang.begins.set()
            assert begun.wait(LIMIT_S)
            hang.ends.set()
            while now_ns() < validity.until * 1e9 + 100_000_000:  # where the last moment passes, too
                time.sleep(0.01)
            threading.Timer(0.1, may_end.set).start()

    with pytest.raises(LeadershipLost):
        work()
    assert len(told) == 1  # one, and `leading` has waited for its end


BLOCK = """
import signal, sys
from kingd.client import Client
with Client(timeout_s=1).leading(kill=True) as validity:
    print(validity.until, flush=True)
    {body}
print("out", flush=True)
import time
time.sleep(float(sys.argv[1]))
"""


def block(body: str, then_s: float = 0.0) -> "subprocess.Popen[str]":
    program = BLOCK.format(body=body)
    return subprocess.Popen([sys.executable, "-c", program, str(then_s)], stdout=subprocess.PIPE, text=True)


# What holds the interpreter's lock for hours, so that no thread of its own can do anything about it; and SIGSTOP.
@pytest.mark.parametrize("body", ["sum(range(1 << 50))", "signal.raise_signal(signal.SIGSTOP)"])
def test_kernel_kills_what_does_not_end(kingd: FakeKingd, hang: Hang, body: str) -> None:
    with block(body) as child:
        assert child.stdout is not None
        assert float(child.stdout.readline()) > 0
        assert child.wait(LIMIT_S) == -9
        assert child.stdout.read() == ""


def test_kernel_kills_nobody_after_the_block(kingd: FakeKingd) -> None:
    kingd.service.status_is = leads() | {"valid_ms": SHORT_MS}
    with block(
        "validity.sleep(2 * 0.6)", then_s=2 * 0.6
    ) as child:  # twice as long as one answer is good for, each time
        assert child.wait(LIMIT_S) == 0


# -- a hand-over on purpose


def test_nothing_is_released_before_the_block_has_ended(kingd: FakeKingd) -> None:
    def work() -> None:
        with Client().leading("slow") as validity:
            kingd.do(lambda: kingd.service.tell_to_drain(True))
            until(lambda: validity.why)
            assert validity.remaining > 0  # time to end
            time.sleep(0.2)
            assert drained(kingd) == []

    work()
    assert [str(name).split()[0] for name in drained(kingd)] == ["slow"]

    async def work_async() -> None:
        async with AsyncClient().leading("slow") as validity:
            kingd.do(lambda: kingd.service.tell_to_drain(True))
            try:
                await asyncio.sleep(LIMIT_S)
            except asyncio.CancelledError:
                assert "handed over" in validity.why
                await asyncio.sleep(0.2)
                assert len(drained(kingd)) == 1
                raise

    kingd.do(lambda: kingd.service.tell_to_drain(False))
    with pytest.raises(LeadershipLost, match="handed over"):
        asyncio.run(work_async())
    assert len(drained(kingd)) == 2
    assert kingd.service.names_held == []


def test_daemon_that_starts_again_ends_the_block(tmp_path: Path) -> None:
    path = tmp_path / "c.sock"

    def enter(act: Callable[[], None]) -> None:
        with Client(path).leading() as validity:
            act()
            validity.sleep(LIMIT_S)

    with running(path) as kingd:
        kingd.service.status_is = leads()
        with pytest.raises(LeadershipLost, match="does not run"):
            enter(kingd.close)


def test_name_is_one_that_a_log_can_have(kingd: FakeKingd) -> None:
    for name in ("", "x" * 33, "a\nb"):
        with pytest.raises(ValueError, match="printable"), Client().leading(name):
            raise AssertionError("entered")
        with pytest.raises(ValueError, match="printable"):
            AsyncClient().leading(name)
