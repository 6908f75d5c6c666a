"""The process behind kingd-hooks.service, around the runner: options, configuration, log, and what its hooks inherit."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from kingd.acting.linux import adopt_orphans
from kingd.config import DEFAULT_FILE, Config, ConfigError, load
from kingd.daemon import systemd
from kingd.daemon.command_line import read_plain
from kingd.daemon.options import DEFAULT_STATE, Options
from kingd.hooks.record import Record
from kingd.hooks.runner import Runner, Settings
from kingd.log import Logger, set_up

_FOLDER = "/run/kingd-hooks"
_EX_USAGE = 2
_USAGE = "usage: hooks [--config FILE] [--instance NAME] [--socket PATH] [--state-dir FOLDER]\n"

_log = Logger("kingd.hooks")


def run(argv: Sequence[str]) -> int:
    options = read_plain(argv)
    if options is None:
        sys.stderr.write(_USAGE)
        return _EX_USAGE
    folder = _record_folder(options.absolute())
    options = options.placed().absolute()
    try:
        config = _load(options)
    except ConfigError as error:
        for problem in error.problems:
            sys.stderr.write(f"kingd-hooks: {problem}\n")
        return os.EX_CONFIG
    set_up(config.log.level, config.log.format)
    _begin_clean()
    runner = Runner(
        str(config.control.socket),
        instance=options.instance or "kingd",
        record=Record(folder),
        reread=lambda: _settings(_load(options)),
    )
    if runner.is_idle():
        systemd.ready(f"there is nothing to run in {config.hooks.dir}")
        return 0
    systemd.ready("waiting for the first word of kingd")
    runner.run()
    return 0


def _load(options: Options) -> Config:
    file = options.config
    return load(
        main=file or DEFAULT_FILE, explicit=file is not None, overrides=options.overrides, instance=options.instance
    )


def _settings(config: Config) -> Settings:
    set_up(config.log.level, config.log.format)
    return Settings(folder=config.hooks.dir, timeout_s=config.hooks.timeout_us / 1e6)


def _record_folder(options: Options) -> Path:
    if options.state_dir != DEFAULT_STATE:
        return options.state_dir
    return Path(_FOLDER if options.instance is None else f"{_FOLDER}-{options.instance}")


def _begin_clean() -> None:
    """A hook inherits the folder and the umask; and no descriptor, whatever was open when this process was started."""
    os.chdir("/")
    os.umask(0o022)
    os.closerange(3, 1 << 16)
    adopt_orphans()
