"""The transport between hosts: network namespaces on a bridge, with interfaces and addresses that come and go."""

import itertools
import os
import shutil
import time
from collections.abc import Callable, Iterator

import pytest

from tests.conftest import require
from tests.lan.net_node import GROUP4, PORT, Lan, Node

pytestmark = pytest.mark.lan
_serial = itertools.count()


@pytest.fixture
def lan() -> Iterator[Lan]:
    require(os.geteuid() == 0, "network namespaces need root")
    require(shutil.which("ip"), "network namespaces need ip (Debian: iproute2)")
    lan = Lan()
    try:
        yield lan
    finally:
        lan.close()


def multicasting(node: Node, data: str, *, everywhere: bool = False, broadcast: bool = False) -> Callable[[], None]:
    return lambda: node.tell("multicast", data, everywhere, broadcast)


def assert_multicast(source: Node, target: Node, data: str, *, host: str = "") -> None:
    target.until(lambda: target.heard(data), doing=multicasting(source, data))
    for address, port, interface, is_multicast in target.heard(data):
        assert str(address).startswith(host)
        assert (port, interface, is_multicast) == (PORT, "eth0", True)


def assert_unicast(source: Node, target: Node, data: str, to: list[str | int], *, host: str = "") -> None:
    """`to` is the target's endpoint as the source sees it."""
    target.until(lambda: target.heard(data), doing=lambda: source.tell("send", data, to))
    address, port, interface, is_multicast = target.heard(data)[0]
    assert str(address).startswith(host)
    assert (port, interface, is_multicast) == (PORT, "eth0", False)


def test_ipv4_multicast_broadcast_and_unicast(lan: Lan) -> None:
    one, two = lan.host("a", "10.1.0.1/24"), lan.host("b", "10.1.0.2/24")
    one.start()
    two.start()
    assert one.endpoint("10.1.0.1") == one.state["endpoints"][0], "primary IPv4 comes first"
    assert_multicast(one, two, "group", host="10.1.0.1")
    assert_unicast(two, one, "answer", ["10.1.0.1", PORT, "eth0"], host="10.1.0.2")
    assert_unicast(two, one, "seed", ["10.1.0.1", PORT, ""], host="10.1.0.2")
    # Three copies: IPv4 group, IPv6 group, and the broadcast (the addresses were added without a broadcast address).
    two.until(
        lambda: any(len(two.heard(f"all{number}")) == 3 for number in range(1000)),
        doing=lambda: multicasting(one, f"all{next(_serial)}", everywhere=True, broadcast=True)(),
    )
    assert not one.state["reported"] + two.state["reported"]


def test_ipv6_only(lan: Lan) -> None:
    one, two = lan.host("a"), lan.host("b", "fd00:1::2/64")
    one.start()
    two.start()
    assert [str(endpoint[0])[:4] for endpoint in one.state["endpoints"]] == ["fe80"]
    assert_multicast(one, two, "group", host="fe80")
    assert_multicast(two, one, "back", host="fe80")
    assert_unicast(two, one, "link-local", one.endpoint("fe80"), host="fe80")
    one.ip("address add fd00:1::1/64 dev eth0")
    assert_unicast(two, one, "global", one.endpoint("fd00:1::1"), host="fd00:1::2")
    assert not one.state["reported"] + two.state["reported"]


def test_heartbeats_use_one_family_per_interface_and_announcements_both(lan: Lan) -> None:
    one, two = lan.host("a", "10.1.0.1/24"), lan.host("b", "10.1.0.2/24")
    one.start()
    two.start()
    two.until(  # both families are up
        lambda: len({host for host, *_ in two.heard("both")}) == 2,
        doing=multicasting(one, "both", everywhere=True),
    )
    for number in range(20):
        one.tell("multicast", f"beat{number}", False, False)
    two.until(lambda: two.heard("beat19"))
    assert [host for number in range(20) for host, *_ in two.heard(f"beat{number}")] == ["10.1.0.1"] * 20


def test_address_renumbered_while_running(lan: Lan) -> None:
    one, two = lan.host("a", "10.1.0.1/24"), lan.host("b", "10.1.0.2/24")
    one.start()
    two.start()
    assert_multicast(one, two, "before", host="10.1.0.1")
    one.ip("address del 10.1.0.1/24 dev eth0")
    one.ip("address add 10.1.0.77/24 dev eth0")
    assert one.endpoint("10.1.0.77")[1] == PORT
    assert_multicast(one, two, "after", host="10.1.0.77")
    assert_multicast(two, one, "heard", host="10.1.0.2")
    assert_unicast(two, one, "here", ["10.1.0.77", PORT, "eth0"])
    assert not [endpoint for endpoint in one.state["endpoints"] if endpoint[0] == "10.1.0.1"]
    one.until(lambda: not one.state["problems"])


def test_second_address_becomes_primary_when_the_first_goes(lan: Lan) -> None:
    one, two = lan.host("a", "10.1.0.1/24", "10.1.0.3/24 label eth0:vip"), lan.host("b", "10.1.0.2/24")
    one.namespace.sysctl("net/ipv4/conf/eth0/promote_secondaries", 1)
    one.start()
    two.start()
    assert_multicast(one, two, "before", host="10.1.0.1")
    assert_unicast(two, one, "vip", one.endpoint("10.1.0.3"))
    one.ip("address del 10.1.0.1/24 dev eth0")
    one.until(lambda: one.state["endpoints"][0] == ["10.1.0.3", PORT, "eth0"])
    assert_multicast(one, two, "after", host="10.1.0.3")


def test_cable_pulled_and_plugged_in(lan: Lan) -> None:
    one, two = lan.node("a"), lan.host("b", "10.1.0.2/24")
    cable = lan.plug(one)
    one.ip("address add 10.1.0.1/24 dev eth0")
    one.start()
    two.start()
    assert_multicast(one, two, "before")
    lan.switch.ip(f"link set {cable} down")
    one.until(lambda: one.state["links"] == 0)
    for number in range(20):
        one.tell("multicast", f"lost{number}", True, True)
        one.tell("send", f"lost{number}", ["10.1.0.2", PORT, "eth0"])
    lan.switch.ip(f"link set {cable} up")
    one.until(lambda: one.state["links"] >= 1)
    assert_multicast(one, two, "after")
    assert_multicast(two, one, "heard")
    assert not [entry for entry in two.state["heard"] if str(entry[0]).startswith("lost")]
    one.until(lambda: not one.state["problems"])


def test_starts_before_any_network(lan: Lan) -> None:
    one, two = lan.node("a"), lan.host("b", "10.1.0.2/24")
    one.start()
    two.start()
    assert one.state["links"] == 0
    one.tell("multicast", "nowhere", True, True)
    lan.plug(one)
    one.ip("address add 10.1.0.1/24 dev eth0")
    one.endpoint("10.1.0.1")
    assert_multicast(one, two, "group", host="10.1.0.1")
    assert_multicast(two, one, "heard", host="10.1.0.2")


def test_address_under_duplicate_check_is_used_when_it_is_ready(lan: Lan) -> None:
    one, two = lan.node("a"), lan.host("b")
    one.namespace.sysctl("net/ipv6/conf/default/accept_dad", 1)
    one.start()
    two.start()
    lan.plug(one)
    one.endpoint("fe80")
    assert_multicast(one, two, "group", host="fe80")
    assert_multicast(two, one, "heard", host="fe80")
    assert not one.state["reported"], "every new address is checked: that is no problem"


def test_address_that_another_host_has_is_a_problem(lan: Lan) -> None:
    one, two = lan.host("a", "10.1.0.1/24"), lan.host("b", "10.1.0.2/24", "fd00:1::1/64")
    one.start()
    two.start()
    one.namespace.sysctl("net/ipv6/conf/eth0/accept_dad", 1)
    one.ip("address add fd00:1::1/64 dev eth0")
    one.until(lambda: one.state["problems"])
    assert ["eth0 (fd00:1::1): " in text and "dadfailed" in text for text in one.state["problems"]] == [True]
    assert_multicast(two, one, "heard")
    one.ip("address del fd00:1::1/64 dev eth0")
    one.until(lambda: not one.state["problems"])


def test_interface_added_later_and_removed_leaves_the_others_alone(lan: Lan) -> None:
    one, two, three = lan.host("a", "10.1.0.1/24"), lan.host("b", "10.1.0.2/24"), lan.node("c")
    one.start()
    two.start()
    assert_multicast(one, two, "before")
    endpoints, sockets = one.state["endpoints"], one.udp_sockets()
    one.ip(f"link add eth1 type veth peer name eth0 netns {three.namespace.path}")
    one.ip("link set eth1 up")
    one.ip("address add 10.2.0.1/24 dev eth1")
    three.ip("link set eth0 up")
    three.ip("address add 10.2.0.3/24 dev eth0")
    three.start()
    one.endpoint("10.2.0.1")
    assert_multicast(one, three, "to three", host="10.2.0.1")
    one.until(lambda: one.heard("from three"), doing=multicasting(three, "from three"))
    assert {entry[2] for entry in one.heard("from three")} == {"eth1"}
    assert_multicast(one, two, "to two", host="10.1.0.1")
    one.ip("link del eth1")
    one.until(lambda: one.state["endpoints"] == endpoints)
    assert_multicast(one, two, "still", host="10.1.0.1")
    assert one.udp_sockets() == sockets, "the sockets of eth0 were opened again"


def test_two_daemons_on_one_host(lan: Lan) -> None:
    one, two = lan.host("a", "10.1.0.1/24"), lan.host("b", "10.1.0.2/24")
    beside = lan.beside(one)
    one.start()
    beside.start()
    two.start()
    port = beside.endpoint("10.1.0.1")[1]
    assert port != PORT
    assert {endpoint[1] for endpoint in beside.state["endpoints"]} == {port}, "one free port for all links"
    for hearer in (one, beside):
        assert_multicast(two, hearer, "to all", host="10.1.0.2")
    two.until(lambda: two.heard("beside"), doing=multicasting(beside, "beside"))
    assert two.heard("beside")[0] == ["10.1.0.1", port, "eth0", True]
    assert_unicast(two, beside, "to you", ["10.1.0.1", port, "eth0"])
    assert not one.state["reported"] + beside.state["reported"] + two.state["reported"]


def test_refused_destination_is_a_problem_until_it_works_again(lan: Lan) -> None:
    one, two = lan.host("a", "10.1.0.1/24"), lan.host("b", "10.1.0.2/24")
    one.start()
    two.start()
    to: list[str | int] = ["10.1.0.2", PORT, "eth0"]
    one.ip("route add prohibit 10.1.0.2/32")
    one.until(lambda: one.state["problems"], doing=lambda: one.tell("send", "lost", to))
    assert_multicast(one, two, "group")
    one.ip("route del prohibit 10.1.0.2/32")
    one.until(lambda: not one.state["problems"], doing=lambda: one.tell("send", "through", to))
    assert two.heard("through")
    assert not two.heard("lost")
    (text,) = one.state["reported"]
    assert text.startswith("eth0 (10.1.0.1): sending to 10.1.0.2 failed (EACCES): ")


def test_rejoin_makes_a_switch_learn_the_group_again(lan: Lan) -> None:
    one, two = lan.node("a"), lan.host("b", "10.1.0.2/24")
    port = lan.plug(one)
    one.ip("address add 10.1.0.1/24 dev eth0")
    one.start()
    two.start()

    def known() -> bool:
        return f"port {port} grp {GROUP4} " in lan.switch.namespace.run("bridge", "mdb", "show")

    forgotten_at = time.monotonic()

    def is_forgotten_for_good() -> bool:
        nonlocal forgotten_at
        if known():  # the kernel reports a new membership twice, up to a second apart
            lan.switch.namespace.run("bridge", "mdb", "del", "dev", "br0", "port", port, "grp", GROUP4)
            forgotten_at = time.monotonic()
        return time.monotonic() - forgotten_at > 2

    one.until(known)
    one.until(is_forgotten_for_good)
    one.tell("rejoin")
    one.until(known)
    assert_multicast(two, one, "heard")
    assert not one.state["reported"]


def test_named_interface_is_the_only_one_used(lan: Lan) -> None:
    one = lan.host("a", "10.1.0.1/24")
    lan.plug(one, "eth1")
    one.ip("address add 10.2.0.1/24 dev eth1")
    one.start("eth1", "eth2")
    one.endpoint("10.2.0.1")
    assert {endpoint[2] for endpoint in one.state["endpoints"]} == {"eth1"}
    one.until(lambda: one.state["problems"])
    assert ["eth2" in text for text in one.state["problems"]] == [True]
    lan.plug(one, "eth2")
    one.ip("address add 10.3.0.1/24 dev eth2")
    one.endpoint("10.3.0.1")
    one.until(lambda: not one.state["problems"])
