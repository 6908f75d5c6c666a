"""Which of our links a datagram goes out by, and so by which of our addresses others know us.

In: the open links, and endpoints of others. Out: one of the links. Nothing is sent here, and nothing kept."""

import socket
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from kingd.core.wire.endpoint import Endpoint
from kingd.net.links import Link, address_bits, is_link_local
from kingd.net.problems import Operation
from kingd.net.sockets import OpenLink

# To ask the kernel for a route out of here. A documentation's address (RFC 5737): nothing is sent to it.
_ELSEWHERE = ("192.0.2.1", 9)


def route(links: Iterable[OpenLink], to: Endpoint) -> OpenLink | None:
    """The link to send from: of that interface if it is still there, on the peer's network, of the same scope."""
    # Nothing for what is no numeric address: handed to the kernel as a name, it would wait for DNS.
    size = len(address_bits(to.host))
    candidates = [opened for opened in links if len(address_bits(opened.link.address)) == size]
    there = [opened for opened in candidates if opened.link.interface == to.interface]
    return min(there or candidates, key=lambda opened: _distance(opened.link, to.host), default=None)


class Network(NamedTuple):
    """One address of ours from which everybody on its network may be reached."""

    own: Endpoint
    family: int
    can_multicast: bool
    can_broadcast: bool


def networks(primary: Iterable[OpenLink], *, broadcast: bool) -> list[Network]:
    """Of these, which speak to everybody."""
    return [
        Network(each.endpoint, each.link.family, each.link.can_multicast, broadcast and each.broadcast is not None)
        for each in primary
    ]


def is_on_network(links: Iterable[OpenLink], interface: str, host: str) -> bool:
    """Whether `host` (whatever is written there) is an address of a network that these have on that interface."""
    return any(each.link.interface == interface and each.link.contains(host) for each in links)


def target(links: Iterable[OpenLink], to: Endpoint, family: int, operation: Operation) -> OpenLink | None:
    """By which link that goes: to everybody by the primary one of that interface and family."""
    if operation is Operation.UNICAST:
        return route(links, to)
    wanted = (to.interface, family, True)
    return next((each for each in links if (each.link.interface, each.link.family, each.link.primary) == wanted), None)


def destination(opened: OpenLink, to: Endpoint, operation: Operation, port: int) -> tuple[str, int]:
    match operation:
        case Operation.MULTICAST:
            return opened.group_host, port
        case Operation.BROADCAST:
            return opened.link.broadcast or "", port
        case _:
            return to.host, to.port


def own(links: Sequence[OpenLink], members: Iterable[Endpoint]) -> Endpoint | None:
    """Our endpoint as most of these know it. Where there is none: as somebody outside would, else the first one."""
    hosts = {opened.link.address for opened in links}
    # Another daemon of this host hears us by whichever interface, docker0 too: that says nothing.
    ways = (route(links, member) for member in members if member.host not in hosts)
    known = Counter(opened.endpoint for opened in ways if opened is not None).most_common(1)
    if known:
        return known[0][0]
    outside = _towards(_ELSEWHERE)
    endpoints = [opened.endpoint for opened in links]
    return next((endpoint for endpoint in endpoints if endpoint.host == outside), endpoints[0] if endpoints else None)


def _towards(address: tuple[str, int]) -> str:
    """The address that the kernel would send from, "" if there is no way."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        try:
            sock.connect(address)
        except OSError:
            return ""
        return str(sock.getsockname()[0])


def _distance(link: Link, host: str) -> tuple[bool, bool]:
    """Smaller is better: on the same network, then of the same scope (fe80::/10 or not)."""
    return not link.contains(host), is_link_local(link.address) != is_link_local(host)
