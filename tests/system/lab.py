"""Debian hosts on one LAN, booted with systemd: systemd-nspawn over one shared root, each with its own upper layer.

All of it lives in namespaces of the lab's own (network, mounts, processes) whose first process dies with this one, and
takes along the hosts, the bridge and all mounts, however the test ends. Only cgroups are left then, empty; `close`
removes them, and so does the next lab. Hosts are entered by nsenter.
"""

import contextlib
import functools
import itertools
import json
import os
import shlex
import signal
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

LIMIT_S = 30.0
_REBOOT = 133  # how nspawn ends when the host asks for it
_ENVIRONMENT = {
    "PATH": "/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": "/root",
    "LC_ALL": "C.UTF-8",
    "DEBIAN_FRONTEND": "noninteractive",
}
_CGROUPS = Path("/sys/fs/cgroup")
_CGROUP = "kingd-tests-"
_NUMBERS = itertools.count(1)  # of the labs of this process
_SET_UP = """
set -e
mount -t tmpfs tmpfs {folder}
mkdir {folder}/shared
ip link set lo up
ip link add lan type bridge
ip link set lan up
echo ready
exec sleep infinity
"""
_NETWORK = """
[Match]
Name=host0
[Network]
Address={address}/24
LinkLocalAddressing=ipv6
IPv6AcceptRA=no
"""
T = TypeVar("T")


class Lab:
    def __init__(self, root: Path, folder: Path) -> None:
        """`folder`: an empty one; what is in it is seen inside the lab only, and by `shared` below."""
        self.root, self.folder = root, folder
        self.hosts: list[Host] = []
        self._cgroup = f"{_CGROUP}{os.getpid()}-{next(_NUMBERS)}"
        _remove_cgroups()
        script = _SET_UP.format(folder=folder)
        unshare = ["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "sh", "-c", script]
        command = ["setpriv", "--pdeathsig", "KILL", *unshare]
        self._holder = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self._holder.stdout is not None
        assert self._holder.stdout.readline() == "ready\n"
        self.init = next(_children(self._holder.pid))
        self.shared = Path(f"/proc/{self.init}/root{folder}/shared")

    def add(self, name: str, *, root: Path | None = None) -> "Host":
        """`root`: another than the lab's."""
        host = Host(self, name, len(self.hosts) + 1, root or self.root)
        self.hosts.append(host)
        return host

    def inside(self, *command: str) -> list[str]:
        return ["nsenter", f"--target={self.init}", "--mount", "--net", "--pid", "--", *command]

    def run(self, *command: str) -> str:
        return call(self.inside(*command))

    def close(self) -> None:
        self._holder.kill()
        self._holder.communicate()
        for host in self.hosts:
            host.wait_for_end()
        until(lambda: not _remove_cgroups(self._cgroup), "the kernel has let go of the hosts' groups")

    def make_cgroups(self, host: str) -> list[Path]:
        """For all that runs on this host, one in each hierarchy."""
        groups = [hierarchy / self._cgroup / host for hierarchy in _hierarchies()]
        for group in groups:
            group.mkdir(parents=True, exist_ok=True)
        return groups


class Host:
    def __init__(self, lab: Lab, name: str, number: int, below: Path) -> None:
        self.lab, self.name = lab, name
        self.address = f"10.99.0.{number}"
        self.socket = lab.folder / f"{name}.sock"  # kingd's, as seen from here, after each boot
        self._folder = lab.folder / name
        self.files = Path(f"/proc/{lab.init}/root{self._folder}/root")  # the host's root, as seen from here
        self._below = below
        self._process: subprocess.Popen[bytes] | None = None
        self._init = 0
        self._fill()

    def replace(self) -> None:
        """By a new machine of that name and address, which is off as this one is."""
        assert not self.is_on
        self.lab.run("umount", f"{self._folder}/root")
        self.lab.run("rm", "-r", str(self._folder))
        self._fill()

    def _fill(self) -> None:
        parts = {part: str(self._folder / part) for part in ("upper", "work", "root")}
        self.lab.run("mkdir", "-p", *parts.values())
        layers = f"lowerdir={self._below},upperdir={parts['upper']},workdir={parts['work']}"
        self.lab.run("mount", "-t", "overlay", "overlay", "-o", layers, parts["root"])
        self.write("/etc/hostname", f"{self.name}\n")
        self.write("/etc/machine-id", f"{uuid.uuid4().hex}\n")
        self.write("/etc/systemd/network/10-lan.network", _NETWORK.format(address=self.address))
        wants = self.files / "etc/systemd/system/multi-user.target.wants"
        wants.mkdir(parents=True, exist_ok=True)
        (wants / "systemd-networkd.service").symlink_to("/lib/systemd/system/systemd-networkd.service")

    def __repr__(self) -> str:
        return self.name

    def write(self, path: str, text: str, *, mode: int = 0o644) -> None:
        """Below the host's own root; it need not run."""
        file = self.files / path.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        file.chmod(mode)

    @property
    def is_on(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def switch_on(self) -> None:
        """Boot, and wait until all is started."""
        assert not self.is_on
        groups = self.lab.make_cgroups(self.name)
        enter = "".join(f"echo 0 >{shlex.quote(str(group))}/cgroup.procs; " for group in groups)
        shared = f"--bind={self.lab.folder}/shared:/shared"
        # Without --register and with --keep-unit it needs no systemd outside.
        nspawn = ["systemd-nspawn", "--quiet", "--boot", "--register=no", "--keep-unit", "--link-journal=no"]
        where = ["--network-bridge=lan", f"--machine={self.name}", f"--directory={self._folder}/root", shared]
        command = ["sh", "-c", f'{enter}exec "$@"', "sh", *self.lab.inside(*nspawn, *where)]
        null = subprocess.DEVNULL
        self._process = subprocess.Popen(command, stdin=null, stdout=null, stderr=null, start_new_session=True)
        self._init = until(self._find_init, f"{self} starts")
        self.socket.unlink(missing_ok=True)
        self.socket.symlink_to(f"/proc/{self._init}/root/run/kingd/control.sock")
        state = until(lambda: self._boot_state() or None, f"{self} has booted")
        assert state == "running", f"{self} is {state}\n{self.run('systemctl list-units --failed', check=False)}"

    def switch_off(self) -> None:
        """As by the button: everything is stopped in order."""
        self.run("systemctl poweroff", check=False)
        assert self.wait_for_end() == 0

    def cut_power(self) -> None:
        os.kill(self._init, signal.SIGKILL)
        self.wait_for_end()

    def reboot(self) -> None:
        self.run("systemctl reboot", check=False)
        assert self.wait_for_end() == _REBOOT
        self.switch_on()

    def wait_for_end(self) -> int:
        return 0 if self._process is None else self._process.wait(LIMIT_S)

    def run(self, command: str, *, check: bool = True) -> str:
        """stdout of a command line on this host; of a failed one, with check=False, stderr as well."""
        done = self.attempt(command)
        assert not check or done.returncode == 0, (
            f"{self}: {command}\nexit {done.returncode}\n{done.stdout}{done.stderr}"
        )
        return done.stdout if done.returncode == 0 else done.stdout + done.stderr

    def attempt(self, command: str) -> subprocess.CompletedProcess[str]:
        namespaces = ["--mount", "--uts", "--ipc", "--net", "--pid"]
        enter = ["nsenter", f"--target={self._init}", *namespaces, "--wdns=/", "sh", "-c", command]
        null = subprocess.DEVNULL
        return subprocess.run(
            enter, env=_ENVIRONMENT, stdin=null, capture_output=True, text=True, check=False, timeout=120
        )

    def kingctl(self, arguments: str) -> str:
        return self.run(f"kingctl {arguments}", check=False).strip()

    def status(self) -> dict[str, object]:
        found: dict[str, object] = json.loads(self.run("kingctl status --json"))
        return found

    def history(self) -> list[dict[str, object]]:
        return [json.loads(line) for line in self.run("kingctl history --json").splitlines()]

    def pids(self, unit: str) -> list[int]:
        """The processes of a service, by their numbers here, as the kernel tells them: nobody on the host is asked."""
        try:
            return [int(line) for line in (self._services / unit / "cgroup.procs").read_text().splitlines()]
        except OSError:  # it does not run
            return []

    @functools.cached_property
    def _services(self) -> Path:
        return next(folder for group in self.lab.make_cgroups(self.name) for folder in group.rglob("system.slice"))

    def show(self, unit: str, name: str) -> str:
        """A property of a unit."""
        return self.run(f"systemctl show --value --property={name} {unit}").strip()

    def _find_init(self) -> int:
        """Our process became nsenter; below it is nspawn, and below that the host's first process."""
        assert self._process is not None
        assert self._process.poll() is None, f"{self} did not start"
        for nspawn in _children(self._process.pid):
            for pid in _children(nspawn):
                with contextlib.suppress(OSError):
                    if Path(f"/proc/{pid}/comm").read_text() == "systemd\n":
                        return pid
        return 0

    def _boot_state(self) -> str:
        state = self.attempt("systemctl is-system-running").stdout.strip()
        return state if state in ("running", "degraded", "maintenance") else ""


def everywhere(hosts: list[Host], work: Callable[[Host], T]) -> list[T]:
    """On all hosts at once."""
    with ThreadPoolExecutor(len(hosts)) as pool:
        return list(pool.map(work, hosts))


def until(condition: Callable[[], T | None], what: str, *, limit_s: float = LIMIT_S) -> T:
    """The first result that counts as true."""
    end_s = time.monotonic() + limit_s
    while True:
        found = condition()
        if found:
            return found
        assert time.monotonic() < end_s, f"not within {limit_s} s: {what}"
        time.sleep(0.05)


def call(command: list[str]) -> str:
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def _children(pid: int) -> Iterator[int]:
    with contextlib.suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            yield from map(int, (task / "children").read_text().split())


def _hierarchies() -> Iterator[Path]:
    """Version 2, alone or beside systemd's own of version 1."""
    if (_CGROUPS / "cgroup.procs").exists():
        yield _CGROUPS
    else:
        yield from (path for name in ("systemd", "unified") if ((path := _CGROUPS / name) / "cgroup.procs").exists())


def _remove_cgroups(name: str = "") -> bool:
    """That one, and those of runs that have ended. Whether something is left of that one."""
    groups = [group for hierarchy in _hierarchies() for group in hierarchy.glob(f"{_CGROUP}*")]
    for group in groups:
        pid = group.name.removeprefix(_CGROUP).partition("-")[0]
        if group.name == name or not Path("/proc", pid).exists():
            for folder, _, _ in os.walk(group, topdown=False):
                with contextlib.suppress(OSError):
                    Path(folder).rmdir()
    return any(group.name == name and group.exists() for group in groups)
