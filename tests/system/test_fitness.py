"""The check and the hand-over before sleep, by their units, on installed hosts."""

import pytest

from tests.system.lab import Host, everywhere, until

pytestmark = [pytest.mark.system, pytest.mark.timeout(600)]

CHECK = """[check]
command = ["sh", "-c", "test ! -e /run/unfit || { setsid sleep 7777 & sleep 8888; }"]
interval = "200ms"
timeout = "300ms"
fall = 2
"""
SLEEPS = """[Unit]
Requires=sleep.target
After=sleep.target
[Service]
Type=oneshot
ExecStart=/bin/sh -c 'kingctl leader >/root/leader-when-it-sleeps'
"""


def agree(hosts: list[Host]) -> Host:
    """Whom all of them name."""

    def leader() -> Host | None:
        names = set(everywhere(hosts, lambda host: host.kingctl("leader")))
        return next((host for host in hosts if {host.name} == names), None)

    return until(leader, "all name one leader")


def test_check_comes_and_goes_by_reload(trio: list[Host]) -> None:
    leader = agree(trio)
    until(lambda: leader.show("kingd-check.service", "ActiveState") == "inactive", "without a command it has ended")
    leader.write("/etc/kingd/conf.d/check.toml", CHECK)
    leader.run("systemctl reload kingd")
    until(lambda: leader.show("kingd-check.service", "ActiveState") == "active", "the unit runs")
    until(lambda: leader.show("kingd-check.service", "StatusText") == "fit; last run: success", "it is fit")
    assert agree(trio) is leader
    leader.run("touch /run/unfit")
    until(lambda: agree(trio) is not leader, "it hands over")
    other = next(host for host in trio if host is not leader)
    until(lambda: "(may not lead: check-failed)" in other.run("kingctl members"), "others know why")
    assert "check: no answer within 0.3 s" in leader.run("kingctl status")
    leader.run("systemctl restart kingd; kingctl wait --timeout 30s")
    until(lambda: "check-failed" in leader.run("kingctl status"), "the next kingd is told at once")
    leader.run("rm /run/unfit")
    until(lambda: "may not lead" not in leader.run("kingctl status"), "it is fit again")
    leader.run("rm /etc/kingd/conf.d/check.toml; systemctl reload kingd")
    until(lambda: leader.show("kingd-check.service", "ActiveState") == "inactive", "there is nothing to check")
    sleepers = "grep --no-messages --files-with-matches --line-regexp sleep /proc/[0-9]*/comm"
    assert leader.attempt(sleepers).stdout == ""


def test_leadership_is_handed_over_before_the_host_sleeps(trio: list[Host]) -> None:
    """What sleeps is a unit that goes after sleep.target, as systemd-suspend.service does."""
    leader = agree(trio)
    leader.write("/etc/systemd/system/sleeps.service", SLEEPS)
    leader.run("systemctl daemon-reload; systemctl start sleeps")
    slept_under = leader.run("cat /root/leader-when-it-sleeps").strip()
    assert slept_under in {host.name for host in trio if host is not leader}
    assert "step-down" in leader.run("kingctl history")
    assert leader.show("kingd-sleep.service", "Result") == "success"
    leader.run("rm /etc/systemd/system/sleeps.service; systemctl daemon-reload")
