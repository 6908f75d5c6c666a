"""`python -m benchmarks.flooder ADDRESS SECONDS JUNK BAD`: so many datagrams of each a second, from this namespace.

Junk is random bytes. Bad ones are whole announcements in a cluster's name, with a checksum that is right and a signature
that is not, which is what costs a daemon most. Prints how many it has sent.
"""

import random
import socket
import sys
import time

from kingd.core.codec import encode
from kingd.core.message import NO_BALLOT, NOBODY, Announce, Datagram, Header, NodeId, Role, SessionId
from kingd.core.seal import Seal, cluster_id
from tests.lan.capture import PORT

_VARIANTS = 500
_TICK_S = 0.001


def main() -> None:
    address, seconds, junk_per_s, bad_per_s = sys.argv[1], float(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
    rng = random.Random(1)
    kinds = [(_junk(rng), junk_per_s), (_bad(rng), bad_per_s)]
    sent = [0, 0]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.connect((address, PORT))
        start_s = time.monotonic()
        while (passed_s := time.monotonic() - start_s) < seconds:
            for number, (datagrams, per_s) in enumerate(kinds):
                wanted = int(passed_s * per_s)
                for index in range(sent[number], wanted):
                    sender.send(datagrams[index % _VARIANTS])
                sent[number] = wanted
            time.sleep(_TICK_S)
    print(*sent)


def _junk(rng: random.Random) -> list[bytes]:
    return [rng.randbytes(rng.randrange(16, 1233)) for _ in range(_VARIANTS)]


def _bad(rng: random.Random) -> list[bytes]:
    """Of sessions that nobody has."""
    seal = Seal([b"\x55" * 32])
    body = Announce(name="mole", version="6.6.6", interval_ms=1000)
    return [encode(Datagram(_header(rng), body), seal) for _ in range(_VARIANTS)]


def _header(rng: random.Random) -> Header:
    return Header(
        cluster=cluster_id("default"),
        source=NodeId(rng.getrandbits(63) + 1),
        destination=NOBODY,
        session=SessionId(rng.getrandbits(63) + 1),
        sequence=1,
        leader=NO_BALLOT,
        floor=NO_BALLOT,
        priority=65535,
        role=Role.JOINING,
        eligible=True,
        multicast=False,
    )


if __name__ == "__main__":
    main()
