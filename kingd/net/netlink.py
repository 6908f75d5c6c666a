"""rtnetlink(7): a wake-up when the kernel changes an interface or an address, and lists of what it has.

A message of the wake-up is looked at for one thing: whether it is about a floating address. kingd-vip refreshes those each
second, and they are none of the daemon's. All else is thrown away unread, because the caller rescans everything anyway: that
is simple, cannot get out of step, and a lost message (ENOBUFS) is a wake-up like any other. A daemon without this socket (no
AF_NETLINK in its sandbox) lives on by its periodic rescans.
"""

import errno
import os
import socket
import struct
from collections.abc import Collection, Iterator, Mapping

# linux/rtnetlink.h: RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR
_GROUPS = 0x1 | 0x10 | 0x100

HEADER = struct.Struct("=IHHII")  # nlmsghdr: length, type, flags, sequence, port
ADDRESS = struct.Struct("=BBBBI")  # ifaddrmsg: family, prefix, flags, scope, interface
ATTRIBUTE = struct.Struct("=HH")  # length, type
_ERROR, _DONE = 2, 3
NEW_ADDRESS, OLD_ADDRESS, GET_ADDRESS = 20, 21, 22
IFA_ADDRESS, IFA_LOCAL, IFA_PROTO = 1, 2, 11
_REQUEST, _DUMP = 0x1, 0x300

FLOATING = 75
"""IFA_PROTO of what kingd-vip has added (Linux 5.18 and later), and nobody else: docs/vip.md."""


def open_netlink() -> socket.socket:
    """Raises OSError where the sandbox or the kernel refuses."""
    sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
    try:
        sock.setblocking(False)
        sock.bind((0, _GROUPS))
    except OSError:
        sock.close()
        raise
    return sock


def drain(sock: socket.socket, limit: int = 1024, but: Collection[int] = (NEW_ADDRESS, OLD_ADDRESS)) -> bool:
    """Throw away what is queued; whether there was more than these messages about floating addresses. `limit` bounds one
    call; what is left makes the socket readable again."""
    found = False
    for _ in range(limit):
        try:
            data = sock.recv(8192)
        except OSError as error:
            if error.errno != errno.ENOBUFS:
                return found
            found = True
        else:
            found = found or not all(kind in but and _is_floating(body) for kind, body in messages(data))
    return found


def messages(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Type and content of each."""
    while len(data) >= HEADER.size:
        size, kind, *_ = HEADER.unpack_from(data)
        yield kind, data[HEADER.size : size]
        data = data[max(size + -size % 4, HEADER.size) :]


def attributes(data: bytes) -> Mapping[int, bytes]:
    found = {}
    while len(data) >= ATTRIBUTE.size:
        size, kind = ATTRIBUTE.unpack_from(data)
        found[kind] = data[ATTRIBUTE.size : size]
        data = data[max(size + -size % 4, ATTRIBUTE.size) :]
    return found


def dump(
    kind: int, request: bytes = bytes([socket.AF_UNSPEC]), *, protocol: int = socket.NETLINK_ROUTE
) -> Iterator[bytes]:
    """All that the kernel has of a kind (RTM_GET*), each as the content of its message."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, protocol) as sock:
        sock.send(HEADER.pack(HEADER.size + len(request), kind, _REQUEST | _DUMP, 1, 0) + request)
        while True:
            for found, body in messages(sock.recv(1 << 16)):
                if found == _DONE:
                    return
                raise_error(found, body)
                yield body


def raise_error(kind: int, body: bytes) -> None:
    """OSError if the message is one."""
    if kind == _ERROR and (number := -struct.unpack_from("=i", body)[0]):
        raise OSError(number, os.strerror(number))


def floating() -> set[tuple[int, str]]:
    """Interface and address of each that is there because this host leads. OSError if the kernel will not say."""
    found = set()
    for body in dump(GET_ADDRESS):
        if _is_floating(body):
            family, _, _, _, index = ADDRESS.unpack_from(body)
            told = attributes(body[ADDRESS.size :])
            found.add((index, socket.inet_ntop(family, told.get(IFA_LOCAL) or told[IFA_ADDRESS])))
    return found


def _is_floating(body: bytes) -> bool:
    return attributes(body[ADDRESS.size :]).get(IFA_PROTO) == bytes([FLOATING])
