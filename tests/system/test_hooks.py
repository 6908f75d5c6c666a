"""Hooks on an installed host: who runs them, when, and that nothing of them is left."""

import pytest

from tests.system.lab import Host, until

pytestmark = [pytest.mark.system, pytest.mark.timeout(600)]

HOOK = """#!/bin/sh
echo "$KINGD_EVENT $(kingctl is-leader; echo $?)" >>/root/told
[ "$KINGD_EVENT" != elected ] || ip address add 10.99.0.1/32 dev lo
[ "$KINGD_EVENT" != deposed ] || ip address del 10.99.0.1/32 dev lo
echo "said about $KINGD_EVENT"
"""
HANGS = """#!/bin/sh
[ "$KINGD_EVENT" = elected ] || exit 0
setsid sleep 7777 &
exec sleep 8888
"""


def told(host: Host) -> list[str]:
    return host.attempt("cat /root/told").stdout.splitlines()


def runner(host: Host) -> str:
    return host.show("kingd-hooks.service", "ActiveState")


def sleepers(host: Host) -> list[str]:
    return host.attempt("grep --no-messages --files-with-matches --line-regexp sleep /proc/[0-9]*/comm").stdout.split()


def test_nothing_runs_until_there_is_a_hook(host: Host) -> None:
    until(lambda: runner(host) == "inactive", "the runner has ended")
    assert host.show("kingd-hooks.service", "Result") == "success"
    host.write("/root/hook", HOOK)
    host.run("install -m 755 /root/hook /etc/kingd/hooks.d/50-hook")
    until(lambda: told(host) == ["elected 0"], "the hook is told who leads")
    assert runner(host) == "active"
    assert "50-hook (elected, term 1): said about elected" in host.run("journalctl --unit kingd-hooks --output cat")
    assert host.run("ip -br address show dev lo").count("10.99.0.1") == 1


def test_h06_stop_and_restart_of_kingd_run_deposed_while_it_leads(host: Host) -> None:
    host.run("systemctl stop kingd")
    assert told(host)[1] == "deposed 0"
    assert runner(host) == "active"
    assert "10.99.0.1" not in host.run("ip -br address show dev lo")
    host.run("systemctl start kingd; kingctl wait --me --timeout 30s")
    until(lambda: told(host)[-1] == "elected 0", "it is told again")


def test_h07_sigkill_of_kingd_is_told(host: Host) -> None:
    before = len(told(host))
    host.run("systemctl kill --kill-whom=all --signal=KILL kingd")

    def events() -> list[str]:
        """Whether the runner is there to hear `started` is chance."""
        return [line.split()[0] for line in told(host)[before:] if not line.startswith("started")]

    until(lambda: events() == ["deposed", "leader-lost", "elected"], "death and return are told")


def test_h04_nothing_of_a_hook_outlives_the_runner(host: Host) -> None:
    host.write("/root/hangs", HANGS)
    host.run("install -m 755 /root/hangs /etc/kingd/hooks.d/60-hangs")
    host.run("systemctl restart kingd-hooks")
    until(lambda: len(sleepers(host)) == 2, "it hangs")
    before = len(told(host))
    host.run("rm /etc/kingd/hooks.d/60-hangs; systemctl kill --kill-whom=main --signal=KILL kingd-hooks")
    taken_up = ["deposed 0", "started 0", "elected 0"]
    until(lambda: told(host)[before:] == taken_up, "the next one takes back and begins again")
    assert sleepers(host) == []


def test_stop_of_the_runner_takes_back_what_was_set_up(host: Host) -> None:
    until(lambda: told(host)[-1].startswith("elected"), "it leads")
    host.run("systemctl stop kingd-hooks")
    assert told(host)[-1] == "deposed 0"
    assert "10.99.0.1" not in host.run("ip -br address show dev lo")
    assert runner(host) == "inactive"


def test_purge_ends_the_runner_and_leaves_nothing(host: Host) -> None:
    host.run("systemctl start kingd-hooks")
    until(lambda: told(host)[-1] == "elected 0", "it runs again")
    host.run("rm /etc/kingd/hooks.d/50-hook; apt purge --yes kingd")
    assert host.run("systemctl list-units --all --plain --no-legend 'kingd*'") == ""
    assert host.run("find /etc /usr /run /var/lib -path /var/lib/apt -prune -o -name '*kingd*' -print") == ""
