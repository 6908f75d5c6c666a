"""What the kernel has (interfaces, addresses, neighbours), and how an address of ours comes, stays and goes: by rtnetlink.

`look` after `fileno` can be read: then all is read anew, for that cannot get out of step. OSError where the kernel refuses."""

import socket
import struct
from collections.abc import Mapping
from pathlib import Path

from kingd.net.netlink import (
    ADDRESS,
    ATTRIBUTE,
    FLOATING,
    GET_ADDRESS,
    HEADER,
    IFA_ADDRESS,
    IFA_LOCAL,
    IFA_PROTO,
    NEW_ADDRESS,
    OLD_ADDRESS,
    attributes,
    drain,
    dump,
    messages,
    open_netlink,
    raise_error,
)
from kingd.vip.config import Address
from kingd.vip.floating import LIFETIME_S, Link, Present

_GET_LINK, _GET_NEIGHBOUR = 18, 30
_LINK = struct.Struct("=BxHiII")  # ifinfomsg: family, type, index, flags, change
_NEIGHBOUR = struct.Struct("=BxxxiHBB")  # ndmsg: family, interface, state, flags, type
_IFLA_ADDRESS, _IFLA_IFNAME, _IFLA_LINKINFO, _IFLA_INFO_KIND = 1, 3, 18, 1
_NDA_DST, _NDA_LLADDR = 1, 2
_IFA_LABEL, _IFA_CACHEINFO, _IFA_FLAGS = 3, 6, 8
_UP, _RUNNING, _NOARP, _LOWER_UP = 0x1, 0x40, 0x80, 0x10000
_ETHERNET = 1
_NODAD, _NOPREFIXROUTE = 0x02, 0x200
_REQUEST, _ACK, _REPLACE, _EXCLUSIVE, _CREATE = 0x1, 0x4, 0x100, 0x200, 0x400
_CONF = Path("/proc/sys/net")


class Kernel:
    def __init__(self) -> None:
        self._news = open_netlink()
        self._requests = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
        self._sequence = 0
        self.links: Mapping[str, Link] = {}
        self._present: dict[tuple[int, bytes], Present] = {}
        self.read()

    def fileno(self) -> int:
        return self._news.fileno()

    def close(self) -> None:
        self._news.close()
        self._requests.close()

    def look(self) -> None:
        if drain(self._news, but=(NEW_ADDRESS,)):  # our own refreshing; that one of ours is gone is news
            self.read()

    def read(self) -> None:
        self.links = _links()
        self.read_addresses()

    def read_addresses(self) -> None:
        self._present = {}
        for index, packed, _, is_ours in _addresses():
            foreign = not is_ours or self._present.get((index, packed)) is Present.FOREIGN
            self._present[index, packed] = Present.FOREIGN if foreign else Present.OURS

    def present(self, address: Address) -> Present:
        link = self.links.get(address.interface)
        return Present.ABSENT if link is None else self._present.get((link.index, address.packed), Present.ABSENT)

    def add(self, address: Address) -> None:
        """It was not there."""
        if len(address.packed) == 4 and not address.is_alone and not _promotes(address.interface):
            raise OSError(
                f"with the prefix /{address.prefix} the kernel may remove this host's own addresses together with it: leave "
                f"the prefix out, or `sysctl net.ipv4.conf.{address.interface}.promote_secondaries=1`"
            )
        self._set(address, _CREATE | _EXCLUSIVE)

    def refresh(self, address: Address) -> None:
        self._set(address, _REPLACE)

    def _set(self, address: Address, how: int) -> None:
        link = self.links[address.interface]
        # nodad: duplicate address detection takes a second, and has been done, or would find the predecessor.
        flags = (_NODAD if len(address.packed) == 16 else 0) | (_NOPREFIXROUTE if address.is_alone else 0)
        lifetimes = struct.pack("=IIII", 0, LIFETIME_S, 0, 0)  # preferred for none: never a source by choice; valid
        more = _attribute(_IFA_CACHEINFO, lifetimes) + _attribute(_IFA_FLAGS, struct.pack("=I", flags))
        more += _attribute(IFA_PROTO, bytes([FLOATING]))
        if address.label:
            more += _attribute(_IFA_LABEL, address.label.encode() + b"\0")
        self._ask(NEW_ADDRESS, how, _body(link.index, address.packed, address.prefix) + more)
        self._present[link.index, address.packed] = Present.OURS

    def remove(self, address: Address) -> None:
        link = self.links[address.interface]
        self._ask(OLD_ADDRESS, 0, _body(link.index, address.packed, address.prefix))
        self._present[link.index, address.packed] = Present.ABSENT

    def sweep(self, wanted: tuple[Address, ...]) -> int:
        """Remove what is ours and not among these; how many."""
        kept = {
            (self.links[each.interface].index, each.packed, each.prefix)
            for each in wanted
            if each.interface in self.links
        }
        strays = [each for each in _addresses() if each[3] and each[:3] not in kept]
        for index, packed, prefix, _ in strays:
            self._ask(OLD_ADDRESS, 0, _body(index, packed, prefix))
        self.read()
        return len(strays)

    def _ask(self, kind: int, how: int, body: bytes) -> None:
        self._sequence += 1
        head = HEADER.pack(HEADER.size + len(body), kind, _REQUEST | _ACK | how, self._sequence, 0)
        self._requests.send(head + body)
        for found, answer in messages(self._requests.recv(1 << 16)):
            raise_error(found, answer)


def neighbours() -> dict[bytes, bytes]:
    """MAC by address, as far as this host knows."""
    found = {}
    for body in dump(_GET_NEIGHBOUR):
        told = attributes(body[_NEIGHBOUR.size :])
        if _NDA_DST in told and len(told.get(_NDA_LLADDR, b"")) == 6:
            found[told[_NDA_DST]] = told[_NDA_LLADDR]
    return found


def is_router(interface: str) -> bool:
    return _setting(f"ipv6/conf/{interface}/forwarding")


def _promotes(interface: str) -> bool:
    return any(_setting(f"ipv4/conf/{name}/promote_secondaries") for name in ("all", interface))


def _setting(name: str) -> bool:
    try:
        return (_CONF / name).read_bytes().strip() not in (b"", b"0")  # as text it would import a codec at the takeover
    except OSError:  # the interface has gone
        return False


def _links() -> dict[str, Link]:
    found = {}
    for body in dump(_GET_LINK):
        _, kind, index, flags, _ = _LINK.unpack_from(body)
        told = attributes(body[_LINK.size :])
        mac = told.get(_IFLA_ADDRESS, b"") if kind == _ETHERNET and not flags & _NOARP else b""
        has_carrier = flags & _LOWER_UP != 0 and flags & _RUNNING != 0
        name = told[_IFLA_IFNAME].rstrip(b"\0").decode(errors="surrogateescape")
        driver = attributes(told.get(_IFLA_LINKINFO, b"")).get(_IFLA_INFO_KIND, b"").rstrip(b"\0")
        found[name] = Link(index, mac, is_up=bool(flags & _UP), has_carrier=has_carrier, is_bridge=driver == b"bridge")
    return found


def _addresses() -> list[tuple[int, bytes, int, bool]]:
    """Interface, address, prefix, and whether it is ours."""
    found = []
    for body in dump(GET_ADDRESS):
        _, prefix, _, _, index = ADDRESS.unpack_from(body)
        told = attributes(body[ADDRESS.size :])
        packed = told.get(IFA_LOCAL) or told[IFA_ADDRESS]
        found.append((index, packed, prefix, told.get(IFA_PROTO) == bytes([FLOATING])))
    return found


def _body(index: int, packed: bytes, prefix: int) -> bytes:
    family = socket.AF_INET if len(packed) == 4 else socket.AF_INET6
    return ADDRESS.pack(family, prefix, 0, 0, index) + _attribute(IFA_LOCAL, packed) + _attribute(IFA_ADDRESS, packed)


def _attribute(kind: int, value: bytes) -> bytes:
    size = ATTRIBUTE.size + len(value)
    return ATTRIBUTE.pack(size, kind) + value + bytes(-size % 4)
