"""The command line of `kingd` as click sees it: every option with its help, and what is said about a mistake.

The man page and the completion are made from `command`, too."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from kingd import __version__
from kingd.config import DEFAULT_FILE
from kingd.daemon.options import DEFAULT_STATE, Options

_LEVELS = ["debug", "info", "warning", "error"]


def _number(value: str) -> int | str:
    """What is none is judged with what the files say, and as that is."""
    try:
        return int(value)
    except ValueError:
        return value


def _path(_ctx: click.Context, _param: click.Parameter, value: str | None) -> Path | None:
    if value == "":  # it would be the folder that we are in
        raise click.BadParameter("it is empty, and is to name a file or a folder")
    return None if value is None else Path(value)


_FILE = click.Path(readable=False)  # what is wrong with it is said by who opens it


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--config",
    type=_FILE,
    callback=_path,
    help=f"Configuration file.  [default: {DEFAULT_FILE}, if there is one]",
)
@click.option(
    "--instance",
    metavar="NAME",
    help="The daemon of kingd@NAME.service: /etc/kingd/NAME.toml, /var/lib/kingd-NAME, /run/kingd-NAME/control.sock, and the "
    "cluster NAME where no other is named.",
)
@click.option("--cluster", metavar="NAME", help="Name of the cluster to join.")
@click.option("--name", metavar="NAME", help="Name of this node.  [default: the short host name]")
@click.option("--priority", type=_number, metavar="N", help="0..65535, higher leads; 0 never leads.")
@click.option(
    "--interface", "interfaces", multiple=True, metavar="NAME", help="Network interface to use; may be repeated."
)
@click.option("--port", type=_number, metavar="PORT", help="UDP port.  [default: 5466]")
@click.option(
    "--state-dir", type=_FILE, callback=_path, default=DEFAULT_STATE, show_default=True, help="Durable state."
)
@click.option("--socket", type=_FILE, callback=_path, help="Control socket.  [default: /run/kingd/control.sock]")
@click.option("--voter", "voters", multiple=True, metavar="NAME", help="A host that votes; may be repeated.")
@click.option(
    "--log-level",
    metavar=f"[{'|'.join(_LEVELS)}]",
    shell_complete=lambda _ctx, _param, typed: [each for each in _LEVELS if each.startswith(typed)],
    help="Least important messages to log.",
)
@click.option("--detach", is_flag=True, help="Run in the background (for hosts without systemd).")
@click.option("--pid-file", type=_FILE, callback=_path, help="With --detach: where to write the process id.")
@click.option("--check-config", is_flag=True, help="Check the configuration and exit: 0 or 78.")
@click.version_option(__version__, "--version", message="kingd %(version)s")
def command(**values: Any) -> Options:  # as click has read them: the fields of Options
    """Agree with the other hosts of this LAN on who leads. Needs no configuration; ask with `kingctl leader`."""
    options = Options(**values)
    if options.pid_file is not None and not options.detach:
        raise click.UsageError("--pid-file goes with --detach")
    return options


def read_by_click(argv: Sequence[str]) -> Options:
    """SystemExit: there is nothing (more) to do, or a mistake, which was told."""
    try:
        found = command.main(list(argv), prog_name="kingd", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    if not isinstance(found, Options):
        sys.exit(found)  # --help, --version
    return found
