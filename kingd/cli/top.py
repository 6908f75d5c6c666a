"""top: the cluster on a whole screen, live. kingd/top makes the screen; it needs rich, and is imported when it is used."""

import json
import shutil
import sys
import time

import click

from kingd.cli.ask import Ask
from kingd.cli.exits import NO, OK, USAGE, attempt, say
from kingd.control.answer import rows
from kingd.control.client import JsonObject, KingdError, Line, call

_JSON_EVERY_S = 1.0
_SIGNAL = 128
_WIDE = 500  # where no window limits the width


@click.command()
@click.option("--once", is_flag=True, help="Print the screen once, with every member, and end. Needs no terminal.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a second; with --once, one.")
@click.pass_obj
def top(ask: Ask, once: bool, as_json: bool) -> int:
    """The cluster on a whole screen, live: who leads, every member, who led before, and what happened.

    Keys: q quits; s asks every member whom it follows; d steps down and m keeps this node from leading, and both ask first; /
    filters; p pauses; arrows, PgUp, PgDn, Home and End scroll. TOP in kingctl(1) explains the columns.
    """
    if as_json:
        return attempt(lambda: _objects(ask, once=once))
    try:
        from kingd.top.session import session
        from kingd.top.terminal import Ended, why_not
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "rich":
            raise
        say(
            "top needs the Python package rich, which is not installed: apt install python3-rich (elsewhere: pip install rich)"
        )
        return NO
    if once:
        return attempt(lambda: _print_once(ask))
    obstacle = why_not()
    if obstacle is not None:
        say(
            f"top: {obstacle}; kingctl top --once prints one screen, and kingctl watch and members need no terminal either"
        )
        return USAGE

    def verb() -> int:
        call(ask.path, "Status", timeout_s=ask.timeout_s)  # whoever has no daemon is told so, on the screen that he has
        try:
            session(ask.path, timeout_s=ask.timeout_s)
        except Ended as ended:
            return _SIGNAL + ended.number
        return OK

    return attempt(verb)


def _print_once(ask: Ask) -> int:
    from rich.console import Console

    from kingd.top.feed import instant
    from kingd.top.model import Model
    from kingd.top.terminal import glyphs, replace_what_it_cannot_show
    from kingd.top.view import whole

    model = Model()
    model.happened(rows(call(ask.path, "History", timeout_s=ask.timeout_s), "events"))
    status, members = _asked(Line(ask.path), ask.timeout_s)
    model.answered(status, members, instant())
    is_terminal = sys.stdout.isatty()
    width = shutil.get_terminal_size().columns if is_terminal else _WIDE
    lines = whole(model, instant(), width=width, glyphs=glyphs())
    replace_what_it_cannot_show()
    if not is_terminal:
        print("\n".join(line.plain.rstrip() for line in lines))
        return OK
    console = Console(highlight=False, markup=False, emoji=False)
    for line in lines:
        console.print(line, no_wrap=True, overflow="crop", crop=True)
    return OK


def _objects(ask: Ask, *, once: bool) -> int:
    """What the screen is made of. (What happens in between is told by `watch --json`, at once.)"""
    line = Line(ask.path)
    shown = _object(line, ask.timeout_s)
    while True:
        print(json.dumps(shown), flush=True)
        if once:
            return OK
        time.sleep(_JSON_EVERY_S)
        try:
            shown = _object(line, ask.timeout_s)
        except KingdError as error:
            shown = {"version": 1, "status": None, "members": None, "no_answer": str(error)}


def _object(line: Line, timeout_s: float) -> JsonObject:
    status, members = _asked(line, timeout_s)
    return {"version": 1, "status": status, "members": members["members"], "no_answer": None}


def _asked(line: Line, timeout_s: float) -> tuple[JsonObject, JsonObject]:
    status, members = line.call("Status", timeout_s=timeout_s), line.call("Members", timeout_s=timeout_s)
    rows(members, "members")
    return status, members


COMMANDS: list[click.Command] = [top]
