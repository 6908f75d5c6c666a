"""A UDP datagram to what it says, or why it is refused: by the codec itself, and by nothing that this host's daemon knows."""

import hashlib
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

from kingd.core.wire import layout
from kingd.core.wire.aside import Aside
from kingd.core.wire.codec import decode
from kingd.core.wire.message import Datagram
from kingd.core.wire.reader import DecodeError
from kingd.core.wire.seal import Seal
from kingd.daemon.refusals import MEANINGS
from kingd.tools.frames import Udp
from kingd.tools.layer import HEADER_SIZE, Kingd, values

_READABLE = ("other-cluster", "bad-key", "unsigned")  # such a datagram is whole, and what it says can be told
_COPIES_S = 1.0  # what goes by several addresses, interfaces and families, goes at once
_REMEMBERED_MAX = 65536
_CLUSTER_AT = slice(8, 16)


@dataclass(frozen=True, slots=True)
class Seen:
    """One datagram that was to be kingd's."""

    udp: Udp
    datagram: Datagram | None  # None: it cannot be understood
    reason: str | None = None  # for which a daemon drops it, of MEANINGS
    why: str = ""  # the same in words
    is_copy: bool = False  # it passed just before, by another address or interface
    header: dict[str, Any] | None = None  # the fields by the scapy layer; None: it is too short, or something else
    body: dict[str, Any] | None = None


class Eyes:
    """What is looked for: with a `cluster` (its id) all others are refused, with a `seal` what it does not believe."""

    def __init__(self, *, cluster: int | None = None, seal: Seal | None = None) -> None:
        self._cluster = cluster
        self._seal = seal or Seal()
        self._seen: OrderedDict[tuple[int, int, bool], tuple[float, bytes]] = OrderedDict()

    def look(self, udp: Udp) -> Seen:
        data = udp.payload
        header, body = _taken_apart(data)
        cluster = _cluster_of(data) if self._cluster is None else self._cluster
        try:
            datagram = decode(data, cluster=cluster, seal=self._seal)
        except DecodeError as error:
            readable = read(data) if error.reason in _READABLE else None
            return Seen(udp, readable, error.reason, MEANINGS[error.reason], header=header, body=body)
        ago_s, is_same = self._remember(udp.time_s, datagram, data)
        if ago_s is not None and not (is_same and ago_s <= _COPIES_S):
            why = f"it came before, {ago_s:.1f} s ago: duplicated by the network, or recorded and sent again"
            if not is_same:
                why = "its sender has said something else under this number: two use one node id, or it is forged"
            return Seen(udp, datagram, "replay", why, header=header, body=body)
        return Seen(udp, datagram, is_copy=ago_s is not None, header=header, body=body)

    def _remember(self, time_s: float, datagram: Datagram, data: bytes) -> tuple[float | None, bool]:
        """How long ago its number was used in its session (None: never), and whether for the same words."""
        is_aside = isinstance(datagram.body, Aside)  # these are numbered apart
        key = datagram.header.session, datagram.header.sequence, is_aside
        digest = hashlib.blake2b(data, digest_size=8).digest()
        before = self._seen.get(key)
        if before is None:
            self._seen[key] = time_s, digest
            if len(self._seen) > _REMEMBERED_MAX:
                self._seen.popitem(last=False)
            return None, False
        return max(time_s - before[0], 0.0), before[1] == digest


def read(data: bytes) -> Datagram | None:
    """Whatever its cluster, and whoever signed it."""
    try:
        return decode(data, cluster=_cluster_of(data), seal=Seal())
    except DecodeError:
        return None


def _cluster_of(data: bytes) -> int:
    return int.from_bytes(data[_CLUSTER_AT], "big")


def _taken_apart(data: bytes) -> tuple[dict[str, Any] | None, dict[str, Any] | None]:
    """By the scapy layer, whatever it is worth."""
    if len(data) < HEADER_SIZE or not data.startswith(b"Kg"):
        return None, None
    packet = Kingd(data)
    header = values(packet, layout.HEADER)
    kind = layout.BODIES.get(data[3])
    try:
        return header, None if kind is None else values(packet.payload, kind.fields, kind.repeat)
    except AttributeError:  # the body is too short to be one
        return header, None
