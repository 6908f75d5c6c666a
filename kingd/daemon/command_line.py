"""The words of the command line in, `Options` out.

What a unit file says, a list of `--option value`, is read here. All else (`--help`, `--detach`, a mistake, the shell's
completion) is left to click, whose import takes 25 ms of each start and 1.3 MiB for as long as the daemon lives. Both
ways read alike: tests/unit/test_options.py."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from kingd.daemon.options import Options

# option -> field of `Options`, and how its value is read
_ONCE: dict[str, tuple[str, Callable[[str], object]]] = {
    "--config": ("config", Path),
    "--instance": ("instance", str),
    "--cluster": ("cluster", str),
    "--name": ("name", str),
    "--priority": ("priority", int),
    "--port": ("port", int),
    "--state-dir": ("state_dir", Path),
    "--socket": ("socket", Path),
}
_REPEATED = {"--interface": "interfaces", "--voter": "voters"}


def read(argv: Sequence[str]) -> Options:
    """SystemExit: there is nothing (more) to do, or a mistake, which was told."""
    options = read_plain(argv)
    if options is None:
        from kingd.daemon.command import read_by_click

        options = read_by_click(argv)
    return options.placed().absolute()


def read_plain(argv: Sequence[str]) -> Options | None:
    """None: click is to read them."""
    if "_KINGD_COMPLETE" in os.environ:
        return None
    values: dict[str, Any] = {}  # as the fields of Options are
    words = iter(argv)
    for word in words:
        option, equals, value = word.partition("=")
        if not equals:
            value = next(words, "")
        if not value or value.startswith("-"):
            return None
        if option in _REPEATED:
            field = _REPEATED[option]
            values[field] = (*values.get(field, ()), value)
        elif option in _ONCE:
            field, kind = _ONCE[option]
            if kind is int and not (value.isascii() and value.isdigit()):
                return None
            values[field] = kind(value)
        else:
            return None
    return Options(**values)
