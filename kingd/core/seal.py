"""The last 16 bytes of every datagram: keyed BLAKE2b (RFC 7693) over all that stands before them.

Without a key (the all-zero key) it is a checksum that tells a kingd datagram from line noise, and no protection at
all."""

import hashlib
import hmac

MAC_SIZE = 16
ZERO_KEY = bytes(32)
_PERSON = b"kingd-v1"


class Seal:
    def __init__(self, key: bytes = ZERO_KEY) -> None:
        self._keyed = hashlib.blake2b(key=key, digest_size=MAC_SIZE, person=_PERSON)

    def mac(self, data: bytes | memoryview) -> bytes:
        state = self._keyed.copy()  # the key block is hashed once per process, not once per datagram
        state.update(data)
        return state.digest()

    def is_valid(self, data: bytes) -> bool:
        return hmac.compare_digest(self.mac(memoryview(data)[:-MAC_SIZE]), data[-MAC_SIZE:])


def cluster_id(name: str) -> int:
    """u64 that stands for the cluster's name on the wire."""
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8, person=b"kingd-cluster").digest(), "big")
