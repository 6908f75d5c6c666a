"""Which addresses of which interfaces the daemon talks through.

In: the names of `network.interfaces` (none = choose). Out: a list of `Link`, sorted, so that two scans of an
unchanged host are equal and a change is a difference of sets.

Every interface that is up and has an address carries unicast; the floating ones of kingd-vip are left out, for in a moment
they are another host's. Invariant: at most one link per (interface, family) is `primary`, and only primary links speak to
everybody, by multicast where the interface can (a VPN such as WireGuard cannot); the others exist because a peer may only be
able to reach that address.

Addresses come from netifaces, flags from an ioctl on a socket: both see the network namespace of this process,
which /sys shows only if it was mounted in that namespace. Whether a link can be opened is not known here (see
`sockets.py`)."""

import errno
import fcntl
import socket
import struct
from collections.abc import Iterator, Sequence, Set
from contextlib import suppress
from typing import Literal

import netifaces

from kingd.net.netlink import floating
from kingd.records import dataclass, replace

Family = Literal[4, 6]

Addresses = dict[int, list[dict[str, str]]]
"""Of one interface, by address family, as netifaces has them."""

# linux/sockios.h and linux/if.h
_SIOCGIFFLAGS = 0x8913
_IFF_UP, _IFF_BROADCAST, _IFF_LOOPBACK, _IFF_RUNNING, _IFF_MULTICAST = 0x1, 0x2, 0x8, 0x40, 0x1000

# How the kernel says that an interface went away between two system calls.
_VANISHED = (errno.ENODEV, errno.ENXIO)

# Addresses used per interface and family. A router on the LAN can make a host take on IPv6 addresses (the kernel's own
# default limit is 16 per interface), and each costs a socket; the lowest ones are kept, a link-local one always.
ADDRESSES_MAX = 8


@dataclass(frozen=True, slots=True)
class Link:
    """One local address on one interface."""

    interface: str
    ifindex: int
    family: Family
    address: str
    prefix: int
    broadcast: str | None  # directed broadcast address, IPv4 only
    primary: bool  # the one address of this interface and family that speaks to everybody
    can_multicast: bool = True  # the interface can

    def __str__(self) -> str:
        return f"{self.interface} ({self.address})"

    @property
    def scope_id(self) -> int:
        """What the kernel wants beside `address`: the interface of a link-local address, else 0."""
        return self.ifindex if is_link_local(self.address) else 0

    def contains(self, host: str) -> bool:
        """Is `host` on this link's network?"""
        ours, theirs = address_bits(self.address), address_bits(host)
        if len(ours) != len(theirs):
            return False
        shift = 8 * len(ours) - self.prefix
        return int.from_bytes(ours) >> shift == int.from_bytes(theirs) >> shift


def scan(wanted: Sequence[str]) -> list[Link]:
    """Every usable link now. OSError if the kernel will not say: then nothing is known, and nothing changed."""
    before = floating()
    labels: dict[str, list[str]] = {}
    for label in sorted(netifaces.interfaces()):  # the bare name sorts before its labels
        labels.setdefault(label.partition(":")[0], []).append(label)
    flags = {name: _flags(name) for name in sorted(labels)}
    found = {name: _addresses(labels[name]) for name, each in flags.items() if _is_suitable(name, each, wanted)}
    floating_ones = before | floating()  # one that comes or goes meanwhile wakes nobody to look again
    return [link for name in found for link in _links_of(name, found[name], flags[name] or 0, floating_ones)]


def why_unused(name: str) -> str:
    """Why a configured interface gives no link, in words that end with what to do."""
    try:
        flags = _flags(name)
    except OSError as error:
        return f"it cannot be examined: {error.strerror}"
    if flags is None:
        return "there is no such interface (yet): check the name with `ip link`"
    if not flags & _IFF_UP:
        return f"it is down: `ip link set {name} up`"
    if not flags & _IFF_RUNNING:
        return "it has no carrier: check the cable, the switch port or the Wi-Fi association"
    return f"it has no address: check `ip address show dev {name}`"


def is_link_local(host: str) -> bool:
    """fe80::/10: such an address means something only together with an interface."""
    return host[:3] in ("fe8", "fe9", "fea", "feb") and ":" in host


def address_bits(host: str) -> bytes:
    """4 or 16 bytes, or none if `host` is no numeric address."""
    try:
        return socket.inet_pton(socket.AF_INET6 if ":" in host else socket.AF_INET, host)
    except (OSError, ValueError):
        return b""


def _is_suitable(name: str, flags: int | None, wanted: Sequence[str]) -> bool:
    if flags is None or not (flags & _IFF_UP and flags & _IFF_RUNNING):
        return False
    return name in wanted if wanted else not flags & _IFF_LOOPBACK


def _flags(name: str) -> int | None:
    """The interface's flags, or None if it does not exist (any more)."""
    request = struct.pack("16sH14x", name.encode()[:15], 0)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        try:
            answer = fcntl.ioctl(sock, _SIOCGIFFLAGS, request)
        except OSError as error:
            if error.errno not in _VANISHED:
                raise
            return None
    flags: int = struct.unpack("16sH14x", answer)[1]
    return flags


def _links_of(name: str, found: Addresses, flags: int, floating_ones: Set[tuple[int, str]]) -> Iterator[Link]:
    try:
        ifindex = socket.if_nametoindex(name)
    except OSError as error:
        if error.errno not in _VANISHED:  # such as no file descriptor left: that must not look like a lost interface
            raise
        return
    addresses = {
        family: [entry for entry in entries if (ifindex, entry["addr"]) not in floating_ones]
        for family, entries in found.items()
    }
    links = [*_links4(name, ifindex, addresses, has_broadcast=bool(flags & _IFF_BROADCAST))]
    if not flags & _IFF_LOOPBACK or _can_multicast6(ifindex):
        links += _links6(name, ifindex, addresses)
    can_multicast = bool(flags & (_IFF_MULTICAST | _IFF_LOOPBACK))  # loopback does not say so, and can
    yield from (replace(link, can_multicast=can_multicast) for link in links)


def _addresses(labels: Sequence[str]) -> Addresses:
    """netifaces takes an address with a label (`eth0:1`) for an interface of its own: put it back where it belongs."""
    found: Addresses = {}
    for label in labels:
        with suppress(ValueError):  # it has gone meanwhile, and so says nothing of the others
            for family, entries in netifaces.ifaddresses(label).items():
                known = found.setdefault(family, [])
                known += [entry for entry in entries if entry not in known]
    return found


def _links4(name: str, ifindex: int, addresses: Addresses, *, has_broadcast: bool) -> Iterator[Link]:
    # In the kernel's order: it sends from its first address, and a virtual address added later stays behind.
    for position, entry in enumerate(addresses.get(netifaces.AF_INET, [])[:ADDRESSES_MAX]):
        address, prefix = entry["addr"], _prefix4(entry.get("netmask", ""))
        broadcast = _broadcast(address, prefix, entry.get("broadcast")) if has_broadcast else None
        yield Link(name, ifindex, 4, address, prefix, broadcast, primary=position == 0)


def _broadcast(address: str, prefix: int, reported: str | None) -> str | None:
    """The address the kernel itself routes as a broadcast of this network (from its mask).

    netifaces alone cannot be believed: it reports the own address where no broadcast address was set, and the peer's
    on a point-to-point address.
    """
    if prefix > 30:
        return None
    computed = int.from_bytes(address_bits(address)) | ((1 << (32 - prefix)) - 1)
    text = socket.inet_ntop(socket.AF_INET, computed.to_bytes(4))
    return text if reported in (None, address, text) else None


def _links6(name: str, ifindex: int, addresses: Addresses) -> Iterator[Link]:
    entries = addresses.get(netifaces.AF_INET6, [])
    prefixes = {entry["addr"].partition("%")[0]: _prefix6(entry.get("netmask", "")) for entry in entries}
    # By value, not in the kernel's order: that has the newest first, and each new privacy address would become primary.
    ordered = sorted(prefixes, key=lambda host: (not is_link_local(host), address_bits(host)))
    # A second link-local address says nothing that the first does not.
    usable = [host for position, host in enumerate(ordered) if position == 0 or not is_link_local(host)]
    for position, address in enumerate(usable[:ADDRESSES_MAX]):
        yield Link(name, ifindex, 6, address, prefixes[address], None, primary=position == 0)


def _can_multicast6(ifindex: int) -> bool:
    """Loopback usually has no IPv6 multicast route. Asked by connecting a UDP socket, which sends nothing."""
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as sock:
            sock.connect(("ff02::1", 9, 0, ifindex))
    except OSError:
        return False
    return True


def _prefix4(netmask: str) -> int:
    return int.from_bytes(address_bits(netmask) or b"\xff" * 4).bit_count()


def _prefix6(netmask: str) -> int:
    """netifaces writes an IPv6 mask as `ffff:ffff::/32` (some versions without the slash)."""
    mask, slash, length = netmask.partition("/")
    return int(length) if slash else int.from_bytes(address_bits(mask) or b"\xff" * 16).bit_count()
