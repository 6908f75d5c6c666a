"""The way users get it: Debian hosts with systemd on one LAN, kingd from the package, and all that happens to hosts.

One story on one set of hosts, in the order of this file, because booting and installing is what takes time; each test
leaves all hosts running and of one opinion. On each host is a unit that must run on the leader only (only_one.py).
"""

import json
import shutil
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.system import images, keys, only_one, web
from tests.system.lab import Host, Lab, everywhere, until
from tests.system.only_one import runs_on

pytestmark = [pytest.mark.system, pytest.mark.timeout(240)]


@pytest.fixture(scope="module")
def lab(packages: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    lab = Lab(images.debian_root(packages[0]), tmp_path_factory.mktemp("lab"))
    try:
        for package in packages:
            shutil.copy(package, lab.shared)
        hosts = [lab.add(f"box{number}") for number in (1, 2, 3)]
        for host in hosts:
            only_one.put(host)
        only_one.ends_after(lab, 0.3)  # it takes a moment to stop: who does not wait for that is found out
        everywhere(hosts, lambda host: host.switch_on())
        yield lab
    finally:
        lab.close()


@pytest.fixture
def hosts(lab: Lab) -> Iterator[list[Host]]:
    yield lab.hosts
    only_one.assert_never_two(lab)


def agree(hosts: list[Host], *, but: Host | None = None) -> Host:
    """Wait until all that are given name the same leader, and it is not `but`, and it alone runs the unit."""

    def leader() -> Host | None:
        names = set(everywhere(hosts, lambda host: host.kingctl("leader")))
        found = [host for host in hosts if {host.name} == names and host is not but]
        return found[0] if found else None

    found = until(leader, f"agreement on a leader that is not {but}")
    until(lambda: runs_on(hosts) == [found], f"only-one runs on {found}")
    return found


def others(hosts: list[Host], host: Host) -> list[Host]:
    return [other for other in hosts if other is not host]


def elected_ns(host: Host) -> int:
    """When the host's newest leadership began."""
    elected = [event for event in host.history() if event["event"] == "elected"]
    return int(str(elected[-1]["monotonic_ns"]))


def assert_unit_stopped_first(lab: Lab, former: Host, leader: Host) -> None:
    stopped_ns = [at_ns for at_ns, host, what in only_one.notes(lab) if (host, what) == (former.name, "stop")]
    assert stopped_ns[-1] < elected_ns(leader), "leadership was handed over before the leader's unit had stopped"


def install(host: Host, package: Path) -> None:
    host.run(f"apt install --yes /shared/{package.name}")


def test_a_fresh_host_needs_apt_install_and_systemctl_start(hosts: list[Host], packages: tuple[Path, Path]) -> None:
    everywhere(hosts, lambda host: install(host, packages[1]))
    everywhere(hosts, lambda host: host.run("systemctl enable --quiet only-one.service; systemctl start kingd"))
    agree(hosts)
    for host in hosts:
        assert host.show("kingd.service", "UnitFileState") == "enabled"
        assert host.kingctl("survey").count("\n") == len(hosts)
    assert hosts[0].kingctl("version") == "0.1.0"


def test_an_upgrade_keeps_state_and_moves_leadership_at_most_once(
    hosts: list[Host], packages: tuple[Path, Path]
) -> None:
    leader = agree(hosts)
    before = {host: host.status() for host in hosts}
    for host in hosts:
        host.run("touch /etc/kingd/conf.d/50-mine.toml")
    for host in [*others(hosts, leader), leader]:
        install(host, packages[0])
        assert host.run("dpkg-query --show --showformat='${Version}' kingd") == "0.1.0"
        assert host.show("kingd.service", "NRestarts") == "0", "it was started again, not restarted after a failure"
    agree(hosts)
    for host in hosts:
        now, then = host.status(), before[host]
        assert node(now)["id"] == node(then)["id"]
        assert int(str(now["term"])) > int(str(then["term"]))
        assert host.run("cat /etc/kingd/conf.d/50-mine.toml") == ""
    # Each history begins with its daemon, so what is left is what happened when the leader was upgraded, last.
    assert [event["event"] for host in hosts for event in host.history()].count("elected") == 1


def test_autopkgtest_passes(hosts: list[Host]) -> None:
    leader = agree(hosts)
    follower = others(hosts, leader)[0]
    shutil.copy(images.TOP / "packaging" / "debian" / "tests" / "smoke", leader.lab.shared)
    follower.run(f"KINGD_TEST_LEADER={leader.name} sh /shared/smoke")
    agree(hosts)


def shows(host: Host, words: str) -> bool:
    """In the status line. (Members that come and go are told of together, half a second later.)"""
    return any("Status:" in line and words in line for line in host.run("systemctl status kingd").splitlines())


def test_systemctl_status_shows_the_leader(hosts: list[Host]) -> None:
    leader = agree(hosts)
    for host in hosts:
        says = "I lead" if host is leader else f"leader is {leader.name}"
        until(partial(shows, host, says), f"{host} says {says}")
        until(partial(shows, host, "3 members alive"), f"{host} counts three")
    assert "kingd-leader.target is started" in leader.run("systemctl status kingd-leader")


def test_systemctl_stop_hands_over_after_the_units_have_stopped(lab: Lab, hosts: list[Host]) -> None:
    former = agree(hosts)
    former.run("systemctl stop kingd")
    leader = agree(others(hosts, former))
    assert_unit_stopped_first(lab, former, leader)
    assert leader.history()[-1]["reason"] in ("leader-left", "joined")
    assert former.show("kingd.service", "Result") == "success"
    assert former.show("kingd-leader.service", "ActiveState") == "inactive"
    former.run("systemctl start kingd")
    agree(hosts)


def test_systemctl_restart_hands_over_after_the_units_have_stopped(lab: Lab, hosts: list[Host]) -> None:
    former = agree(hosts)
    former.run("systemctl restart kingd")
    leader = agree(hosts)
    if leader is not former:
        assert_unit_stopped_first(lab, former, leader)
    assert former.show("kingd-leader.service", "ActiveState") == "active"


def test_kill_makes_another_lead_and_systemd_starts_it_again(hosts: list[Host]) -> None:
    former = agree(hosts)
    pid = former.show("kingd.service", "MainPID")
    former.attempt("systemctl kill --signal=KILL kingd")
    agree(others(hosts, former), but=former)
    until(lambda: former.show("kingd.service", "MainPID") not in ("0", pid), "kingd was started again")
    agree(hosts)
    assert former.show("kingd.service", "NRestarts") == "1"
    until(lambda: former.show("kingd-leader.service", "ActiveState") == "active", "the helper runs again")


def guardian_of(host: Host) -> str:
    """Its pid. (A host from debootstrap has no pgrep.)"""
    (file,) = host.attempt("grep -slx 'kingd: guardian' /proc/[0-9]*/comm").stdout.split()
    return file.split("/")[2]


def test_the_guardian_of_a_killed_daemon_tells_and_ends(hosts: list[Host]) -> None:
    """In the sandbox of the unit, too."""
    former = agree(hosts)
    assert former.status()["problems"] == []
    pid, guardian = former.show("kingd.service", "MainPID"), guardian_of(former)
    former.run(f"kill -KILL {pid}")
    agree(others(hosts, former), but=former)
    assert "leader-crashed" in {event["reason"] for host in others(hosts, former) for event in host.history()}
    until(lambda: former.show("kingd.service", "MainPID") not in ("0", pid), "kingd was started again")
    agree(hosts)
    assert former.attempt(f"kill -0 {guardian}").returncode != 0
    assert former.status()["problems"] == []


def test_the_helper_killed_takes_the_units_along(hosts: list[Host]) -> None:
    leader = agree(hosts)
    leader.attempt("systemctl kill --signal=KILL kingd-leader")
    until(lambda: not runs_on(hosts), "the unit has stopped")
    assert agree(hosts) is leader


def test_step_down_moves_the_units(hosts: list[Host]) -> None:
    former = agree(hosts)
    to = others(hosts, former)[0]
    assert former.run(f"kingctl step-down --to {to.name} --for 1s") == f"{to.name}\n"
    agree(hosts)


def test_power_off_and_on(lab: Lab, hosts: list[Host]) -> None:
    former = agree(hosts)
    former.switch_off()
    leader = agree(others(hosts, former))
    assert_unit_stopped_first(lab, former, leader)
    former.switch_on()
    agree(hosts)


def test_power_cut_and_return(hosts: list[Host]) -> None:
    former = agree(hosts)
    identity = node(former.status())["id"]
    former.cut_power()
    agree(others(hosts, former))
    former.switch_on()
    agree(hosts)
    assert node(former.status())["id"] == identity


def test_reboot_and_return(lab: Lab, hosts: list[Host]) -> None:
    former = agree(hosts)
    former.reboot()
    leader = agree(hosts)
    if leader is not former:
        assert_unit_stopped_first(lab, former, leader)
    history = json.dumps([event for host in others(hosts, former) for event in host.history()])
    assert "member-left" in history


def test_reload_applies_a_good_file_and_refuses_a_bad_one(hosts: list[Host]) -> None:
    leader = agree(hosts)
    term = leader.status()["term"]
    leader.write("/etc/kingd/kingd.toml", "priority = 300\nnetwork.broadcast = false\n")
    leader.run("systemctl reload kingd")
    assert leader.show("kingd.service", "StatusText").endswith("; needs a restart: network.broadcast")
    assert node(leader.status())["priority"] == 300
    leader.write("/etc/kingd/kingd.toml", "priority = 300000\n")
    assert leader.attempt("systemctl reload kingd").returncode != 0
    assert "kingd.toml:1: priority = 300000 is not allowed" in leader.run("journalctl --unit=kingd --lines=20")
    assert node(leader.status())["priority"] == 300
    assert leader.show("kingd.service", "ActiveState") == "active"
    assert (agree(hosts), leader.status()["term"]) == (leader, term), "leadership was kept"
    leader.run("rm /etc/kingd/kingd.toml && systemctl reload kingd")
    assert node(leader.status())["priority"] == 100


def test_a_bad_file_at_the_start_is_not_tried_again(hosts: list[Host]) -> None:
    host = others(hosts, agree(hosts))[0]
    host.write("/etc/kingd/kingd.toml", "prioritty = 1\n")
    assert host.attempt("systemctl restart kingd").returncode != 0
    assert host.show("kingd.service", "ExecMainStatus") == "78"
    assert host.show("kingd.service", "ActiveState") == "failed"
    assert "did you mean priority?" in host.run("journalctl --unit=kingd --lines=20")
    host.run("rm /etc/kingd/kingd.toml && systemctl start kingd")
    agree(hosts)


def test_watchdog_catches_a_hung_loop(hosts: list[Host]) -> None:
    former = agree(hosts)
    pid = former.show("kingd.service", "MainPID")
    former.run(f"kill -STOP {pid}")
    agree(others(hosts, former), but=former)
    until(lambda: former.show("kingd.service", "MainPID") not in ("0", pid), "the watchdog has killed it")
    assert "Watchdog timeout" in former.run("journalctl --unit=kingd --lines=30")
    agree(hosts)


def test_journal_has_one_line_per_change(hosts: list[Host]) -> None:
    agree(hosts)
    for host in hosts:
        invocation = host.show("kingd.service", "InvocationID")
        shown = host.run(f"journalctl --output=cat _SYSTEMD_INVOCATION_ID={invocation} _COMM=kingd").splitlines()
        words = [line.split()[1] for line in shown]
        events = [str(event["event"]) for event in host.history()]
        assert [word for word in words if word in set(events)] == events


def test_another_cluster_on_the_same_hosts(hosts: list[Host]) -> None:
    leader = agree(hosts)
    two = others(hosts, leader)
    for host in two:
        host.write("/etc/kingd/office.toml", "")
        host.run("systemctl start kingd@office")
    until(lambda: {host.kingctl("--instance office leader") for host in two} <= {two[0].name, two[1].name}, "a leader")
    until(lambda: len({host.kingctl("--instance office leader") for host in two}) == 1, "the same leader")
    assert agree(hosts) is leader
    for host in two:
        assert host.run("ls /run/kingd-office /var/lib/kingd-office").split() >= ["/run/kingd-office:", "control.sock"]
        host.run("systemctl reload kingd@office")
        assert json.loads(host.kingctl("--instance office status --json"))["cluster"] == "office"


def test_a_key_comes_is_rolled_and_goes_as_the_manual_says(hosts: list[Host]) -> None:
    """Nobody is refused, and leadership stays where it is."""
    leader = agree(hosts)
    term = leader.status()["term"]
    keys.on_each(hosts, keys.make_permissive, keys.put(keys.made(hosts[0])), mode="permissive", keys=1)
    keys.on_each(hosts, keys.enforce, mode="enforce", keys=1)
    old, new = keys.with_a_second_one(hosts[0])
    keys.on_each(hosts, keys.put(old + new), mode="enforce", keys=2)
    keys.on_each(hosts, keys.put(new + old), mode="enforce", keys=2)
    keys.on_each(hosts, keys.put(new), mode="enforce", keys=1)
    keys.on_each(hosts, keys.make_permissive, mode="permissive", keys=1)
    keys.on_each(hosts, keys.remove, mode="off", keys=0)
    assert (agree(hosts), leader.status()["term"]) == (leader, term)
    assert not any(keys.refused(host) for host in hosts)


def test_load_balancer_finds_the_leader_and_no_other(hosts: list[Host]) -> None:
    assert hosts[0].attempt("systemctl is-enabled kingd-web").stdout == "disabled\n"
    everywhere(hosts, lambda host: host.run("systemctl enable --quiet --now kingd-web"))
    leader = agree(hosts)
    until(lambda: [host for host in hosts if web.code(host) == 200] == [leader], f"200 on {leader} alone")
    assert [web.code(host) for host in others(hosts, leader)] == [503, 503]


def test_remove_and_purge_leave_nothing(lab: Lab, hosts: list[Host]) -> None:
    leader = agree(hosts)
    everywhere(others(hosts, leader), lambda host: host.run("apt remove --yes kingd && apt purge --yes kingd"))
    assert agree([leader]) is leader
    leader.run("apt purge --yes kingd")
    assert runs_on(hosts) == []
    for host in hosts:
        host.run("systemctl disable --quiet only-one.service")
        # What apt and dpkg write about every package, and the journal.
        theirs = "-path /var/log -o -path /var/lib/apt -o -path /var/cache/apt"
        left = rf"find /etc /usr /opt /srv /var /run /tmp \( {theirs} \) -prune -o -name '*king[dc]*' -print"
        assert host.run(left) == ""
        assert host.run("id --user --name kingd") == "kingd\n", "an account stays, for its number may own something"
        assert host.run("systemctl list-units --all --plain --no-legend 'kingd*'") == ""
        assert host.run("systemctl is-system-running") == "running\n"


def node(status: dict[str, object]) -> dict[str, object]:
    found = status["node"]
    assert isinstance(found, dict)
    return found
