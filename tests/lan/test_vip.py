"""Floating addresses on real daemons. The numbers are those of the table in docs/vip.md."""

import signal
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from itertools import groupby

import pytest

from kingd.vip.frames import announcements
from tests.lan.conftest import new_lan
from tests.lan.host import LIMIT_S, Host, until
from tests.lan.network import Lan
from tests.lan.vip import (
    BOTH,
    PACKED4,
    PACKED6,
    V4,
    V6,
    Monitor,
    Vip,
    addresses,
    has,
    mac,
    neighbour,
    until_gone,
    until_held,
    vips_on,
)

pytestmark = [pytest.mark.lan, pytest.mark.timeout(300)]

Trio = tuple[Host, Host, Host]
IN_KERNEL_S = 4.0  # after whatever was to refresh it has ended


@pytest.fixture
def vips(trio: Trio) -> Iterator[list[Vip]]:
    """On a, b and c; a holds both addresses."""
    with holding(trio) as found:
        yield found


@contextmanager
def holding(trio: Trio) -> Iterator[list[Vip]]:
    with vips_on(trio) as found:
        for vip in found:
            vip.start(is_ready=False)
        found[0].until_states("held", "held")
        until_held(found[0])
        yield found


@pytest.fixture
def client(lan: Lan, vips: list[Vip]) -> Host:
    """A host that has no part in it, and knows whose MAC the addresses have."""
    client = lan.host("client")
    client.namespace.ip("address add fd77::99/64 dev eth0")
    for number, vip in enumerate(vips, 1):
        vip.host.namespace.ip(f"address add fd77::{number}/64 dev eth0")
    for address in (V4, V6):
        until(lambda address=address: reaches(client, address))  # type: ignore[misc]
    return client


@pytest.fixture(scope="module")
def calm(request: pytest.FixtureRequest) -> Iterator[list[Vip]]:
    """The same for tests that leave it so: a start takes longer than all of them."""
    with new_lan(request) as lan, holding(lan.trio()) as found:
        yield found


def reaches(client: Host, address: str) -> bool:
    """A datagram to a closed port is refused by who has it."""

    def ask() -> bool:
        with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.settimeout(0.2)
            sock.connect((address, 9))
            try:
                sock.send(b"")
                sock.recv(1)
            except ConnectionRefusedError:
                return True
            except OSError:
                return False
            return False

    return client.namespace.inside(ask)


def test_v08_v10_v18_addresses_are_of_the_kind_that_was_meant(calm: list[Vip]) -> None:
    found = addresses(calm[0].host)
    for address, prefix in ((V4, 32), (V6, 128)):
        row = found[address]
        assert (row["prefixlen"], row["deprecated"], row["preferred_life_time"]) == (prefix, True, 0)
        assert row["valid_life_time"] <= 3
    assert found[V4]["label"] == "eth0:king"
    assert not [vip.host.name for vip in calm[1:] if has(vip.host, V4) or has(vip.host, V6)]


def test_v17_address_that_somebody_removed_is_there_again(calm: list[Vip]) -> None:
    calm[0].host.namespace.ip(f"address del {V4}/32 dev eth0", f"address del {V6}/128 dev eth0")
    until(lambda: all(row["lost"] for row in calm[0].rows().values()), what=lambda: str(calm[0].rows()))
    until_held(calm[0])


def test_v11_next_process_takes_over_what_a_killed_one_has_left(calm: list[Vip]) -> None:
    with closing(Monitor([calm[0].host])) as monitor:
        calm[0].kill()
        calm[0].start()
        calm[0].until_states("held", "held")
        before = len(monitor.rows("added"))
        until(lambda: len(monitor.rows("added")) >= before + 4, what="it is refreshed")
        assert monitor.rows("deleted") == []


def test_v11_next_process_removes_what_it_has_no_part_in_any_more(calm: list[Vip]) -> None:
    calm[0].kill()
    calm[0].config.write_text('[[address]]\naddress = "10.77.0.201"\ninterface = "eth0"\n')
    calm[0].start()
    assert not has(calm[0].host, V4)
    assert not has(calm[0].host, V6)
    until_held(calm[0], "10.77.0.201")
    assert calm[0].stop() == 0
    calm[0].config.write_text(BOTH)
    calm[0].start()
    until_held(calm[0])


def test_v12_stop_of_the_process_removes(calm: list[Vip]) -> None:
    assert calm[0].stop() == 0
    assert not has(calm[0].host, V4)
    assert not has(calm[0].host, V6)
    calm[0].start()
    until_held(calm[0])


def test_v09_daemon_has_no_part_in_floating_addresses(calm: list[Vip]) -> None:
    a, b, _ = (vip.host for vip in calm)
    assert not [row["address"] for row in b.members().values() if V4 in (row["address"] or "")]
    bound = a.namespace.run("ss", "--no-header", "--numeric", "--udp", "--all")
    assert a.address in bound
    assert V4 not in bound
    assert V6 not in bound


def test_v01_v05_v06_takeover_after_sigkill_is_announced(lan: Lan, trio: Trio, vips: list[Vip], client: Host) -> None:
    """The client does not ask: it is told, and so does not find out first that nobody answers."""
    a, b, _ = trio
    assert {neighbour(client, V4), neighbour(client, V6)} == {mac(a)}
    a.kill()
    until_held(vips[1])
    until(lambda: {neighbour(client, V4), neighbour(client, V6)} == {mac(b)}, what="the client knows the new MAC")
    until_gone(a)
    assert reaches(client, V4)
    assert reaches(client, V6)


def test_v13_planned_hand_over_removes_before_the_successor_adds(trio: Trio, vips: list[Vip]) -> None:
    """Step-down, the return of who outranks, and a stop."""
    a, b, _ = trio
    with closing(Monitor([a, b])) as monitor:
        until(lambda: len(monitor.rows("added")) >= 2, what="a refreshes them")
        assert a.kingctl("step-down", "--for", "1s").returncode == 0
        until_held(vips[1])
        until_held(vips[0])
        assert a.stop() == 0
        until_held(vips[1])
        until(lambda: has_last(monitor, b))
        for address in (V4, V6):
            rows = sorted(
                [(at, name, what) for what in ("added", "deleted") for at, name, _ in monitor.rows(what, address)]
            )
            changes = [key for key, _ in groupby((name, what) for _, name, what in rows)]
            one_turn = [("a", "added"), ("a", "deleted"), ("b", "added"), ("b", "deleted")]
            assert changes == [*one_turn, *one_turn[:3]]
    assert "does not hear" not in vips[0].log + vips[1].log


def test_v14_connections_are_reset_at_both_ends_before_it_is_removed(trio: Trio, lan: Lan) -> None:
    """By IPv4, by IPv4 to a server that listens by IPv6, and by IPv6; and no other one."""
    a, client = trio[0], lan.host("client")
    client.namespace.ip("address add fd77::99/64 dev eth0")
    a.namespace.ip("address add fd77::1/64 dev eth0")
    config = BOTH.replace('interface = "eth0"', 'interface = "eth0"\nreset_connections = true')
    with vips_on([a], config) as (vip,), ExitStack() as opened:
        vip.start()
        until_held(vip)
        until(lambda: reaches(client, V4) and reaches(client, V6))
        servers = {
            family: opened.enter_context(a.namespace.inside(partial(socket.create_server, ("", 0), family=family)))
            for family in (socket.AF_INET, socket.AF_INET6)
        }
        dual = opened.enter_context(
            a.namespace.inside(lambda: socket.create_server(("", 0), family=socket.AF_INET6, dualstack_ipv6=True))
        )

        def connected(address: str, server: socket.socket) -> list[socket.socket]:
            port = server.getsockname()[1]
            mine = opened.enter_context(
                client.namespace.inside(lambda: socket.create_connection((address, port), LIMIT_S))
            )
            theirs = opened.enter_context(server.accept()[0])
            theirs.settimeout(LIMIT_S)
            return [mine, theirs]

        ended = connected(V4, servers[socket.AF_INET]) + connected(V4, dual)
        ended += connected(V6, servers[socket.AF_INET6])
        mine, theirs = connected(a.address, servers[socket.AF_INET])
        assert a.kingctl("step-down", "--for", "60s").returncode == 0
        for end in ended:
            with pytest.raises(ConnectionError):
                end.recv(1)
        mine.send(b"x")
        assert theirs.recv(1) == b"x"
        until_gone(a)
    assert vip.log.count("connections were reset") == 2


def has_last(monitor: Monitor, host: Host) -> bool:
    last = {address: name for _, name, address in monitor.rows("added")}
    return set(last.values()) == {host.name}


@pytest.mark.parametrize(
    ("who", "number"),
    [
        ("kingd", signal.SIGSTOP),
        ("kingd-vip", signal.SIGKILL),
        ("kingd-vip", signal.SIGSTOP),
        ("both", signal.SIGKILL),
        ("both", signal.SIGSTOP),
    ],
)
def test_v12_nothing_is_left_whatever_dies_or_stops(
    trio: Trio, vips: list[Vip], who: str, number: signal.Signals
) -> None:
    """By kingd-vip itself, or by the kernel, which needs nobody."""
    a = trio[0]
    with closing(Monitor([a])) as monitor:
        began = time.time()
        if who in ("kingd-vip", "both"):
            vips[0].signal(number)
        if who in ("kingd", "both"):
            a.signal(number)
        until_gone(a)
        until(lambda: len(monitor.rows("deleted")) == 2)
        assert max(at for at, *_ in monitor.rows("deleted")) - began <= IN_KERNEL_S
    if who != "kingd-vip":
        until_held(vips[1])
    if number is signal.SIGSTOP:
        vips[0].signal(signal.SIGCONT)
        a.signal(signal.SIGCONT)
        until_held(vips[0])
    elif who != "kingd-vip":
        a.exit_code()


def test_v12_process_that_goes_on_when_another_host_leads_adds_nothing(trio: Trio, vips: list[Vip]) -> None:
    a, b, _ = trio
    vips[0].signal(signal.SIGSTOP)
    a.kill()
    until_held(vips[1])
    until_gone(a)
    with closing(Monitor([a])) as monitor:
        vips[0].signal(signal.SIGCONT)
        vips[0].until_states("idle", "idle")
        assert monitor.rows("added") == []
    assert b.is_running


def test_v12_leader_that_did_not_run_for_a_moment_has_them_again(lan: Lan) -> None:
    """It leads on, and tells nobody that there was a moment."""
    host = lan.host("a")
    lan.start(host)
    with vips_on([host]) as (vip,):
        vip.start()
        until_held(vip)
        host.signal(signal.SIGSTOP)
        until_gone(host)
        host.signal(signal.SIGCONT)
        until_held(vip)


def test_overlap_leaves_the_addresses_with_the_leader_that_is_left(
    lan: Lan, trio: Trio, vips: list[Vip], client: Host
) -> None:
    a, b, c = trio
    lan.split([a, client], [b, c])
    until_held(vips[1])
    lan.heal()
    lan.until_led_by("a")
    until_gone(b)
    until(lambda: {neighbour(client, V4), neighbour(client, V6)} == {mac(a)}, what="the client knows who has them")
    assert has(a, V4, V6)
    assert reaches(client, V4)


def test_v04_claim_of_another_host_is_counted_and_answered(client: Host, vips: list[Vip]) -> None:
    theirs = bytes.fromhex(mac(client).replace(":", ""))

    def claim() -> None:
        with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as sock:
            sock.bind(("eth0", 0))
            for packed in (PACKED4, PACKED6):
                for frame in announcements(packed, theirs, is_router=False):
                    sock.send(frame)

    client.namespace.inside(claim)
    until(lambda: all(row["conflicts"] for row in vips[0].rows().values()), what=lambda: str(vips[0].rows()))
    assert f"{mac(client)}, which is no member's, claims it, too" in vips[0].log
    assert vips[0].states() == ["held", "held"]
