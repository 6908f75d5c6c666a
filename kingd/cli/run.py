"""run: a command for as long as this host leads. How that is done is in kingd/acting/run, imported when it is used."""

import click

from kingd.cli.ask import Ask, duration
from kingd.cli.exits import LOST, NOT_LEADER, OK, UNKNOWN, attempt, say

_FOR_EVER = "none"


@click.command(context_settings={"allow_interspersed_args": False})
@click.option(
    "--wait",
    "wait_s",
    is_flag=False,
    flag_value=_FOR_EVER,
    callback=duration,
    metavar="[T]",
    help="Until this node leads: without a limit, or --wait=T at most (90s, 5m).",
)
@click.option("--skip-ok", is_flag=True, help="Exit 0 where this node does not lead and nothing was run.")
@click.option(
    "--conflict-exit-code",
    type=click.IntRange(0, 254),
    metavar="N",
    help="Instead of 75 and 76, for a command that has these codes of its own.",
)
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED, metavar="[--] COMMAND [ARGUMENT]...")
@click.pass_obj
def run(ask: Ask, wait_s: float | None, skip_ok: bool, conflict_exit_code: int | None, command: tuple[str, ...]) -> int:
    """Run COMMAND while this node leads, and not longer: SIGTERM at the first doubt, and SIGKILL to all that it has
    started before another node may lead.

    Exit code: the command's own (128 + n: signal n ended it; 127, 126: it cannot be executed); 75: this node does not
    lead, nothing was run; 76: leadership was lost, the command was ended. COMMAND finds KINGD_TERM and KINGD_NODE_ID, which
    together are its fencing token, and KINGD_RUN=1 in its environment.
    """
    from kingd.acting.run.running import run as run_it

    def verb() -> int:
        outcome = run_it(command, socket=ask.path, timeout_s=ask.timeout_s, wait_s=wait_s)
        if outcome.code not in (NOT_LEADER, LOST):
            return outcome.code
        if outcome.is_own:
            say(f"{outcome.code} is the exit code of the command itself")
            return outcome.code
        if outcome.code == NOT_LEADER and skip_ok:
            return OK
        return outcome.code if conflict_exit_code is None else conflict_exit_code

    return attempt(verb, otherwise=UNKNOWN)


COMMANDS: list[click.Command] = [run]
