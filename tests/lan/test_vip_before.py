"""What is on the host and on the LAN before a floating address comes. The numbers are those of the table in docs/vip.md."""

import subprocess
import sys
from contextlib import closing

import pytest

from kingd.net import links, netlink
from kingd.vip import kernel
from kingd.vip.config import Address
from kingd.vip.floating import Present
from tests.lan.host import Host, until
from tests.lan.network import Lan
from tests.lan.vip import PACKED4, PACKED6, V4, V6, Monitor, addresses, has, mac, until_held, vips_on

pytestmark = [pytest.mark.lan, pytest.mark.timeout(300)]

Trio = tuple[Host, Host, Host]
CHURN = f"""
from kingd.vip.config import Address
from kingd.vip.kernel import Kernel
kernel, address = Kernel(), Address({PACKED4!r}, 32, "eth0", "eth0:king")
for _ in range(10_000):
    kernel.add(address)
    kernel.remove(address)
"""


def test_v11_address_of_the_administrator_is_neither_changed_nor_removed(trio: Trio) -> None:
    a = trio[0]
    a.namespace.ip(f"address add {V4}/32 dev eth0")
    with vips_on([a]) as (vip,):
        vip.start()
        vip.until_states("foreign", "held")
        assert "left alone" in vip.log
        a.namespace.ip(
            f"address replace {V6}/128 dev eth0"
        )  # ours, made theirs: it has no lifetime and no mark any more
        vip.until_states("foreign", "foreign")
        assert vip.stop() == 0
    assert [addresses(a)[each]["valid_life_time"] for each in (V4, V6)] == [0xFFFFFFFF, 0xFFFFFFFF]


def test_v02_stranger_that_answers_keeps_it(lan: Lan) -> None:
    """Nobody has led before: it is asked first. When the stranger has gone it is taken."""
    hosts = lan.ranked(2)
    stranger = lan.host("stranger")
    stranger.namespace.ip(f"address add {V4}/32 dev eth0", f"address add {V6}/128 dev eth0")
    with vips_on(hosts) as vips:
        for vip in vips:
            vip.start(is_ready=False)
        lan.start(*hosts)
        lan.until_led_by("a")
        vips[0].until_states("conflict", "conflict")
        assert mac(stranger) in vips[0].rows()[V4]["why"]
        assert mac(stranger) in vips[0].rows()[V6]["why"]
        assert not has(hosts[0], V4)
        assert not has(hosts[0], V6)
        with closing(Monitor(hosts)) as monitor:  # nor does a successor, which has not asked yet
            hosts[0].kill()
            lan.until_led_by("b")
            vips[1].until_states("conflict", "conflict")
            assert monitor.rows("added") == []
        stranger.namespace.ip(f"address del {V4}/32 dev eth0", f"address del {V6}/128 dev eth0")
        until_held(vips[1])


def test_v19_leader_whose_announcements_do_not_arrive_is_told_of_where_they_are_missed(lan: Lan, trio: Trio) -> None:
    """A switch that passes on no ARP of its own making, and multicast not either."""
    with vips_on(trio[:2]) as vips:
        vips[0].start()
        until_held(vips[0])
        lan.drop("ether daddr { ff:ff:ff:ff:ff:ff, 33:33:00:00:00:01 } ether type { arp, ip6 } meta pkttype != host")
        vips[1].start()
        until(lambda: all("does not come here" in (row["why"] or "") for row in vips[1].rows().values()))
        lan.heal()
        vips[0].stop()
        vips[0].start()
        until(lambda: not any(row["why"] for row in vips[1].rows().values()))


def test_v03_member_that_answers_has_not_let_go_yet_and_is_told(trio: Trio) -> None:
    """It is taken all the same. Both say so, until it is gone there."""
    a, b, _ = trio
    b.namespace.ip(f"address add {V4}/32 dev eth0")
    with vips_on([a, b]) as vips:
        for vip in vips:
            vip.start()
        until_held(vips[0])
        assert f"{b.address}, a member ({mac(b)}), has it, too" in vips[0].rows()[V4]["why"]
        until(lambda: "remove it here" in (vips[1].rows()[V4]["why"] or ""), what=lambda: vips[1].log)
        assert vips[1].rows()[V4]["state"] == "idle"
        b.namespace.ip(f"address del {V4}/32 dev eth0")
        until(lambda: all(vip.rows()[V4]["why"] is None for vip in vips), what=lambda: vips[0].log + vips[1].log)
        assert has(a, V4)


def test_v07_prefix_that_would_take_the_hosts_own_address_along_is_refused(trio: Trio) -> None:
    a = trio[0]
    a.namespace.sysctl("net/ipv4/conf/all/promote_secondaries", 0)
    a.namespace.sysctl("net/ipv4/conf/eth0/promote_secondaries", 0)
    with vips_on([a], f'[[address]]\naddress = "{V4}/24"\ninterface = "eth0"\n') as (vip,):
        vip.start()
        vip.until_states("waiting")
        assert "promote_secondaries=1" in vip.log
        a.namespace.ip(f"address flush dev eth0 to {a.address}")
        a.namespace.sysctl("net/ipv4/conf/eth0/promote_secondaries", 1)
        until_held(vip, V4)
        a.namespace.ip(f"address add {a.address}/24 dev eth0")
        assert vip.stop() == 0
    assert has(a, a.address)


def test_v16_interface_that_comes_later(trio: Trio, lan: Lan) -> None:
    """Of a host that leads without it: it may come with leadership."""
    a = trio[0]
    with vips_on([a], f'[[address]]\naddress = "{V4}"\ninterface = "eth1"\n') as (vip,):
        vip.start()
        vip.until_states("waiting")
        assert "no such interface" in vip.rows()[V4]["why"]
        lan.plug(a, "eth1")
        vip.until_states("held")
        assert V4 in addresses(a, "eth1")


def test_v16_interface_that_is_renamed(lan: Lan) -> None:
    """It is another one then: the address ends there, and waits for one of the name that it knows."""
    (a,) = lan.ranked(1)
    lan.plug(a, "eth1")
    lan.start(a)
    lan.until_led_by("a")
    with vips_on([a], f'[[address]]\naddress = "{V4}"\ninterface = "eth1"\n') as (vip,):
        vip.start()
        vip.until_states("held")
        a.namespace.ip("link set eth1 down", "link set eth1 name eth9", "link set eth9 up")
        until(lambda: "no such interface" in (vip.rows()[V4]["why"] or ""), what=lambda: vip.log)
        until(lambda: V4 not in addresses(a, "eth9"))
        a.namespace.ip("link set eth9 down", "link set eth9 name eth1", "link set eth1 up")
        vip.until_states("held")
        assert V4 in addresses(a, "eth1")


def test_v16_leader_whose_interface_to_the_clients_is_down_hands_over(trio: Trio, lan: Lan) -> None:
    """kingd itself hears everybody by another one. When it has stayed up for a while, the host leads again."""
    a, b, _ = trio
    for host in (a, b):
        lan.plug(host, "eth1")
    with vips_on([a, b], f'[[address]]\naddress = "{V4}"\ninterface = "eth1"\n') as vips:
        for vip in vips:
            vip.start()
        vips[0].until_states("held")
        a.namespace.ip("link set eth1 down")
        lan.until_led_by("b")
        assert a.status()["node"]["ineligible_reason"] == "check-failed"
        assert "eth1 is down" in a.kingctl("status").stdout
        vips[1].until_states("held")
        a.namespace.ip("link set eth1 up")
        lan.until_led_by("a")
        vips[0].until_states("held")


def test_v16_bridge_whose_ports_come_with_leadership(lan: Lan) -> None:
    """It has no carrier before that, on no host: each has to lead all the same."""
    hosts = lan.ranked(2)
    for host in hosts:
        host.namespace.ip("link add br7 type bridge", "link set br7 up")
        host.namespace.ip("link add port7 type veth peer name guest7", "link set port7 master br7 up")
    with vips_on(hosts, f'[[address]]\naddress = "{V4}"\ninterface = "br7"\n') as vips:
        for vip in vips:
            vip.start(is_ready=False)
        lan.start(*hosts)
        lan.until_led_by("a")
        vips[0].until_states("waiting")
        assert "no carrier" in vips[0].rows()[V4]["why"]
        hosts[0].namespace.ip("link set guest7 up")
        vips[0].until_states("held")
        assert V4 in addresses(hosts[0], "br7")
        hosts[0].kill()
        lan.until_led_by("b")
        hosts[1].namespace.ip("link set guest7 up")
        vips[1].until_states("held")


def test_v09_floating_address_is_no_link_and_wakes_no_scan(lan: Lan) -> None:
    """Also where it was there before the host's own."""
    host = lan.host("a", address=None)

    def work() -> None:
        wanted = [Address(PACKED4, 32, "eth0", "eth0:king"), Address(PACKED6, 128, "eth0")]
        with closing(kernel.Kernel()) as ours, closing(netlink.open_netlink()) as news:
            for address in wanted:
                ours.add(address)
                ours.refresh(address)
            assert not netlink.drain(news)
            host.namespace.ip("address add 10.77.0.9/24 dev eth0")
            assert netlink.drain(news)
            found = links.scan([])
            assert not {link.address for link in found} & {V4, V6}
            assert {link.address for link in found if link.primary and link.family == 4} == {"10.77.0.9"}
            for address in wanted:
                ours.remove(address)
            assert [ours.present(address) for address in wanted] == [Present.ABSENT, Present.ABSENT]

    host.namespace.inside(work)


def test_v09_floating_address_that_goes_as_links_are_looked_for_takes_none_with_it(lan: Lan) -> None:
    """It wakes no scan, so one that saw half of it would be the last one for half a minute."""
    host = lan.host("a")
    found: list[set[str]] = []

    def look() -> None:
        while churning.poll() is None:
            found.append({link.address for link in links.scan([]) if link.family == 4})

    with subprocess.Popen(host.namespace.command(sys.executable, "-c", CHURN)) as churning:
        host.namespace.inside(look)
    assert churning.returncode == 0
    assert [each for each in found if host.address not in each] == []
    assert len(found) > 100


def test_v10_mistake_ends_the_process_with_78(lan: Lan) -> None:
    with vips_on([lan.host("a")], "[[address]]\naddress = 5\n") as (vip,):
        vip.start(is_ready=False)
        assert vip.exit_code() == 78
        assert "vip.toml: [[address]] number 1: address = 5 is not allowed" in vip.log
