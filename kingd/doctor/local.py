"""What kingctl reads of this host by itself: from /proc of its network namespace, and from the kernel's interfaces.

Nothing here asks another host, and what may not be read is just not known."""

import fcntl
import socket
import struct
from collections.abc import Iterable, Iterator
from pathlib import Path

import netifaces

from kingd.doctor.facts import Interface, Local, Neighbour, Seen, host_of

_SIOCGIFFLAGS, _SIOCGIFMTU = 0x8913, 0x8921  # linux/sockios.h
_IFF_UP, _IFF_LOOPBACK, _IFF_RUNNING = 0x1, 0x8, 0x40
_COMPLETE = 0x2  # net/if_arp.h: ATF_COM
VIP_FILE = Path("/etc/kingd/vip.toml")


def gather(
    peers: Iterable[str],
    *,
    port: int,
    own: str | None,
    rp_drops_before: int,
    seen: Seen | None,
    vip_file: Path = VIP_FILE,
) -> Local:
    """`peers`: their addresses; `own`: this daemon's, "host:port"; `rp_drops_before`: `rp_drops` at the beginning."""
    interfaces = tuple(_interfaces())
    by_address = {address: each.name for each in interfaces for address in each.addresses}
    routes = {host: by_address.get(_towards(host), "") for host in peers if ":" not in host}
    is_elsewhere = own is not None and not own.endswith(f":{port}")
    return Local(
        firewall=_firewall(),
        interfaces=interfaces,
        neighbours=_neighbours(),
        routes={host: name for host, name in routes.items() if name},
        gateway=_gateway(),
        rp_drops=rp_drops() - rp_drops_before,
        port_owner=_owner_of(host_of(own or ""), port) if is_elsewhere else None,
        seen=seen,
        floating=_floating(vip_file),
    )


def rp_drops() -> int:
    """How many packets the kernel has dropped for their source address (rp_filter), since it was booted."""
    lines = [line.split() for line in _lines("/proc/net/netstat") if line.startswith("TcpExt:")]
    if len(lines) != 2:
        return 0
    return int(dict(zip(*lines, strict=False)).get("IPReversePathFilter", "0"))


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return []


def _interfaces() -> Iterator[Interface]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        for _, name in socket.if_nameindex():
            flags, mtu = _ioctl(sock, _SIOCGIFFLAGS, name, "H"), _ioctl(sock, _SIOCGIFMTU, name, "i")
            if flags & _IFF_LOOPBACK:
                continue
            own = int((_lines(f"/proc/sys/net/ipv4/conf/{name}/rp_filter") or ["0"])[0])
            every = int((_lines("/proc/sys/net/ipv4/conf/all/rp_filter") or ["0"])[0])
            yield Interface(
                name=name,
                is_up=bool(flags & _IFF_UP),
                has_carrier=bool(flags & _IFF_RUNNING),
                mtu=mtu,
                rp_filter=max(own, every),
                addresses=tuple(_addresses(name)),
            )


def _ioctl(sock: socket.socket, number: int, name: str, code: str) -> int:
    try:
        answer = fcntl.ioctl(sock, number, struct.pack("16s24x", name.encode()))
    except OSError:  # it went away
        return 0
    return int(struct.unpack_from(f"16x{code}", answer)[0])


def _addresses(name: str) -> Iterator[str]:
    try:
        found = netifaces.ifaddresses(name)
    except ValueError:
        return
    for family in (netifaces.AF_INET, netifaces.AF_INET6):
        for each in found.get(family, []):
            if "addr" in each:
                yield each["addr"].partition("%")[0]


def _towards(host: str) -> str:
    """From which address of ours the kernel would send there. Nothing is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        try:
            sock.connect((host, 9))
        except OSError:
            return ""
        return str(sock.getsockname()[0])


def _neighbours() -> dict[str, Neighbour]:
    rows = [line.split() for line in _lines("/proc/net/arp")[1:]]
    return {
        row[0]: Neighbour(mac=row[3], is_complete=bool(int(row[2], 16) & _COMPLETE), interface=row[5])
        for row in rows
        if len(row) == 6
    }


def _gateway() -> str | None:
    for row in (line.split() for line in _lines("/proc/net/route")[1:]):
        if len(row) > 2 and row[1] == "00000000":
            return socket.inet_ntoa(struct.pack("=I", int(row[2], 16)))
    return None


def _firewall() -> str:
    if any(line.strip().lower() == "enabled=yes" for line in _lines("/etc/ufw/ufw.conf")):
        return "ufw"
    return "firewalld" if Path("/run/firewalld").exists() else "nft"


def _owner_of(host: str, port: int) -> str | None:
    """The name of the program that has a UDP socket at that address, or at all of them; root sees whose it is. (Who listens
    to the group has its socket there.)"""
    packed = socket.inet_pton(socket.AF_INET6 if ":" in host else socket.AF_INET, host)
    # As the kernel writes an address: each four bytes as a number of this machine.
    own = "".join(f"{number:08X}" for number in struct.unpack(f"={len(packed) // 4}I", packed))
    places = {f"{address}:{port:04X}" for address in (own, "0" * 8, "0" * 32)}
    inodes = {
        row[9]
        for file in ("/proc/net/udp", "/proc/net/udp6")
        for row in (line.split() for line in _lines(file)[1:])
        if len(row) > 9 and row[1] in places
    }
    links = {f"socket:[{inode}]" for inode in inodes}
    owners = {name for name in map(_name_of, _processes_with(links)) if name}
    foreign = sorted(name for name in owners if not name.startswith("kingd"))
    return foreign[0] if foreign else min(owners, default=None)


def _processes_with(links: set[str]) -> Iterator[Path]:
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if any(str(each.readlink()) in links for each in (process / "fd").iterdir()):
                yield process
        except OSError:  # it may not be looked at, or has ended
            continue


def _name_of(process: Path) -> str:
    lines = _lines(str(process / "cmdline"))
    words = lines[0].split("\0") if lines else []
    return "kingd" if any("kingd" in word for word in words) else (_lines(str(process / "comm")) or [""])[0]


def _floating(file: Path) -> tuple[str, ...]:
    import tomllib

    try:
        rows = tomllib.loads(file.read_text(encoding="utf-8")).get("address", [])
        return tuple(str(row["address"]).partition("/")[0] for row in rows)
    except (OSError, ValueError, TypeError, KeyError, AttributeError):  # kingd-vip says what is wrong with it
        return ()
