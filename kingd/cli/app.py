"""kingctl's verbs, as click sees them. Each group of verbs is a file of its own, and all have the options that are here."""

import functools

import click

from kingd import __version__
from kingd.cli import changing, doctor, lab, local, metrics, reading, run, serve, tools, top, watching
from kingd.cli.ask import Ask, duration
from kingd.control.target import LOOK_S, is_instance


def _remember_timeout(ctx: click.Context, param: click.Parameter, value: str | None) -> None:
    timeout_s = duration(ctx, param, value)
    if timeout_s is not None:
        ctx.ensure_object(Ask).timeout_s = timeout_s or LOOK_S


def _remember_socket(ctx: click.Context, _param: click.Parameter, value: str | None) -> None:
    if value is not None:
        ctx.ensure_object(Ask).socket = value


def _remember_instance(ctx: click.Context, _param: click.Parameter, value: str | None) -> None:
    if value is not None and not is_instance(value):
        raise click.BadParameter(f"{value!r} is no instance name (letters, digits and . _ - :)")
    if value is not None:
        ctx.ensure_object(Ask).instance = value


def _common_options() -> list[click.Parameter]:
    return [
        click.Option(
            ["--socket"],
            metavar="PATH",
            help="The daemon's control socket. Default: $KINGCTL_SOCKET, else by --instance.",
            expose_value=False,
            callback=_remember_socket,
        ),
        click.Option(
            ["--instance"],
            metavar="NAME",
            help="The daemon of kingd@NAME.service. Default: that of kingd.service.",
            expose_value=False,
            callback=_remember_instance,
        ),
        click.Option(
            ["--timeout"],
            metavar="T",
            help="How long to wait for the answer: 5s (default), 200ms, 1m, none, 0 (look once); seconds without a unit.",
            expose_value=False,
            callback=_remember_timeout,
        ),
    ]


def run_click(argv: list[str]) -> int:
    try:
        result = application().main(argv, prog_name="kingctl", standalone_mode=False, obj=Ask())
    except click.ClickException as error:  # usage: 2
        error.show()
        return error.exit_code
    except click.Abort:  # Ctrl-C
        raise KeyboardInterrupt from None
    return result if isinstance(result, int) else 0


@functools.cache
def application() -> click.Group:
    # A call without a verb is a mistake (2) in click 8.2 and none in 8.1: so it is left to nobody's default.
    group = click.Group(
        name="kingctl",
        no_args_is_help=False,
        help="Ask kingd who leads this LAN, and steer it.",
        epilog="Exit codes: 0 yes, 1 no, 2 usage, 3 the daemon is not running, 4 not known. See kingctl(1).",
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    for module in (reading, watching, doctor, top, run, changing, metrics, serve, local, tools):
        for command in module.COMMANDS:
            group.add_command(command)
            command.params.extend(_common_options())
    group.params.extend(_common_options())
    click.version_option(__version__, message="%(prog)s %(version)s", help="Print the version, and exit.")(group)
    group.add_command(lab.lab)
    return group
