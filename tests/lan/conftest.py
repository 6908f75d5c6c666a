"""Networks for the tests that run real daemons, and the daemons' logs when such a test fails."""

import os
import shutil
from collections.abc import Generator, Iterator
from contextlib import contextmanager

import pytest

from tests.conftest import require
from tests.lan.host import Host
from tests.lan.network import Lan

_LAN = pytest.StashKey[Lan]()
_PROGRAMS = {
    "bridge": "iproute2",
    "ip": "iproute2",
    "nft": "nftables",
    "nsenter": "util-linux",
    "setpriv": "util-linux",
}


@contextmanager
def new_lan(request: pytest.FixtureRequest) -> Iterator[Lan]:
    """Whatever else a test is about: no daemon ends by itself or finds a mistake of its own."""
    require(os.geteuid() == 0, "network namespaces need root")
    for program, package in _PROGRAMS.items():
        require(shutil.which(program), f"a test network needs {program} (Debian: {package})")
    with Lan() as lan:
        request.node.stash[_LAN] = lan
        yield lan
        assert not lan.complaints()


@pytest.fixture
def lan(request: pytest.FixtureRequest) -> Iterator[Lan]:
    """An empty one."""
    with new_lan(request) as lan:
        yield lan


@pytest.fixture
def trio(lan: Lan) -> tuple[Host, Host, Host]:
    """a, b and c, in the order of their priority; a leads, and all know all."""
    return lan.trio()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.failed:
        lans = [node.stash[_LAN] for node in item.listchain() if _LAN in node.stash]
        report.sections += [(f"kingd on {host.name}", host.log) for lan in lans for host in lan.hosts]
    return report
