"""A wake-up when the kernel changes an interface or an address; nothing more.

In: nothing. Out: a readable file descriptor, and `drain`. The messages are thrown away unread, because the caller
rescans everything anyway: that is simple, cannot get out of step, and a lost message (ENOBUFS) is a wake-up like any
other. A daemon without this socket (no AF_NETLINK in its sandbox) lives on by its periodic rescans.
"""

import errno
import socket

# linux/rtnetlink.h: RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR
_GROUPS = 0x1 | 0x10 | 0x100


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


def drain(sock: socket.socket, limit: int = 1024) -> None:
    """Throw away what is queued. `limit` bounds one call; what is left makes the socket readable again."""
    for _ in range(limit):
        try:
            sock.recv(1)  # the rest of the message is cut off and dropped by the kernel
        except OSError as error:
            if error.errno != errno.ENOBUFS:
                return
