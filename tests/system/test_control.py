"""The control socket of an installed daemon: whom its unit lets in, and what becomes of leadership when it is removed."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system import images
from tests.system.lab import Host, Lab, until

pytestmark = [pytest.mark.system, pytest.mark.timeout(600)]

SERVED = """
[Service]
ExecStart=/usr/bin/sleep infinity

[Install]
WantedBy=kingd-leader.target
"""


@pytest.fixture(scope="module")
def host(packages: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    lab = Lab(images.debian_root(packages[0]), tmp_path_factory.mktemp("control"))
    try:
        shutil.copy(packages[0], lab.shared)
        host = lab.add("box1")
        host.write("/etc/systemd/system/served.service", SERVED)
        host.switch_on()
        host.run(f"apt install --yes /shared/{packages[0].name}")
        host.run("systemctl enable --quiet served.service; systemctl start kingd")
        until(lambda: host.show("served.service", "ActiveState") == "active", "the leader's unit runs")
        yield host
    finally:
        lab.close()


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
    until(lambda: host.show("served.service", "ActiveState") == "active", "the leader's unit runs")
    began = host.show("served.service", "ActiveEnterTimestampMonotonic")
    for _ in range(5):
        host.run("rm /run/kingd/control.sock")
        done = host.attempt("kingctl is-leader")
        assert done.returncode in (0, 4), done.stderr
        assert "not running" not in done.stderr
        until(lambda: host.attempt("kingctl is-leader").returncode == 0, "kingctl is answered again")
    assert host.show("served.service", "ActiveEnterTimestampMonotonic") == began
    assert "was removed by somebody: made again" in host.run("journalctl --unit kingd --no-pager")


def test_removed_folder_of_the_socket_is_told_and_the_units_stay(host: Host) -> None:
    """Only systemd can make a folder in /run."""
    began = host.show("served.service", "ActiveEnterTimestampMonotonic")
    host.run("rm -r /run/kingd")
    done = host.attempt("kingctl is-leader")
    assert done.returncode == 4, done.stderr
    assert "kingd runs, but cannot be asked" in done.stderr
    until(lambda: "nobody can ask kingd any more" in host.run("journalctl --unit kingd --no-pager"), "kingd says so")
    host.run("sleep 3")  # longer than the helper believes an answer
    assert host.show("served.service", "ActiveEnterTimestampMonotonic") == began
    host.run("systemctl restart kingd")  # as it advises
    until(lambda: host.attempt("kingctl is-leader").returncode == 0, "kingctl is answered again")
