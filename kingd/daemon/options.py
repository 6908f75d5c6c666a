"""The words of the command line in, `Options` out.

What a unit file says, a list of `--option value`, is read here. All else (`--help`, `--detach`, a mistake, the shell's
completion) is left to click, whose import takes 25 ms of each start and 1.3 MiB for as long as the daemon lives. Both
ways read alike: tests/unit/test_options.py."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

DEFAULT_STATE = Path("/var/lib/kingd")

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


class Options(NamedTuple):
    """None and () = not given."""

    config: Path | None = None
    instance: str | None = None
    cluster: str | None = None
    name: str | None = None
    priority: int | None = None
    interfaces: tuple[str, ...] = ()
    port: int | None = None
    state_dir: Path = DEFAULT_STATE
    socket: Path | None = None
    voters: tuple[str, ...] = ()
    log_level: str | None = None
    detach: bool = False
    pid_file: Path | None = None
    check_config: bool = False

    @property
    def overrides(self) -> dict[str, object]:
        """By key of the configuration."""
        return {
            "cluster": self.cluster,
            "name": self.name,
            "priority": self.priority,
            "network.interfaces": self.interfaces or None,
            "network.port": self.port,
            "control.socket": self.socket,
            "quorum.voters": self.voters or None,
            "log.level": self.log_level,
        }

    def placed(self) -> "Options":
        """The files of an instance are its own, where none are named."""
        if self.instance is None:
            return self
        state_dir = Path(f"/var/lib/kingd-{self.instance}") if self.state_dir == DEFAULT_STATE else self.state_dir
        return self._replace(
            config=self.config or Path(f"/etc/kingd/{self.instance}.toml"),
            state_dir=state_dir,
            socket=self.socket or Path(f"/run/kingd-{self.instance}/control.sock"),
        )

    def absolute(self) -> "Options":
        """From the folder that we are started in: a detached daemon leaves it, and reads the configuration again later."""
        return self._replace(
            config=self.config and self.config.absolute(),
            state_dir=self.state_dir.absolute(),
            socket=self.socket and self.socket.absolute(),
            pid_file=self.pid_file and self.pid_file.absolute(),
        )


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
