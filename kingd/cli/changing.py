"""step-down, maintenance, priority, reload: what changes the daemon. It allows that to root, its own user and its group."""

import json
import math
import time

import click

from kingd.cli.ask import Ask, duration
from kingd.cli.exits import NO, OK, attempt, say
from kingd.cli.text import age, clean, clock
from kingd.control.answer import flag, number, section_or_none, text, texts
from kingd.control.call import WORDS_MAX
from kingd.control.client import call
from kingd.control.validity import Answer

_LOOK_EVERY_S = 0.05

_json_option = click.option("--json", "as_json", is_flag=True, help="One JSON object.")


@click.command("step-down")
@click.option("--to", metavar="NAME", help="To the member of this name or id; default: to the best.")
@click.option(
    "--for",
    "for_s",
    callback=duration,
    default="60s",
    show_default=True,
    metavar="T",
    help="Do not lead again before. 90s, 5m, 2h; seconds without a unit.",
)
@_json_option
@click.pass_obj
def step_down(ask: Ask, to: str | None, for_s: float, as_json: bool) -> int:
    """Hand leadership over now; print who leads then. Only on the node that leads."""
    if math.isinf(for_s):
        raise click.UsageError(
            "--for needs an end; kingctl maintenance on keeps this node from leading until you say off"
        )

    def verb() -> int:
        parameters = {"to": to, "for_ms": round(for_s * 1000)}
        answer = call(ask.path, "StepDown", parameters, timeout_s=ask.timeout_s)
        leader = section_or_none(answer, "leader")
        if as_json:
            print(json.dumps(answer))
        if leader is None:
            say("nobody took leadership over in time; see kingctl survey")
            return NO
        if not as_json:
            print(clean(text(leader, "name")))
        say(clean(f"{text(leader, 'name')} leads now; this node does not come back for {age(for_s * 1000)}"))
        return OK

    return attempt(verb)


@click.command()
@click.argument("word", metavar="on|off", type=click.Choice(["on", "off"]))
@click.option(
    "--for", "for_s", callback=duration, metavar="T", help="End it by itself then. 90s, 5m, 2h; default: until off."
)
@click.option("--reason", metavar="R", default="", help="Why, for who asks: shown by kingctl status, and logged.")
@_json_option
@click.pass_obj
def maintenance(ask: Ask, word: str, for_s: float | None, reason: str, as_json: bool) -> int:
    """Keep this node from leading: it stays a member, and votes. Survives a restart, and is shown on all hosts.

    Returns when another node leads, if this one did. Exit code 1: it is on, and this node still leads.
    """
    if word == "off" and (for_s is not None or reason):
        raise click.UsageError("--for and --reason are for maintenance on")
    if for_s == 0:
        raise click.UsageError("--for 0 is over before it begins")
    if len(reason) > WORDS_MAX or not reason.isprintable():
        raise click.UsageError(f"--reason must be one line of at most {WORDS_MAX} characters")

    def verb() -> int:
        end_s = time.monotonic() + ask.timeout_s
        for_ms = None if for_s is None or math.isinf(for_s) else round(for_s * 1000)
        parameters = {"on": word == "on", "for_ms": for_ms, "reason": reason or None}
        answer = call(ask.path, "SetMaintenance", parameters, timeout_s=ask.timeout_s)
        until = f" until {clock(text(answer, 'until'))}" if answer.get("until") is not None else ""
        print(json.dumps(answer) if as_json else f"maintenance {word}{until}")
        if not flag(answer, "saved"):
            say("in force, and not kept over a restart: the state folder cannot be written (see kingctl status)")
        while word == "on" and (waits_s := end_s - time.monotonic()) > 0:
            if not Answer(ask.path, timeout_s=waits_s).is_me:
                return OK
            time.sleep(_LOOK_EVERY_S)
        if word == "on":
            say(
                "this node still leads: it hands over when what runs here has ended, or stops leading (see kingctl status)"
            )
        return OK if word == "off" else NO

    return attempt(verb)


@click.command()
@click.argument("value", metavar="N", type=click.IntRange(0, 65535))
@_json_option
@click.pass_obj
def priority(ask: Ask, value: int, as_json: bool) -> int:
    """Set this node's priority, 0 to 65535, until a reload or the end of the daemon. Higher wins, 0 never leads."""

    def verb() -> int:
        answer = call(ask.path, "SetPriority", {"priority": value}, timeout_s=ask.timeout_s)
        now, before = number(answer, "priority"), number(answer, "previous")
        print(json.dumps(answer) if as_json else f"priority {now} (before: {before})")
        if not flag(answer, "persistent"):
            say("not saved: a restart or a reload takes the priority of the configuration again")
        return OK

    return attempt(verb)


@click.command()
@_json_option
@click.pass_obj
def reload(ask: Ask, as_json: bool) -> int:
    """Let the daemon read its configuration again. Exit code 78: it is wrong, and nothing was changed."""

    def verb() -> int:
        answer = call(ask.path, "Reload", timeout_s=ask.timeout_s)
        applied, needs_restart = texts(answer, "applied"), texts(answer, "needs_restart")
        pending = texts(answer, "pending")
        if as_json:
            print(json.dumps(answer))
        else:
            print(
                clean(
                    f"changed: {', '.join(applied)}"
                    if applied
                    else "nothing changed yet"
                    if pending
                    else "nothing changed"
                )
            )
        for each in pending:
            say(clean(f"accepted, and not in force yet: {each}"))
        for note in texts(answer, "notes") if "notes" in answer else []:  # a daemon of another version has none
            say(clean(note))
        if needs_restart:
            say(clean(f"takes effect only after a restart of kingd: {', '.join(needs_restart)}"))
        return OK

    return attempt(verb)


COMMANDS: list[click.Command] = [step_down, maintenance, priority, reload]
