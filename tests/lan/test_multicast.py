"""Networks that carry one kind of datagram and not the other: multicast that dies, never was, or is all there is."""

import time

import pytest

from tests.lan.host import Host, until
from tests.lan.network import BROADCAST, MULTICAST, UNICAST, Lan

pytestmark = pytest.mark.lan
Trio = tuple[Host, Host, Host]

_SEEDS = """
[network]
broadcast = false
peers = ["10.77.0.1", "10.77.0.2", "10.77.0.3:5466"]
"""


def test_093_mcast_ageout_of_one_follower(lan: Lan, trio: Trio) -> None:
    """No group reaches c any more: it polls the leader by unicast, says so, and nobody elects anybody."""
    _, _, c = trio
    start_ns = time.monotonic_ns()
    lan.flood_multicast(c, on=False)
    until(lambda: "multicast" in c.problems(), what=c.summary)
    lan.steady(4)
    lan.until_led_by("a")
    lan.flood_multicast(c, on=True)
    until(lambda: not c.problems(), what=c.summary)
    assert not lan.changes(start_ns)


def test_093_mcast_ageout_of_all(lan: Lan, trio: Trio) -> None:
    """No group reaches anybody, for longer than it takes to call a silent member dead: no election, no death. And a
    failover and a return still work."""
    a, b, c = trio
    start_ns = time.monotonic_ns()
    lan.flood_multicast(*trio, on=False)
    until(lambda: all("multicast" in host.problems() for host in (b, c)), what=c.summary)
    lan.steady(9)
    assert [host.status()["members"]["alive"] for host in trio] == [3, 3, 3]
    assert not lan.changes(start_ns)
    a.kill()
    lan.until_led_by("b")
    a.start()
    lan.until_led_by("a")


def test_interfaces_that_cannot_multicast_at_all(lan: Lan) -> None:
    """As WireGuard's and many clouds': with `network.peers` all agree, a leader dies, all agree again."""
    hosts = lan.ranked(3, config=_SEEDS)
    for host in hosts:
        host.namespace.ip("link set dev eth0 multicast off")
    lan.start()
    lan.until_led_by("a")
    assert [host.status()["members"]["alive"] for host in hosts] == [3, 3, 3]
    hosts[0].kill()
    lan.until_led_by("b")
    hosts[0].start()
    lan.until_led_by("a")


def test_host_without_multicast_and_peers_waits_for_one_that_names_it(lan: Lan) -> None:
    """It says what is missing, and leads nobody; another one's `peers` are enough for both."""
    a = lan.host("a", priority=20, config="[network]\nbroadcast = false\n")
    b = lan.host("b", priority=10, config=_SEEDS)
    for host in (a, b):
        host.namespace.ip("link set dev eth0 multicast off")
    a.start()
    until(lambda: a.status_or_none() is not None)
    until(lambda: "network.peers names nobody" in a.problems(), what=a.summary)
    assert "eth0: up, but without multicast" in a.problems()
    assert (a.status()["node"]["role"], a.leader()) == ("joining", None)
    b.start()
    lan.until_led_by("a")
    until(lambda: "network.peers" not in a.problems(), what=a.summary)


def test_multicast_dead_from_the_start_with_seeds(lan: Lan) -> None:
    """Neither multicast nor broadcast, but `network.peers`: all agree, a leader dies, all agree again."""
    lan.drop(MULTICAST)
    lan.drop(BROADCAST)
    a, b, c = lan.trio(config=_SEEDS)
    a.kill()
    lan.until_led_by("b")
    a.start()
    lan.until_led_by("a")
    lan.until_complete([a, b, c])


def test_broadcast_only(lan: Lan) -> None:
    """No multicast and no seeds: lonely hosts find each other by broadcast, and keep together by unicast."""
    lan.drop(MULTICAST)
    a, _, _ = lan.trio()
    lan.steady(6)
    lan.until_complete()
    a.kill()
    lan.until_led_by("b")


def test_peer_cache_finds_the_cluster_again(lan: Lan, trio: Trio) -> None:
    """Multicast and broadcast end after the hosts have met: after a restart they still know where the others are."""
    for host in trio:
        assert host.stop() == 0
    lan.drop(MULTICAST)
    lan.drop(BROADCAST)
    lan.start(*trio)
    lan.until_led_by("a")


def leaders(*hosts: Host) -> list[str]:
    return [host.name for host in hosts if host.role() == "leader"]


def test_094_ucast_blocked_at_one(lan: Lan) -> None:
    """What is not multicast neither reaches a nor leaves it: it is no member and leads nobody, and says why."""
    a, b, c = lan.ranked(3)
    lan.cut([a], [b, c], UNICAST)
    lan.cut([b, c], [a], UNICAST)
    lan.start(b, c)
    lan.until_led_by("b")
    start_ns = time.monotonic_ns()
    a.start()
    until(lambda: a.status_or_none() is not None)
    until(lambda: "unicast UDP between us is blocked" in a.problems(), what=a.summary)
    lan.steady(3, [b, c])
    assert leaders(a, b, c) == ["b"]
    assert "unicast UDP between us is blocked" in b.problems()
    assert b.status()["members"] == {"alive": 2, "dead": 0}
    lan.heal()
    lan.until_led_by("a")
    assert len(c.changes(since_ns=start_ns)) == 1


def test_094_ucast_blocked_everywhere_later(lan: Lan, trio: Trio) -> None:
    """Unicast ends in a cluster that runs: whatever the others come to know, two never lead for long, and it heals."""
    a, b, c = trio
    lan.drop(UNICAST)
    until(lambda: any("unicast" in host.problems() for host in trio), what=lambda: "\n".join(h.summary() for h in trio))
    for _ in range(20):
        until(lambda: len(leaders(a, b, c)) <= 1, limit_s=2, what=lambda: str(leaders(a, b, c)))
        time.sleep(0.2)
    lan.heal()
    lan.until_led_by("a")
    lan.steady(1)


def test_094_ucast_blocked_from_the_start(lan: Lan) -> None:
    """Three that hear each other's groups and nothing else: in the end one leads at most, and all say what is wrong."""
    hosts = lan.ranked(3)
    lan.drop(UNICAST)
    for host in hosts:
        host.start()
    until(lambda: all(host.status_or_none() for host in hosts))
    until(lambda: all("unicast UDP between us is blocked" in host.problems() for host in hosts))
    until(lambda: len(leaders(*hosts)) == 1, what=lambda: "\n".join(host.summary() for host in hosts))
    lan.heal()
    lan.until_led_by("a")
    lan.until_complete()
    lan.steady(1)


def test_igmp_snooping_forgets_the_members(lan: Lan, trio: Trio) -> None:
    """The switch asks who wants which group, and then loses its table: groups go to nobody. Nobody is elected, and the
    followers join again by themselves, so that groups arrive long before the switch asks again."""
    _, b, c = trio
    start_ns = time.monotonic_ns()
    once = "mcast_query_interval 12500 mcast_query_response_interval 100 mcast_startup_query_interval 100"
    lan.switch.ip(f"link set br0 type bridge {once} mcast_querier 1")
    time.sleep(4)  # its two first questions have been answered; the next one comes in two minutes
    lan.forget_groups()
    assert not lan.group_members()
    until(lambda: {b.name, c.name} <= lan.group_members(), what=lambda: str(lan.group_members()))
    until(lambda: not b.problems() and not c.problems(), what=b.summary)
    assert not lan.changes(start_ns)
