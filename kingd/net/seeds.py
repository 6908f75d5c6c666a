"""Configured peers (`network.peers`): from text to `Endpoint`s.

In: "host", "host:port", "[v6]:port". Out: (host, port), then endpoints. Numeric addresses never wait for DNS:
`numeric` gives them at once, without a loop; `resolve` asks for names through the loop's executor and leaves out
what does not resolve, for the caller asks again later. Nothing is cached here."""

import asyncio
import socket
from collections.abc import Iterable

from kingd.core.wire.endpoint import Endpoint

# One seed may name many addresses; beyond these it is a mistake or somebody else's DNS.
_ADDRESSES_PER_SEED_MAX = 8
# Longer than a resolver needs for one lost datagram and its retry (5 s each in resolv.conf's default).
_LOOKUP_TIMEOUT_S = 12.0
_HOST_LENGTH_MAX = 255


def parse_seed(text: str, default_port: int) -> tuple[str, int]:
    """Split a seed; ValueError says in full what is wrong with it."""
    if text.startswith("["):
        host, closed, rest = text[1:].partition("]")
        if not closed or (rest and not rest.startswith(":")):
            raise ValueError(f"{text!r} is not a peer: an IPv6 address with a port is written [ADDRESS]:PORT")
        if not _is_numeric6(host):
            raise ValueError(f"{text!r} is not a peer: between the brackets must be an IPv6 address")
        return host, _parse_port(text, rest[1:]) if rest else default_port
    if _is_numeric6(text):  # without brackets there can be no port in it
        return text, default_port
    host, colon, port = text.partition(":")
    _check_name(text, host)
    return host, _parse_port(text, port) if colon else default_port


def numeric(seeds: Iterable[tuple[str, int]]) -> list[Endpoint]:
    """Those seeds that need no DNS."""
    return [endpoint for host, port in seeds if (endpoint := _numeric_endpoint(host, port))]


async def resolve(seeds: Iterable[tuple[str, int]], loop: asyncio.AbstractEventLoop) -> list[Endpoint]:
    """All endpoints of all seeds, each once, in the order of the seeds. Names that do not resolve are left out."""
    answers = await asyncio.gather(*(_resolve_one(host, port, loop) for host, port in seeds))
    return list(dict.fromkeys(endpoint for answer in answers for endpoint in answer))


async def _resolve_one(host: str, port: int, loop: asyncio.AbstractEventLoop) -> list[Endpoint]:
    endpoint = _numeric_endpoint(host, port)
    if endpoint is not None:
        return [endpoint]
    try:
        async with asyncio.timeout(_LOOKUP_TIMEOUT_S):
            found = await loop.getaddrinfo(host, port, type=socket.SOCK_DGRAM)
    except (OSError, TimeoutError, UnicodeError):  # UnicodeError: a label that IDNA cannot encode
        return []
    return [Endpoint(str(address[0]).partition("%")[0], port) for *_, address in found[:_ADDRESSES_PER_SEED_MAX]]


def _numeric_endpoint(host: str, port: int) -> Endpoint | None:
    address, _, scope = host.partition("%")
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        # There and back gives the one spelling that the kernel reports as the source of the answer.
        return Endpoint(socket.inet_ntop(family, socket.inet_pton(family, address)), port, scope)
    except (OSError, ValueError):  # ValueError: a NUL inside
        return None


def _is_numeric6(host: str) -> bool:
    address, _, scope = host.partition("%")
    if any(not char.isprintable() or char in " /[]:" for char in scope):
        return False
    return ":" in address and address.isascii() and _numeric_endpoint(address, 1) is not None


def _parse_port(text: str, port: str) -> int:
    if not (port.isascii() and port.isdigit() and len(port) <= 5 and 1 <= int(port) <= 65535):
        raise ValueError(f"{text!r} is not a peer: the port must be a number from 1 to 65535, not {port!r}")
    return int(port)


def _check_name(text: str, host: str) -> None:
    if not host:
        raise ValueError(f"{text!r} is not a peer: it has no host; write HOST, HOST:PORT or [IPV6]:PORT")
    if len(host) > _HOST_LENGTH_MAX or any(not (char.isalnum() or char in "-._") for char in host):
        raise ValueError(f"{text!r} is not a peer: write HOST, HOST:PORT or [IPV6]:PORT")
    if host.replace(".", "").isdigit() and _numeric_endpoint(host, 1) is None:
        raise ValueError(f"{text!r} is not a peer: {host!r} is not an IPv4 address")
