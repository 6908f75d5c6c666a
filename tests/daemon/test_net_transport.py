"""The transport on loopback: what comes in, what goes out, ports, errors, and what is left behind."""

import contextlib
import resource
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from kingd.core.wire.endpoint import Endpoint
from kingd.loop import Loop
from kingd.net.problems import Operation, Problem
from kingd.net.transport import Transport
from tests.daemon.loops import run_for, until


class Host:
    """A transport and what it has said so far."""

    def __init__(self, port: int, *, interfaces: tuple[str, ...] = ("lo",)) -> None:
        self.received: list[tuple[bytes, Endpoint, bool]] = []
        self.links: list[int] = []
        self.refused: list[Endpoint] = []
        self.reported: list[Problem] = []
        self.on_datagram: Callable[[bytes], None] = lambda data: None
        self.transport = Transport(
            interfaces=interfaces,
            port=port,
            group4=f"239.255.{port >> 8}.{port & 255}",  # one of its own: tests may run side by side
            group6="ff12::5466",
            broadcast=True,
            on_datagram=self._on_datagram,
            on_refused=self.refused.append,
            on_links_changed=self.links.append,
            on_problem=self.reported.append,
        )

    def _on_datagram(self, data: bytes, source: Endpoint, is_multicast: bool) -> None:
        self.received.append((data, source, is_multicast))
        self.on_datagram(data)

    @property
    def endpoint(self) -> Endpoint:
        return self.transport.local_endpoints()[0]

    def heard(self, data: bytes) -> list[tuple[Endpoint, bool]]:
        return [(source, is_multicast) for heard, source, is_multicast in self.received if heard == data]


@contextmanager
def started(loop: Loop, *hosts: Host) -> Iterator[None]:
    for host in hosts:
        host.transport.start(loop)
    try:
        yield
    finally:
        for host in hosts:
            host.transport.close()


@pytest.fixture
def loop() -> Iterator[Loop]:
    loop = Loop()
    yield loop
    loop.close()


@pytest.fixture
def port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        found: int = sock.getsockname()[1]
    return found


def multicast(host: Host, data: bytes) -> None:
    host.transport.multicast(data, everywhere=True, broadcast=True)


def test_multicast_is_heard_by_every_daemon_of_the_host_and_marked(loop: Loop, port: int) -> None:
    one, two = Host(port), Host(port)
    with started(loop, one, two):
        multicast(one, b"here")
        until(loop, lambda: one.heard(b"here") and two.heard(b"here"))
        assert two.heard(b"here") == [(Endpoint("127.0.0.1", port, "lo"), True)]


def test_second_daemon_takes_a_free_port_and_is_reached_there(loop: Loop, port: int) -> None:
    one, two = Host(port), Host(port)
    with started(loop, one, two):
        assert one.endpoint == Endpoint("127.0.0.1", port, "lo")
        assert two.endpoint.port not in (0, port)
        one.transport.send(b"question", two.endpoint)
        until(loop, lambda: two.heard(b"question"))
        two.transport.send(b"answer", two.heard(b"question")[0][0])
        until(loop, lambda: one.heard(b"answer"))
        assert one.heard(b"answer") == [(two.endpoint, False)]
        assert not one.reported + two.reported


def test_port_where_nobody_listens_is_told_and_is_no_problem(loop: Loop, port: int) -> None:
    """And what is sent to others meanwhile arrives: the kernel gives the error to the next one to use the socket."""

    one, two = Host(port), Host(port)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        nobody = Endpoint("127.0.0.1", sock.getsockname()[1], "lo")
    with started(loop, one, two):
        for number in range(20):
            one.transport.send(b"anybody?", nobody)
            one.transport.send(b"%d" % number, two.endpoint)
        until(loop, lambda: two.heard(b"19") and one.refused)
        assert [data for data, _, is_multicast in two.received if not is_multicast] == [b"%d" % n for n in range(20)]
        assert set(one.refused) == {nobody}
        two.transport.send(b"still here", one.endpoint)
        until(loop, lambda: one.heard(b"still here"))
        assert not one.reported


def test_error_that_nobody_asks_for_is_read_away(loop: Loop, port: int) -> None:
    """Else the loop would be woken by it for ever."""

    one = Host(port)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        nobody = Endpoint("127.0.0.1", sock.getsockname()[1], "lo")
    with started(loop, one):
        one.transport.send(b"anybody?", nobody)
        until(loop, lambda: one.refused)
        start_s = time.process_time()
        run_for(loop, 0.3)
        assert time.process_time() - start_s < 0.15


def test_restarted_daemon_gets_its_port_back_while_a_second_one_lives(loop: Loop, port: int) -> None:
    first, second, restarted = Host(port), Host(port), Host(port)
    with started(loop, first, second):
        first.transport.close()
        with started(loop, restarted):
            assert restarted.endpoint.port == port
            multicast(restarted, b"back")
            second.transport.send(b"you", restarted.endpoint)
            until(loop, lambda: second.heard(b"back") and restarted.heard(b"you"))
            assert second.heard(b"back") == [(restarted.endpoint, True)]


@pytest.mark.parametrize("to_group", [False, True])
def test_any_size_is_delivered_and_what_is_too_long_stays_too_long(loop: Loop, port: int, to_group: bool) -> None:
    sizes = [0, 1, 1232, 1233, 2047, 2048, 2049, 9000, 65507]

    one, two = Host(port), Host(port)
    with started(loop, one, two):
        for size in sizes:
            if to_group:
                multicast(two, b"x" * size)
            else:
                two.transport.send(b"x" * size, one.endpoint)
        until(loop, lambda: len(one.received) == len(sizes))
        assert [len(data) for data, _, _ in one.received] == [min(size, 2048) for size in sizes]


def test_drain_reads_what_is_queued_without_the_loop(loop: Loop, port: int) -> None:
    one, two = Host(port), Host(port)
    with started(loop, one, two):
        for _ in range(300):
            two.transport.send(b"flood", one.endpoint)
            multicast(two, b"beat")
        assert one.transport.drain(limit=100) == 100
        assert one.heard(b"flood")
        assert one.heard(b"beat"), "a flood on one socket must not hide the others"
        assert one.transport.drain() == 500
        assert one.transport.drain() == 0
        assert one.transport.problems() == []


def test_two_wake_ups_drain_the_socket(loop: Loop, port: int) -> None:
    one, two = Host(port), Host(port)
    with started(loop, one, two):
        for _ in range(200):
            two.transport.send(b"x", one.endpoint)
        for _ in range(2):
            loop.call_soon(loop.stop)
            loop.run()  # one turn
        assert len(one.received) == 200


def test_fault_in_the_callback_is_not_swallowed(loop: Loop, port: int) -> None:
    def fail(data: bytes) -> None:
        raise AssertionError("ours")

    one, two = Host(port), Host(port)
    one.on_datagram = fail
    with started(loop, one, two):
        two.transport.send(b"x", one.endpoint)
        with pytest.raises(AssertionError, match="ours"):
            one.transport.drain()
        two.transport.send(b"x", one.endpoint)
        with pytest.raises(AssertionError, match="ours"):
            loop.run()


def test_callback_may_close_the_transport(loop: Loop, port: int) -> None:
    one, two = Host(port), Host(port)
    one.on_datagram = lambda data: one.transport.close()
    with started(loop, one, two):
        for _ in range(10):
            two.transport.send(b"x", one.endpoint)
            multicast(two, b"y")
        assert one.transport.drain() == 1
        assert len(one.received) == 1
        assert one.transport.problems() == []


def test_rejoin_goes_on_hearing(loop: Loop, port: int) -> None:
    one, two = Host(port), Host(port)
    with started(loop, one, two):
        for number in range(5):
            one.transport.rejoin()
            multicast(two, b"%d" % number)
            until(loop, lambda number=number: one.heard(b"%d" % number))  # type: ignore[misc]
        assert one.transport.problems() == []


def open_descriptors() -> set[str]:
    return {path.name for path in Path("/proc/self/fd").iterdir()}


def test_close_leaves_nothing_open_and_may_be_repeated(loop: Loop, port: int) -> None:
    before = open_descriptors()
    hosts = [Host(port) for _ in range(3)]
    with started(loop, *hosts):
        opened = open_descriptors() - before
        assert len(opened) >= 9  # netlink, unicast and group of each
    assert not loop.descriptors & {int(fd) for fd in opened}
    assert open_descriptors() <= before
    for host in hosts:
        host.transport.close()
        multicast(host, b"x")
        host.transport.send(b"x", Endpoint("127.0.0.1", port))
        host.transport.rejoin()
        assert host.transport.drain() == 0
        assert host.transport.local_endpoints() == []


def test_foreign_program_on_the_port_is_named_once_and_survived(loop: Loop, port: int) -> None:
    one = Host(port)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as foreign:
        foreign.bind(("0.0.0.0", port))
        with started(loop, one):
            assert [problem.operation for problem in one.transport.problems()] == [Operation.JOIN]
            assert f"sport = :{port}" in one.reported[0].text
            one.transport.send(b"self", one.endpoint)
            until(loop, lambda: one.heard(b"self"))
            foreign.close()
            until(loop, lambda: one.transport.problems() == [])
            multicast(one, b"back")
            until(loop, lambda: one.heard(b"back"))
            assert len(one.reported) == 1
            assert one.links == [1]


def test_no_destination_makes_send_raise(loop: Loop, port: int) -> None:
    one = Host(port)
    with started(loop, one):
        for host in ("127.0.0.1", "0.0.0.0", "255.255.255.255", "192.0.2.77", "::1", "fe80::1", "box2", ""):
            for to_port in (0, 1, 65535):
                for interface in ("", "lo", "eth7"):
                    one.transport.send(b"x", Endpoint(host, to_port, interface))
        assert len(one.transport.problems()) == len(one.reported) < 10


def test_host_out_of_descriptors_keeps_the_links_it_has(loop: Loop, port: int) -> None:
    one = Host(port, interfaces=("lo", "none7"))  # the missing one makes it look again every second
    with started(loop, one):
        used = max(int(name) for name in open_descriptors())
        limit, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        fillers: list[socket.socket] = []
        resource.setrlimit(resource.RLIMIT_NOFILE, (used + 1, most))
        try:
            with contextlib.suppress(OSError):
                while True:
                    fillers.append(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
            until(loop, lambda: "EMFILE" in {problem.error for problem in one.transport.problems()})
            one.transport.send(b"self", one.endpoint)
            until(loop, lambda: one.heard(b"self"))
        finally:
            for sock in fillers:
                sock.close()
            resource.setrlimit(resource.RLIMIT_NOFILE, (limit, most))
        until(loop, lambda: "EMFILE" not in {problem.error for problem in one.transport.problems()})
        assert one.links == [1]


def test_missing_interface_is_a_problem_and_no_error(loop: Loop, port: int) -> None:
    one = Host(port, interfaces=("none7",))
    with started(loop, one):
        multicast(one, b"x")
        one.transport.send(b"x", Endpoint("127.0.0.1", port))
        assert one.links == [0]
        assert [problem.operation for problem in one.reported] == [Operation.CHOOSE]
        assert "none7" in one.reported[0].text
