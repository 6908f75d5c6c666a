"""The control socket of an installed daemon: whom its unit lets in, and what becomes of leadership when it is removed."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system import cluster, only_one
from tests.system.lab import Host, until

pytestmark = [pytest.mark.system, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def host(packages: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    with cluster.installed(packages[0], tmp_path_factory.mktemp("control"), count=1) as hosts:
        only_one.ends_after(hosts[0].lab, 0)
        yield only_one.runner(hosts)


def test_group_of_the_configuration_may_change_things_and_no_other(host: Host) -> None:
    host.run("groupadd operators; useradd --groups operators inside; useradd --groups games outside")
    host.write("/etc/kingd/conf.d/50-group.toml", '[control]\ngroup = "operators"\n')
    host.run("systemctl restart kingd")
    host.run("setpriv --reuid inside --regid inside --init-groups kingctl priority 7")
    refused = host.attempt("setpriv --reuid outside --regid outside --init-groups kingctl priority 8")
    assert refused.returncode == 1
    assert "or `adduser YOU operators` and log in again" in refused.stderr
    host.run("usermod --append --groups operators outside")  # what it advises works
    host.run("setpriv --reuid outside --regid outside --init-groups kingctl priority 8")


def test_removed_socket_is_made_again_and_the_units_stay(host: Host) -> None:
    until(lambda: host.show("only-one.service", "ActiveState") == "active", "the leader's unit runs")
    began = host.show("only-one.service", "ActiveEnterTimestampMonotonic")
    for _ in range(5):
        host.run("rm /run/kingd/control.sock")
        done = host.attempt("kingctl is-leader")
        assert done.returncode in (0, 4), done.stderr
        assert "not running" not in done.stderr
        until(lambda: host.attempt("kingctl is-leader").returncode == 0, "kingctl is answered again")
    assert host.show("only-one.service", "ActiveEnterTimestampMonotonic") == began
    assert "was removed by somebody: made again" in host.run("journalctl --unit kingd --no-pager")


def test_removed_folder_of_the_socket_is_told_and_the_units_stay(host: Host) -> None:
    """Only systemd can make a folder in /run."""
    began = host.show("only-one.service", "ActiveEnterTimestampMonotonic")
    host.run("rm -r /run/kingd")
    done = host.attempt("kingctl is-leader")
    assert done.returncode == 4, done.stderr
    assert "kingd runs, but cannot be asked" in done.stderr
    until(lambda: "nobody can ask kingd any more" in host.run("journalctl --unit kingd --no-pager"), "kingd says so")
    host.run("sleep 3")  # longer than the helper believes an answer
    assert host.show("only-one.service", "ActiveEnterTimestampMonotonic") == began
    host.run("systemctl restart kingd")  # as it advises
    until(lambda: host.attempt("kingctl is-leader").returncode == 0, "kingctl is answered again")
