"""Hosts that stop for a while: a process that does not run, a processor that is busy, a disk that does not answer."""

import json
import os
import signal
import socket
import time

import pytest

from tests.lan.capture import Capture, replay
from tests.lan.control import StatusView, ask, name_of
from tests.lan.host import Host, until
from tests.lan.network import Lan

pytestmark = pytest.mark.lan
Trio = tuple[Host, Host, Host]

_QUESTION = b'{"method": "org.kingd.Status", "parameters": {}}\0'


class Questions:
    """Questions that wait in the daemon's socket while it is stopped, to be answered the very moment it wakes."""

    def __init__(self, host: Host, count: int) -> None:
        self._connections = [socket.socket(socket.AF_UNIX) for _ in range(count)]
        for connection in self._connections:
            connection.settimeout(5)
            connection.connect(str(host.socket))
            connection.sendall(_QUESTION)

    def answers(self) -> list[StatusView]:
        answers = [connection.recv(65536).rstrip(b"\0") for connection in self._connections]
        for connection in self._connections:
            connection.close()
        return [json.loads(answer)["parameters"] for answer in answers]


def leads_from_the_past(status: StatusView, *, others: int) -> bool:
    """It says that it leads, and under no newer term than that in which the others follow somebody else."""
    says_so = status["node"]["role"] == "leader" or name_of(status["leader"]) == status["node"]["name"]
    return says_so and status["term"] <= others


def test_066_pause_flush_sigstop_of_the_leader(lan: Lan, trio: Trio) -> None:
    """Stopped for 5 s, with 5000 datagrams and some questions waiting: from its first answer on it says that it leads
    only under a term that it got after it woke; then it leads again, for it is the highest."""
    a, b, c = trio
    stranger = lan.host("stranger")
    with Capture(lan.switch) as capture:
        until(lambda: len(capture.payloads(source=b)) > 3)
    old = capture.payloads(source=b)
    a.signal(signal.SIGSTOP)
    stopped = time.monotonic()
    waiting = Questions(a, 20)
    others = lan.until_led_by("b", [b, c])
    replay(stranger, [old[number % len(old)] for number in range(5000)], to=a.address)
    time.sleep(max(0, stopped + 5 - time.monotonic()))
    a.signal(signal.SIGCONT)
    answers = waiting.answers()
    while answers[-1]["node"]["role"] != "leader":
        answers.append(a.status())
    assert not [status for status in answers if leads_from_the_past(status, others=others)]
    assert lan.until_led_by("a") > others
    assert [change["reason"] for change in a.changes() if change["event"] == "deposed"] == ["stalled"]
    lan.steady(1)


def test_short_stop_of_the_leader_is_no_reason_for_an_election(lan: Lan, trio: Trio) -> None:
    """250 ms: the followers ask and wait; nothing changes, and it leads on."""
    a, _, _ = trio
    start_ns = time.monotonic_ns()
    for _ in range(3):
        a.signal(signal.SIGSTOP)
        time.sleep(0.25)
        a.signal(signal.SIGCONT)
        time.sleep(0.3)
    lan.until_led_by("a")
    assert not lan.changes(start_ns)


def stutter(*hosts: Host) -> None:
    """400 ms without a processor, five times."""
    for _ in range(5):
        for host in hosts:
            host.signal(signal.SIGSTOP)
        time.sleep(0.4)
        for host in hosts:
            host.signal(signal.SIGCONT)
        time.sleep(0.2)


def test_067_not_scheduled_follower(lan: Lan, trio: Trio) -> None:
    """Followers that get no processor for 400 ms at a time do not blame their leader for it."""
    _, b, c = trio
    start_ns = time.monotonic_ns()
    stutter(b, c)
    lan.until_led_by("a")
    assert not lan.changes(start_ns)


def test_067_not_scheduled_leader(lan: Lan, trio: Trio) -> None:
    """A leader that gets none for 400 ms at a time may lose its leadership once, and has it in the end."""
    a, _, _ = trio
    start_ns = time.monotonic_ns()
    stutter(a)
    lan.until_led_by("a")
    assert sum("elected" in change for change in lan.changes(start_ns)) <= 2


def stall_disk(host: Host) -> None:
    """The file that the state is next written to is a pipe that nobody reads: to open it takes for ever."""
    pipe = host.state_folder / "state.json.new"

    def took_its_place() -> bool:
        """Not while the daemon has one there that it is writing."""
        try:
            os.mkfifo(pipe)
        except FileExistsError:
            return False
        return True

    until(took_its_place)


def free_disk(host: Host) -> None:
    """Whoever waits for the pipe goes on, and fails; the next try finds a good disk."""
    pipe = host.state_folder / "state.json.new"
    handle = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    until(lambda: not pipe.exists())
    os.close(handle)


def ceiling(host: Host) -> int:
    """The highest term that is surely on its disk."""
    return int(json.loads((host.state_folder / "state.json").read_text(encoding="utf-8"))["ceiling"])


def set_priority(host: Host, priority: int) -> None:
    ask(host.socket, "SetPriority", priority=priority)


def raise_term(lan: Lan, b: Host, c: Host, *, to: int) -> None:
    """b leads; c takes over from it and gives back until the term is so high."""
    while lan.until_led_by("b") < to:
        set_priority(c, 99)
        lan.until_led_by("c")
        set_priority(c, 10)


def test_085_fsync_stall(lan: Lan, trio: Trio) -> None:
    """The highest host's disk hangs. While it leads, nothing waits for the disk. It does not claim a term that is not
    on the disk, and nobody steps aside for it until it can."""
    a, b, c = trio
    set_priority(a, 0)
    lan.until_led_by("b")
    stall_disk(a)
    limit = ceiling(a)
    raise_term(lan, b, c, to=limit - 3)
    set_priority(a, 30)
    assert lan.until_led_by("a") <= limit
    lan.steady(2)
    set_priority(a, 0)
    raise_term(lan, b, c, to=limit + 1)
    start_ns = time.monotonic_ns()
    set_priority(a, 30)
    lan.steady(3)
    assert not lan.changes(start_ns)
    free_disk(a)
    assert lan.until_led_by("a") <= ceiling(a)


def test_short_timeout_without_real_time_priority_is_a_problem_that_is_told(lan: Lan) -> None:
    fast = '[timing]\nprofile = "fast"\n'
    may, may_not = lan.host("may", config=fast), lan.host("may-not", config=fast)
    may_not.wrapper = ["setpriv", "--bounding-set", "-sys_nice", "--inh-caps", "-sys_nice"]
    lan.start(may, may_not)
    assert "real-time" in may_not.problems()
    assert may.problems() == ""
