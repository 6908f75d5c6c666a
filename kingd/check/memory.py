"""What the runs have said so far, over a restart of the process that checks: `rise` and `fall` count on where they were.

In the runtime folder of the unit ($RUNTIME_DIRECTORY; without one nothing is kept). It is worth something to the same command,
for the same daemon, and until the verdict in it comes to its end: a kingd that starts anew waits for a first answer of its own
(docs/fitness.md). What cannot be read is as if it were not there."""

import json
import logging
import os
import socket
import struct
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

_FILE = "verdict.json"
_PATIENCE_S = 1.0

_log = logging.getLogger("kingd.check")


class Kept(NamedTuple):
    fit: bool
    row: int  # runs in a row that said something else
    unfit: str  # why, by the last run that failed
    end_s: float  # of CLOCK_BOOTTIME


class Memory:
    def __init__(self, folder: str, control_socket: str) -> None:
        """`folder`: "" = none."""
        self._path = Path(folder.partition(":")[0]) / _FILE if folder else None
        self._socket = control_socket

    def recall(self, command: Sequence[str]) -> Kept | None:
        if self._path is None:
            return None
        try:
            found = json.loads(self._path.read_bytes())
            kept = Kept(found["fit"] is True, int(found["row"]), str(found["unfit"]), float(found["end_s"]))
            about = (found["command"], found["daemon"])
        except (OSError, ValueError, KeyError, TypeError):
            return None
        is_ours = about == (list(command), self._daemon()) and about[1] is not None
        return kept if is_ours and now_s() < kept.end_s else None

    def keep(self, command: Sequence[str], kept: Kept) -> None:
        if self._path is None:
            return
        data = json.dumps({**kept._asdict(), "command": list(command), "daemon": self._daemon()})
        new = self._path.with_suffix(".new")
        try:
            new.write_text(data)
            new.replace(self._path)
        except OSError as error:
            _log.warning("%s: a restart of this process will count anew: %s", self._path, error.strerror)
            self._path = None

    def _daemon(self) -> int | None:
        """The process that listens there; None: nobody does."""
        with socket.socket(socket.AF_UNIX) as line:
            line.settimeout(_PATIENCE_S)
            try:
                line.connect(self._socket)
            except OSError:
                return None
            pid: int
            pid, _, _ = struct.unpack(
                "3i", line.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
            )
        return pid


def now_s() -> float:
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def folder() -> str:
    return os.environ.get("RUNTIME_DIRECTORY", "")
