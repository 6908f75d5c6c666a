"""The switch's side: cables that are pulled without a delay of our own, and what passes, with the kernel's time stamps."""

import fcntl
import socket
import struct
import time
from types import TracebackType
from typing import NamedTuple, Self

from tests.lan.host import Host
from tests.lan.network import Lan

_SIOCGIFFLAGS, _SIOCSIFFLAGS, _IFF_UP = 0x8913, 0x8914, 1  # netdevice(7)
_SO_TIMESTAMPNS, _SO_RCVBUFFORCE = 35, 33  # asm-generic/socket.h: not in Python's socket module
_ETH_P_ALL, _PACKET_OUTGOING = 3, 4
_ETH_IPV4, _ICMP, _IGMP, _UDP = b"\x08\x00", 1, 2, 17
_IGMP_REPORT, _IGMP_JOINS = 0x22, 4  # RFC 3376 4.2: the type, and that of a record that begins a membership


class Cables:
    """One call of the kernel each: `ip` takes some milliseconds to start, which are not the system's."""

    def __init__(self, lan: Lan) -> None:
        self._lan = lan
        self._socket = lan.switch.inside(lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM))

    def pull(self, host: Host) -> None:
        self._set(host, up=False)

    def put_back(self, host: Host) -> None:
        self._set(host, up=True)

    def _set(self, host: Host, *, up: bool) -> None:
        request = struct.Struct("16sH22x")
        name = self._lan.port(host).encode()
        _, flags = request.unpack(fcntl.ioctl(self._socket, _SIOCGIFFLAGS, request.pack(name, 0)))
        fcntl.ioctl(self._socket, _SIOCSIFFLAGS, request.pack(name, flags | _IFF_UP if up else flags & ~_IFF_UP))

    def close(self) -> None:
        self._socket.close()


class Frame(NamedTuple):
    """IPv4 that a program sent: neither what its kernel says by itself (ARP, ICMP, IGMP) nor its copy on another port."""

    at_ns: int  # CLOCK_MONOTONIC
    source: str
    udp_payload: bytes  # b"" if it is no UDP


class Recorder:
    """Use with `with`; `frames` is there at its end, and in `joins` when a program first joined a multicast group: for most
    the first sign on the wire that it has started."""

    def __init__(self, lan: Lan) -> None:
        self.frames: list[Frame] = []
        self.joins: list[Frame] = []
        self._socket = lan.switch.inside(
            lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ETH_P_ALL))
        )
        self._socket.setblocking(False)
        self._socket.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        self._socket.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, 64 << 20)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        wall_to_monotonic_ns = _wall_to_monotonic_ns()
        while True:
            try:
                frame, stamps, _, (interface, _, direction, *_) = self._socket.recvmsg(2048, 64)
            except BlockingIOError:
                break
            if direction == _PACKET_OUTGOING or interface == "br0" or frame[12:14] != _ETH_IPV4:
                continue
            seconds, nanoseconds = struct.unpack("qq", stamps[0][2])
            at_ns = seconds * 1_000_000_000 + nanoseconds + wall_to_monotonic_ns
            protocol, source, payload = frame[23], socket.inet_ntoa(frame[26:30]), frame[14 + (frame[14] & 15) * 4 :]
            if protocol == _IGMP and payload[0] == _IGMP_REPORT and payload[8] == _IGMP_JOINS:
                self.joins.append(Frame(at_ns, source, b""))
            elif protocol not in (_ICMP, _IGMP):
                self.frames.append(Frame(at_ns, source, payload[8:] if protocol == _UDP else b""))
        self._socket.close()

    def first_of(self, host: Host) -> int:
        """When its first datagram came into the switch."""
        return next(frame.at_ns for frame in self.frames if frame.source == host.address)

    def first_frame_of(self, host: Host) -> int:
        """The same, or when it joined a group if that was before."""
        return min(frame.at_ns for frame in (*self.joins, *self.frames) if frame.source == host.address)


def _wall_to_monotonic_ns() -> int:
    """Of several looks at both clocks the quickest: a process may lose its processor between the two."""
    looks = [(time.monotonic_ns(), time.time_ns(), time.monotonic_ns()) for _ in range(20)]
    before_ns, wall_ns, after_ns = min(looks, key=lambda look: look[2] - look[0])
    return (before_ns + after_ns) // 2 - wall_ns
