"""Lets the kernel drop what is of no use before it wakes anybody: a classic BPF program on a UDP socket (socket(7),
SO_ATTACH_FILTER).

A datagram of ours has the fixed bytes of our prologue and a sane size. Of these pass those that are addressed to
everybody or to us, but for our own, which come back from the group. Of the rest everything passes; in a flood one in
`_SAMPLE`, so that what is refused can still be counted and named. On a UDP socket the program sees the UDP header
(8 bytes) first."""

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

Bytes = tuple[int, bytes]
"""An offset in the datagram, and what stands there."""


class Filter:
    def __init__(
        self,
        prologue: Sequence[Bytes],
        *,
        size_min: int,
        size_max: int,
        to: Bytes | None = None,
        own: Sequence[Bytes] = (),
        samples: bool = False,
    ) -> None:
        """`to`: our address, for who takes only what is addressed to us or to nobody (zeros). `own`: what all that we send has,
        and nobody else. `samples`: only a sample passes of what is not ours."""
        program = _Program()
        program.load(_LD_LEN, 0).go(_JGE, size_min + _UDP_HEADER, otherwise="other")
        program.load(_LD_LEN, 0).go(_JGT, size_max + _UDP_HEADER, then="other")
        for fixed in prologue:
            program.equal(fixed, otherwise="other")
        if own:
            for each in own:
                program.equal(each, otherwise="not own")
            program.end("own", _DROP)
        program.label("not own")
        if to is not None:
            program.equal((to[0], bytes(len(to[1]))), otherwise="not to all").end("to all", _PASS)
            program.label("not to all").equal(to, otherwise="drop")
        program.end("ours", _PASS).end("drop", _DROP)
        program.label("other")
        if samples:
            program.load(_LD_W, _RANDOM).load(_AND, _SAMPLE - 1).go(_JEQ, 0, otherwise="drop other")
        program.end("pass other", _PASS).end("drop other", _DROP)
        self._code = array("B", program.assemble())  # an array, for it can tell its address

    def attach(self, sock: socket.socket) -> None:
        """In place of the one that is there. OSError: the kernel refused."""
        address, size = self._code.buffer_info()
        sock.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, struct.pack("HP", size // 8, address))


def detach(sock: socket.socket) -> None:
    """OSError (ENOENT): there is none."""
    sock.setsockopt(socket.SOL_SOCKET, _SO_DETACH_FILTER, 0)


_PASS, _DROP = 0xFFFF, 0


class _Program:
    """Instructions with labels to jump forward to; "" is the next one."""

    def __init__(self) -> None:
        self._code: list[tuple[int, str, str, int]] = []
        self._labels: dict[str, int] = {}

    def label(self, name: str) -> "_Program":
        self._labels[name] = len(self._code)
        return self

    def load(self, instruction: int, operand: int) -> "_Program":
        self._code.append((instruction, "", "", operand))
        return self

    def go(self, jump: int, number: int, *, then: str = "", otherwise: str = "") -> "_Program":
        self._code.append((jump, then, otherwise, number))
        return self

    def end(self, name: str, verdict: int) -> "_Program":
        return self.label(name).load(_RETURN, verdict)

    def equal(self, wanted: Bytes, *, otherwise: str) -> "_Program":
        """By the largest loads that fit."""
        offset, value = wanted
        while value:
            size, load = next((size, load) for size, load in ((4, _LD_W), (2, _LD_H), (1, _LD_B)) if size <= len(value))
            self.load(load, offset + _UDP_HEADER).go(_JEQ, int.from_bytes(value[:size], "big"), otherwise=otherwise)
            offset, value = offset + size, value[size:]
        return self

    def assemble(self) -> bytes:
        def ahead(label: str, index: int) -> int:
            return self._labels[label] - index - 1 if label else 0

        return b"".join(
            struct.pack("HBBI", instruction, ahead(then, index), ahead(otherwise, index), operand)
            for index, (instruction, then, otherwise, operand) in enumerate(self._code)
        )
