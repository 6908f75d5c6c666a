"""A block of `leading` and the process around it: threads, descriptors, children, and whose it is."""

import asyncio
import errno
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from kingd.acting.linux import KillTimer
from kingd.client import Client, LeadershipLost, leading
from kingd.client.aio import AsyncClient
from tests.cli.fake_kingd import FakeKingd
from tests.cli.runs import LIMIT_S, Hang, drained, open_to_all, until
from tests.conftest import require

pytestmark = pytest.mark.timeout(300)


def test_nothing_is_left_of_a_block(kingd: FakeKingd) -> None:
    def count() -> tuple[int, int]:
        return threading.active_count(), len(list(Path("/proc/self/fd").iterdir()))

    def enter() -> None:
        with Client().leading(kill=True):
            pass

    enter()
    before = count()
    for _ in range(5):
        enter()
    until(lambda: count() <= before, count)


def test_block_that_cannot_begin_is_left(kingd: FakeKingd, monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel has no more timers for this user, say."""

    def none_left() -> None:
        raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN))

    monkeypatch.setattr(leading, "KillTimer", none_left)
    before = len(list(Path("/proc/self/fd").iterdir()))
    with pytest.raises(OSError, match="temporarily"), Client().leading(kill=True):
        raise AssertionError("entered")
    until(lambda: not kingd.service.names_held)
    assert len(drained(kingd)) == 1
    until(lambda: len(list(Path("/proc/self/fd").iterdir())) <= before)


def test_block_whose_end_fails_is_left(kingd: FakeKingd, monkeypatch: pytest.MonkeyPatch) -> None:
    close = KillTimer.close

    def fail(timer: KillTimer) -> None:
        close(timer)
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))

    monkeypatch.setattr(KillTimer, "close", fail)
    with pytest.raises(OSError, match="Invalid"), Client().leading(kill=True):
        pass
    assert len(drained(kingd)) == 1
    until(lambda: not kingd.service.names_held)


@contextmanager
def no_more_threads() -> Iterator[None]:
    def none_left(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(threading.Thread, "start", none_left)
        yield


def test_doubt_is_told_where_no_thread_can_start_any_more(kingd: FakeKingd, hang: Hang) -> None:
    told = threading.Event()

    def work() -> None:
        with no_more_threads(), Client(timeout_s=1).leading(on_doubt=lambda _why: told.set()):
            raise AssertionError("entered")

    with pytest.raises(RuntimeError, match="new thread"):
        work()
    assert len(drained(kingd)) == 1
    with Client(timeout_s=1).leading(on_doubt=lambda _why: told.set()), no_more_threads():
        hang.begins.set()
        assert told.wait(LIMIT_S)
        hang.ends.set()
    assert len(drained(kingd)) == 2


def test_task_is_cancelled_where_no_thread_can_start_any_more(kingd: FakeKingd, hang: Hang) -> None:
    goes_on = threading.Event()

    async def work() -> None:
        with no_more_threads():
            async with AsyncClient(timeout_s=1).leading():
                raise AssertionError("entered")

    async def work_and_doubt() -> None:
        async with AsyncClient(timeout_s=1).leading():
            busy = [asyncio.ensure_future(asyncio.to_thread(goes_on.wait, LIMIT_S)) for _ in range(2)]
            await asyncio.sleep(0)  # the threads of the loop are taken
            patch.enter_context(no_more_threads())
            hang.begins.set()
            try:
                await asyncio.sleep(LIMIT_S)
            finally:
                hang.ends.set()
                assert not any(each.done() for each in busy)

    async def block() -> None:
        try:
            await work_and_doubt()
        finally:
            patch.close()  # the loop wants one for its end
            goes_on.set()

    with ExitStack() as patch:
        with pytest.raises(RuntimeError, match="new thread"):
            asyncio.run(work())
        with pytest.raises(LeadershipLost, match="does not say"):
            asyncio.run(block())
    assert len(drained(kingd)) == 1


FORKS = """
import os, signal
from kingd.client import Client
with Client().leading():
    child = os.fork()
    if child == 0:
        signal.pause()
print("out", flush=True)
input()
os.kill(child, signal.SIGKILL)
"""


def test_child_that_was_forked_is_not_waited_for(kingd: FakeKingd) -> None:
    argv = [sys.executable, "-c", FORKS]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == "out\n"
        assert len(drained(kingd)) == 1
        until(lambda: not kingd.service.names_held)
        parent.communicate("\n", timeout=LIMIT_S)
    assert parent.returncode == 0


def test_program_may_have_many_descriptors(kingd: FakeKingd) -> None:
    """More than select(2) can wait for."""
    program = (
        "import os, resource; _, hard = resource.getrlimit(resource.RLIMIT_NOFILE);"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (2048, hard)); kept = [os.eventfd(0) for _ in range(1100)]\n"
        "from kingd.client import Client\n"
        "with Client().leading() as validity: print(validity.term)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=LIMIT_S)
    assert (done.stdout, done.stderr) == ("12\n", "")


def test_who_may_not_drain_is_told_that_a_hand_over_does_not_wait(kingd: FakeKingd, tmp_path: Path) -> None:
    require(os.geteuid() == 0 and shutil.which("setpriv"), "this is not root, or there is no setpriv")
    open_to_all(tmp_path)
    program = "from kingd.client import Client\nwith Client().leading() as validity: print(validity.why_alone)"
    argv = ["setpriv", "--reuid=65534", "--clear-groups", sys.executable, "-c", program]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=LIMIT_S, check=True)
    assert "is for root and the group of control.group" in done.stdout
    assert drained(kingd) == []
    with Client().leading() as validity:
        assert validity.why_alone == ""
