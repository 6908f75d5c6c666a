"""Who is at the other end of the socket, and may it change things?

The kernel says who connected, in numbers (SO_PEERCRED, SO_PEERGROUPS: fixed at the moment of connect). Root, the daemon's
own user and the members of one group may. Only that group's name has to be looked up, before anybody asks and in a
thread of its own: a name service on a host whose network is down can hang for minutes, and nothing else may wait for it.
"""

import grp
import os
import socket
import struct
import threading
from pathlib import Path
from typing import NamedTuple, Protocol

from kingd.control.places import Rank
from kingd.log import Logger

_SO_PEERGROUPS = 59  # not in Python's socket module
_GROUPS_SIZE_MAX = 1024  # bytes, Python's own limit: 256 groups
_OVERFLOW_ID = 65534  # "somebody whom this user namespace does not know": many different users, so never a match

_log = Logger(__name__)


class Peer(NamedTuple):
    pid: int
    uid: int
    groups: frozenset[int]

    def __str__(self) -> str:
        return f"uid {self.uid}, pid {self.pid}"


class HasOptions(Protocol):
    """A socket."""

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
        self._looking: threading.Thread | None = None
        self._why_nobody = f"the group {group} was not yet found" if group else "control.group is empty"

    def look_up(self, *, wait_s: float) -> None:
        """Ask for the group again. Returns after `wait_s` at the latest, with or without an answer."""
        if self.group and (self._looking is None or not self._looking.is_alive()):
            self._looking = threading.Thread(target=self._look, name="group", daemon=True)
            try:
                self._looking.start()
            except RuntimeError:  # no thread can be had: asked again later, and what is known stays
                if not self.knows_group:
                    self._why_nobody = f"the group {self.group} was not yet looked up: no thread can be started"
                return
            self._looking.join(wait_s)

    @property
    def knows_group(self) -> bool:
        return self._gid is not None

    def rank(self, peer: Peer) -> Rank:
        if peer.uid == 0 or (peer.uid == self._own_uid and peer.uid != _OVERFLOW_ID):
            return Rank.OWNER
        return Rank.GROUP if self._gid is not None and self._gid in peer.groups else Rank.ANYBODY

    def advice(self) -> str:
        """What somebody can do who may not change anything, said so that it works."""
        if self._gid is None:
            return f"use sudo ({self._why_nobody})"
        return f"use sudo, or `adduser YOU {self.group}` and log in again"

    def _look(self) -> None:
        gid = _gid_of(self.group)
        why = ""
        if gid is None:
            why = f"no user is let in by control.group: there is no group {self.group} here"
        elif not _is_mapped(gid):
            why = (
                f"no user is let in by control.group: kingd runs in a user namespace in which the group {self.group} "
                f"(gid {gid}) cannot be told from others; PrivateUsers= of its unit must be off"
            )
            gid = None
        if why and why != self._why_nobody:
            _log.info("%s", why)
        self._why_nobody, self._gid = why, gid


def _gid_of(group: str) -> int | None:
    try:
        return grp.getgrnam(group).gr_gid
    except KeyError:
        return None


def _is_mapped(gid: int) -> bool:
    """Whether the kernel can name this group to us: in a user namespace those that it cannot are all `_OVERFLOW_ID`."""
    if gid == _OVERFLOW_ID:
        return False
    try:
        rows = [line.split() for line in Path("/proc/self/gid_map").read_text(encoding="ascii").splitlines()]
    except OSError:
        return True
    return any(int(first) <= gid < int(first) + int(length) for first, _, length in rows)
