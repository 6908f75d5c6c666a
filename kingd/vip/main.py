"""The process behind kingd-vip.service, around the runner: options, configuration, log."""

import logging
import sys
from collections.abc import Sequence
from pathlib import Path

from kingd.config import DEFAULT_FILE as KINGD_FILE
from kingd.config import ConfigError
from kingd.config import load as load_kingd
from kingd.control.target import DEFAULT_SOCKET
from kingd.daemon.log import set_up
from kingd.vip.config import DEFAULT_FILE, load
from kingd.vip.runner import Runner

_FOLDER = Path("/run/kingd-vip")
_EX_USAGE, _EX_CONFIG = 2, 78
_OPTIONS = ("--config", "--socket", "--run-dir")
_USAGE = "usage: vip [--config FILE] [--socket PATH] [--run-dir FOLDER] [--check-config]\n"

_log = logging.getLogger("kingd.vip")


def run(argv: Sequence[str]) -> int:
    options = _read(argv)
    if options is None:
        sys.stderr.write(_USAGE)
        return _EX_USAGE
    set_up("info", "auto")
    file = Path(options.get("--config", DEFAULT_FILE))
    try:
        addresses = load(file)
    except ConfigError as error:
        for problem in error.problems:
            sys.stderr.write(f"kingd-vip: {problem}\n")
        return _EX_CONFIG
    if "--check-config" in options:
        return 0
    runner = Runner(options.get("--socket") or _socket(), addresses, Path(options.get("--run-dir", _FOLDER)))
    runner.run()
    return 0


def _read(argv: Sequence[str]) -> dict[str, str] | None:
    """None: they are not understood."""
    found: dict[str, str] = {}
    words = iter(argv)
    for word in words:
        option, equals, value = word.partition("=")
        if word == "--check-config":
            found[word] = ""
        elif option not in _OPTIONS or not (value if equals else (value := next(words, ""))):
            return None
        else:
            found[option] = value
    return found


def _socket() -> str:
    try:
        config = load_kingd(main=KINGD_FILE, explicit=False, overrides={})
    except ConfigError as error:  # kingd will not start with it either, or runs on with what it read before
        _log.warning("going by the defaults: %s", error)
        return DEFAULT_SOCKET
    set_up(config.log.level, config.log.format)
    return str(config.control.socket)
