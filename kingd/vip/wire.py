"""Raw frames out and in: one AF_PACKET socket for each interface and protocol of ours.

A filter in the kernel lets only what claims one of our addresses through, so that a busy LAN wakes nobody. What we send
does not come back."""

import ctypes
import errno
import socket
import struct
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress

from kingd.vip.config import Address
from kingd.vip.floating import Link
from kingd.vip.frames import ARP, IPV6, Claim, claim_in

_VANISHED = (errno.ENODEV, errno.ENXIO, errno.ENETDOWN)  # since it was listed; the kernel tells of it
_SO_ATTACH_FILTER = 26
_FRAME_SIZE_MAX = 256
_CLAIMS_MAX = 64  # of one turn: who floods us delays nothing else
# Classic BPF, linux/filter.h: code, jump if true, jump if false, operand.
_BPF = struct.Struct("=HBBI")
_LOAD_WORD, _LOAD_BYTE, _IF_EQUAL, _RETURN = 0x20, 0x30, 0x15, 0x06
# Where it is in a frame that begins with the Ethernet header.
_ARP_SENDER, _NEXT_HEADER, _ICMP_TYPE, _TARGET_END = 28, 20, 54, 74


class Wire:
    def __init__(self, addresses: Sequence[Address]) -> None:
        self._wanted: dict[tuple[str, int], list[bytes]] = {}
        for each in addresses:
            self._wanted.setdefault((each.interface, protocol_of(each)), []).append(each.packed)
        self._sockets: dict[tuple[str, int], tuple[int, socket.socket]] = {}  # with the interface's index

    @property
    def sockets(self) -> list[socket.socket]:
        return [sock for _, sock in self._sockets.values()]

    def follow(self, links: Mapping[str, Link]) -> None:
        """Interfaces come, go, and come again as others of the same name. OSError: no right to."""
        for key, packed in self._wanted.items():
            link = links.get(key[0])
            index = link.index if link is not None and link.mac else 0
            if key in self._sockets and self._sockets[key][0] != index:
                self._sockets.pop(key)[1].close()
            if index and key not in self._sockets:
                try:
                    self._sockets[key] = index, _open(*key, packed)
                except OSError as error:
                    if error.errno not in _VANISHED:
                        raise

    def send(self, address: Address, frames: Sequence[bytes]) -> None:
        """What cannot be sent now is sent again soon enough."""
        found = self._sockets.get((address.interface, protocol_of(address)))
        if found is not None:
            with suppress(OSError):  # down, no room
                for frame in frames:
                    found[1].send(frame)

    def claims(self) -> Iterator[tuple[str, Claim]]:
        for (interface, _), (_, sock) in self._sockets.items():
            with suppress(OSError):  # there is no more
                for _ in range(_CLAIMS_MAX):
                    claim = claim_in(sock.recv(_FRAME_SIZE_MAX))
                    if claim is not None:
                        yield interface, claim


def protocol_of(address: Address) -> int:
    return ARP if len(address.packed) == 4 else IPV6


def _open(interface: str, protocol: int, packed: Sequence[bytes]) -> socket.socket:
    sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_NONBLOCK, 0)  # 0: nothing comes in yet
    try:
        program = ctypes.create_string_buffer(_filter(protocol, packed))
        count = len(program) // _BPF.size
        sock.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, struct.pack("@HP", count, ctypes.addressof(program)))
        sock.bind((interface, protocol))
    except OSError:
        sock.close()
        raise
    return sock


def _filter(protocol: int, packed: Sequence[bytes]) -> bytes:
    """Passes ARP whose sender has, and neighbour advertisements whose target ends as, one of these."""
    words = sorted({struct.unpack("!I", each[-4:])[0] for each in packed})
    steps = [(_LOAD_BYTE, _NEXT_HEADER, 58), (_LOAD_BYTE, _ICMP_TYPE, 136)] if protocol == IPV6 else []
    program = []
    left = 2 * len(steps) + 1 + len(words)  # instructions before the first of the two ends
    for load, where, wanted in steps:
        left -= 2
        program += [_BPF.pack(load, 0, 0, where), _BPF.pack(_IF_EQUAL, 0, left, wanted)]
    program.append(_BPF.pack(_LOAD_WORD, 0, 0, _TARGET_END if protocol == IPV6 else _ARP_SENDER))
    for number, word in enumerate(words):
        program.append(_BPF.pack(_IF_EQUAL, len(words) - number, 0, word))
    return b"".join([*program, _BPF.pack(_RETURN, 0, 0, 0), _BPF.pack(_RETURN, 0, 0, _FRAME_SIZE_MAX)])
