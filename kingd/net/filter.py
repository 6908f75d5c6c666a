"""Lets the kernel drop what is of no use before it wakes anybody: a classic BPF program on a UDP socket (socket(7),
SO_ATTACH_FILTER).

A datagram of ours has the fixed bytes of our prologue and a sane size. Of these pass those that are addressed to
everybody or to us, but for our own, which come back from the group. Of the rest everything passes. In a flood only what
is new of a known session passes whole, and of all else one in `_SAMPLE`, so that it can still be counted and named, and a
newcomer has a chance. On a UDP socket the program sees the UDP header (8 bytes) first."""

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
_KNOWN_MAX = 100  # sessions: each takes 11 instructions, and a socket has room for some 2,000 (net.core.optmem_max)
_JUMP, _JEQ, _JGE, _JGT = 0x05, 0x15, 0x35, 0x25
_AND = 0x54
_RETURN = 0x06
_RANDOM = 0xFFFFF000 + 56  # linux/filter.h: SKF_AD_OFF + SKF_AD_RANDOM

Bytes = tuple[int, bytes]
"""An offset in the datagram, and what stands there."""

Known = Sequence[tuple[bytes, int]]
"""Sessions, and the newest sequence number of each that is no news any more."""


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
        sessions: tuple[int, int, Known] | None = None,
    ) -> None:
        """`to`: our address, for who takes only what is addressed to us or to nobody (zeros). `own`: what all that we send has,
        and nobody else. `samples`: only a sample passes of what is not ours. `sessions`: of what is ours as well, but for
        what is new of these; and where the session stands, and the sequence number."""
        program = _Program()
        program.load(_LD_LEN, 0).go(_JGE, size_min + _UDP_HEADER, otherwise="other")
        program.load(_LD_LEN, 0).go(_JGT, size_max + _UDP_HEADER, then="other")
        for fixed in prologue:
            program.equal(fixed, otherwise="other")
        if own:
            for each in own:
                program.equal(each, otherwise="not own")
            program.verdict(_DROP)
        program.label("not own")
        if to is not None:
            program.equal((to[0], bytes(len(to[1]))), otherwise="not to all").jump("ours").label("not to all")
            program.equal(to, otherwise="to another").jump("ours").label("to another").verdict(_DROP)
        program.jump("ours").label("other")
        program.sample() if samples else program.verdict(_PASS)
        program.label("ours")
        program.verdict(_PASS) if sessions is None else program.new_of(*sessions)
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

    def jump(self, label: str) -> "_Program":
        """As far as one likes; `go` reaches 255 instructions."""
        self._code.append((_JUMP, label, "", 0))
        return self

    def verdict(self, verdict: int) -> "_Program":
        return self.load(_RETURN, verdict)

    def sample(self) -> "_Program":
        """One in `_SAMPLE` passes, and that is the end."""
        rest = f"rest {len(self._code)}"
        self.load(_LD_W, _RANDOM).load(_AND, _SAMPLE - 1).go(_JEQ, 0, otherwise=rest)
        return self.verdict(_PASS).label(rest).verdict(_DROP)

    def new_of(self, at: int, sequence_at: int, known: Known) -> "_Program":
        """What is newer than these passes, of all else a sample, and that is the end."""
        for number, (session, newest) in enumerate(known[:_KNOWN_MAX]):
            new, old, another = f"new {number}", f"old {number}", f"another {number}"
            self.equal((at, session), otherwise=another)
            high, low = newest >> 32, newest & 0xFFFFFFFF
            self.load(_LD_W, sequence_at + _UDP_HEADER).go(_JGT, high, then=new).go(_JEQ, high, otherwise=old)
            self.load(_LD_W, sequence_at + _UDP_HEADER + 4).go(_JGT, low, otherwise=old)
            self.label(new).verdict(_PASS).label(old).jump("sample").label(another)
        return self.label("sample").sample()

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
            struct.pack("HBBI", instruction, 0, 0, ahead(then, index))
            if instruction == _JUMP
            else struct.pack("HBBI", instruction, ahead(then, index), ahead(otherwise, index), operand)
            for index, (instruction, then, otherwise, operand) in enumerate(self._code)
        )
