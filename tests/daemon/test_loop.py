"""The loop that drives the daemon: docs/loop.md, sentence by sentence."""

import errno
import os
import signal
import threading
import time
from collections.abc import Iterator
from functools import partial

import pytest

from kingd.loop import Loop
from tests.daemon.loops import LIMIT_S, until


@pytest.fixture
def loop() -> Iterator[Loop]:
    loop = Loop()
    yield loop
    loop.close()


def one_turn(loop: Loop) -> None:
    loop.call_soon(loop.stop)
    loop.run()


def test_turn_reads_then_looks_at_timers_then_at_what_was_put_off(loop: Loop) -> None:
    said: list[str] = []
    reader, writer = os.pipe()
    os.write(writer, b"x")
    loop.call_soon(lambda: said.append("soon"))
    loop.call_later(0, lambda: said.append("later"))
    loop.call_at(0, lambda: said.append("first"))
    loop.add_reader(reader, lambda: said.append("read"))
    one_turn(loop)
    assert said == ["read", "first", "later", "soon"]
    loop.remove_reader(reader)
    one_turn(loop)
    assert said == ["read", "first", "later", "soon"]
    os.close(reader)
    os.close(writer)


def test_who_is_cancelled_or_removed_is_not_called_any_more_in_the_same_turn(loop: Loop) -> None:
    said: list[str] = []
    pipes = [os.pipe(), os.pipe()]
    timers = [loop.call_at(at_s, lambda: cancel()) for at_s in (0, 1)]

    def cancel() -> None:
        said.append("timer")
        for timer in timers:
            timer.cancel()

    def remove() -> None:
        said.append("read")
        for reader, _ in pipes:
            loop.remove_reader(reader)

    for reader, writer in pipes:
        os.write(writer, b"x")
        loop.add_reader(reader, remove)
    one_turn(loop)
    one_turn(loop)
    assert said == ["read", "timer"]
    for pipe in pipes:
        for fd in pipe:
            os.close(fd)


def test_what_is_put_off_by_what_was_put_off_waits_for_the_next_turn(loop: Loop) -> None:
    said: list[int] = []

    def again() -> None:
        said.append(len(said))
        loop.call_soon(again)

    again()
    one_turn(loop)
    assert said == [0, 1]
    one_turn(loop)
    assert said == [0, 1, 2]


def test_timer_is_never_early(loop: Loop) -> None:
    late_s: list[float] = []
    for delay_s in (0.0, 0.0004, 0.0011, 0.02):
        at_s = loop.now_s() + delay_s
        loop.call_at(at_s, lambda at_s=at_s: late_s.append(loop.now_s() - at_s))  # type: ignore[misc]
    until(loop, lambda: len(late_s) == 4)
    assert min(late_s) >= 0


def test_what_comes_regularly_comes_in_the_same_turns(loop: Loop) -> None:
    often_s, seldom_s = (loop.call_next(interval_s, lambda: None).at_s for interval_s in (0.25, 5.0))
    assert often_s > loop.now_s() - 0.25
    between = (seldom_s - often_s) / 0.25
    assert between == pytest.approx(round(between), abs=1e-6)


def test_what_comes_regularly_comes_in_a_turn_that_comes_anyway(loop: Loop) -> None:
    """After what can wait less."""
    said: list[str] = []
    regular = loop.call_next(5.0, lambda: said.append("regular"))
    regular.at_s, regular.wakes_s = 0, loop.now_s() + 3600  # nothing but the other one brings it
    loop.call_later(0.01, lambda: said.append("other"))
    loop.call_later(0.01, loop.stop)
    loop.run()
    assert said == ["other", "regular"]


def test_what_comes_regularly_comes_where_nothing_else_does(loop: Loop) -> None:
    said: list[str] = []
    timer = loop.call_next(0.1, lambda: said.append("regular"))
    assert timer.at_s < timer.wakes_s <= timer.at_s + 0.1
    until(loop, lambda: bool(said))


def test_every_is_now_and_again(loop: Loop) -> None:
    said: list[int] = []
    loop.every(0.001, lambda: said.append(1))
    assert said == [1]
    until(loop, lambda: len(said) > 3)


def test_thread_says_what_came_of_it_on_the_loop(loop: Loop) -> None:
    came: list[object] = []
    where: list[int] = []

    def then(outcome: object) -> None:
        came.append(outcome)
        where.append(threading.get_ident())

    def fail() -> str:
        raise OSError(28, "No space left on device")

    loop.in_thread(lambda: "done", then)
    loop.in_thread(fail, then)
    until(loop, lambda: len(came) == 2)
    assert "done" in came
    assert [each.errno for each in came if isinstance(each, OSError)] == [28]
    assert set(where) == {threading.get_ident()}


def test_each_thread_begins_with_what_the_loop_was_given() -> None:
    prepared: list[int] = []
    loop = Loop(in_each_thread=lambda: prepared.append(threading.get_ident()))
    ran: list[int] = []
    loop.in_thread(threading.get_ident, ran.append)  # type: ignore[arg-type]
    until(loop, lambda: ran)
    assert prepared == ran
    loop.close()


def test_mistake_comes_out_of_run_wherever_it_is_made_and_nothing_else_is_lost(loop: Loop) -> None:
    said: list[str] = []

    def fail() -> None:
        raise AssertionError("ours")

    def fail_in_thread() -> int:
        raise AssertionError("ours")

    loop.call_at(0, fail)
    loop.call_at(1, lambda: said.append("timer"))
    loop.call_soon(lambda: said.append("soon"))
    with pytest.raises(AssertionError, match="ours"):
        loop.run()
    until(loop, lambda: len(said) == 2)
    loop.in_thread(fail_in_thread, lambda _: None)
    with pytest.raises(AssertionError, match="ours"):
        loop.run()
    assert said == ["timer", "soon"]


def test_signal_wakes_a_loop_that_has_nothing_else_to_wait_for(loop: Loop) -> None:
    handler = signal.getsignal(signal.SIGUSR2)
    loop.on_signal(signal.SIGUSR2, loop.stop)
    sender = threading.Timer(0.1, lambda: os.kill(os.getpid(), signal.SIGUSR2))
    sender.start()
    start_s = time.process_time()
    loop.run()
    assert time.process_time() - start_s < 0.05, "it slept until then"
    sender.join()
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGUSR2, handler)


def test_bell_that_rings_already_is_rung_no_more(loop: Loop) -> None:
    said: list[int] = []
    for number in range(100_000):
        loop.call_from_thread(lambda number=number: said.append(number))  # type: ignore[misc]
    until(loop, lambda: len(said) == 100_000)
    assert said == list(range(100_000))


def fail_to_start(_thread: threading.Thread) -> None:
    raise RuntimeError("can't start new thread")


def test_where_no_thread_can_be_had_that_is_what_came_of_it(loop: Loop, monkeypatch: pytest.MonkeyPatch) -> None:
    came: list[str | OSError] = []
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", fail_to_start)
        loop.in_thread(lambda: "done", came.append)
        loop.in_kept_thread(lambda: "done", came.append)
        assert came == []
        until(loop, lambda: len(came) == 2)
    assert [each.errno for each in came if isinstance(each, OSError)] == [errno.EAGAIN] * 2
    loop.in_thread(lambda: "later", came.append)
    loop.in_kept_thread(lambda: "later", came.append)
    until(loop, lambda: len(came) == 4)
    assert came[2:] == ["later", "later"]


def test_kept_thread_needs_no_other_one_and_works_in_order(loop: Loop, monkeypatch: pytest.MonkeyPatch) -> None:
    came: list[int | OSError] = []
    where: set[int] = set()

    def work(number: int) -> int:
        where.add(threading.get_ident())
        if number == 2:
            raise OSError(number, "")
        return number

    assert loop.keep_thread()
    monkeypatch.setattr(threading.Thread, "start", fail_to_start)
    for number in range(5):
        loop.in_kept_thread(partial(work, number), came.append)
    until(loop, lambda: len(came) == 5)
    assert [each.errno if isinstance(each, OSError) else each for each in came] == list(range(5))
    assert len(where) == 1
    assert threading.get_ident() not in where


def test_kept_thread_ends_with_the_loop() -> None:
    loop = Loop()
    kept: list[threading.Thread | OSError] = []
    loop.in_kept_thread(threading.current_thread, kept.append)
    until(loop, lambda: kept)
    loop.close()
    (thread,) = kept
    assert isinstance(thread, threading.Thread)
    thread.join(LIMIT_S)
    assert not thread.is_alive()


def test_timer_may_be_as_far_away_as_it_likes(loop: Loop) -> None:
    """Epoll takes 24 days at most."""
    loop.call_later(1e10, loop.stop)
    reader, writer = os.pipe()
    os.write(writer, b"x")
    loop.add_reader(reader, loop.stop)
    loop.run()
    loop.remove_reader(reader)
    os.close(reader)
    os.close(writer)
