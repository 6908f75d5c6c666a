"""QUORUM MODE in kingd(8), word by word, as an operator does it on running hosts: the list comes into force, a host is
replaced, mistakes are made and taken back. Meanwhile an outsider asks all daemons all the time (tests/chaos/judged.py), and
a unit of kingd-leader.target tells of itself (only_one.py): never two, and never without one for longer than a failover.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.chaos.checker import AGREE_S
from tests.chaos.judged import judged
from tests.system import cluster, only_one
from tests.system.lab import Host, everywhere, until

pytestmark = [pytest.mark.system, pytest.mark.timeout(240)]

ALL = ("box1", "box2", "box3")


@pytest.fixture
def hosts(trio: list[Host]) -> list[Host]:
    """They run in availability mode before the first test and after the last one."""
    return trio


@pytest.fixture
def watched(hosts: list[Host], tmp_path: Path) -> Iterator[None]:
    with judged(hosts, tmp_path / "observed.jsonl", leaderless_s=AGREE_S):
        yield
    only_one.assert_never_two(hosts[0].lab)


@contextmanager
def nothing_moves(hosts: list[Host]) -> Iterator[Host]:
    """Who leads and runs the unit does so all the time. (Its term may rise.)"""
    leader = agree(hosts)
    before = came_and_went(leader), only_one.notes(leader.lab)
    yield leader
    assert agree(hosts) is leader
    assert (came_and_went(leader), only_one.notes(leader.lab)) == before, leader.run("kingctl history")


def came_and_went(host: Host) -> list[dict[str, object]]:
    return [event for event in host.history() if event["event"] in ("elected", "deposed")]


def agree(hosts: list[Host]) -> Host:
    """Wait until all name one leader, which runs the unit."""
    runner = only_one.runner(hosts)
    until(lambda: set(everywhere(hosts, lambda host: host.kingctl("leader"))) == {runner.name}, f"all name {runner}")
    return runner


def write(host: Host, names: tuple[str, ...]) -> None:
    host.write("/etc/kingd/conf.d/quorum.toml", f"[quorum]\nvoters = {json.dumps(names)}\n")


def reload(host: Host, names: tuple[str, ...]) -> bool:
    """Whether it is accepted."""
    write(host, names)
    return host.attempt("systemctl reload kingd").returncode == 0


def change(hosts: list[Host], *names: str) -> None:
    """The list on each of them, and until it is in force."""
    for host in hosts:
        assert reload(host, names), host.kingctl("status")
    until_in_force(hosts, *names)


def start_again(hosts: list[Host]) -> None:
    """Of another opinion on whether there is a list: all end before the first one starts."""
    for verb in ("stop", "start"):
        for host in hosts:
            host.run(f"systemctl {verb} kingd")
    until(lambda: any(host.status()["leader"] for host in hosts), "a leader", limit_s=AGREE_S)
    agree(hosts)


def until_in_force(hosts: list[Host], *names: str) -> None:
    until(lambda: all(in_force(host, names) for host in hosts), f"{names} is in force")


def in_force(host: Host, names: tuple[str, ...]) -> bool:
    status = host.status()
    quorum = status["quorum"]
    assert isinstance(quorum, dict)
    return (tuple(quorum["voters"]), status["problems"]) == (names, [])


def others(hosts: list[Host], host: Host) -> list[Host]:
    return [other for other in hosts if other is not host]


def test_quorum_mode_is_switched_on(hosts: list[Host]) -> None:
    agree(hosts)
    for host in hosts:
        write(host, ALL)
        assert host.run("kingctl check-config") == "ok\n"
    start_again(hosts)
    until_in_force(hosts, *ALL)
    assert "quorum, 3 of 3 voters reachable" in hosts[0].kingctl("status")
    only_one.assert_never_two(hosts[0].lab)


@pytest.mark.usefixtures("watched")
def test_mistake_on_one_host_is_taken_back(hosts: list[Host]) -> None:
    """A name too many waits for the others, one too few does too, and another name is refused."""
    with nothing_moves(hosts) as leader:
        follower = others(hosts, leader)[0]
        mistakes = [(leader, (*ALL, "box33")), (follower, ALL[:2]), (follower, (leader.name, follower.name, "box33"))]
        for host, mistake in mistakes:
            accepted = reload(host, mistake)
            assert accepted is (len({*mistake} ^ {*ALL}) == 1)
            assert not accepted or "not in force yet" in host.kingctl("status")
            change([host], *ALL)
    assert all(in_force(host, ALL) for host in hosts)


@pytest.mark.usefixtures("watched")
def test_mistake_on_all_hosts_is_taken_back(hosts: list[Host]) -> None:
    """Another name is refused by each host that is in both lists. A name too many comes into force, and counts as a voter
    that is away."""
    with nothing_moves(hosts):
        assert [reload(host, ("box1", "box2", "box33")) for host in hosts[:2]] == [False, False]
        change(hosts, *ALL, "box33")
        assert "missing: box33" in hosts[0].kingctl("status")
        change(hosts[::-1], *ALL)


@pytest.mark.usefixtures("watched")
def test_host_that_leads_is_replaced(hosts: list[Host], packages: tuple[Path, Path]) -> None:
    """As planned: by a machine of the same name, with nothing of what the former one knew."""
    with nothing_moves(hosts) as former:
        rest = others(hosts, former)
        names = tuple(host.name for host in rest)
        change(hosts, *names)
    former.switch_off()
    with nothing_moves(rest):
        former.replace()
        write(former, names)  # first, for the package starts kingd
        cluster.install(former, packages[0])
        until(lambda: former.kingctl("leader"), f"{former} follows")
        change([former, *rest], *ALL)
    assert "quorum, 3 of 3 voters reachable" in former.kingctl("status")


@pytest.mark.usefixtures("watched")
def test_host_that_leads_breaks_and_is_mended(hosts: list[Host]) -> None:
    """It knows nothing of what was changed meanwhile, and takes the present list."""
    broken = agree(hosts)
    broken.cut_power()
    rest = others(hosts, broken)
    agree(rest)
    with nothing_moves(rest):
        change(rest, *(host.name for host in rest))
        broken.switch_on()
        until(lambda: broken.kingctl("leader"), f"{broken} follows")
        change(rest, *ALL)
        until_in_force(hosts, *ALL)


def test_quorum_mode_is_switched_off(hosts: list[Host]) -> None:
    for host in hosts:
        host.run("rm /etc/kingd/conf.d/quorum.toml")
    start_again(hosts)
    assert {host.status()["mode"] for host in hosts} == {"availability"}
    only_one.assert_never_two(hosts[0].lab)
