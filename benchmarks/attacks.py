"""What the attacker of `benchmarks.flood` sends: nothing that he would need the key for.

*junk*: random bytes. *bad signature*: whole announcements in the cluster's name, of sessions that nobody has, with a checksum
that is right and a signature that is not. *forged*: the same in the name of a living session, its numbers ever ahead.
*replay*: what a voter said to the leader. *past*: what it said before it was restarted. *for others*: what it said to
somebody else.
"""

import random
from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

from kingd.core.wire.codec import DESTINATION_AT, decode, encode
from kingd.core.wire.message import NO_BALLOT, NOBODY, Announce, Datagram, Header, NodeId, Role, SessionId
from kingd.core.wire.seal import Seal, cluster_id

_VARIANTS = 500


class Heard(NamedTuple):
    """What a voter said by unicast: in its former session, and in the present one."""

    leader: int  # node id
    past: list[bytes]
    present: list[bytes]


def junk(rng: random.Random, _: Heard) -> list[bytes]:
    return [rng.randbytes(rng.randrange(16, 1233)) for _ in range(_VARIANTS)]


def bad_signature(rng: random.Random, _: Heard) -> list[bytes]:
    seal = Seal([b"\x55" * 32])
    body = Announce(name="mole", version="6.6.6", interval_ms=1000)
    return [encode(Datagram(_header(rng), body), seal) for _ in range(_VARIANTS)]


def forged(_: random.Random, heard: Heard) -> list[bytes]:
    real = decode(heard.present[-1], cluster=cluster_id("default"), seal=Seal())
    seal = Seal([b"\x55" * 32])
    ahead = [replace(real.header, sequence=real.header.sequence + 1_000_000 + number) for number in range(_VARIANTS)]
    return [encode(Datagram(header, real.body), seal) for header in ahead]


def replay(_: random.Random, heard: Heard) -> list[bytes]:
    return [data for data in heard.present if _to(data) == heard.leader][-1:]


def past(_: random.Random, heard: Heard) -> list[bytes]:
    return [data for data in heard.past if _to(data) == heard.leader][-1:]


def for_others(_: random.Random, heard: Heard) -> list[bytes]:
    return [data for data in heard.present if _to(data) not in (heard.leader, NOBODY)][-1:]


ATTACKS: dict[str, Callable[[random.Random, Heard], list[bytes]]] = {
    "junk": junk,
    "bad signature": bad_signature,
    "forged": forged,
    "replay": replay,
    "past": past,
    "for others": for_others,
}


def _to(data: bytes) -> int:
    return int.from_bytes(data[DESTINATION_AT], "big")


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
