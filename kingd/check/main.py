"""The process behind kingd-check.service, around the runner: options, configuration, log, and what the command inherits."""

import os
import signal
import sys
from collections.abc import Sequence

from kingd.acting.linux import adopt_orphans, die_with_parent
from kingd.check.runner import Runner
from kingd.config import DEFAULT_FILE, Config, ConfigError, load
from kingd.daemon import systemd
from kingd.daemon.checker import PARENT
from kingd.daemon.command_line import read_plain
from kingd.daemon.options import Options
from kingd.log import set_up

_EX_USAGE = 2
_USAGE = "usage: check [--config FILE] [--instance NAME] [--socket PATH] and other options of kingd\n"


def run(argv: Sequence[str]) -> int:
    options = read_plain(argv)
    if options is None:
        sys.stderr.write(_USAGE)
        return _EX_USAGE
    options = options.placed().absolute()
    try:
        config = _load(options)
    except ConfigError as error:
        for problem in error.problems:
            sys.stderr.write(f"kingd-check: {problem}\n")
        return os.EX_CONFIG
    if not config.check.command:
        systemd.ready("check.command is empty: there is nothing to run")
        return 0
    if not _end_with_parent():
        return 0
    _begin_clean()
    systemd.ready(f"running {config.check.command[0]}")
    Runner(str(config.control.socket), config, reread=lambda: _load(options)).run()
    return 0


def _load(options: Options) -> Config:
    file = options.config
    config = load(
        main=file or DEFAULT_FILE, explicit=file is not None, overrides=options.overrides, instance=options.instance
    )
    set_up(config.log.level, config.log.format)
    return config


def _end_with_parent() -> bool:
    """If kingd has started us (see daemon/checker.py): whether it still lives."""
    parent = os.environ.pop(PARENT, "")
    if not parent:
        return True
    die_with_parent(signal.SIGTERM)
    return os.getppid() == int(parent)


def _begin_clean() -> None:
    """The command inherits the folder and the umask; and no descriptor, whatever was open when this process was started."""
    os.chdir("/")
    os.umask(0o022)
    os.closerange(3, 1 << 16)
    adopt_orphans()
