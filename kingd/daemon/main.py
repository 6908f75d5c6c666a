"""The command `kingd`: options, configuration, then the runtime in the foreground (or detached, for hosts without
systemd).
"""

import logging
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, NoReturn

from kingd import __version__
from kingd.config import DEFAULT_FILE, ConfigError, load
from kingd.control.target import is_instance
from kingd.daemon.account import become_daemon
from kingd.daemon.log import set_up
from kingd.daemon.options import Options, read

if TYPE_CHECKING:
    from kingd.daemon.guardian import Guardian
    from kingd.daemon.service import Settled

EX_CONFIG = 78  # sysexits(3); systemd does not restart us after it
EX_CANTCREAT = 73

_log = logging.getLogger("kingd")


def main(argv: Sequence[str], *, guardian: "Guardian | None" = None) -> NoReturn:
    _until_the_loop_runs()
    options = read(argv)
    if options.check_config:
        become_daemon(options.config or DEFAULT_FILE)
    settled = _load_or_exit(options)
    if options.check_config:
        sys.stdout.write("the configuration is good\n")
        sys.exit(0)
    with _in_background(options, guardian) if options.detach else nullcontext():
        code = _run(settled, options, guardian)
    logging.shutdown()
    os._exit(code)  # not sys.exit: that waits for every thread, and one may hang in DNS where the network has just gone


def _until_the_loop_runs() -> None:
    """A signal that comes early must not look like a crash: there is nothing to hand over or to read again yet."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: os._exit(0))


def _load(options: Options) -> "Settled":
    from kingd.daemon.keys import open_seal

    file, instance = options.config, options.instance
    if instance is not None and not is_instance(instance):
        raise ConfigError([f"--instance {instance!r} is no instance name (letters, digits and . _ - :)"])
    loaded = load(main=file or DEFAULT_FILE, explicit=file is not None, overrides=options.overrides, instance=instance)
    return loaded, open_seal(loaded.security)


def _load_or_exit(options: Options) -> "Settled":
    try:
        return _load(options)
    except ConfigError as error:
        _fail(EX_CONFIG, *error.problems)


def _fail(code: int, *sentences: str) -> NoReturn:
    for sentence in sentences:
        sys.stderr.write(f"kingd: {sentence}\n")
    sys.exit(code)


def _run(settled: "Settled", options: Options, guardian: "Guardian | None") -> int:
    from kingd.control.listener import SocketBusy, SocketUnusable
    from kingd.daemon import runtime  # asyncio and all that: not for --version
    from kingd.daemon.folder_lock import StateBusy

    loaded, seal = settled
    set_up(loaded.log.level, loaded.log.format)
    _log.info(
        "kingd %s, cluster %s, node %s, priority %d, security %s",
        __version__, loaded.cluster, loaded.name, loaded.priority, seal.mode,
    )  # fmt: skip
    try:
        return runtime.run(loaded, seal, options.state_dir, reread=lambda: _load(options), guardian=guardian)
    except (StateBusy, SocketBusy, SocketUnusable) as error:
        _fail(EX_CANTCREAT, str(error))


@contextmanager
def _in_background(options: Options, guardian: "Guardian | None") -> Iterator[None]:
    """Leave the terminal; what the daemon logs goes to a file in its state folder.

    What excludes a second daemon is the lock of the state folder, which ends with its process. A pid file does not: one
    that a killed daemon left is written over."""
    import daemon

    from kingd.daemon.folder_lock import StateBusy
    from kingd.daemon.store import Store

    try:
        Store.open(options.state_dir).close()  # while somebody can still be told
        log = (options.state_dir / "kingd.log").open("a", encoding="utf-8")
    except (StateBusy, OSError) as error:
        _fail(EX_CANTCREAT, str(error))
    kept = [guardian.pipe] if guardian is not None else []
    daemon.DaemonContext(
        working_directory="/", umask=0o022, stdout=log, stderr=log, signal_map={}, files_preserve=kept
    ).open()
    pid_file = options.pid_file
    if pid_file is not None:
        pid_file.write_text(f"{os.getpid()}\n")
    try:
        yield
    finally:
        if pid_file is not None:
            pid_file.unlink(missing_ok=True)
