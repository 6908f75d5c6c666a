"""Resets the TCP connections of an address, at both ends, as `ss --kill src ADDRESS` does: sock_diag(7).

While the address is still here: what is sent from it has to come from somewhere."""

import errno
import socket
import struct

from kingd.net.netlink import ATTRIBUTE, HEADER, dump, messages, raise_error

_SOCK_DIAG = 4  # NETLINK_SOCK_DIAG
_BY_FAMILY, _DESTROY = 20, 21  # linux/sock_diag.h
_REQUEST, _ACK = 0x1, 0x4
_WANTED = struct.Struct("=BBBxI48s")  # inet_diag_req_v2: family, protocol, extensions, states, which one
_FOUND = struct.Struct("=BBBB48s")  # inet_diag_msg: family, state, timer, retransmits, which one, and more
_CONDITION = struct.Struct("=BBHBBxxi")  # inet_diag_bc_op: code, offsets of yes and no; hostcond: family, bits, port
_BYTECODE, _SOURCE = 1, 7  # INET_DIAG_REQ_BYTECODE, INET_DIAG_BC_S_COND
_TIME_WAIT, _CLOSE, _LISTEN = 6, 7, 10
_CONNECTED = 0x1FFE & ~(1 << _TIME_WAIT | 1 << _CLOSE | 1 << _LISTEN)
_ANY_PORT = -1
_ENDED = errno.ENOENT  # by itself, since it was listed


def reset(address: bytes) -> int:
    """How many. `address`: 4 or 16 bytes. OSError: the kernel cannot (CONFIG_INET_DIAG_DESTROY), or no right to."""
    found = [each for family in _families(address) for each in dump(*_question(family, address), protocol=_SOCK_DIAG)]
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _SOCK_DIAG) as sock:
        return sum(_destroy(sock, *_FOUND.unpack_from(each)) for each in found)


def _families(address: bytes) -> tuple[int, ...]:
    """A server that listens by IPv6 has IPv4 connections of that kind, too."""
    return (socket.AF_INET6,) if len(address) == 16 else (socket.AF_INET, socket.AF_INET6)


def _question(family: int, address: bytes) -> tuple[int, bytes]:
    """Only those that begin here at this address: a busy host has many others."""
    own = socket.AF_INET6 if len(address) == 16 else socket.AF_INET
    size = _CONDITION.size + len(address)
    condition = _CONDITION.pack(_SOURCE, size, size + 4, own, 8 * len(address), _ANY_PORT) + address
    request = _WANTED.pack(family, socket.IPPROTO_TCP, 0, _CONNECTED, b"")
    return _BY_FAMILY, request + ATTRIBUTE.pack(ATTRIBUTE.size + size, _BYTECODE) + condition


def _destroy(sock: socket.socket, family: int, _state: int, _timer: int, _retransmits: int, which: bytes) -> bool:
    body = _WANTED.pack(family, socket.IPPROTO_TCP, 0, 0xFFFFFFFF, which)
    sock.send(HEADER.pack(HEADER.size + len(body), _DESTROY, _REQUEST | _ACK, 1, 0) + body)
    try:
        for kind, answer in messages(sock.recv(1 << 16)):
            raise_error(kind, answer)
    except OSError as error:
        if error.errno != _ENDED:
            raise
        return False
    return True
