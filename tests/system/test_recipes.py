"""Each recipe of docs/recipes.md, as it stands there, on one installed host that leads, and leads not, and leads again.

What the recipes call and the host has not (the job itself, podman, nsupdate) is a stand-in that notes how it was called."""

import json
from collections.abc import Iterator

import pytest

from tests.recipes import recipe
from tests.system import web
from tests.system.followed import calls, follow, lead, stand_in, until_state
from tests.system.lab import Host, until

pytestmark = [pytest.mark.system, pytest.mark.timeout(600)]


def cron_command(title: str) -> str:
    """What cron would run, as root."""
    (line,) = [block.text for block in recipe(title) if block.language == "cron"]
    fields = line.split(maxsplit=6)
    assert fields[5] == "root"
    return fields[6]


@pytest.fixture(autouse=True)
def _leads(host: Host) -> None:
    """Whatever the test before has left. With the target: what is started before it is not stopped with it."""
    lead(host, leads=True)
    until_state(host, "kingd-leader.target", "active")


def test_who_leads(host: Host) -> None:
    said = follow(host, "Who leads")
    assert "the leader is box1\n" in said
    assert said.endswith("http://box1.example.org:8080/\n")


def test_cron(host: Host) -> None:
    stand_in(host, "/usr/local/bin/report")
    follow(host, "A cron job on the leader only")
    command = cron_command("A cron job on the leader only")
    host.run(command)
    lead(host, leads=False)
    assert host.attempt(command).returncode == 4
    lead(host, leads=True)
    assert calls(host, "report") == ["called "]


def test_timer(host: Host) -> None:
    stand_in(host, "/usr/local/bin/report")
    host.run("rm -f /root/report")
    follow(host, "A timer on the leader only")
    assert host.show("report.timer", "ActiveState") == "active"
    host.run("systemctl start report.service")
    lead(host, leads=False)
    host.run("systemctl start report.service")
    assert host.show("report.service", "Result") == "exec-condition"
    assert host.show("report.service", "ActiveState") == "inactive"
    lead(host, leads=True)
    assert calls(host, "report") == ["called "]


def test_long_job(host: Host) -> None:
    title = "A long job that ends with its leadership"
    stand_in(host, "/usr/local/bin/backup", 'echo "$KINGD_TERM $KINGD_NODE_ID" >/root/token')
    stand_in(host, "/usr/local/bin/worker", "exec sleep 7777")
    follow(host, title)
    until(lambda: calls(host, "worker"), "the worker runs")
    host.run(cron_command(title))
    status = json.loads(host.run("kingctl status --json"))
    (token,) = calls(host, "token")
    term, node_id = token.split()
    assert (0 < int(term) <= status["term"], node_id) == (True, status["node"]["id"])
    lead(host, leads=False)
    until(lambda: not host.attempt("grep -lx sleep /proc/[0-9]*/comm").stdout, "the worker has ended")
    host.run(cron_command(title))
    assert len(calls(host, "backup")) == len(calls(host, "worker")) == 1
    lead(host, leads=True)
    until(lambda: len(calls(host, "worker")) == 2, "the worker runs again")
    host.run("systemctl disable --now worker.service")


def test_service_of_your_own(host: Host) -> None:
    stand_in(host, "/usr/local/bin/myapp", "exec sleep 7777")
    follow(host, "A service of your own on the leader only")
    until_state(host, "myapp.service", "active")
    lead(host, leads=False)
    until_state(host, "myapp.service", "inactive")
    lead(host, leads=True)
    until_state(host, "myapp.service", "active")
    host.run("systemctl disable --now myapp.service")


def test_a01_service_that_must_not_stay_down(host: Host) -> None:
    stand_in(host, "/usr/local/bin/myapp", "exec sleep 7777")
    follow(host, "A service of your own on the leader only")
    follow(host, "A service that must not stay down")
    for harm in ("systemctl kill -s KILL myapp.service", "systemctl stop myapp.service"):
        until_state(host, "myapp.service", "active")
        before = len(calls(host, "myapp"))
        host.run(harm)
        until(lambda before=before: len(calls(host, "myapp")) > before, f"it is back after: {harm}")  # type: ignore[misc]
    lead(host, leads=False)
    until_state(host, "myapp.service", "inactive")
    started = len(calls(host, "myapp"))
    lead(host, leads=True)
    until_state(host, "myapp.service", "active")
    assert len(calls(host, "myapp")) == started + 1
    host.run(
        "rm -r /etc/systemd/system/kingd-leader.target.d && systemctl daemon-reload && systemctl stop myapp.service"
    )


def test_a05_service_that_does_not_stop_in_time(host: Host) -> None:
    stand_in(host, "/usr/local/bin/myapp", "trap '' TERM\nwhile :; do sleep 1; done")
    follow(host, "A service of your own on the leader only")
    exclusive = "/etc/kingd/conf.d/50-exclusive.toml"
    follow(host, "A service that does not stop in time", but=(exclusive,))
    until_state(host, "myapp.service", "active")
    lead(host, leads=False)
    until_state(host, "myapp.service", "failed")
    assert host.show("myapp.service", "Result") == "timeout"
    (block,) = [each for each in recipe("A service that does not stop in time") if each.path == exclusive]
    host.write(exclusive, block.text)
    host.run("kingctl check-config")
    host.run(f"rm {exclusive}; systemctl disable myapp.service; systemctl reset-failed myapp.service")
    lead(host, leads=True)


def test_container(host: Host) -> None:
    stand_in(
        host,
        "/usr/bin/podman",
        'case $1 in run) exec sleep 7777 ;; stop) pkill -x sleep -P 1 || kill "$MAINPID" ;; esac',
    )
    follow(host, "A container on the leader only")
    until_state(host, "web.service", "active")
    lead(host, leads=False)
    until(lambda: host.show("web.service", "ActiveState") in ("inactive", "failed"), "the container has ended")
    begun, ended = calls(host, "podman")
    assert "--cgroups=split" in begun
    assert ended == "called stop --ignore --time 10 web"
    lead(host, leads=True)
    host.run("systemctl disable --now web.service; systemctl reset-failed")


def test_hooks(host: Host) -> None:
    """Three of them, and one change of leadership there and back."""
    stand_in(host, "/usr/bin/nsupdate", "cat >/root/zone")
    host.write("/etc/keepalived/notify.sh", '#!/bin/sh\necho "$*" >>/root/notify\n', mode=0o755)
    for title in (
        "Tell somebody who leads",
        "An address record that follows the leader",
        "The notify script of keepalived",
    ):
        follow(host, title)
    until(lambda: calls(host, "notify") == ["INSTANCE kingd MASTER 100"], "keepalived's script is told")
    lead(host, leads=False)
    until(lambda: len(calls(host, "notify")) == 2, "it is told again")
    host.run("rm /root/zone")
    lead(host, leads=True)
    until(lambda: "update add service.example.org 30 A 10.99.0.1" in calls(host, "zone"), "the record is written")
    until(lambda: len(calls(host, "notify")) == 3, "the last one has been told")
    assert calls(host, "notify")[1].split()[2] in ("BACKUP", "FAULT")
    told = host.run("journalctl -t leadership --output cat")
    for words in ("box1: elected", "box1: deposed", "leader box1, term"):
        assert words in told
    host.run("rm /etc/kingd/hooks.d/[56]0-*")


def test_programs(host: Host) -> None:
    follow(host, "A program that knows whether this host leads")
    assert host.run("/usr/local/bin/leads").endswith("; this host: True\n")
    follow(host, "A program that hears every change")
    host.run("systemd-run --quiet --unit=on-change /usr/local/bin/on-change")
    until(lambda: host.attempt("test -s /var/tmp/leadership.json").returncode == 0, "it has heard what is")
    lead(host, leads=False)
    lead(host, leads=True)

    def heard() -> list[object]:
        return [json.loads(line)["event"] for line in host.run("cat /var/tmp/leadership.json").splitlines()]

    until(lambda: heard()[-1] == "elected" and "deposed" in heard(), "it has heard both changes")
    host.run("systemctl stop on-change")


@pytest.fixture
def two(host: Host) -> Iterator[None]:
    """The other host is a second daemon here."""
    host.write("/etc/kingd/two.toml", 'cluster = "default"\nname = "two"\n')
    host.run("systemctl start kingd@two && kingctl --instance two wait --timeout 30s")
    yield
    host.run("systemctl stop kingd@two && systemctl restart kingd && kingctl wait --me --timeout 30s")


@pytest.mark.usefixtures("two")
def test_host_that_is_taken_out(host: Host) -> None:
    step_down, maintenance, end, priority = [block.text for block in recipe("Take a host out for a while")]
    assert host.run(step_down) == "two\n"
    assert "step-down" in host.run("kingctl status")
    host.run("systemctl restart kingd && kingctl wait --timeout 30s")
    host.run(maintenance)
    assert host.run("kingctl leader") == "two\n"
    assert "new disk" in host.run("kingctl status")
    host.run(end)
    assert "maintenance" not in host.run("kingctl members")
    host.run(priority)


@pytest.mark.usefixtures("two")
def test_network_that_is_looked_at(host: Host) -> None:
    done = host.attempt(recipe("Is this network fit for it")[0].text)
    assert "two" in done.stdout + done.stderr


def test_host_that_comes_and_goes(host: Host) -> None:
    come, go = [block.text for block in recipe("Add a host, or remove one")]
    host.run(go)
    assert host.attempt("kingctl leader").returncode != 0
    assert "box1" in host.run(come)


def test_sick_service(host: Host) -> None:
    stand_in(host, "/usr/local/bin/check-web", "test ! -e /run/sick")
    follow(host, "Give leadership away when the service is sick")
    until(lambda: calls(host, "check-web"), "it is asked")
    host.run("touch /run/sick")
    until(lambda: "check-failed" in host.run("kingctl status"), "it is unfit")
    assert host.run("kingctl leader") == "box1\n"  # as there is nobody else
    host.run("rm /run/sick /etc/kingd/conf.d/50-check.toml && kingctl reload")


def test_v15_address_and_a_service_that_listens_on_it_before_it_comes(host: Host) -> None:
    for block in recipe("An address that follows the leader"):
        if block.path:
            host.write(block.path, block.text.replace("eth0", "host0"))
        else:
            host.run(block.text)
    until(lambda: "10.99.0.200/32" in host.run("ip -brief address show dev host0"), "it is here")
    lead(host, leads=False)
    until(lambda: "10.99.0.200" not in host.run("ip -brief address show dev host0"), "it is gone")
    host.run("python3 -c 'import socket; socket.create_server((\"10.99.0.200\", 80))'")
    host.run("systemctl stop kingd-vip; rm /etc/kingd/vip.toml /etc/sysctl.d/50-floating.conf")


def test_web_server_that_haproxy_asks(host: Host) -> None:
    """What haproxy makes of it: tests/cli/test_recipes.py."""
    host.run("systemctl start kingd-web")  # for its own host, so far
    follow(host, "haproxy in front of the leader")
    until(lambda: web.code(host, "[::1]") == 200, "it listens to more than 127.0.0.1")
    lead(host, leads=False)
    assert (web.code(host), web.code(host, "[::1]")) == (503, 503)
    host.run("systemctl disable --now kingd-web")


def test_rank(host: Host) -> None:
    follow(host, "Prefer one host, and do not move back")
    assert json.loads(host.run("kingctl status --json"))["node"]["priority"] == 200
    host.run("rm /etc/kingd/conf.d/50-rank.toml && kingctl reload")


def test_two_clusters(host: Host) -> None:
    assert follow(host, "Two clusters on one LAN").endswith("box1\n")
    assert json.loads(host.run("kingctl --instance green status --json"))["cluster"] == "green"
    host.run("systemctl disable --now kingd@green")


def test_network_without_multicast(host: Host) -> None:
    follow(host, "A network without multicast")
    host.run("systemctl restart kingd && kingctl wait --me --timeout 30s")
    assert "restart" not in host.run("kingctl reload")
    host.run("rm /etc/kingd/conf.d/50-peers.toml && systemctl restart kingd && kingctl wait --me --timeout 30s")


def test_last_night(host: Host) -> None:
    said = follow(host, "Why did it fail over last night")
    assert "elected" in said
    assert "all say that box1 leads" in host.run("kingctl survey 2>&1")
