"""Lets the kernel drop what is not ours before Python sees it: a classic BPF program on a UDP socket (socket(7),
SO_ATTACH_FILTER).

A datagram passes if it has the fixed bytes of our prologue and a sane size; of the rest one in `_SAMPLE` passes, so
that what is refused can still be counted and named. On a UDP socket the program sees the UDP header (8 bytes)
first."""

import socket
import struct
from array import array
from collections.abc import Sequence

_SO_ATTACH_FILTER = 26  # asm-generic/socket.h; not in the socket module
_SO_DETACH_FILTER = 27
_UDP_HEADER = 8
_SAMPLE = 64  # a power of two

_LD_W, _LD_H, _LD_B = 0x20, 0x28, 0x30  # linux/bpf_common.h: BPF_LD | size | BPF_ABS
_LD_LEN = 0x80
_JEQ, _JGE, _JGT = 0x15, 0x35, 0x25
_AND = 0x54
_RETURN = 0x06
_RANDOM = 0xFFFFF000 + 56  # linux/filter.h: SKF_AD_OFF + SKF_AD_RANDOM
_PASS, _DROP = 0xFFFF, 0


class Prologue:
    """What every datagram of ours has: bytes at offsets, and a size between two limits."""

    def __init__(self, fixed: Sequence[tuple[int, bytes]], *, size_min: int, size_max: int) -> None:
        checks = [(_LD_LEN, 0, _JGE, size_min + _UDP_HEADER, True), (_LD_LEN, 0, _JGT, size_max + _UDP_HEADER, False)]
        for offset, value in fixed:
            checks.extend((load, at + _UDP_HEADER, _JEQ, number, True) for load, at, number in _words(offset, value))
        self._program = array("B", _assemble(checks))  # an array, for it can tell its address

    def attach(self, sock: socket.socket) -> None:
        """OSError: the kernel refused."""
        address, size = self._program.buffer_info()
        sock.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, struct.pack("HP", size // 8, address))


def detach(sock: socket.socket) -> None:
    """OSError (ENOENT): there is none."""
    sock.setsockopt(socket.SOL_SOCKET, _SO_DETACH_FILTER, 0)


def _words(offset: int, value: bytes) -> list[tuple[int, int, int]]:
    """(load instruction, offset, number) for the largest loads that fit."""
    found = []
    while value:
        size, load = next((size, load) for size, load in ((4, _LD_W), (2, _LD_H), (1, _LD_B)) if size <= len(value))
        found.append((load, offset, int.from_bytes(value[:size], "big")))
        offset, value = offset + size, value[size:]
    return found


def _assemble(checks: list[tuple[int, int, int, int, bool]]) -> bytes:
    """Each check is a load and a jump; one that fails goes to the sampling at the end."""
    last = 2 * len(checks)  # index of the first instruction behind the checks: pass
    code = []
    for index, (load, at, jump, number, expected) in enumerate(checks):
        to_sampling = last + 1 - (2 * index + 2)
        code.append((load, 0, 0, at))
        code.append((jump, 0, to_sampling, number) if expected else (jump, to_sampling, 0, number))
    code += [
        (_RETURN, 0, 0, _PASS),
        (_LD_W, 0, 0, _RANDOM),
        (_AND, 0, 0, _SAMPLE - 1),
        (_JEQ, 0, 1, 0),
        (_RETURN, 0, 0, _PASS),
        (_RETURN, 0, 0, _DROP),
    ]
    return b"".join(struct.pack("HBBI", *instruction) for instruction in code)
