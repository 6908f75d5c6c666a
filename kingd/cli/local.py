"""check-config, help, keygen and version: answered without the daemon."""

import json
import os
from pathlib import Path

import click

from kingd import __version__
from kingd.cli.ask import Ask
from kingd.cli.exits import CONFIG, OK, say


@click.command("check-config")
@click.argument("file", required=False, type=click.Path(path_type=Path, readable=False))
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@click.pass_obj
def check_config(ask: Ask, file: Path | None, as_json: bool) -> int:
    """Check FILE, or the configuration of this host. Exit code 78: it has mistakes, and each is named.

    Root is told what the user `kingd` finds, who runs the daemon: a file that this user may not read is a mistake.
    """
    from kingd.config import DEFAULT_FILE, ConfigError, load, remarks, source_of
    from kingd.daemon.account import DAEMON, become_daemon
    from kingd.daemon.keys import open_seal

    if file is None and ask.instance is not None:
        file = Path(f"/etc/kingd/{ask.instance}.toml")
    as_daemon = become_daemon(file or DEFAULT_FILE)
    main, explicit, instance = file or DEFAULT_FILE, file is not None, ask.instance
    problems: tuple[str, ...] = ()
    notes: list[str] = []
    try:
        config = load(main=main, explicit=explicit, overrides={}, instance=instance)
        open_seal(
            config.security,
            source=lambda: source_of("security.mode", main=main, explicit=explicit, overrides={}, instance=instance),
        )
        notes = list(remarks(config))
    except ConfigError as error:
        problems = error.problems
    if as_json:
        found = {"version": 1, "ok": not problems, "problems": list(problems), "remarks": notes, "as_daemon": as_daemon}
        print(json.dumps(found))
        return CONFIG if problems else OK
    for sentence in (*problems, *notes):
        say(sentence)
    if problems and as_daemon:
        say(f"this is what the user {DAEMON} finds, who runs the daemon")
    if not problems:
        print("ok")
    return CONFIG if problems else OK


@click.command()
def keygen() -> int:
    """A new cluster key on stdout.

    As root, on one host:
    `kingctl keygen | install -m 0640 -o root -g kingd /dev/stdin /etc/kingd/cluster.key`.
    CLUSTER KEY in kingd(8) says how the other hosts get it without a gap, how a key is rolled, and how it is withdrawn.
    """
    print(os.urandom(32).hex())
    return OK


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def version(as_json: bool) -> int:
    """The version of kingctl."""
    print(json.dumps({"version": 1, "kingctl": __version__}) if as_json else __version__)
    return OK


@click.command("help")
@click.argument("verb", required=False)
@click.pass_context
def help_(ctx: click.Context, verb: str | None) -> int:
    """What kingctl can do, or what VERB does; the same as --help."""
    group = ctx.find_root()
    if verb is None:
        click.echo(group.get_help())
        return OK
    assert isinstance(group.command, click.Group)
    command = group.command.get_command(group, verb)
    if command is None:
        raise click.UsageError(f"No such command {verb!r}.", ctx=group)
    click.echo(command.get_help(click.Context(command, info_name=verb, parent=group)))
    return OK


COMMANDS: list[click.Command] = [check_config, help_, keygen, version]
