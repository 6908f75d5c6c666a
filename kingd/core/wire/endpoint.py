"""Where a peer is reached. Opaque to the election; made by `net/`, shown by `kingctl`."""

from typing import NamedTuple


class Endpoint(NamedTuple):
    """One UDP address, and the interface of ours through which it was heard.

    `host` is a numeric IPv4 or IPv6 address without scope; `interface` is the name of the local interface
    ("" = let the kernel route, as for a configured seed)."""

    host: str
    port: int
    interface: str = ""

    def is_better_than(self, other: "Endpoint") -> bool:
        """Of two addresses of one host that both work, IPv4 is the one that people know it by."""
        return ":" in other.host and ":" not in self.host

    def __str__(self) -> str:
        """`10.0.0.1:5466`, `[fe80::1%eth0]:5466` (RFC 3986 brackets, RFC 4007 scope)."""
        if ":" not in self.host:
            return f"{self.host}:{self.port}"
        scope = f"%{self.interface}" if self.host.startswith("fe80") and self.interface else ""
        return f"[{self.host}{scope}]:{self.port}"
