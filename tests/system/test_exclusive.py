"""target.exclusive in quorum mode: whatever happens to a host, and whatever the unit does with SIGTERM,
it never runs on two."""

import random
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.system import cluster, only_one, strict
from tests.system.lab import Host, until
from tests.system.only_one import runner

pytestmark = [pytest.mark.system, pytest.mark.timeout(240)]


@pytest.fixture(scope="module")
def hosts(packages: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Host]]:
    with cluster.installed(packages[0], tmp_path_factory.mktemp("lab"), config=strict.CONFIG) as hosts:
        yield hosts


@pytest.fixture(autouse=True)
def judged(hosts: list[Host]) -> Iterator[None]:
    yield
    only_one.assert_never_two(hosts[0].lab)


def said(host: Host, words: str) -> bool:
    return words in host.run("journalctl --output=cat --unit=kingd-leader")


def test_step_down_waits_for_a_unit_that_takes_its_time(hosts: list[Host]) -> None:
    only_one.ends_after(hosts[0].lab, 5)
    former = runner(hosts)
    to = next(host for host in hosts if host is not former)
    assert former.run(f"kingctl step-down --timeout 60s --for 1s --to {to.name}") == f"{to.name}\n"
    assert only_one.notes(former.lab)[-1][1:] == (former.name, "stop"), "leadership moved before the unit had ended"
    assert runner(hosts) is to


def test_reload_tells_the_helper_at_once_what_is_asked_of_it(hosts: list[Host]) -> None:
    for host in hosts:
        assert host.attempt("systemctl reload kingd").returncode == 0
        host.write("/etc/kingd/conf.d/90-mistake.toml", "[quorum]\nvoters = []\n")
        done = host.attempt("kingctl check-config")
        assert (done.returncode, "target.exclusive = true needs quorum.voters" in done.stderr) == (78, True)
        host.run("rm /etc/kingd/conf.d/90-mistake.toml")


def cut(host: Host) -> None:
    """Its link stays up, and nothing passes."""
    host.lab.run("ip", "link", "set", f"vb-{host.name}", "nomaster")


def mend(host: Host) -> None:
    host.lab.run("ip", "link", "set", f"vb-{host.name}", "master", "lan")


def test_a05_unit_that_ignores_sigterm_on_a_host_that_is_cut_off(hosts: list[Host]) -> None:
    only_one.ends_after(hosts[0].lab, None)
    former = runner(hosts)
    cut(former)
    runner(hosts, but=former)
    assert said(former, "killed what had not ended: only-one.service")
    mend(former)


def test_a05_unit_that_ignores_sigterm_beside_a_daemon_that_hangs(hosts: list[Host]) -> None:
    former = runner(hosts)
    pid = former.show("kingd.service", "MainPID")
    former.run(f"kill -STOP {pid}")
    runner(hosts, but=former)
    until(lambda: former.show("kingd.service", "MainPID") not in ("0", pid), "the watchdog has killed it")


def test_a05_unit_that_ignores_sigterm_and_a_daemon_that_is_killed(hosts: list[Host]) -> None:
    former = runner(hosts)
    former.attempt("systemctl kill --signal=KILL --kill-whom=main kingd")
    assert runner(hosts, but=former) is not former


def test_helper_that_hangs_on_a_host_that_is_cut_off(hosts: list[Host]) -> None:
    """Two faults at once: systemd's watchdog ends the helper, and what it leaves behind is killed."""
    former = runner(hosts)
    pid = former.show("kingd-leader.service", "MainPID")
    cut(former)
    former.run(f"kill -STOP {pid}")
    runner(hosts, but=former)
    until(lambda: former.show("kingd-leader.service", "MainPID") not in ("0", pid), "the helper runs again")
    mend(former)


def test_helper_that_is_killed(hosts: list[Host]) -> None:
    former = runner(hosts)
    former.attempt("systemctl kill --signal=KILL --kill-whom=main kingd-leader")
    until(lambda: former.show("only-one.service", "ActiveState") != "active", "the unit has ended")
    runner(hosts)


def test_stop_of_a_unit_that_ends(hosts: list[Host]) -> None:
    only_one.ends_after(hosts[0].lab, 2)
    former = runner(hosts)
    former.run("systemctl stop kingd")
    assert only_one.notes(former.lab)[-1].host == former.name
    runner(hosts, but=former)
    former.run("systemctl start kingd")


@pytest.fixture
def stubborn(hosts: list[Host]) -> Iterator[str]:
    """One that ignores SIGTERM, beside the other one, for a while."""
    strict.put(hosts)
    only_one.ends_after(hosts[0].lab, 0)
    yield "stubborn.service"
    for host in hosts:
        host.run("systemctl disable --quiet stubborn; systemctl kill --signal=KILL stubborn", check=False)


def test_a05_random_faults_for_half_a_minute(hosts: list[Host], stubborn: str) -> None:
    end_s = time.monotonic() + 30
    assert strict.strike_all(hosts, rng=random.Random(), goes_on=lambda _: time.monotonic() < end_s) == []


def test_two_at_one_instant_are_seen(hosts: list[Host], stubborn: str) -> None:
    """By who looks, and by the lock."""
    with strict.Observer(hosts) as observer:
        for host in hosts[:2]:
            host.run(f"systemctl start {stubborn}")
            until(partial(host.pids, stubborn), "it runs")
        # Whoever took the lock first: the other one says so.
        late = {f"{host.name}: stubborn" for host in hosts[:2]}
        until(lambda: observer.overlaps and late & set(observer.wrong()), "two are seen")
