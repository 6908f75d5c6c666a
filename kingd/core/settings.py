"""What a user configures, as far as the election cares."""

from functools import lru_cache
from hashlib import blake2b

from kingd.core.timing import Timing
from kingd.core.wire.endpoint import Endpoint
from kingd.core.wire.voter_list import NO_GENERATION, Generation, VoterList
from kingd.records import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Preempt:
    """May this node ask a leader of lower priority to step aside, and how long it waits before it does."""

    enabled: bool = True
    wait_us: int = 0


@dataclass(frozen=True, slots=True)
class Voters:
    """A list of voters in force. A list that comes back has a newer generation than the same one of before."""

    names: tuple[str, ...] = ()  # sorted; empty: availability mode
    generation: Generation = NO_GENERATION

    @property
    def id(self) -> VoterList:
        """As datagrams name it."""
        return _id_of(self.names, self.generation)


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
    key_id: int = (
        0  # of the key that signs (seal.py); 0 = none. It tells why others may not listen, and decides nothing
    )
    voters: tuple[str, ...] = ()  # names, sorted, as they are wanted (in force: voters.py); empty: availability mode
    mesh_max: int = 32  # up to so many members everybody verifies everybody; tests make it small


@lru_cache(maxsize=64)
def digest_of(voters: tuple[str, ...]) -> int:
    """u32 that stands for these names; 0 = availability mode."""
    if not voters:
        return 0
    raw = blake2b("\0".join(voters).encode(), digest_size=4, person=b"kingd-voters").digest()
    return int.from_bytes(raw, "big") or 1


@lru_cache(maxsize=64)
def _id_of(voters: tuple[str, ...], generation: Generation) -> VoterList:
    return VoterList(digest_of(voters), generation)
