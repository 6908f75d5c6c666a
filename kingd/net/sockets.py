"""The sockets of one link.

In: a `Link`, the port and the groups. Out: an `OpenLink`, or OSError for the unicast socket, without which the link
is of no use; what else fails is reported and tried again by `complete`.

Three sockets, so that each datagram says how it came:

* unicast, bound to the address. Everything is sent from here, so that peers see one source port. Not SO_REUSEADDR:
a second daemon on this host must notice that the port is taken; it binds a free one, which peers see in its
datagrams. * group, bound to the group's address and joined on this interface only (primary links). * broadcast,
bound to the network's directed broadcast address (primary IPv4 links).

The two listeners share their port with SO_REUSEADDR, so every daemon on the host has its copy. Linux compares bound
addresses one by one, so they never collide with the unicast socket of this or another daemon, whichever started
first."""

import contextlib
import errno
import socket
import struct
from collections.abc import Callable

from kingd.core.wire.endpoint import Endpoint
from kingd.net.links import Link
from kingd.net.problems import Operation
from kingd.records import dataclass

# linux/in.h, linux/in6.h, asm-generic/socket.h: not in Python's socket module
_IP_MULTICAST_ALL = 49
_IPV6_MULTICAST_ALL = 29
_SO_RCVBUFFORCE = 33
_IP_RECVERR = 11
_IPV6_RECVERR = 25
_SOCK_EXTENDED_ERR = struct.Struct("@IBBBBII")  # linux/errqueue.h

# A process that was stopped for seconds shall find on waking what was sent to it; only what is queued costs memory.
_RECEIVE_BUFFER = 4 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """What all links have in common."""

    port: int
    group4: str
    group6: str
    broadcast: bool
    peers: bool  # whether somebody is known who can be greeted by unicast


Address = tuple[str, int] | tuple[str, int, int, int]
Failed = Callable[[OSError, Operation], None]
Worked = Callable[[Operation], None]


class OpenLink:
    """The open sockets of one link."""

    def __init__(self, link: Link, ports: Ports, *, fallback_port: int = 0) -> None:
        """Raises OSError if the unicast socket cannot be had. `fallback_port` is tried when the port is taken."""
        self.link = link
        self._ports = ports
        self.unicast = _open_unicast(link, (ports.port, fallback_port))
        self.group: socket.socket | None = None
        self.broadcast: socket.socket | None = None
        self._joined = False
        # Where nobody can be found nobody is alone: it takes a word from outside before such a link counts.
        self.is_of_use = ports.peers or link.can_multicast or (ports.broadcast and link.broadcast is not None)
        self.port: int = self.unicast.getsockname()[1]
        self.endpoint = Endpoint(link.address, self.port, link.interface)
        self.group_host = ports.group4 if link.family == 4 else ports.group6
        self.group_address = self.address(self.group_host, ports.port)

    def address(self, host: str, port: int) -> Address:
        """What sendto wants for a destination reached through this link."""
        # An interface named for a group or a link-local address is needed; for others it is ignored by the kernel.
        return (host, port) if self.link.family == 4 else (host, port, 0, self.link.ifindex)

    @property
    def source(self) -> Address:
        """For another socket of this link, on any port."""
        return _local(self.link, 0)

    def complete(self, *, worked: Worked, failed: Failed) -> bool:
        """Open and join what is still missing. True if nothing is."""
        if not self.link.primary:
            return True
        joined = self._joined or not self.link.can_multicast or _attempt(self._join, Operation.JOIN, worked, failed)
        if self._ports.broadcast and self.link.broadcast and self.broadcast is None:
            return _attempt(self._listen_broadcast, Operation.LISTEN_BROADCAST, worked, failed) and joined
        return joined

    def rejoin(self, *, worked: Worked, failed: Failed) -> bool:
        """Leave the group and join it again, which makes the kernel report the membership to the LAN's switches."""
        if self.group is not None and self._joined:
            with contextlib.suppress(OSError):  # not a member (any more): just what we want
                _membership(self.group, self.link, self.group_host, join=False)
            self._joined = False
        return self.complete(worked=worked, failed=failed)

    def sockets(self) -> list[tuple[socket.socket, bool]]:
        """Open sockets, unicast first, each with: does it carry multicast or broadcast?"""
        found = [(self.unicast, False)]
        return found + [(sock, True) for sock in (self.group, self.broadcast) if sock is not None]

    def send(self, data: bytes, address: Address) -> OSError | None:
        try:
            self.unicast.sendto(data, address)
        except OSError as error:
            return error
        return None

    def next_error(self) -> tuple[int, str, int] | None:
        """What the network said of a datagram that was sent from here (ICMP): errno, and to which host and port it went. None:
        nothing more. It has to be asked for, or the next send or receive fails with it, whoever that is for."""
        try:
            _, ancillary, _, address = self.unicast.recvmsg(0, 128, socket.MSG_ERRQUEUE)
        except OSError:
            return None
        found = [data for _, kind, data in ancillary if kind in (_IP_RECVERR, _IPV6_RECVERR)]
        return (_SOCK_EXTENDED_ERR.unpack_from(found[0])[0] if found else 0), address[0], address[1]

    def close(self) -> None:
        for sock, _ in self.sockets():
            sock.close()

    def _join(self) -> None:
        if self.group is None:
            self.group = _open_listener(self.link, self.group_host, self._ports.port)
        _membership(self.group, self.link, self.group_host, join=True)
        self._joined = True

    def _listen_broadcast(self) -> None:
        assert self.link.broadcast is not None
        self.broadcast = _open_listener(self.link, self.link.broadcast, self._ports.port)


def _attempt(action: Callable[[], None], operation: Operation, worked: Worked, failed: Failed) -> bool:
    try:
        action()
    except OSError as error:
        failed(error, operation)
        return False
    worked(operation)
    return True


def _open_unicast(link: Link, ports: tuple[int, int]) -> socket.socket:
    sock = _new_socket(link)
    try:
        _bind_first_free(sock, link, (*ports, 0))
        if link.family == 4:
            sock.setsockopt(socket.IPPROTO_IP, _IP_RECVERR, 1)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
            sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, _mreqn("0.0.0.0", link))
            sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 1)
            sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_LOOP, 1)
        else:
            sock.setsockopt(socket.IPPROTO_IPV6, _IPV6_RECVERR, 1)
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, link.ifindex)
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, 1)
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_LOOP, 1)
    except OSError:
        sock.close()
        raise
    return sock


def _local(link: Link, port: int) -> Address:
    return (link.address, port) if link.family == 4 else (link.address, port, 0, link.scope_id)


def _bind_first_free(sock: socket.socket, link: Link, ports: tuple[int, ...]) -> None:
    for port in ports:
        try:
            sock.bind(_local(link, port))
        except OSError as error:
            if error.errno != errno.EADDRINUSE or port == 0:
                raise
        else:
            return


def _open_listener(link: Link, host: str, port: int) -> socket.socket:
    sock = _new_socket(link)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        _restrict_to_interface(sock, link)
        sock.bind((host, port) if link.family == 4 else (host, port, 0, link.ifindex))
    except OSError:
        sock.close()
        raise
    return sock


def _restrict_to_interface(sock: socket.socket, link: Link) -> None:
    """What is read here shall have come from this interface, also where another one is in the same group or network."""
    if link.family == 4:
        sock.setsockopt(socket.IPPROTO_IP, _IP_MULTICAST_ALL, 0)
    else:
        sock.setsockopt(socket.IPPROTO_IPV6, _IPV6_MULTICAST_ALL, 0)
    # The options above compare groups only; this one covers broadcast and wider IPv6 scopes. Root before Linux 5.7.
    with contextlib.suppress(PermissionError):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, link.interface.encode())


def _new_socket(link: Link) -> socket.socket:
    sock = socket.socket(socket.AF_INET if link.family == 4 else socket.AF_INET6, socket.SOCK_DGRAM)
    try:
        sock.setblocking(False)
        if link.family == 6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        _enlarge_receive_buffer(sock)
    except OSError:
        sock.close()
        raise
    return sock


def _enlarge_receive_buffer(sock: socket.socket) -> None:
    try:
        sock.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _RECEIVE_BUFFER)
    except PermissionError:  # without CAP_NET_ADMIN as much as net.core.rmem_max allows
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER)


def _membership(sock: socket.socket, link: Link, host: str, *, join: bool) -> None:
    if link.family == 4:
        option = socket.IP_ADD_MEMBERSHIP if join else socket.IP_DROP_MEMBERSHIP
        sock.setsockopt(socket.IPPROTO_IP, option, _mreqn(host, link))
    else:
        option = socket.IPV6_JOIN_GROUP if join else socket.IPV6_LEAVE_GROUP
        request = socket.inet_pton(socket.AF_INET6, host) + struct.pack("@I", link.ifindex)
        sock.setsockopt(socket.IPPROTO_IPV6, option, request)


def _mreqn(host: str, link: Link) -> bytes:
    """struct ip_mreqn: the interface is named by its index, for two interfaces may have one address."""
    return struct.pack("@4s4si", socket.inet_aton(host), b"\0" * 4, link.ifindex)
