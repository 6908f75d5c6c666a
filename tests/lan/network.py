"""A LAN to break: a bridge in a namespace of its own, hosts on its ports, and the faults that real networks have.

No pytest in here, for benchmarks/ builds its networks with it too. `Lan` removes all of it on `close`.

A pulled cable is not a silent partition: the host sees that its carrier is gone. `pull` is the one, `cut` the other.
"""

import itertools
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

from tests.lan.control import StatusView
from tests.lan.host import LIMIT_S, Host, until
from tests.lan.namespace import Namespace

T = TypeVar("T")

GROUP = "239.255.54.66"

# What a `drop` or a `cut` may be about.
EVERYTHING = ""
MULTICAST = "meta pkttype multicast udp dport >= 0"
BROADCAST = "meta pkttype broadcast udp dport >= 0"
UNICAST = "meta pkttype != { multicast, broadcast } udp dport >= 0"


_NAMES = "abcdefghij"


class Lan:
    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="kingd-lan-"))
        self.hosts: list[Host] = []
        self._ports: dict[str, str] = {}  # "host" and "host:eth1" -> the switch's port
        self._namespaces: list[Namespace] = []
        self._numbers = itertools.count(1)
        self.switch = self._namespace()
        self.switch.ip("link add br0 type bridge", "link set br0 up")
        self.switch.nft("table bridge faults { chain forward { type filter hook forward priority 0; }; }")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        for host in self.hosts:
            host.close()
        for namespace in self._namespaces:
            namespace.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _namespace(self) -> Namespace:
        self._namespaces.append(Namespace())
        return self._namespaces[-1]

    # -- hosts ---------------------------------------------------------------------------------------------------------

    def host(
        self,
        name: str,
        *,
        priority: int | None = None,
        config: str = "",
        plugged: bool = True,
        address: str | None = "auto",
        beside: Host | None = None,
    ) -> Host:
        """Not started yet. `address` None: IPv6 link-local only; `beside`: one more daemon on that host."""
        number = next(self._numbers)
        namespace = self._namespace() if beside is None else beside.namespace
        host = Host(name, namespace, self.folder / name, priority=priority, config=config)
        self.hosts.append(host)
        if beside is None and plugged:
            self.plug(host)
            if address is not None:
                self.address(host, f"10.77.0.{number}/24" if address == "auto" else address)
        return host

    def ranked(self, count: int, *, config: str = "", address: str | None = "auto") -> list[Host]:
        """a outranks b outranks c ... Not started yet."""
        return [
            self.host(name, priority=10 * (count - number), config=config, address=address)
            for number, name in enumerate(_NAMES[:count])
        ]

    def trio(self, *, config: str = "") -> tuple[Host, Host, Host]:
        """a, b and c, running; a leads, all know all, and may lead (a disk that is busy takes a while)."""
        a, b, c = self.ranked(3, config=config)
        self.start(a, b, c)
        self.until_led_by("a")
        self._until(lambda: all(row["eligible"] for row in a.members().values()), "all to be eligible", LIMIT_S)
        return a, b, c

    def start(self, *hosts: Host) -> None:
        """All at once, until each knows every other one that runs here."""
        for host in hosts or self.hosts:
            host.start()
        self.until_complete()

    def with_key(self, secret: bytes, mode: str = "enforce") -> str:
        """What to add to a host's configuration."""
        file = self.folder / "cluster.key"
        file.touch(mode=0o600)
        file.write_text(secret.hex(), encoding="ascii")
        return f'[security]\nmode = "{mode}"\nkey_file = "{file}"\n'

    @property
    def running(self) -> list[Host]:
        return [host for host in self.hosts if host.is_running]

    # -- the network ---------------------------------------------------------------------------------------------------

    def plug(self, host: Host, interface: str = "eth0") -> None:
        """A new interface of the host, on a new port of the switch."""
        port = f"p{len(self._ports)}"
        self.switch.ip(
            f"link add {port} type veth peer name {interface} netns {host.namespace.path}",
            f"link set {port} master br0 up",
        )
        host.namespace.ip(f"link set {interface} up")
        self._ports[host.name if interface == "eth0" else f"{host.name}:{interface}"] = port

    def address(self, host: Host, address: str, interface: str = "eth0") -> None:
        host.namespace.ip(f"address add {address} brd + dev {interface}")
        host.address = address.partition("/")[0]

    def port(self, host: Host) -> str:
        """The switch's port that its eth0 is plugged into."""
        return self._ports[host.name]

    def pull(self, *hosts: Host) -> None:
        """The cable: the host sees it."""
        self.switch.ip(*(f"link set {self._ports[host.name]} down" for host in hosts))

    def put_back(self, *hosts: Host) -> None:
        self.switch.ip(*(f"link set {self._ports[host.name]} up" for host in hosts))

    def power_off(self, host: Host) -> None:
        host.kill()
        self.pull(host)

    def cut(self, sources: Iterable[Host], targets: Iterable[Host], what: str = EVERYTHING) -> None:
        """From the ones to the others nothing arrives; the way back is open, and nobody sees a carrier go."""
        self._drop(f"{self.between(sources, targets)} {what}")

    def between(self, sources: Iterable[Host], targets: Iterable[Host]) -> str:
        """What to `drop` for a cut from the ones to the others."""
        return f"iifname {self._set(sources)} oifname {self._set(targets)}"

    def split(self, one: Sequence[Host], other: Sequence[Host]) -> None:
        self.cut(one, other)
        self.cut(other, one)

    def drop(self, what: str) -> None:
        """Everywhere, such as "numgen random mod 100 < 20"."""
        self._drop(what)

    def drop_exactly(self, whats: Iterable[str]) -> None:
        """These from now on and nothing else, in one step."""
        rules = [f"add rule bridge faults forward {what} drop" for what in whats]
        self.switch.nft("flush chain bridge faults forward", *rules)

    def _drop(self, match: str) -> None:
        self.switch.nft(f"add rule bridge faults forward {match} drop")

    def _set(self, hosts: Iterable[Host]) -> str:
        return f"{{ {', '.join(self._ports[host.name] for host in hosts)} }}"

    def heal(self) -> None:
        """Undo every `cut`, `split` and `drop`."""
        self.switch.nft("flush chain bridge faults forward")

    def flood_multicast(self, *hosts: Host, on: bool) -> None:
        """Off: the switch has forgotten that these ports want any group, as after IGMP snooping without a querier."""
        word = "on" if on else "off"
        for host in hosts:
            self.switch.run("bridge", "link", "set", "dev", self._ports[host.name], "mcast_flood", word)

    def forget_groups(self) -> None:
        """What the switch knows of who wants which group. It sends them to nobody then, if there is a querier."""
        for port, group in self._snooped():
            self.switch.run("bridge", "mdb", "del", "dev", "br0", "port", port, "grp", group)

    def group_members(self) -> set[str]:
        """The names of the hosts that the switch sends kingd's group to."""
        names = {port: name for name, port in self._ports.items()}
        return {names[port] for port, group in self._snooped() if group == GROUP}

    def _snooped(self) -> list[tuple[str, str]]:
        rows = [line.split() for line in self.switch.run("bridge", "mdb").splitlines()]
        return [(row[3], row[5]) for row in rows if row[3] in self._ports.values()]

    # -- what the hosts say --------------------------------------------------------------------------------------------

    def until_led_by(self, name: str, hosts: Sequence[Host] | None = None, *, limit_s: float = LIMIT_S) -> int:
        """Every one of these (default: that run) says so, in one term, which is the answer."""
        asked = self.running if hosts is None else hosts
        return self._until(lambda: _term_of(name, asked), f"{name} to lead", limit_s)

    def until_complete(self, hosts: Sequence[Host] | None = None) -> None:
        """Each of these knows all of them, and no other live one."""
        asked = self.running if hosts is None else hosts
        self._until(lambda: all(_alive(host) == len(asked) for host in asked), "all to know all", LIMIT_S)

    def _until(self, condition: Callable[[], T], wanted: str, limit_s: float) -> T:
        def met() -> T:
            assert not (complaints := self.complaints()), complaints
            return condition()

        return until(met, limit_s=limit_s, what=lambda: "\n  ".join([wanted, *(host.summary() for host in self.hosts)]))

    def changes(self, since_ns: int, hosts: Sequence[Host] | None = None) -> list[str]:
        """Changes of leadership that these hosts told since then: "a: deposed stalled"."""
        asked = self.running if hosts is None else hosts
        return [f"{host.name}: {change}" for host in asked for change in host.told(since_ns)]

    def steady(self, for_s: float, hosts: Sequence[Host] | None = None) -> None:
        """Nobody tells a change for so long."""
        since_ns = time.monotonic_ns()
        time.sleep(for_s)
        assert not (changes := self.changes(since_ns, hosts)), changes

    def complaints(self) -> list[str]:
        return [complaint for host in self.hosts for complaint in host.complaints()]


def _term_of(name: str, hosts: Sequence[Host]) -> int:
    """The term in which all of them say that this one leads, and it says so too if it is among them; else 0."""
    found: set[int] = set()
    for host in hosts:
        status = host.status_or_none()
        if status is None or not _says(status, name):
            return 0
        found.add(status["term"])
    return found.pop() if len(found) == 1 else 0


def _says(status: StatusView, name: str) -> bool:
    leader = status["leader"]
    if leader is None or leader["name"] != name:
        return False
    return (status["node"]["role"] == "leader") == (status["node"]["id"] == leader["id"])


def _alive(host: Host) -> int:
    status = host.status_or_none()
    return status["members"]["alive"] if status is not None else 0
