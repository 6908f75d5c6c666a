"""The warm parent of a lab's daemons: `python -P -m kingd.lab.nursery FOLDER < names`.

It imports what a daemon needs once, and each daemon is a fork of it: 450 of them share that memory, and none pays for
the imports. One JSON array of [name, argv] comes in on stdin; each daemon is remembered in FOLDER/NAME/lab.pid before
the next one is born. Then the parent ends, and nothing but the daemons is left.

What is frozen (gc.freeze) is never looked at by a child's garbage collector, which would write to its pages and so
copy them."""

import gc
import importlib
import json
import os
import signal
import sys
from pathlib import Path

from kingd.daemon.lean import leave_out_openssl

_WORDS = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}
# What a daemon imports late, because other commands must not pay for it.
_WARM = (
    "kingd.daemon.main",
    "tomllib",
    "uuid",
    "kingd.control.listener",
    "kingd.daemon.keys",
    "kingd.daemon.runtime",
    "kingd.daemon.store",
    "asyncio",
    "concurrent.futures.thread",
    "encodings.idna",
    "json",
)


def main() -> int:
    from kingd.lab.process import of_child

    folder = Path(sys.argv[1])
    wanted: list[tuple[str, list[str]]] = json.load(sys.stdin)
    leave_out_openssl()
    for module in _WARM:
        importlib.import_module(module)
    gc.collect()
    gc.freeze()
    for name, argv in wanted:
        # Not between the birth and the remembering: that would leave a process that nobody knows.
        signal.pthread_sigmask(signal.SIG_BLOCK, _WORDS)
        pid = os.fork()
        if pid == 0:
            _become_daemon(folder / name, argv)
        of_child(pid).save(folder / name / "lab.pid")
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _WORDS)
    return 0


def _become_daemon(folder: Path, argv: list[str]) -> None:
    from kingd.daemon.guardian import Guardian
    from kingd.daemon.main import main as kingd

    os.setsid()
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _WORDS)
    output = os.open(folder / "log", os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.close(output)
    os.dup2(os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC), 0)
    sys.argv = ["kingd", *argv]
    try:
        kingd(argv, obj=Guardian.fork())  # ends the process itself
    finally:
        os._exit(1)  # whatever came of it: never back into the parent's loop


if __name__ == "__main__":
    sys.exit(main())
