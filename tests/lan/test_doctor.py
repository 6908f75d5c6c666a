"""Each fault that `kingctl doctor` knows, made on a real network of real daemons, and named from at least one side of it."""

import shutil
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

import pytest

from tests.lan.conftest import new_lan
from tests.lan.host import Host, until
from tests.lan.network import BROADCAST, MULTICAST, UNICAST, Lan
from tests.lan.patients import Ward, doctor, firewall, undone, until_found

pytestmark = [pytest.mark.lan, pytest.mark.timeout(120)]


@pytest.fixture(scope="module")
def shared(request: pytest.FixtureRequest) -> Iterator[Ward]:
    with new_lan(request) as lan:
        yield Ward(lan)


@pytest.fixture
def ward(shared: Ward) -> Ward:
    """As it was, whatever the test before has done to it."""
    shared.recover()
    return shared


def test_healthy_network_has_no_finding(ward: Ward) -> None:
    for host in ward.trio:
        found = doctor(host)
        assert found.faults == set(), found
        assert found.exit_code == (1 if found.codes else 0), found
        assert [peer["answered"] for peer in found.answer["peers"]] == [True, True], found
        assert found.answer["took_ms"] < 3000


def test_healthy_network_of_thirty_has_no_finding(lan: Lan) -> None:
    hosts = [lan.host(f"box{number}", priority=number) for number in range(1, 31)]
    lan.start(*hosts)
    lan.until_led_by("box30")
    found = doctor(hosts[0])
    assert found.faults == set(), found
    assert found.exit_code == (1 if found.codes else 0), found
    assert [peer["answered"] for peer in found.answer["peers"]] == [True] * 29, found


def _cut_unicast(lan: Lan, a: Host, b: Host) -> None:
    lan.cut([a], [b], UNICAST)
    lan.cut([b], [a], UNICAST)


# What is done to the network, and whose doctor finds what in it. The fault is there as soon as it is made.
NETWORK: dict[str, tuple[Callable[[Lan, Host, Host, Host], object], str, str]] = {
    "multicast-one-way": (lambda lan, a, b, _: lan.cut([a], [b], MULTICAST), "a", "mc-filtered"),
    "multicast-other-way": (lambda lan, a, b, _: lan.cut([b], [a], MULTICAST), "a", "mc-filtered"),
    "multicast-at-all": (lambda lan, *_: lan.drop(MULTICAST), "b", "mc-filtered"),
    "one-way": (lambda lan, a, b, _: lan.cut([a], [b]), "a", "one-way"),
    "one-way-seen-from-its-end": (lambda lan, a, b, _: lan.cut([a], [b]), "b", "no-path"),
    "unicast": (lambda lan, a, b, _: _cut_unicast(lan, a, b), "a", "uc-filtered"),
    "unicast-one-way": (lambda lan, a, b, _: lan.cut([a], [b], UNICAST), "a", "fw-remote"),
    "ipv6": (lambda lan, a, b, _: lan.drop("ether type ip6 udp dport 5466"), "a", "ipv6-blocked"),
    "ipv4": (lambda lan, a, b, _: lan.drop("ether type ip udp dport 5466"), "c", "ipv4-blocked"),
    "large": (lambda lan, *_: lan.drop("udp length > 1100"), "a", "mtu"),
    "loss": (lambda lan, *_: lan.drop("udp dport 5466 numgen random mod 100 < 35"), "c", "loss"),
    "older-version": (lambda lan, *_: lan.drop("udp dport 5466 @th,88,8 18"), "a", "cannot-ask"),
}


@pytest.mark.parametrize("fault", NETWORK)
def test_fault_of_the_network_is_named(ward: Ward, fault: str) -> None:
    make, whose, code = NETWORK[fault]
    make(ward.lan, *ward.trio)
    host = next(host for host in ward.trio if host.name == whose)
    found = doctor(host)
    assert code in found.codes, found
    assert found.faults <= {code, "no-leader", "views-differ", "daemon-problem"}, found
    # That the machine is busy is one more finding, and nothing unknown.
    is_unknown = code == "cannot-ask" and "loop-stall" not in found.codes
    assert found.exit_code == (4 if is_unknown else 1), found


def test_broadcast_that_does_not_pass_is_a_note(ward: Ward) -> None:
    ward.lan.drop(BROADCAST)
    found = doctor(ward.a)
    assert (found.faults, "bc-filtered" in found.notes) == (set(), True), found


def _input(rule: str) -> Callable[[Ward], AbstractContextManager[None]]:
    return lambda ward: firewall(ward.b, "input", rule)


@pytest.mark.parametrize(
    ("rule", "whose", "code"),
    [
        ("udp dport 5466 drop", "b", "fw-local-in"),
        ("udp dport 5466 drop", "a", "fw-remote"),
        ("udp dport 5466 reject with icmpx admin-prohibited", "a", "fw-remote"),
        ("udp dport 5466 meta pkttype multicast drop", "b", "fw-local-in"),
    ],
)
def test_firewall_of_a_host_that_drops_what_arrives(ward: Ward, rule: str, whose: str, code: str) -> None:
    with _input(rule)(ward):
        found = doctor(ward.b if whose == "b" else ward.a)
    assert code in found.codes, found
    assert not {"mc-filtered", "one-way", "peer-gone"} & found.codes, found
    if "reject" in rule:
        assert "ICMP" in found.finding(code)["evidence"] or "uc4 there 0" in found.finding(code)["evidence"], found


def test_firewall_of_this_host_that_lets_nothing_out(ward: Ward) -> None:
    with firewall(ward.c, "output", "udp dport 5466 drop"):
        found = doctor(ward.c)
    assert found.faults - {"no-leader", "views-differ"} == {"fw-local-out"}, found
    assert "EPERM" in found.finding("fw-local-out")["evidence"]


def test_daemon_that_does_not_run_on_a_host_that_is_there(ward: Ward) -> None:
    ward.b.kill()
    until(lambda: ward.a.members()["b"]["state"] == "dead")
    found = doctor(ward.a)
    assert found.faults == {"port-closed"}, found
    assert found.finding("port-closed")["where"] == "b"


def test_host_that_is_gone(ward: Ward) -> None:
    ward.lan.pull(ward.c)
    try:
        until(lambda: ward.a.members()["c"]["state"] == "dead")
        found = doctor(ward.a)
        assert found.faults == {"peer-gone"}, found
        own = doctor(ward.c)
        assert "no-carrier" in own.codes, own
        assert not own.faults - {"no-carrier"}, own
    finally:
        ward.lan.put_back(ward.c)


def test_two_that_do_not_reach_each_other_but_both_reach_the_third(ward: Ward) -> None:
    ward.lan.split([ward.a], [ward.b])
    until(lambda: ward.a.members()["b"]["state"] == "dead", limit_s=30)
    found = doctor(ward.a)
    assert found.faults - {"views-differ", "daemon-problem"} == {"no-path"}, found


def test_access_point_that_keeps_its_clients_apart(ward: Ward) -> None:
    lan, a, b, c = ward.lan, *ward.trio
    a.namespace.ip(f"route add default via {c.address}")
    ports = [lan.port(a), lan.port(b)]
    with undone(
        lambda: [lan.switch.run("bridge", "link", "set", "dev", port, "isolated", "on") for port in ports],
        lambda: [lan.switch.run("bridge", "link", "set", "dev", port, "isolated", "off") for port in ports],
    ):
        until(lambda: a.members()["b"]["state"] == "dead", limit_s=30)
        a.namespace.ip("neigh flush all")
        until(lambda: "wifi-isolation" in doctor(a).codes, limit_s=40, what=lambda: repr(doctor(a)))
    a.namespace.ip("route del default")


def test_host_that_has_no_address(ward: Ward) -> None:
    with ward.guest() as d:
        d.start()
        ward.lan.until_complete([*ward.trio, d])
        d.namespace.ip("address flush dev eth0")
        until(lambda: "network" in d.problems() or "address" in d.problems(), what=d.summary)
        found = doctor(d)
        ward.lan.address(d, f"{d.address}/24")
        until(lambda: d.leader() == "a", what=d.summary)  # or nobody hears its goodbye
    assert found.faults == {"no-address"}, found


@pytest.mark.parametrize(
    ("config", "prepare", "codes"),
    [
        ('[network]\ninterfaces = ["eth0", "eth7"]\n', "", {"no-interface"}),
        ("[network]\nbroadcast = false\n", "link set dev eth0 multicast off", {"no-multicast"}),
        ('cluster = "elsewhere"\n', "", {"other-cluster"}),
        ('[quorum]\nvoters = ["a", "b", "d"]\n', "", {"mode-differs"}),
    ],
    ids=["no-interface", "no-multicast", "other-cluster", "mode-differs"],
)
def test_host_that_is_configured_otherwise(ward: Ward, config: str, prepare: str, codes: set[str]) -> None:
    with ward.guest(config=config) as d:
        if prepare:
            d.namespace.ip(prepare)
        d.start()
        until(lambda: d.status_or_none() is not None)
        found = until_found(d, codes)
    assert found.faults - {"no-leader", "no-quorum", "views-differ", "daemon-problem", "voters-differ"} == codes, found


def test_copied_state_folder(ward: Ward) -> None:
    with ward.guest() as d:
        shutil.copytree(ward.c.state_folder, d.state_folder)
        d.start()
        until(lambda: d.status_or_none() is not None)
        found = until_found(d, {"dup-id"})
    assert "dup-id" in found.codes, found


def test_two_hosts_of_one_name(ward: Ward) -> None:
    with ward.guest() as d, ward.guest() as e:
        d.start("--name=twin")
        e.start("--name=twin")
        ward.lan.until_complete([*ward.trio, d, e])
        found = until_found(ward.a, {"dup-name"})
    assert found.faults == {"dup-name"}, found


def test_two_lists_of_voters(ward: Ward) -> None:
    config = 'cluster = "q"\n[quorum]\nvoters = [{}]\n'
    with (
        ward.guest(config=config.format('"d", "e", "x"')) as d,
        ward.guest(config=config.format('"d", "e", "y"')) as e,
    ):
        d.start()
        e.start()
        ward.lan.until_complete([d, e])
        found = until_found(d, {"voters-differ"})
    assert "voters-differ" in found.codes, found


def test_other_program_that_has_the_port(ward: Ward) -> None:
    with ward.guest() as d:

        def take() -> socket.socket:
            taken = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            taken.bind((d.address, 5466))
            return taken

        with d.namespace.inside(take):
            d.start()
            ward.lan.until_complete([*ward.trio, d])
            found = doctor(d)
    assert found.faults == {"port-taken"}, found


def test_daemon_that_was_stopped_for_a_moment(ward: Ward) -> None:
    ward.b.signal(signal.SIGSTOP)
    time.sleep(0.8)
    ward.b.signal(signal.SIGCONT)
    ward.recover()
    found = doctor(ward.a)
    assert "loop-stall" in found.codes, found
    assert "b" in found.finding("loop-stall")["what"] or "b" in (found.finding("loop-stall")["where"] or ""), found


def test_kernel_that_drops_what_came_by_the_wrong_interface(ward: Ward) -> None:
    with ward.guest() as d:
        ward.lan.plug(d, "eth1")
        ward.lan.address(d, "10.88.0.9/24", "eth1")
        d.start()
        ward.lan.until_complete([*ward.trio, d])
        d.namespace.sysctl("net/ipv4/conf/eth0/rp_filter", 1)
        d.namespace.ip(f"route add {ward.a.address} dev eth1", f"route add {ward.b.address} dev eth1")
        found = until_found(d, {"rp-filter"})
        d.namespace.sysctl("net/ipv4/conf/eth0/rp_filter", 0)
        d.namespace.ip(f"route delete {ward.a.address}", f"route delete {ward.b.address}")
        ward.lan.until_complete([*ward.trio, d])
    assert "rp-filter" in found.codes, found
    assert "eth1" in found.finding("rp-filter")["evidence"], found


def test_multicast_that_ends_after_a_while(ward: Ward) -> None:
    lan, a, b, _ = ward.lan, *ward.trio
    started: list[float] = []

    def forget() -> None:
        started.append(time.monotonic())
        time.sleep(6)  # it is to work first, for a part of the examination
        lan.flood_multicast(b, on=False)

    forgetting = threading.Thread(target=forget)
    forgetting.start()
    try:
        found = doctor(a, "--for", "22s")
    finally:
        forgetting.join()
        lan.flood_multicast(b, on=True)
    assert found.faults == {"mc-ages-out"}, found
    assert "in a row are missing" in found.finding("mc-ages-out")["evidence"]


def test_two_faults_at_once_are_both_named(ward: Ward) -> None:
    ward.lan.cut([ward.a], [ward.b], MULTICAST)
    ward.c.kill()
    until(lambda: ward.a.members()["c"]["state"] == "dead")
    found = doctor(ward.a)
    assert found.faults == {"mc-filtered", "port-closed"}, found
    assert (found.finding("mc-filtered")["peers"], found.finding("port-closed")["peers"]) == (["b"], ["c"])


def test_firewall_there_and_large_ones_lost_elsewhere(ward: Ward) -> None:
    ward.lan.drop(f"{ward.lan.between([ward.a], [ward.c])} udp length > 1100")
    with firewall(ward.b, "input", "udp dport 5466 drop"):
        found = doctor(ward.a)
    assert {"fw-remote", "mtu"} <= found.codes, found
    assert (found.finding("fw-remote")["peers"], found.finding("mtu")["peers"]) == (["b"], ["c"]), found


def test_where_no_daemon_runs(ward: Ward) -> None:
    ward.c.kill()
    found = doctor(ward.c)
    assert (found.exit_code, found.codes) == (3, {"not-running"}), found


# The last ones, for the others remember for a minute whom they have heard here.


def test_other_version_of_the_protocol(ward: Ward) -> None:
    with ward.guest() as d:

        def speak() -> None:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
                other.bind((d.address, 0))
                other.sendto(b"Kg\x20" + bytes(200), (ward.a.address, 5466))

        d.namespace.inside(speak)
        found = until_found(ward.a, {"version"})
    assert found.faults == {"version"}, found


def test_host_with_a_key_among_hosts_without(ward: Ward) -> None:
    with ward.guest(config=ward.lan.with_key(bytes(range(32)))) as d:
        d.start()
        until(lambda: d.status_or_none() is not None)
        found = until_found(d, {"wrong-key"})
    assert "wrong-key" in found.codes, found
    assert not found.faults - {"wrong-key", "no-leader", "views-differ"}, found
