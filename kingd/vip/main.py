"""The process behind kingd-vip.service, around the runner: options, configuration, log."""

import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from kingd.config import DEFAULT_FILE as KINGD_FILE
from kingd.config import ConfigError
from kingd.config import load as load_kingd
from kingd.control.target import DEFAULT_SOCKET
from kingd.log import Logger, set_up
from kingd.vip.config import DEFAULT_FILE, load
from kingd.vip.runner import Runner

_FOLDER = Path("/run/kingd-vip")
_EX_USAGE = 2
_OPTIONS = ("--config", "--socket", "--run-dir")
_USAGE = "usage: vip [--config FILE] [--socket PATH] [--run-dir FOLDER] [--check-config]\n"

_log = Logger("kingd.vip")


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
        return os.EX_CONFIG
    if "--check-config" in options:
        return 0
    if not _is_new_enough(kernel := os.uname().release):
        sys.stderr.write(
            f"kingd-vip: this is Linux {kernel}, and 5.18 is needed: older ones cannot mark whose an address is\n"
        )
        return os.EX_CONFIG
    try:
        Runner(options.get("--socket") or _socket(), addresses, Path(options.get("--run-dir", _FOLDER))).run()
    except PermissionError as error:
        sys.stderr.write(f"kingd-vip: it needs CAP_NET_ADMIN and CAP_NET_RAW, as kingd-vip.service has them: {error}\n")
        return os.EX_NOPERM
    return 0


def _is_new_enough(release: str) -> bool:
    numbers = re.match(r"(\d+)\.(\d+)", release)
    return numbers is None or (int(numbers[1]), int(numbers[2])) >= (5, 18)


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
