"""Configured peers (`network.peers`): from text to `Endpoint`s.

In: "host", "host:port", "[v6]:port". Out: (host, port), then endpoints. Numeric addresses never wait for DNS:
`numeric` gives them at once, without a loop; `resolve` asks for names on threads and leaves out what does not resolve in
time, for the caller asks again later. Nothing is cached here."""

import socket
from collections.abc import Callable, Iterable, Sequence
from functools import partial

from kingd.core.wire.endpoint import Endpoint
from kingd.loop import Loop, Timer

# One seed may name many addresses; beyond these it is a mistake or somebody else's DNS.
_ADDRESSES_PER_SEED_MAX = 8
# Longer than a resolver needs for one lost datagram and its retry (5 s each in resolv.conf's default).
_LOOKUP_TIMEOUT_S = 12.0
_LOOKUPS_AT_ONCE = 8
_HOST_LENGTH_MAX = 255

Seed = tuple[str, int]


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


def numeric(seeds: Iterable[Seed]) -> list[Endpoint]:
    """Those seeds that need no DNS."""
    return [endpoint for host, port in seeds if (endpoint := _numeric_endpoint(host, port))]


def resolve(seeds: Iterable[Seed], loop: Loop, then: Callable[[list[Endpoint]], object]) -> None:
    """`then` gets all endpoints of all seeds, each once, in the order of the seeds. Names that do not resolve are left out."""
    _Round(tuple(seeds), loop, then).begin()


class _Round:
    """So many lookups at once; one that has not answered in time has not resolved."""

    def __init__(self, seeds: Sequence[Seed], loop: Loop, then: Callable[[list[Endpoint]], object]) -> None:
        self._loop = loop
        self._then = then
        self._answers: dict[Seed, list[Endpoint]] = {seed: numeric([seed]) for seed in seeds}
        self._waiting = [seed for seed, found in self._answers.items() if not found]
        self._asked: set[Seed] = set()

    def begin(self) -> None:
        while self._waiting and len(self._asked) < _LOOKUPS_AT_ONCE:
            seed = self._waiting.pop(0)
            self._asked.add(seed)
            late = self._loop.call_later(_LOOKUP_TIMEOUT_S, partial(self._on_answer, seed, []))
            self._loop.in_thread(partial(_look_up, *seed), partial(self._on_found, seed, late))
        if not self._asked:
            self._then(list(dict.fromkeys(endpoint for found in self._answers.values() for endpoint in found)))

    def _on_found(self, seed: Seed, late: Timer, found: list[Endpoint] | OSError) -> None:
        late.cancel()
        self._on_answer(seed, [] if isinstance(found, OSError) else found)

    def _on_answer(self, seed: Seed, found: list[Endpoint]) -> None:
        if seed in self._asked:  # else it was too late
            self._asked.remove(seed)
            self._answers[seed] = found
            self.begin()


def _look_up(host: str, port: int) -> list[Endpoint]:
    """Blocking. OSError: it does not resolve."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)
    except UnicodeError:  # a label that IDNA cannot encode
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
