"""What a user configures, as far as the election cares."""

from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b

from kingd.core.endpoint import Endpoint
from kingd.core.timing import Timing


@dataclass(frozen=True, slots=True, kw_only=True)
class Preempt:
    """May this node ask a leader of lower priority to step aside, and how long it waits before it does."""

    enabled: bool = True
    wait_us: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What a user configures, as far as the election cares. All but `cluster` may change while running."""

    cluster: int  # codec's u64 of the name
    name: str
    version: str
    priority: int = 100
    preempt: Preempt = Preempt()
    timing: Timing = Timing()
    tags: tuple[tuple[str, str], ...] = ()
    seeds: tuple[Endpoint, ...] = ()  # configured peers and those remembered: announced to by unicast
    broadcast: bool = True  # announce by IPv4 broadcast too while alone
    voters: tuple[str, ...] = ()  # names, sorted; empty: availability mode
    mesh_max: int = 32  # up to so many members everybody verifies everybody; tests make it small

    @property
    def voters_digest(self) -> int:
        """u32, 0 = availability mode: votes count only between nodes that have the same list."""
        return _digest(self.voters)


@lru_cache(maxsize=64)
def _digest(voters: tuple[str, ...]) -> int:
    if not voters:
        return 0
    raw = blake2b("\0".join(voters).encode(), digest_size=4, person=b"kingd-voters").digest()
    return int.from_bytes(raw, "big") or 1
