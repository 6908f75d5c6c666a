"""Raw frames out and in: one AF_PACKET socket for each interface and protocol of ours.

A filter in the kernel lets only what claims or probes for one of our addresses through, so that a busy LAN wakes nobody. What
we send does not come back."""

import ctypes
import errno
import socket
import struct
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress

from kingd.vip.config import Address
from kingd.vip.floating import Link
from kingd.vip.frames import ARP, IPV6, Heard, heard_in, question_mac

_VANISHED = (errno.ENODEV, errno.ENXIO, errno.ENETDOWN)  # since it was listed; the kernel tells of it
_SO_ATTACH_FILTER = 26
_FRAME_SIZE_MAX = 256
_HEARD_MAX = 64  # of one turn: who floods us delays nothing else
# Classic BPF, linux/filter.h: code, jump if true, jump if false, operand.
_BPF = struct.Struct("=HBBI")
_LOAD_WORD, _LOAD_BYTE, _IF_EQUAL, _RETURN = 0x20, 0x30, 0x15, 0x06
# Where it is in a frame that begins with the Ethernet header.
_ARP_SENDER, _ARP_TARGET, _NEXT_HEADER, _SOURCE_END, _ICMP_TYPE, _TARGET_END = 28, 38, 20, 34, 54, 74
_ICMPV6, _SOLICITATION, _ADVERTISEMENT = 58, 135, 136
_PASS, _DROP = -1, -2  # where a jump goes, beside so many instructions ahead
_Step = tuple[int, int, int, int]
_SOL_PACKET, _ADD_MEMBERSHIP, _MULTICAST = 263, 1, 0  # linux/if_packet.h


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
                    self._sockets[key] = index, _open(*key, index, packed)
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

    def heard(self) -> Iterator[tuple[str, Heard]]:
        for (interface, _), (_, sock) in self._sockets.items():
            with suppress(OSError):  # there is no more
                for _ in range(_HEARD_MAX):
                    heard = heard_in(sock.recv(_FRAME_SIZE_MAX))
                    if heard is not None:
                        yield interface, heard


def protocol_of(address: Address) -> int:
    return ARP if len(address.packed) == 4 else IPV6


def _open(interface: str, protocol: int, index: int, packed: Sequence[bytes]) -> socket.socket:
    sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_NONBLOCK, 0)  # 0: nothing comes in yet
    try:
        program = ctypes.create_string_buffer(_filter(protocol, packed))
        count = len(program) // _BPF.size
        sock.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, struct.pack("@HP", count, ctypes.addressof(program)))
        sock.bind((interface, protocol))
        if protocol == IPV6:  # who has the address is in the group to which a probe for it goes; we may be not
            for mac in {question_mac(each) for each in packed}:
                request = struct.pack("@iHH8s", index, _MULTICAST, len(mac), mac)
                sock.setsockopt(_SOL_PACKET, _ADD_MEMBERSHIP, request)
    except OSError:
        sock.close()
        raise
    return sock


def _filter(protocol: int, packed: Sequence[bytes]) -> bytes:
    """Passes ARP whose sender has, or whose sender is nobody and asks for, and neighbour advertisements, and solicitations of
    nobody, whose target ends as, one of these."""
    wanted = sorted({struct.unpack("!I", each[-4:])[0] for each in packed})
    is_wanted = [(_IF_EQUAL, _PASS, 0, word) for word in wanted]
    program: list[_Step]
    if protocol == IPV6:
        program = [
            (_LOAD_BYTE, 0, 0, _NEXT_HEADER),
            (_IF_EQUAL, 0, _DROP, _ICMPV6),
            (_LOAD_BYTE, 0, 0, _ICMP_TYPE),
            (_IF_EQUAL, 3, 0, _ADVERTISEMENT),
            (_IF_EQUAL, 0, _DROP, _SOLICITATION),
            (_LOAD_WORD, 0, 0, _SOURCE_END),
            (_IF_EQUAL, 0, _DROP, 0),
            (_LOAD_WORD, 0, 0, _TARGET_END),
            *is_wanted,
        ]
    else:
        is_question = [(_IF_EQUAL, 0, _DROP, 0), (_LOAD_WORD, 0, 0, _ARP_TARGET)]
        program = [(_LOAD_WORD, 0, 0, _ARP_SENDER), *is_wanted, *is_question, *is_wanted]
    ends = {_DROP: len(program), _PASS: len(program) + 1}
    program += [(_RETURN, 0, 0, 0), (_RETURN, 0, 0, _FRAME_SIZE_MAX)]

    def ahead(jump: int, number: int) -> int:
        return ends[jump] - number - 1 if jump in ends else jump

    return b"".join(
        _BPF.pack(code, ahead(if_so, number), ahead(if_not, number), value)
        for number, (code, if_so, if_not, value) in enumerate(program)
    )
