"""What ends every datagram: a checksum, and before it a signature where there is a cluster key. docs/protocol.md 3.3.

The checksum is BLAKE2b-128 (RFC 7693) under the all-zero key over all that stands before it: it tells a kingd
datagram from line noise, and protects from nobody. The signature is the same under a key of the cluster, over all
before it: who lacks the key cannot make one, nor change a byte (cluster and destination included) under it. Because
the checksum is always there, a node without a key still reads the datagrams of one that signs: that is how a
cluster gets its first key without a gap."""

import hashlib
import hmac
from collections.abc import Sequence

from kingd.records import dataclass

MAC_SIZE = 16
KEY_SIZE = 32
NO_KEY = 0
"""Key id of an unsigned datagram."""

_ZERO_KEY = bytes(KEY_SIZE)
_PERSON = b"kingd-v1"


class Mac:
    """Keyed BLAKE2b-128. The key block is hashed once, not once per datagram."""

    def __init__(self, key: bytes) -> None:
        self._keyed = hashlib.blake2b(key=key, digest_size=MAC_SIZE, person=_PERSON)

    def of(self, data: bytes | memoryview) -> bytes:
        state = self._keyed.copy()
        state.update(data)
        return state.digest()

    def is_valid(self, data: bytes | memoryview, mac: bytes | memoryview) -> bool:
        return hmac.compare_digest(self.of(data), mac)


@dataclass(frozen=True, slots=True)
class Key:
    """`id` (1..255) names the key on the wire: a hint which one to try, derived from it, so that nobody has to hand out
    numbers."""

    id: int
    mac: Mac

    @classmethod
    def of(cls, secret: bytes) -> "Key":
        assert len(secret) == KEY_SIZE
        digest = hashlib.blake2b(secret, digest_size=8, person=b"kingd-key-id").digest()
        return cls(1 + int.from_bytes(digest, "big") % 255, Mac(secret))


class Seal:
    """The keys in force. The first one signs, all of them are believed.

    `requires_key`: nothing unsigned is believed (enforce). Without keys: signs nothing, and does not look at signatures
    (off)."""

    def __init__(self, secrets: Sequence[bytes] = (), *, requires_key: bool = False) -> None:
        assert secrets or not requires_key
        self._keys = tuple(Key.of(secret) for secret in secrets)
        self.requires_key = requires_key

    @property
    def key_id(self) -> int:
        """Of the key that signs; NO_KEY if nothing is signed."""
        return self._keys[0].id if self._keys else NO_KEY

    @property
    def key_ids(self) -> tuple[int, ...]:
        return tuple(key.id for key in self._keys)

    @property
    def mode(self) -> str:
        """In force, in the words of the configuration."""
        return "enforce" if self.requires_key else "permissive" if self._keys else "off"

    @property
    def trailer_size(self) -> int:
        return 2 * MAC_SIZE if self._keys else MAC_SIZE

    def close(self, data: bytes) -> bytes:
        """`data` (whose header names `key_id`) with its trailer."""
        if self._keys:
            data += self._keys[0].mac.of(data)
        return data + _CHECKSUM.of(data)

    def is_whole(self, data: bytes) -> bool:
        return _CHECKSUM.is_valid(memoryview(data)[:-MAC_SIZE], data[-MAC_SIZE:])

    def is_believed(self, data: bytes, key_id: int) -> bool:
        """Of a whole datagram: signed by one of the keys, or unsigned where that is enough."""
        if not self._keys:
            return True
        if key_id == NO_KEY:
            return not self.requires_key
        signed, signature = memoryview(data)[: -2 * MAC_SIZE], data[-2 * MAC_SIZE : -MAC_SIZE]
        return any(key.mac.is_valid(signed, signature) for key in self._keys if key.id == key_id)


_CHECKSUM = Mac(_ZERO_KEY)


def cluster_id(name: str) -> int:
    """u64 that stands for the cluster's name on the wire."""
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8, person=b"kingd-cluster").digest(), "big")
