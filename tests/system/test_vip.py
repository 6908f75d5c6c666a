"""Floating addresses on an installed host: with the rights of the unit and no others."""

import pytest

from tests.system.lab import Host, until

pytestmark = [pytest.mark.system, pytest.mark.timeout(600)]

CONFIG = """
[[address]]
address = "10.99.0.200"
interface = "host0"
label = "host0:king"

[[address]]
address = "2001:db8::200"
interface = "host0"
"""


def held(host: Host) -> int:
    """How many of the two are there."""
    shown = host.run("ip -brief address show dev host0")
    return ("10.99.0.200/32" in shown) + ("2001:db8::200/128" in shown)


def state(host: Host) -> str:
    return host.show("kingd-vip.service", "ActiveState")


def test_nothing_runs_until_there_is_a_configuration(host: Host) -> None:
    assert (state(host), host.show("kingd-vip.service", "ConditionResult")) == ("inactive", "no")
    host.write("/etc/kingd/vip.toml", CONFIG)
    until(lambda: held(host) == 2, "the addresses are there")
    assert '"state": "held"' in host.run("cat /run/kingd-vip/status.json")
    for command in ("systemctl status kingd-vip", "kingctl status"):
        assert "10.99.0.200 on host0: held" in host.run(command)


def test_v20_it_has_two_capabilities_and_a_user_of_its_own(host: Host) -> None:
    pid = host.show("kingd-vip.service", "MainPID")
    status = dict(line.split(":\t", 1) for line in host.run(f"cat /proc/{pid}/status").splitlines() if ":\t" in line)
    assert int(status["CapBnd"], 16) == int(status["CapEff"], 16) == 1 << 12 | 1 << 13
    assert int(status["Uid"].split()[0]) not in (0, int(host.run("id --user kingd")))


def test_v12_killed_one_is_followed_by_one_that_goes_on(host: Host) -> None:
    pid = host.show("kingd-vip.service", "MainPID")
    host.run("systemctl kill --signal=KILL kingd-vip")
    until(lambda: host.show("kingd-vip.service", "MainPID") not in ("0", pid), "the next one runs")
    until(lambda: '"state": "held"' in host.attempt("cat /run/kingd-vip/status.json").stdout, "it holds them")
    assert held(host) == 2


def test_v13_stop_of_kingd_waits_until_they_are_gone(host: Host) -> None:
    host.run("systemctl stop kingd")
    assert held(host) == 0
    assert state(host) == "active"
    log = host.run("journalctl --unit kingd-vip --unit kingd --output cat")
    assert "does not wait" not in log
    assert "gave up" not in log
    host.run("systemctl start kingd; kingctl wait --me --timeout 30s")
    until(lambda: held(host) == 2, "they are back")


def test_mistake_ends_it_and_a_mended_file_starts_it(host: Host) -> None:
    host.write("/etc/kingd/vip.toml", "[[address]]\naddress = 5\n")
    host.attempt("systemctl restart kingd-vip")
    until(lambda: state(host) == "failed", "it has ended")
    assert host.show("kingd-vip.service", "ExecMainStatus") == "78"
    assert "address = 5 is not allowed" in host.run("journalctl --unit kingd-vip --output cat")
    assert held(host) == 0
    host.write("/etc/kingd/vip.toml", CONFIG)
    until(lambda: held(host) == 2, "they are back")


def test_it_takes_the_priority_of_the_manual(host: Host) -> None:
    """kingd(8), FAST DETECTION."""
    host.write(
        "/etc/systemd/system/kingd-vip.service.d/rr.conf",
        "[Service]\nCPUSchedulingPolicy=rr\nCPUSchedulingPriority=1\n",
    )
    host.run("systemctl daemon-reload; systemctl restart kingd-vip")
    until(lambda: held(host) == 2, "the addresses are there")
    pid = host.show("kingd-vip.service", "MainPID")
    assert "policy: SCHED_RR" in host.run(f"chrt --pid {pid}")
    host.run("rm -r /etc/systemd/system/kingd-vip.service.d; systemctl daemon-reload")


def test_purge_leaves_nothing(host: Host) -> None:
    host.run("apt purge --yes kingd")
    assert held(host) == 0
    assert host.run("systemctl list-units --all --plain --no-legend 'kingd*'") == ""
    assert host.run("find /etc /usr /run /var/lib -path /var/lib/apt -prune -o -name '*kingd*' -print") == ""
