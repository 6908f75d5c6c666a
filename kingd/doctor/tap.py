"""What of an examination comes in on the wire, before any firewall of this host: a packet socket, for who may have one."""

import socket
import struct
import time
from collections import Counter
from contextlib import suppress
from typing import TypeVar

from kingd.core.wire.layout import HEADER_SIZE
from kingd.core.wire.trial import Way
from kingd.doctor.facts import Seen

_ETH_P_ALL, _ETH_P_IP, _ETH_P_IPV6 = 0x0003, 0x0800, 0x86DD
_OUTGOING = 4  # linux/if_packet.h
_UDP, _ICMP, _ICMP6 = 17, 1, 58
_ECHO = 19  # core/wire/layout.py
_TYPE_AT, _BY_AT = 3, HEADER_SIZE + 21
_PROHIBITED4 = (9, 10, 13)  # RFC 1812 5.2.7.1: net, host, communication administratively prohibited
_PROHIBITED6 = 1  # RFC 4443 3.1
_BUFFER = 4 << 20
_FRAMES_MAX = 2048
KEPT_MAX = 1024  # of either kind; each of 32 peers has a few

T = TypeVar("T")


class Tap:
    """None of its methods raises for what is on the wire."""

    def __init__(self) -> None:
        """PermissionError, OSError: it may not look."""
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(_ETH_P_ALL))
        self._socket.setblocking(False)
        with suppress(OSError):
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)
        self._frames = Frames()

    def close(self) -> None:
        self._socket.close()

    def read(self, for_s: float) -> None:
        """What comes in during that time."""
        end_s = time.monotonic() + for_s
        while (left_s := end_s - time.monotonic()) > 0:
            time.sleep(min(left_s, 0.02))
            self._drain()

    def _drain(self) -> None:
        for _ in range(_FRAMES_MAX):
            try:
                data, address = self._socket.recvfrom(2048)
            except OSError:
                return
            if address[2] != _OUTGOING:
                with suppress(IndexError, struct.error, ValueError):  # a frame that is too short
                    self._frames.note(data, address[1])

    @property
    def seen(self) -> Seen:
        return self._frames.seen


class Frames:
    """What is counted of them: pure. Who floods the wire with invented senders has a bounded table of them."""

    def __init__(self) -> None:
        self._answers: Counter[tuple[str, int, str]] = Counter()
        self._prohibited: Counter[str] = Counter()

    def note(self, data: bytes, kind: int) -> None:
        """IndexError, struct.error, ValueError: it is too short, or no such frame."""
        if kind == _ETH_P_IP:
            size, protocol, source = (data[0] & 0xF) * 4, data[9], socket.inet_ntop(socket.AF_INET, data[12:16])
        elif kind == _ETH_P_IPV6:
            size, protocol, source = 40, data[6], socket.inet_ntop(socket.AF_INET6, data[8:24])
        else:
            return
        body = data[size:]
        if protocol == _UDP:
            self._note_datagram(source, int.from_bytes(body[:2], "big"), body[8:])
        elif (protocol == _ICMP and body[0] == 3 and body[1] in _PROHIBITED4) or (
            protocol == _ICMP6 and tuple(body[:2]) == (1, _PROHIBITED6)
        ):
            _count(self._prohibited, source)

    def _note_datagram(self, host: str, port: int, payload: bytes) -> None:
        if payload[:2] == b"Kg" and payload[_TYPE_AT] == _ECHO and len(payload) > HEADER_SIZE:
            _count(self._answers, (host, port, Way(payload[_BY_AT]).word))

    @property
    def seen(self) -> Seen:
        return Seen(answers=dict(self._answers), prohibited=dict(self._prohibited))


def _count(seen: Counter[T], which: T) -> None:
    """The rarest go when there are twice too many: who was seen again and again stays."""
    seen[which] += 1
    if len(seen) > 2 * KEPT_MAX:
        kept = dict(seen.most_common(KEPT_MAX))
        seen.clear()
        seen.update(kept)
