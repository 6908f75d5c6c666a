"""A LAN that is cut, in part, one way, or full of loss: no flapping while it lasts, and the right leader after it."""

import re
import time
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import pytest

from tests.lan.conftest import new_lan
from tests.lan.control import ask
from tests.lan.host import Host, until
from tests.lan.network import Lan

pytestmark = pytest.mark.lan
Trio = tuple[Host, Host, Host]


class Lossy(NamedTuple):
    lan: Lan
    since_ns: int


@pytest.fixture(scope="module", autouse=True)
def lossy(request: pytest.FixtureRequest) -> Iterator[Lossy]:
    """A network of its own that loses a fifth of all frames: a minute passes there while the other tests here run."""
    with new_lan(request) as lan:
        lan.trio()
        lan.drop("numgen random mod 100 < 20")
        yield Lossy(lan, time.monotonic_ns())


def longest_without_leader_s(hosts: Sequence[Host], *, end: "Agreement") -> float:
    """Ask until `end`: for how long did nobody at all say "I lead"?"""
    last = time.monotonic()
    longest = 0.0
    while not end():
        now = time.monotonic()
        if any(host.role() == "leader" for host in hosts):
            last = now
        longest = max(longest, now - last)
    return longest


class Agreement:
    """True once all of them name this leader."""

    def __init__(self, hosts: Sequence[Host], name: str) -> None:
        self._hosts, self._name = hosts, name

    def __call__(self) -> bool:
        return all(host.leader() == self._name for host in self._hosts)


def kinds(host: Host, since_ns: int) -> list[str]:
    return [change["event"] for change in host.changes(since_ns=since_ns)]


def test_055_netsplit_heal_2(lan: Lan) -> None:
    """Two hosts, each alone for a while: one leader afterwards, above both terms, and never none for a second."""
    a, b = lan.ranked(2)
    lan.start()
    lan.until_led_by("a")
    lan.split([a], [b])
    alone = lan.until_led_by("b", [b])
    heal_ns = time.monotonic_ns()
    lan.heal()
    assert longest_without_leader_s([a, b], end=Agreement([a, b], "a")) < 1
    assert lan.until_led_by("a") > alone
    until(lambda: all("overlap-resolved" in kinds(host, heal_ns) for host in (a, b)), what=a.summary)
    lan.steady(1)


def test_055_netsplit_heal_two_and_two(lan: Lan) -> None:
    """Each half has a leader of its own; healed, both tell that the overlap is over, and the term is above both."""
    a, b, c, d = hosts = lan.ranked(4)
    lan.start()
    lan.until_led_by("a")
    cut_ns = time.monotonic_ns()
    lan.split([a, c], [b, d])
    terms = [lan.until_led_by("b", [b, d]), lan.until_led_by("a", [a, c])]
    heal_ns = time.monotonic_ns()
    lan.heal()
    assert lan.until_led_by("a") > max(terms)
    until(lambda: all("overlap-resolved" in kinds(host, heal_ns) for host in (a, b)), what=b.summary)
    assert [kinds(host, heal_ns).count("overlap-resolved") for host in hosts] == [1, 1, 0, 0]
    lasted_us = (time.monotonic_ns() - cut_ns) // 1000
    assert [0 < ask(host.socket, "Counters")["overlap_us"] < lasted_us for host in hosts] == [True, True, False, False]
    assert kinds(d, heal_ns) == ["leader-changed"]
    lan.steady(1)


def test_056_netsplit_heal_n(lan: Lan) -> None:
    """Four hosts, each alone and each a leader: all are under the highest when the network is whole again."""
    hosts = lan.ranked(4)
    lan.start()
    lan.until_led_by("a")
    for host in hosts:
        lan.split([host], [other for other in hosts if other is not host])
    terms = [lan.until_led_by(host.name, [host]) for host in hosts]
    lan.heal()
    assert lan.until_led_by("a") > max(terms)
    lan.until_complete()
    lan.steady(1)


def test_068_leader_deaf_to_one_follower(lan: Lan, trio: Trio) -> None:
    """What c says does not reach a: nobody's leader changes, for c still hears its own."""
    a, b, c = trio
    start_ns = time.monotonic_ns()
    lan.cut([c], [a])
    lan.steady(4, [a, b])
    assert "elected" not in kinds(c, start_ns)
    lan.heal()
    lan.until_led_by("a")
    assert not lan.changes(start_ns, [a, b])
    lan.steady(1)


def test_068_follower_deaf_to_the_leader(lan: Lan, trio: Trio) -> None:
    """c hears everybody but a: it says that it knows no leader, once, and disturbs nobody with its claims."""
    a, b, c = trio
    start_ns = time.monotonic_ns()
    lan.cut([a], [c])
    until(lambda: c.leader() is None, what=c.summary)
    lan.steady(4)
    lan.heal()
    lan.until_led_by("a")
    assert not lan.changes(start_ns, [a, b])
    assert kinds(c, start_ns) == ["leader-lost", "leader-changed"]
    lan.steady(1)


def test_068_leader_deaf_to_all(lan: Lan, trio: Trio) -> None:
    """Nothing reaches a: the others notice that it hears nobody and elect b, once; healed, a leads again."""
    a, b, c = trio
    lan.cut([b, c], [a])
    lan.until_led_by("b", [b, c])
    lan.steady(4)
    lan.heal()
    lan.until_led_by("a")
    lan.steady(1)


def test_068_mute_leader(lan: Lan, trio: Trio) -> None:
    """Nothing comes from a, and it hears that b leads: it ceases to lead, once; healed, it leads again."""
    a, b, c = trio
    start_ns = time.monotonic_ns()
    lan.cut([a], [b, c])
    lan.until_led_by("b", [b, c])
    until(lambda: a.role() != "leader", what=a.summary)
    assert a.leader() != "a"
    lan.steady(4)
    assert kinds(a, start_ns) == ["deposed", "overlap-resolved"]
    lan.heal()
    lan.until_led_by("a")
    lan.steady(1)


def test_070_asymmetric_mesh(lan: Lan) -> None:
    """Five hosts; no link between the leader and one of them, a one-way link between two others: all else is stable."""
    hosts = lan.ranked(5)
    lan.start()
    lan.until_led_by("a")
    start_ns = time.monotonic_ns()
    lan.split(hosts[:1], hosts[4:])
    lan.cut([hosts[2]], [hosts[3]])
    until(lambda: hosts[4].leader() is None, what=hosts[4].summary)
    lan.steady(4)
    lan.heal()
    lan.until_led_by("a")
    assert not lan.changes(start_ns, hosts[:4])
    assert "elected" not in kinds(hosts[4], start_ns)


def test_079_refused_but_alive(lan: Lan, trio: Trio) -> None:
    """The leader's firewall rejects what the next in rank sends: "port unreachable" is no proof of a death."""
    a, b, _ = trio
    address = str(b.status()["node"]["address"]).split(":")[0]
    a.namespace.nft(
        "add table inet faults",
        "add chain inet faults input { type filter hook input priority 0; }",
        f"add rule inet faults input ip saddr {address} udp dport 5466 reject with icmp type port-unreachable",
    )
    lan.steady(4)
    a.namespace.nft("delete table inet faults")
    lan.until_led_by("a")
    lan.steady(1)


@pytest.mark.timeout(150)
def test_20_percent_loss_for_a_minute(lossy: Lossy) -> None:
    """Every fifth frame is lost, each way: no change of leader; and a failover and a return still work."""
    lan = lossy.lan
    time.sleep(max(0, lossy.since_ns / 1e9 + 60 - time.monotonic()))
    lan.until_led_by("a")
    assert not lan.changes(lossy.since_ns)
    lan.hosts[0].kill()
    lan.until_led_by("b")
    lan.hosts[0].start()
    lan.until_led_by("a")


def test_host_that_hears_nothing_says_so_and_the_others_say_what_it_claims_to_be(lan: Lan, trio: Trio) -> None:
    """Its firewall drops all that comes in, answers too. It leads alone; that is seen on each host, and over with the fault."""
    a, b, c = trio
    c.namespace.nft("table inet deaf { chain input { type filter hook input priority 0; meta l4proto udp drop; }; }")
    until(lambda: c.leader() == "c", what=c.summary)
    until(lambda: "nothing is heard: a, b fell silent without a word" in c.problems(), what=c.problems)
    says = re.compile(r"c \(\S+:5466\) says that it leads")  # by IPv4 or IPv6: whichever answered last
    until(lambda: all(says.search(host.problems()) for host in (a, b)), what=lambda: a.problems() + b.problems())
    for host in (a, b):
        assert (host.leader(), host.members()["c"]["role"], host.members()["c"]["state"]) == ("a", "leader", "alive")
        survey = host.kingctl("survey")
        assert survey.returncode == 1
        assert "no answer, and says that it leads" in survey.stdout
        assert "the views differ: 2 alive say a or c" in survey.stderr
    c.namespace.nft("delete table inet deaf")
    lan.until_led_by("a")
    until(lambda: not any(host.problems() for host in trio), what=c.problems)
    assert [host.kingctl("survey").returncode for host in trio] == [0, 0, 0]


def test_host_that_is_deaf_from_the_start_has_heard_none_of_its_peers(lan: Lan) -> None:
    a = lan.host("a", priority=20)
    c = lan.host("c", priority=10, config='[network]\npeers = ["10.77.0.1"]')
    lan.start(a)
    lan.until_led_by("a", [a])
    c.namespace.nft("table inet deaf { chain input { type filter hook input priority 0; meta l4proto udp drop; }; }")
    c.start()
    until(lambda: c.status_or_none() is not None)
    until(lambda: "none of the 1 peers that are configured" in c.problems(), what=c.problems)
    until(lambda: "does not answer" in a.problems(), what=a.problems)
