"""Hosts with kingd from the package, as most of these tests begin: booted at once, with a unit that runs on the leader."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.system import images, only_one
from tests.system.lab import Host, Lab, everywhere


@contextmanager
def installed(package: Path, folder: Path, *, count: int = 3, config: str = "") -> Iterator[list[Host]]:
    """box1, box2 ... with `config` as their kingd.toml (none if empty); kingd runs. `folder`: an empty one."""
    with machines(package, folder, count=count) as hosts:
        everywhere(hosts, lambda host: install(host, package, config))
        everywhere(hosts, lambda host: host.run("systemctl start kingd"))
        yield hosts


@contextmanager
def machines(package: Path, folder: Path, *, count: int = 3, also: tuple[str, ...] = ()) -> Iterator[list[Host]]:
    """The same without kingd, which are off; `also`: packages that they have."""
    lab = Lab(images.debian_root(package, also=also), folder)
    try:
        shutil.copy(package, lab.shared)
        yield [lab.add(f"box{number}") for number in range(1, count + 1)]
    finally:
        lab.close()


def install(host: Host, package: Path, config: str = "") -> None:
    """A new machine, which is off. kingd does not run yet."""
    if config:
        host.write("/etc/kingd/kingd.toml", config)
    only_one.put(host)
    host.switch_on()
    host.run(f"apt install --yes /shared/{package.name} && systemctl enable --quiet only-one")
