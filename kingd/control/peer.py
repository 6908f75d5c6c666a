"""Who is at the other end of the socket, and may it change things?

The kernel says who connected (SO_PEERCRED, SO_PEERGROUPS: fixed at the moment of connect). Root, the daemon's own
user and the members of one group may. The group's name is looked up only when it decides, and in a thread: a name
service on a host whose network is down can take seconds to answer, which the election cannot wait for.
"""

import asyncio
import grp
import os
import socket
import struct
from typing import NamedTuple, Protocol

_SO_PEERGROUPS = 59  # not in Python's socket module
_GROUPS_SIZE_MAX = 1024  # bytes, Python's own limit: 256 groups
_OVERFLOW_ID = 65534  # "somebody whom this user namespace does not know": many different users, so never a match


class Peer(NamedTuple):
    pid: int
    uid: int
    groups: frozenset[int]

    def __str__(self) -> str:
        return f"uid {self.uid}, pid {self.pid}"


class HasOptions(Protocol):
    """A socket, or what asyncio gives for one."""

    def getsockopt(self, level: int, name: int, size: int, /) -> bytes: ...


def identify(connection: HasOptions) -> Peer:
    pid, uid, gid = struct.unpack("iII", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    try:
        raw = connection.getsockopt(socket.SOL_SOCKET, _SO_PEERGROUPS, _GROUPS_SIZE_MAX)
    except OSError:  # ERANGE: in more than 256 groups; ENOPROTOOPT: a kernel before 4.13
        raw = b""
    return Peer(pid, uid, frozenset((gid, *struct.unpack(f"{len(raw) // 4}I", raw))))


class Authority:
    """Decides who may change things. `group` need not exist, now or ever."""

    def __init__(self, group: str) -> None:
        self.group = group
        self._gid: int | None = None
        self._own_uid = os.geteuid()

    async def permits(self, peer: Peer) -> bool:
        if peer.uid == 0 or (peer.uid == self._own_uid and peer.uid != _OVERFLOW_ID):
            return True
        if self._gid is None:
            self._gid = await asyncio.get_running_loop().run_in_executor(None, _gid_of, self.group)
        return self._gid is not None and self._gid != _OVERFLOW_ID and self._gid in peer.groups


def _gid_of(group: str) -> int | None:
    try:
        return grp.getgrnam(group).gr_gid
    except KeyError:
        return None
