"""Where users get it, too: Debian 13, and hosts without the package, by `make install`."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import require
from tests.system import images
from tests.system.lab import Host, Lab, everywhere, until

pytestmark = [pytest.mark.system, pytest.mark.timeout(300)]

UNITS = (
    "kingd.service",
    "kingd@office.service",
    "kingd-leader.service",
    "kingd-leader-told.service",
    "kingd-leader.target",
    "kingd-hooks.service",
    "kingd-vip.service",
    "kingd-web.service",
)


@pytest.fixture
def hosts(packages: tuple[Path, Path], tmp_path: Path) -> Iterator[list[Host]]:
    """Debian 12 without kingd and its package, and Debian 13 with it."""
    older = images.debian_root(packages[0])
    newer = images.debian_root(packages[0], images.DEBIAN_13)
    lab = Lab(older, tmp_path)
    try:
        shutil.copy(packages[0], lab.shared)
        hosts = [lab.add("older"), lab.add("newer", root=newer)]
        everywhere(hosts, lambda host: host.switch_on())
        yield hosts
    finally:
        lab.close()


def test_make_install_and_debian_13_make_a_cluster(hosts: list[Host], packages: tuple[Path, Path]) -> None:
    older, newer = hosts
    install = f"make --no-print-directory install DESTDIR={older.files}".split()
    lines = images.call(install).splitlines()
    python = (older.files / "usr/local/bin/kingctl").read_text().splitlines()[0].removeprefix("#!").split()[0]
    version = "import sys; print(sys.version_info[:2])"
    mine, theirs = images.call([python, "-c", version]), older.attempt(f"{python} -c '{version}'").stdout
    require(mine == theirs, "what make install copies to a host is for a host with the same Python, Debian 12's")
    older.run(lines[-1])
    newer.run(f"apt install --yes /shared/{packages[0].name}")
    for host in hosts:
        until(lambda host=host: "all say" in host.attempt("kingctl survey").stderr, f"{host} agrees")  # type: ignore[misc]
        until(lambda host=host: "2 members alive" in host.run("systemctl status kingd"), "both are there")  # type: ignore[misc]
        assert host.show("kingd-leader.service", "ActiveState") == "active"
        host.run("systemctl reload kingd")
        for unit in UNITS:
            done = host.attempt(f"systemd-analyze verify --man=no {unit}")
            assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    leader = next(host for host in hosts if host.attempt("kingctl is-leader").returncode == 0)
    leader.run("systemctl stop kingd")
    other = next(host for host in hosts if host is not leader)
    until(lambda: other.kingctl("leader") == other.name, "the other one leads")

    older.run("systemctl disable --now kingd")
    images.call([*install[:2], "uninstall", install[3]])
    assert older.run("find /usr/local -type f") == ""
