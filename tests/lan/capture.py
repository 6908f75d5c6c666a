"""What passes over the LAN, recorded at the switch, and sent again by somebody who has no business to."""

import socket
import struct
import threading
import time
from collections.abc import Iterable
from typing import NamedTuple, Self

from tests.lan.host import Host
from tests.lan.namespace import Namespace

PORT = 5466
_ETH_P_ALL = 3
_ETH_IPV4, _ETH_IPV6 = 0x0800, 0x86DD
_UDP = 17
PACKET_OUTGOING = 4


class Packet(NamedTuple):
    """One UDP datagram as it came into the switch."""

    source: str
    target: str
    payload: bytes


class Capture:
    """Use with `with`. What comes in at the switch's ports from the hosts, each packet once."""

    def __init__(self, switch: Namespace) -> None:
        self.packets: list[Packet] = []
        self._socket = switch.inside(open_socket)
        self._thread = threading.Thread(target=self._read)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._ended = True
        self._thread.join()
        self._socket.close()

    _ended = False

    def _read(self) -> None:
        while not self._ended:
            try:
                frame, (interface, _, kind, *_) = self._socket.recvfrom(65536)
            except TimeoutError:
                continue
            if kind != PACKET_OUTGOING and interface != "br0" and (packet := _parse(frame)) is not None:
                self.packets.append(packet)

    def payloads(self, *, source: Host | None = None) -> list[bytes]:
        """Those of one host, or all."""
        address = None if source is None else source.address
        return [packet.payload for packet in self.packets if address in (None, packet.source)]


def open_socket() -> socket.socket:
    """That hears every frame, in the namespace in which it is opened."""
    found = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ETH_P_ALL))
    found.settimeout(0.1)
    return found


def _parse(frame: bytes) -> Packet | None:
    """None: no UDP."""
    (kind,) = struct.unpack_from("!H", frame, 12)
    if kind == _ETH_IPV4 and frame[23] == _UDP:
        start = 14 + (frame[14] & 15) * 4
        family, source, target = socket.AF_INET, frame[26:30], frame[30:34]
    elif kind == _ETH_IPV6 and frame[20] == _UDP:
        start = 54
        family, source, target = socket.AF_INET6, frame[22:38], frame[38:54]
    else:
        return None
    (size,) = struct.unpack_from("!H", frame, start + 4)
    payload = frame[start + 8 : start + size]
    return Packet(socket.inet_ntop(family, source), socket.inet_ntop(family, target), payload)


def replay(stranger: Host, payloads: Iterable[bytes], *, to: Host | str) -> None:
    """From the stranger's host (which runs no daemon) to a host's daemon, or to an address."""
    target = to if isinstance(to, str) else to.address
    with stranger.namespace.inside(lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as sender:
        sender.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(stranger.address))
        for number, payload in enumerate(payloads, 1):
            sender.sendto(payload, (target, PORT))
            if number % 100 == 0:
                time.sleep(0.001)  # no faster than a gigabit
            if number % 100 == 0 and isinstance(to, Host):
                to.status_or_none()  # nor than it reads on a busy machine: benchmarks/flood.py is the flood
