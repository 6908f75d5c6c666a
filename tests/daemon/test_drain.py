"""A hand-over waits for what runs because this host leads. Two real daemons, and in the place of what runs the test."""

import signal
from concurrent.futures import ThreadPoolExecutor

from kingd.control.answer import number, rows
from kingd.control.client import stream
from kingd.daemon.clock import now_us
from tests.daemon.running import PATIENCE_S, Daemon


def test_hand_over_waits_for_who_has_something_to_end(pair: Daemon, daemons: list[Daemon]) -> None:
    leader = daemons[0]
    told = stream(leader.socket, "Drain", {"name": "test"}, first_s=PATIENCE_S)
    assert next(told) == {"version": 1, "draining": False}
    with ThreadPoolExecutor(1) as pool:
        stepped = pool.submit(leader.ask, "StepDown", for_ms=60_000)
        assert next(told)["draining"] is True
        assert {row["leader"] for row in rows(pair.ask("Survey"), "nodes")} == {"box1"}
        assert "step-down" in str(leader.ask("Status")["problems"])
        assert not stepped.done()
        leader.ask("Drained", name="test")
        assert "box2" in str(stepped.result(PATIENCE_S)["leader"])
    assert next(told)["draining"] is False


def test_hand_over_waits_for_each_of_them_also_for_one_that_is_gone(pair: Daemon, daemons: list[Daemon]) -> None:
    leader = daemons[0]
    one = stream(leader.socket, "Drain", {"name": "one"}, first_s=PATIENCE_S)
    two = stream(leader.socket, "Drain", {"name": "two"}, first_s=PATIENCE_S)
    assert not next(one)["draining"]
    assert not next(two)["draining"]
    with ThreadPoolExecutor(1) as pool:
        stepped = pool.submit(leader.ask, "StepDown", for_ms=60_000)
        assert next(one)["draining"]
        assert next(two)["draining"]
        del two  # ends its connection
        leader.ask("Drained", name="one")
        leader.ask("Drained", name="three")  # was told nothing
        assert {row["leader"] for row in rows(pair.ask("Survey"), "nodes")} == {"box1"}
        assert not stepped.done()
        leader.ask("Drained", name="two")
        assert "box2" in str(stepped.result(PATIENCE_S)["leader"])


def test_who_holds_is_told_without_asking(pair: Daemon, daemons: list[Daemon]) -> None:
    """At each heartbeat, and what it is told counts from the daemon's own clock."""
    held = stream(daemons[0].socket, "Hold", {"name": "test"}, first_s=PATIENCE_S)
    known = next(held)
    until_us = number(known, "boottime_us") + number(known, "valid_us")
    for _ in range(5):
        said = next(held)
        if said["leads"] is None:  # a busy machine: the daemon did not run for longer than it counts on being believed
            said = next(each for each in held if each["leads"] is not None)
            until_us = number(said, "boottime_us") + 1
        assert (said["leads"], said["draining"], said["term"]) == (True, False, known["term"])
        told_us = number(said, "boottime_us")
        assert told_us < until_us
        until_us = told_us + number(said, "valid_us")
        assert told_us <= now_us() < until_us + PATIENCE_S * 1_000_000


def test_hand_over_waits_for_who_holds_by_name_and_tells_who_does_not(pair: Daemon, daemons: list[Daemon]) -> None:
    leader = daemons[0]
    named = stream(leader.socket, "Hold", {"name": "test"}, first_s=PATIENCE_S)
    other = stream(leader.socket, "Hold", {"name": None}, first_s=PATIENCE_S)
    assert (next(named)["leads"], next(other)["leads"]) == (True, True)
    with ThreadPoolExecutor(1) as pool:
        stepped = pool.submit(leader.ask, "StepDown", for_ms=60_000)
        for held in (named, other):
            assert next(said for said in held if said["draining"])["leads"] is True
        assert {row["leader"] for row in rows(pair.ask("Survey"), "nodes")} == {"box1"}
        assert not stepped.done()
        leader.ask("Drained", name="test")
        assert "box2" in str(stepped.result(PATIENCE_S)["leader"])
    for held in (named, other):
        assert next(said for said in held if not said["leads"])["valid_us"] is None


def test_planned_stop_waits_for_who_has_something_to_end(pair: Daemon, daemons: list[Daemon]) -> None:
    leader = daemons[0]
    told = stream(leader.socket, "Drain", {"name": "test"}, first_s=PATIENCE_S)
    assert not next(told)["draining"]
    leader.signal(signal.SIGTERM)
    assert next(told)["draining"]
    assert {row["leader"] for row in rows(pair.ask("Survey"), "nodes")} == {"box1"}
    leader.ask("Drained", name="test")
    pair.until_leader("box2")
    assert leader.process is not None
    assert leader.process.wait(PATIENCE_S) == 0
