"""Starts daemons of a lab: hands their names to a nursery (nursery.py) and waits until it has ended."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import kingd
from kingd.lab.folder import LabError
from kingd.lab.node import Node
from kingd.lab.process import of_child

# Meant for the process that was started by systemd, not for what a lab starts.
_DROPPED = ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "LISTEN_FDS", "LISTEN_PID", "CREDENTIALS_DIRECTORY")
NURSERY_PID = "nursery.pid"


def start(folder: Path, nodes: Sequence[Node], progress: Callable[[int], None] = lambda _ready: None) -> None:
    """Each is a process of its own when this returns. `progress` is told how many have found their leader. LabError if the
    nursery failed."""
    wanted = json.dumps([(node.name, node.argv) for node in nodes]).encode()
    # -P: the current folder is not searched for modules, whatever it holds.
    command = [sys.executable, "-P", "-m", "kingd.lab.nursery", str(folder)]
    # The names are in a file: where the nursery failed before it has read a pipe, SIGPIPE would end kingctl before it says why.
    with (folder / "nursery.log").open("wb") as log, tempfile.TemporaryFile() as names:
        names.write(wanted)
        names.seek(0)
        with subprocess.Popen(
            command,
            env=environment(),
            stdin=names,
            stdout=subprocess.PIPE,
            stderr=log,
            start_new_session=True,
        ) as nursery:
            try:
                of_child(nursery.pid).save(folder / NURSERY_PID)  # for who cleans up after us, should we not get to it
                _wait_for(nursery, progress)
            finally:
                nursery.terminate()
    if nursery.returncode != 0:
        words = (folder / "nursery.log").read_text(errors="replace").splitlines()
        raise LabError("\n".join(["the daemons could not be started:", *words[-5:]]))


def _wait_for(nursery: "subprocess.Popen[bytes]", progress: Callable[[int], None]) -> None:
    assert nursery.stdout is not None
    for line in nursery.stdout:
        progress(int(line))
    nursery.wait()


def environment() -> dict[str, str]:
    """Ours, and the place of this very kingd, which need not be installed."""
    paths = [str(Path(kingd.__file__).parent.parent), *filter(None, [os.environ.get("PYTHONPATH")])]
    kept = {key: value for key, value in os.environ.items() if key not in _DROPPED}
    return {**kept, "PYTHONPATH": os.pathsep.join(paths)}
