"""What passes this host's interfaces: an AF_PACKET socket that gets the network header and all behind it (SOCK_DGRAM), so that
it does not matter what kind of link it is. The kernel drops what cannot be kingd's before it wakes anybody."""

import errno
import fcntl
import socket
import struct
from array import array
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from scapy.utils import RawPcapWriter

from kingd.tools.frames import MAGIC, PORT, CaptureError, Skipped, Udp, ip_of, udp_of

_ETH_P_ALL = 3
_SO_ATTACH_FILTER, _SO_TIMESTAMPNS = 26, 35  # asm-generic/socket.h; neither is in the socket module
_SOL_PACKET, _ADD_MEMBERSHIP, _STATISTICS = 263, 1, 6  # linux/if_packet.h
_PROMISCUOUS, _ALL_MULTICAST = 1, 2
_SIOCGIFFLAGS, _IFF_UP = 0x8913, 1
_LOOPBACK, _OUTGOING = "lo", 4
_FRAME_MAX = 65536
_BUFFER_SIZE = 4 << 20
_TIMESTAMP, _STATISTIC = struct.Struct("ll"), struct.Struct("II")
_LINKTYPE_RAW = 101  # a pcap of IP packets without a link header


class Interfaces:
    """Every frame of one interface, or of all, that may hold a datagram of kingd. `written`: each goes to that pcap file, too.

    CaptureError: it may not, or there is none of that name, or the file cannot be written."""

    def __init__(self, name: str | None = None, *, port: int = PORT, written: str | None = None) -> None:
        self.skipped = Skipped()
        self._port = port
        self._socket = _open(name, port)
        self._writer = None if written is None else _writer(written)

    def close(self) -> None:
        self._socket.close()
        if self._writer is not None:
            self._writer.close()

    def lost(self) -> int:
        """Frames that came faster than they were read, since the last time."""
        _, lost = _STATISTIC.unpack(self._socket.getsockopt(_SOL_PACKET, _STATISTICS, _STATISTIC.size))
        return int(lost)

    def __iter__(self) -> Iterator[Udp]:
        while True:
            try:
                data, ancillary, _, (interface, _, kind, *_) = self._socket.recvmsg(_FRAME_MAX, 64)
            except OSError as error:
                if error.errno == errno.ENETDOWN:  # told once; it may come up again
                    continue
                raise CaptureError(f"nothing can be read any more: {error.strerror}") from None
            if kind == _OUTGOING and interface == _LOOPBACK:
                continue  # it comes in again
            if not ancillary:
                continue  # from before the socket was asked for times
            seconds, nanoseconds = _TIMESTAMP.unpack_from(ancillary[0][2])
            microseconds = nanoseconds // 1000
            if self._writer is not None:
                self._record(data, seconds, microseconds)
            found = udp_of(
                ip_of(data), seconds + microseconds / 1e6, self.skipped, port=self._port, interface=interface
            )
            if found is not None:
                yield found

    def _record(self, data: bytes, seconds: int, microseconds: int) -> None:
        assert self._writer is not None
        try:
            self._writer.write_packet(data, sec=seconds, usec=microseconds)
        except OSError as error:
            raise CaptureError(f"{self._writer.filename}: {error.strerror}; recording ends here") from None


def _open(name: str | None, port: int) -> socket.socket:
    # By its protocol number it hears all interfaces at once; without one, none until it is bound.
    protocol = socket.htons(_ETH_P_ALL) if name is None else 0
    try:
        sock = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, protocol)
    except PermissionError:
        raise CaptureError("only root may listen to all that passes (CAP_NET_RAW): sudo kingctl sniff") from None
    try:
        _attach(sock, port)
        sock.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER_SIZE)
        for each in [name] if name is not None else [name for _, name in socket.if_nameindex()]:
            _hear(sock, each, _ALL_MULTICAST if name is None else _PROMISCUOUS, is_wanted=name is not None)
        if name is not None:
            sock.bind((name, _ETH_P_ALL))
    except BaseException:
        sock.close()
        raise
    return sock


def _attach(sock: socket.socket, port: int) -> None:
    code = array("B", b"".join(struct.pack("HBBI", *instruction) for instruction in program(port)))
    address, size = code.buffer_info()
    sock.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, struct.pack("HP", size // 8, address))


def _hear(sock: socket.socket, name: str, mode: int, *, is_wanted: bool) -> None:
    """What the interface would drop, for it is for others: this host may not have joined the group."""
    try:
        index = socket.if_nametoindex(name)
        flags = struct.unpack_from("16xH", fcntl.ioctl(sock, _SIOCGIFFLAGS, struct.pack("16s16x", name.encode())))[0]
    except OSError:
        if not is_wanted:
            return  # it has gone since it was listed
        known = ", ".join(name for _, name in socket.if_nameindex())
        raise CaptureError(f"there is no interface {name!r} here: there are {known}") from None
    if is_wanted and not flags & _IFF_UP:
        raise CaptureError(f"the interface {name} is down: ip link set {name} up")
    with suppress(OSError):  # some kinds cannot
        sock.setsockopt(_SOL_PACKET, _ADD_MEMBERSHIP, struct.pack("iHH8x", index, mode, 0))


def program(port: int) -> list[tuple[int, int, int, int]]:
    """Classic BPF (code, jumps if true and if false, operand): UDP from or to the port, or that begins as kingd's does."""
    load_byte, load_half, load_half_behind_x = 0x30, 0x28, 0x48  # linux/bpf_common.h
    equals, has_bits, jump, give = 0x15, 0x45, 0x05, 0x06
    and_, x_is_header_size, x_is = 0x54, 0xB1, 0x01
    return [
        (load_byte, 0, 0, 0),
        (and_, 0, 0, 0xF0),
        (equals, 0, 6, 0x40),  # IPv4
        (load_byte, 0, 0, 9),
        (equals, 0, 15, socket.IPPROTO_UDP),
        (load_half, 0, 0, 6),
        (has_bits, 13, 0, 0x1FFF),  # a fragment but for the first, which has no ports
        (x_is_header_size, 0, 0, 0),
        (jump, 0, 0, 4),
        (equals, 0, 10, 0x60),  # IPv6
        (load_byte, 0, 0, 6),
        (equals, 0, 8, socket.IPPROTO_UDP),
        (x_is, 0, 0, 40),
        (load_half_behind_x, 0, 0, 0),
        (equals, 4, 0, port),
        (load_half_behind_x, 0, 0, 2),
        (equals, 2, 0, port),
        (load_half_behind_x, 0, 0, 8),
        (equals, 0, 1, int.from_bytes(MAGIC, "big")),
        (give, 0, 0, _FRAME_MAX),
        (give, 0, 0, 0),
    ]


def _writer(path: str) -> Any:
    try:
        writer = RawPcapWriter(path, linktype=_LINKTYPE_RAW, sync=True)
        writer.write_header(None)
    except OSError as error:
        raise CaptureError(f"{path}: {error.strerror}") from None
    return writer
