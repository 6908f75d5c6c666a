"""The command `kingd`: options, configuration, then the runtime in the foreground (or detached, for hosts without
systemd).
"""

import os
import signal
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, NoReturn

from kingd import __version__
from kingd.config import DEFAULT_FILE, ConfigError, load, remarks, source_of
from kingd.control.target import is_instance
from kingd.daemon.account import become_daemon
from kingd.daemon.command_line import read
from kingd.daemon.foreign import ForeignFolder, refuse
from kingd.daemon.options import Options
from kingd.log import Logger, set_up
from kingd.output import unwritten

if TYPE_CHECKING:
    from kingd.daemon.background import Background
    from kingd.daemon.checker import Checker
    from kingd.daemon.guardian import Guardian
    from kingd.daemon.service import Settled

_log = Logger("kingd")


def main(argv: Sequence[str], *, guardian: "Guardian | None" = None) -> NoReturn:
    _until_the_loop_runs()
    try:
        options, settled = _begin(argv)
    except (OSError, UnicodeEncodeError) as error:
        sys.exit(unwritten(error, program="kingd"))
    _refuse_foreign_folders(settled, options)
    background = _leave_terminal(options, guardian) if options.detach else None
    try:
        code = _run(settled, options, guardian, background)
    finally:
        if background is not None:
            background.end()
    os._exit(code)  # not sys.exit: that waits for every thread, and one may hang in DNS where the network has just gone


def _begin(argv: Sequence[str]) -> "tuple[Options, Settled]":
    """SystemExit: it was only a question, or a mistake, and is answered. OSError: the answer was not written."""
    options = read(argv)
    if options.check_config:
        become_daemon(options.config or DEFAULT_FILE)
    settled = _load_or_exit(options)
    if options.check_config:
        for remark in remarks(settled[0]):
            sys.stderr.write(f"kingd: {remark}\n")
        sys.stdout.write("the configuration is good\n")
        sys.stdout.flush()
        sys.exit(0)
    return options, settled


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
    main, explicit, overrides = file or DEFAULT_FILE, file is not None, options.overrides
    loaded = load(main=main, explicit=explicit, overrides=overrides, instance=instance)

    def source() -> str:
        return source_of("security.mode", main=main, explicit=explicit, overrides=overrides, instance=instance)

    return loaded, open_seal(loaded.security, source=source)


def _load_or_exit(options: Options) -> "Settled":
    try:
        return _load(options)
    except ConfigError as error:
        _fail(os.EX_CONFIG, *error.problems)  # systemd does not restart us after it


def _fail(code: int, *sentences: str) -> NoReturn:
    for sentence in sentences:
        sys.stderr.write(f"kingd: {sentence}\n")
    sys.exit(code)


def _refuse_foreign_folders(settled: "Settled", options: Options) -> None:
    try:
        refuse(options.state_dir, "--state-dir")
        refuse(settled[0].control.socket.parent, "--socket")
        if options.pid_file is not None:
            refuse(options.pid_file.parent, "--pid-file")
    except ForeignFolder as error:
        _fail(os.EX_CANTCREAT, str(error))


def _leave_terminal(options: Options, guardian: "Guardian | None") -> "Background":
    from kingd.daemon.background import leave_terminal
    from kingd.daemon.folder_lock import StateBusy
    from kingd.daemon.pid_file import PidFileRefused

    try:
        return leave_terminal(options, guardian)
    except (StateBusy, PidFileRefused, OSError) as error:
        _fail(os.EX_CANTCREAT, str(error))


def _run(settled: "Settled", options: Options, guardian: "Guardian | None", background: "Background | None") -> int:
    from kingd.control.listener import SocketBusy, SocketUnusable
    from kingd.daemon import runtime  # the election and all that: not for --version
    from kingd.daemon.checker import Checker
    from kingd.daemon.folder_lock import StateBusy

    loaded, seal = settled
    set_up(loaded.log.level, loaded.log.format)
    _log.info(
        "kingd %s, cluster %s, node %s, priority %d, security %s",
        __version__, loaded.cluster, loaded.name, loaded.priority, seal.mode,
    )  # fmt: skip
    checker = Checker(options)
    checker.configure(loaded)
    try:
        return runtime.run(
            loaded, seal, options.state_dir,
            reread=lambda: _reread(options, checker), guardian=guardian, on_up=background.is_up if background else lambda: None,
        )  # fmt: skip
    except (StateBusy, SocketBusy, SocketUnusable) as error:
        if background is not None:
            background.failed(os.EX_CANTCREAT, str(error))
        _fail(os.EX_CANTCREAT, str(error))
    finally:
        checker.end()


def _reread(options: Options, checker: "Checker") -> "Settled":
    """Should the daemon not take it, what the checker says is not listened to."""
    settled = _load(options)
    checker.configure(settled[0])
    return settled
