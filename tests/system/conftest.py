"""The packages, built once for all that install them, and hosts with them."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import require
from tests.system import cluster, images, only_one
from tests.system.lab import Host, Lab

NEEDED = {
    "systemd-nspawn": "systemd-container",
    "mmdebstrap": "mmdebstrap",
    "dpkg-buildpackage": "dpkg-dev",
    "dh": "debhelper",
    "lintian": "lintian",
    "nsenter": "util-linux",
    "ip": "iproute2",
}


@pytest.fixture(scope="session")
def packages(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """kingd as it is, and the same as a lower version."""
    require(os.geteuid() == 0, "booting hosts needs root")
    for command, source in NEEDED.items():
        require(shutil.which(command), f"booting hosts needs {command} (Debian: {source})")
    folder = tmp_path_factory.mktemp("packages")
    package = images.build_packages(folder)
    return package, images.lower_version(package, folder)


@pytest.fixture(scope="session")
def trio(packages: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Host]]:
    """Three hosts in availability mode, for modules that leave them so: booting and installing is what takes time."""
    with cluster.installed(packages[0], tmp_path_factory.mktemp("trio")) as hosts:
        only_one.ends_after(hosts[0].lab, 0.3)
        yield hosts


@pytest.fixture(scope="module")
def host(packages: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    """One that has kingd from the package, and leads."""
    lab = Lab(images.debian_root(packages[0]), tmp_path_factory.mktemp("host"))
    try:
        shutil.copy(packages[0], lab.shared)
        host = lab.add("box1")
        host.switch_on()
        host.run(f"apt install --yes /shared/{packages[0].name}")
        host.run("systemctl start kingd; kingctl wait --me --timeout 30s")
        yield host
    finally:
        lab.close()
