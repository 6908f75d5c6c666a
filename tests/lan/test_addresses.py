"""Interfaces and addresses that come late, change, are of one family only, or go away."""

import time

import pytest

from tests.lan.host import Host, until
from tests.lan.network import Lan

pytestmark = pytest.mark.lan
Trio = tuple[Host, Host, Host]


def address_of(host: Host, *, seen_by: Host) -> str | None:
    return seen_by.members()[host.name]["address"]


def test_095_renumber(lan: Lan, trio: Trio) -> None:
    """The leader's address is replaced: at most one change, and everybody knows the new address under the old id."""
    a, b, c = trio
    start_ns, before = time.monotonic_ns(), a.status()["node"]["id"]
    a.namespace.ip("address del 10.77.0.1/24 dev eth0", "address add 10.77.0.77/24 brd + dev eth0")
    until(lambda: {address_of(a, seen_by=host) for host in (b, c)} == {"10.77.0.77:5466"}, what=b.summary)
    lan.until_led_by("a")
    assert b.status()["leader"] == {"id": before, "name": "a", "priority": 30, "address": "10.77.0.77:5466", "tags": {}}
    assert len(c.changes(since_ns=start_ns)) <= 1


def test_095_renumber_of_a_follower(lan: Lan, trio: Trio) -> None:
    a, _, c = trio
    start_ns = time.monotonic_ns()
    c.namespace.ip("address del 10.77.0.3/24 dev eth0", "address add 10.77.0.33/24 brd + dev eth0")
    until(lambda: address_of(c, seen_by=a) == "10.77.0.33:5466", what=a.summary)
    lan.steady(2)
    assert not lan.changes(start_ns)


def test_095_renumber_with_a_new_interface(lan: Lan, trio: Trio) -> None:
    """The leader's interface is made anew, with another index: the same leader in the end, at most one change at b."""
    a, b, _ = trio
    start_ns = time.monotonic_ns()
    a.namespace.ip("link del eth0")
    lan.plug(a)
    lan.address(a, "10.77.0.77/24")
    lan.until_led_by("a")
    until(lambda: address_of(a, seen_by=b) == "10.77.0.77:5466", what=b.summary)
    assert sum(change == "elected leader-timeout" for change in b.told(start_ns)) <= 1
    lan.steady(1)


def test_starts_before_the_network_is_there(lan: Lan) -> None:
    """No interface at all: the daemon runs and says what it waits for; with one it joins within moments."""
    a, b = lan.host("a", priority=20, plugged=False), lan.host("b", priority=10)
    lan.start(b)
    lan.until_led_by("b")
    a.start()
    until(lambda: a.status_or_none() is not None)
    status = a.status()
    assert (status["node"]["role"], status["leader"], status["node"]["address"]) == ("joining", None, None)
    assert "no usable network interface" in a.problems()
    assert a.kingctl("is-leader").returncode == a.kingctl("leader").returncode == 4
    lan.plug(a)
    lan.address(a, "10.77.0.50/24")
    lan.until_led_by("a")
    until(lambda: not a.problems(), what=a.summary)


def test_address_comes_later_than_the_interface(lan: Lan) -> None:
    """IPv6 link-local first, an IPv4 address after that: leadership does not depend on it."""
    a, b = lan.host("a", priority=20, address=None), lan.host("b", priority=10)
    lan.start()
    lan.until_led_by("a")
    start_ns = time.monotonic_ns()
    lan.address(a, "10.77.0.50/24")
    until(lambda: address_of(a, seen_by=b) == "10.77.0.50:5466", what=b.summary)
    assert not lan.changes(start_ns)


def test_interface_added_later_joins_two_lans(lan: Lan) -> None:
    """A host of one LAN is plugged into another one: there is one leader for both, that host."""
    a, b = lan.host("a", priority=30), lan.host("b", priority=10)
    with Lan() as other:
        c = other.host("c", priority=20, address="10.78.0.2/24")
        lan.start()
        other.start()
        lan.until_led_by("a")
        other.until_led_by("c")
        other.plug(a, "eth1")
        a.namespace.ip("address add 10.78.0.1/24 brd + dev eth1")
        lan.until_led_by("a", [a, b, c])
        assert not other.complaints()


def test_all_links_of_the_leader_lost(lan: Lan, trio: Trio) -> None:
    """It says within a second that it cannot know who leads, and why; with the links back it leads again."""
    a, b, c = trio
    a.namespace.ip("link set eth0 down")
    until(lambda: a.leader() is None, limit_s=1, what=a.summary)
    lan.until_led_by("b", [b, c])
    assert a.status()["reason"] == "isolated"
    assert a.told()[-1] == "deposed isolated"
    assert a.kingctl("is-leader").returncode == a.kingctl("leader").returncode == 4
    a.namespace.ip("link set eth0 up")
    lan.until_led_by("a")


def test_all_links_of_a_lonely_leader_lost(lan: Lan) -> None:
    """Alone on the LAN or not, a host without a network is no leader."""
    a = lan.host("a")
    lan.start()
    lan.until_led_by("a")
    lan.pull(a)
    until(lambda: a.leader() is None, what=a.summary)
    assert a.kingctl("leader").returncode == 4
    lan.put_back(a)
    lan.until_led_by("a")


def test_ipv6_only(lan: Lan) -> None:
    """A LAN without IPv4: link-local addresses do."""
    a, b, c = lan.ranked(3, address=None)
    lan.start()
    lan.until_led_by("a")
    assert str(address_of(a, seen_by=b)).startswith("[fe80:")
    a.kill()
    lan.until_led_by("b")
    a.start()
    lan.until_led_by("a", [a, b, c])


def test_two_daemons_on_one_host_and_two_hosts(lan: Lan) -> None:
    """The second takes a free port and announces it; each is a member of its own, in every failover."""
    a, b, c = lan.trio()
    beside = lan.host("beside", priority=25, beside=a)
    beside.start()
    lan.until_complete()
    lan.until_led_by("a")
    ports = {str(address_of(host, seen_by=c)).rpartition(":")[2] for host in (a, beside)}
    assert "5466" in ports
    assert len(ports) == 2
    a.kill()
    lan.until_led_by("beside")
    a.start()
    lan.until_complete()
    lan.until_led_by("a")
    lan.power_off(b)
    beside.kill()
    lan.until_led_by("a")


def test_host_of_both_families_is_known_by_ipv4_to_everybody(lan: Lan) -> None:
    """Also to those whom it answered by IPv6 first, as if its IPv4 came a moment later."""
    hosts = lan.ranked(3, address=None)
    lan.start()
    lan.until_led_by("a")
    for number, host in enumerate(hosts, 1):
        lan.address(host, f"10.77.0.{number}/24")
    wanted = {host.name: f"{host.address}:5466" for host in hosts}
    until(lambda: all({name: row["address"] for name, row in asked.members().items()} == wanted for asked in hosts))


def with_docker(host: Host) -> None:
    """A bridge of containers, with the address that it has on every host."""
    host.namespace.ip(
        "link add docker0 type bridge", "link add container type veth peer name inside",
        "link set container master docker0 up", "link set inside addrgenmode none up",
        "address add 172.17.0.1/16 brd + dev docker0", "link set docker0 up",
    )  # fmt: skip


def test_all_say_the_same_address_where_each_has_a_docker0(lan: Lan) -> None:
    """Of each host, itself included, also once it is alone: the address by which others reach it."""
    hosts = lan.ranked(3)
    for host in hosts:
        with_docker(host)
    lan.start()
    lan.until_led_by("a")
    wanted = {host.name: f"{host.address}:5466" for host in hosts}
    for asked in hosts:
        assert {name: row["address"] for name, row in asked.members().items()} == wanted
        assert asked.status()["node"]["address"] == wanted[asked.name]
        assert asked.kingctl("leader", "--address").stdout.strip() == wanted["a"]
        events = [event["leader"]["address"] for event in asked.events() if event["leader"] is not None]
        assert events[-1] == wanted["a"]
    a, b, c = hosts
    b.kill()
    c.kill()
    until(lambda: a.status()["members"]["alive"] == 1, what=a.summary)
    assert a.status()["node"]["address"] == wanted["a"]


def test_address_of_a_host_that_is_alone_is_the_one_on_its_way_out(lan: Lan) -> None:
    a = lan.host("a")
    with_docker(a)
    a.namespace.ip("route add default via 10.77.0.254 dev eth0")
    lan.start()
    lan.until_led_by("a")
    assert a.kingctl("leader", "--address").stdout.strip() == f"{a.address}:5466"
