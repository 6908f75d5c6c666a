"""The durable state of one daemon: who it is, which terms it may claim, and which it has seen.

In: a folder, and later the terms that the core wants durable. Out: the node id, the terms, the cached peers, and
sentences for the log (`warnings`) about what went wrong on the way. One folder belongs to one daemon, by a lock that
the kernel drops when the process ends, however it ends.

The invariant: what was saved is read back whole, or is not believed. A file that fails its checksum is put aside
and the daemon takes a new identity: a newcomer harms nobody, but an old friend that forgot its ceiling could claim
a term twice. A file that somebody else may have written is not believed either, and left as it is. And what was promised
under another name, or in another cluster, is no history of this voter. Nothing here knows what a term is for."""

import contextlib
import errno
import os
import socket
import threading
from binascii import crc32
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple, TypeGuard

from kingd.core.settings import Voters
from kingd.core.wire.endpoint import Endpoint
from kingd.core.wire.message import NodeId
from kingd.daemon import voters_file
from kingd.daemon.folder_lock import FolderLock, StateBusy
from kingd.daemon.state_files import Foreign, remove
from kingd.daemon.state_files import read as read_file
from kingd.daemon.state_files import replace as replace_file
from kingd.log import Logger

PEERS_MAX = 64  # enough to find any cluster again; the rest is learned from the first that answers
_FORMAT = 1
_CORRUPT_KEPT = 3  # evidence for a person; more of it would only fill the disk
_U64 = 1 << 64

_log = Logger("kingd")


class Owner(NamedTuple):
    """Who votes here, as the configuration says: promises are a voter's, and a voter is a name in a cluster."""

    name: str
    cluster: str


class _State(NamedTuple):
    node_id: NodeId
    ceiling: int
    term: int
    hold_us: int
    owner: Owner | None  # who promised so, in the same file: no crash parts them. None: written before that was kept


class Store:
    """Use `Store.open`. `node_id` is durable only while `writable`; `ceiling` and `term` are the highest that are surely
    on disk."""

    def __init__(
        self, folder: Path, lock: FolderLock, state: _State, owner: Owner, *, readable: bool, warnings: list[str]
    ) -> None:
        self.node_id = state.node_id
        self.ceiling = state.ceiling
        self.term = state.term
        self.hold_us = state.hold_us
        known = len(warnings)
        self.voters, self._voters_data = voters_file.read(folder, owner.cluster, warnings)
        if len(warnings) > known:  # by which list it voted last is not known: as if it had lost its state
            self.hold_us = 0
        self.writable = False
        self.warnings = warnings
        self.problem = ""  # what happened to the folder since
        self._folder = folder
        self._lock = lock
        self._owner = owner
        self._readable = readable
        self._writing = threading.Lock()

    @classmethod
    def open(cls, folder: Path, owner: Owner) -> "Store":
        """Blocking. StateBusy if another daemon has the folder; all else that fails is a sentence in `warnings`."""
        warnings: list[str] = []
        lock = _lock(folder, warnings)
        state, readable = _read_state(folder, warnings)
        if state.hold_us and state.owner is not None and state.owner != owner:
            warnings.append(_not_the_same(folder / "state.json", state.owner, owner))
            state = state._replace(hold_us=0)
        store = cls(folder, lock, state, owner, readable=readable, warnings=warnings)
        if not readable:
            return store
        try:
            # Even if nothing is new: now is the time to learn that the disk is full.
            store.save(store.ceiling, store.term, store.hold_us)
        except OSError as error:
            warnings.append(
                f"{folder}: state cannot be written ({error.strerror}), so nothing new survives a restart of kingd; "
                "make the folder writable for the user that runs kingd, or free space"
            )
        return store

    def save(self, ceiling: int, term: int, hold_us: int, voters: Voters | None = None) -> None:
        """Blocking (fsync): for a worker thread. Never lowers any number. OSError: they are not durable."""
        assert all(0 <= value < _U64 for value in (ceiling, term, hold_us))
        with self._writing:
            if not self._readable:  # an identity that may be good again tomorrow is not overwritten
                raise OSError(errno.EACCES, os.strerror(errno.EACCES), str(self._folder / "state.json"))
            self.writable = False
            hold_us = max(hold_us, self.hold_us)
            state = _State(self.node_id, max(ceiling, self.ceiling), max(term, self.term), hold_us, self._owner)
            self._keep_lock()
            replace_file(self._folder / "state.json", _encode(state), durable=True)
            voters = voters or self.voters
            if voters is not None:
                self._save_voters(voters)
            self.ceiling, self.term, self.hold_us = state.ceiling, state.term, state.hold_us
            self.writable = True

    def _save_voters(self, voters: Voters) -> None:
        file, data = self._folder / voters_file.FILE, voters_file.encode(voters, self._owner.cluster)
        if data != self._voters_data or not file.exists():
            replace_file(file, data, durable=True)
            self.voters, self._voters_data = voters, data

    def is_removed(self) -> bool:
        """Blocking. Whether the folder, or its lock, is no longer there: `save` makes both again."""
        return self._lock.is_held and not self._lock.is_in_place()

    def _keep_lock(self) -> None:
        """OSError: another daemon has the folder now, or it cannot be made."""
        if self._lock.is_in_place():
            return
        was_held = self._lock.is_held
        try:
            self._lock.take()
        except StateBusy as error:
            raise OSError(errno.EBUSY, str(error)) from None
        if was_held:
            self.problem = (
                f"the state folder {self._folder} was removed while kingd ran, and made again: find out who does that, for "
                "until then a restart at the wrong moment forgets who this node is; a restart of kingd ends this message"
            )
            _log.warning("%s", self.problem)

    def load_peers(self) -> list[Endpoint]:
        """Whom we knew before the restart. A hint from a cache: whatever is wrong with it is left out."""
        try:
            data = read_file(self._folder / "peers.json")
        except OSError:
            return []
        import json  # of a start only if there is such a file

        try:
            document = json.loads(data)
        except (ValueError, RecursionError):
            return []
        rows = document.get("peers") if isinstance(document, dict) and document.get("format") == _FORMAT else None
        if not isinstance(rows, list):
            return []
        return list(dict.fromkeys(endpoint for row in rows if (endpoint := _endpoint(row))))[:PEERS_MAX]

    def save_peers(self, endpoints: Iterable[Endpoint]) -> None:
        """Best effort; without fsync, for a cache that is lost costs one more announcement."""
        import json

        rows = list(dict.fromkeys(endpoints))[:PEERS_MAX]
        data = json.dumps({"format": _FORMAT, "peers": rows}).encode()
        with self._writing, contextlib.suppress(OSError):
            if self._lock.is_in_place():
                replace_file(self._folder / "peers.json", data, durable=False)

    def keep(self, name: str, data: bytes | None) -> None:
        """Blocking (fsync). A file of its own; None: not any more. OSError: that is not durable."""
        with self._writing:
            self._keep_lock()
            file = self._folder / name
            if data is None:
                remove(file)
            else:
                replace_file(file, data, durable=True)

    def kept(self, name: str) -> bytes:
        """OSError: it cannot be read, or is not there."""
        return read_file(self._folder / name)

    def close(self) -> None:
        """Let go of the folder. The process's end does the same."""
        self._lock.release()


def _lock(folder: Path, warnings: list[str]) -> FolderLock:
    """Not held where there is nothing to lock: then there is nothing to share either."""
    lock = FolderLock(folder)
    try:
        lock.take()
    except OSError as error:
        if error.errno == errno.ENOLCK:
            warnings.append(
                f"{folder} cannot be locked ({error.strerror}): see to it that no other kingd works with it"
            )
    return lock


def _read_state(folder: Path, warnings: list[str]) -> tuple[_State, bool]:
    """The state, or a new one; and whether the file may be replaced."""
    file = folder / "state.json"
    try:
        data = read_file(file)
    except FileNotFoundError:
        return _new_state(), True
    except Foreign as error:
        warnings.append(
            f"{file} is not believed: {error}; running with an id that lasts until kingd ends. If you trust it: "
            f"{error.remedy}, and restart kingd"
        )
        return _new_state(), False
    except OSError as error:
        warnings.append(
            f"{file} cannot be read ({error.strerror}): running with an id that lasts until kingd ends; make the file "
            "readable and writable for the user that runs kingd, and restart kingd"
        )
        return _new_state(), False
    try:
        return _decode(data), True
    except ValueError as error:
        warnings.append(_put_aside(file, str(error)))
        return _new_state(), True


def _not_the_same(file: Path, before: Owner, now: Owner) -> str:
    by = "" if now.cluster == before.cluster else f" by the list of voters that is configured for {now.cluster}"
    return (
        f"{file} tells what {before.name} of the cluster {before.cluster} has promised, and this host is {now.name} of the "
        f"cluster {now.cluster} now, which that does not bind: as a voter it votes{by} when enough other voters have told "
        f"what {now.name} may have promised"
    )


def _put_aside(file: Path, why: str) -> str:
    """Rename the file, forget the oldest of such files, and say so."""
    prefix = f"{file.name}.corrupt-"
    numbers = sorted(
        int(number)
        for found in file.parent.glob(f"{prefix}*")
        if (number := found.name.removeprefix(prefix)).isdecimal()
    )
    aside = file.with_name(f"{prefix}{numbers[-1] + 1 if numbers else 1}")
    try:
        file.replace(aside)
    except OSError as error:
        return f"{file} is damaged ({why}) and cannot be renamed ({error.strerror}): this node has a new id"
    for oldest in numbers[: 1 - _CORRUPT_KEPT]:
        with contextlib.suppress(OSError):
            file.with_name(f"{prefix}{oldest}").unlink()
    return f"{file} is damaged ({why}): kept as {aside.name}, and this node has a new id; check the disk"


def _new_state() -> _State:
    # 0 means nobody.
    return _State(NodeId(1 + int.from_bytes(os.urandom(8), "big") % (_U64 - 1)), 0, 0, 0, None)


def _encode(state: _State) -> bytes:
    owner = f'"name": "{state.owner.name}", "cluster": "{state.owner.cluster}", ' if state.owner else ""
    words = (
        f'{{"format": {_FORMAT}, "node_id": "{state.node_id:016x}", "ceiling": {state.ceiling}, "term": {state.term}, '
        f'"hold_us": {state.hold_us}, {owner}"crc": "{_checksum(state)}"}}\n'
    )
    return words.encode()


def _at_a_glance(data: bytes) -> _State | None:
    """What we have written reads exactly as we write it: no start waits for the import of a parser. None: it does not."""
    words = data.split()
    try:
        owner = Owner(words[11][1:-2].decode(), words[13][1:-2].decode())
        node_id, ceiling, term, hold_us = int(words[3][1:17], 16), *(int(words[at][:-1]) for at in (5, 7, 9))
    except (LookupError, ValueError):
        return None
    state = _State(NodeId(node_id), ceiling, term, hold_us, owner)
    is_in_range = node_id and all(0 <= value < _U64 for value in (node_id, ceiling, term, hold_us))
    return state if is_in_range and _encode(state) == data else None


def _decode(data: bytes) -> _State:
    """ValueError says why it is not believed."""
    state = _at_a_glance(data)
    if state is not None:
        return state
    import json

    try:
        document = json.loads(data)
    except (ValueError, RecursionError):
        raise ValueError("it is not JSON") from None
    if not isinstance(document, dict) or document.get("format") != _FORMAT:
        raise ValueError(f"its format is not {_FORMAT}")
    node_id = document.get("node_id")
    ceiling, term, hold_us = (document.get(key) for key in ("ceiling", "term", "hold_us"))
    if not isinstance(node_id, str) or not (_is_u64(ceiling) and _is_u64(term) and _is_u64(hold_us)):
        raise ValueError("a value is missing or wrong")
    name, cluster = document.get("name"), document.get("cluster")
    owner = Owner(name, cluster) if isinstance(name, str) and isinstance(cluster, str) else None
    try:
        state = _State(NodeId(int(node_id, 16)), ceiling, term, hold_us, owner)
    except ValueError:
        raise ValueError("its node id is not a number") from None
    # Also refuses what int() takes and we do not write, such as signs and blanks.
    if f"{state.node_id:016x}" != node_id or not 0 < state.node_id < _U64:
        raise ValueError("its node id is out of range")
    if document.get("crc") != _checksum(state):
        raise ValueError("its checksum is wrong")
    return state


def _is_u64(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < _U64


def _checksum(state: _State) -> str:
    *numbers, owner = state
    return f"{crc32(' '.join(map(str, (_FORMAT, *numbers, *(owner or ())))).encode()):08x}"


def _endpoint(row: object) -> Endpoint | None:
    match row:
        case [str(host), int(port), str(interface)] if type(port) is int and 0 < port <= 65535 and len(interface) <= 15:
            try:
                socket.inet_pton(socket.AF_INET6 if ":" in host else socket.AF_INET, host)
            except (OSError, ValueError):  # ValueError: a NUL inside
                return None
            return Endpoint(host, port, interface)
    return None
