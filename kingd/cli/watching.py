"""watch and wait: what the daemon says by itself. Nothing here polls."""

import contextlib
import json
import os
import select
import signal
import sys
import threading
from collections.abc import Iterator

import click

from kingd.cli.ask import Ask
from kingd.cli.events import line
from kingd.cli.exits import NO, OK, attempt, say
from kingd.cli.leader import if_still_good
from kingd.cli.text import age, clean
from kingd.control import validity
from kingd.control.answer import text
from kingd.control.client import CallTimedOut, stream


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
@click.pass_obj
def watch(ask: Ask, as_json: bool) -> int:
    """The present state, then every change as it happens, until Ctrl-C.

    Exit code 3: the daemon stopped. --timeout is for the first line only.
    """

    def verb() -> int:
        with _ends_with_its_reader():
            for event in stream(ask.path, "Watch", first_s=ask.timeout_s):
                print(json.dumps(event) if as_json else line(event), flush=True)
        return OK

    return attempt(verb)


@click.command()
@click.option("--leader", "any_leader", is_flag=True, help="Until there is a leader (default).")
@click.option("--me", is_flag=True, help="Until this node leads.")
@click.option("--json", "as_json", is_flag=True, help="The event that ended the wait, as a JSON object.")
@click.pass_obj
def wait(ask: Ask, any_leader: bool, me: bool, as_json: bool) -> int:
    """Wait until there is a leader, or until this node leads; print its name.

    Exit code 1: time ran out (--timeout none waits for ever).
    """
    if any_leader and me:
        raise click.UsageError("choose one of --leader and --me")
    with _ends_with_its_reader():
        return attempt(lambda: _wait(ask, me=me, as_json=as_json))


@contextlib.contextmanager
def _ends_with_its_reader() -> Iterator[None]:
    """`watch | head -1` ends when head does: the next event, at which a write would notice, may be weeks away."""
    over, end = os.pipe()

    def wait_for_it() -> None:
        ends = select.poll()
        for each in (over, sys.stdout.fileno()):
            ends.register(each, 0)  # POLLERR and POLLHUP are told unasked
        if over not in dict(ends.poll()):
            os.kill(os.getpid(), signal.SIGPIPE)

    waiting = threading.Thread(target=wait_for_it, daemon=True)
    waiting.start()
    try:
        yield
    finally:  # what is polled is kept open, and its number may be another file's by then
        os.close(end)
        waiting.join()
        os.close(over)


def _wait(ask: Ask, *, me: bool, as_json: bool) -> int:
    try:
        answer, event = validity.wait(ask.path, me=me, first_s=ask.timeout_s, total_s=ask.timeout_s)
    except CallTimedOut:
        leader = validity.Answer(ask.path, timeout_s=ask.timeout_s).leader  # or it is the daemon that does not answer
        state = "there is no leader" if leader is None else f"{text(leader, 'name')} leads, not this node"
        say(clean(f"time ran out: after {age(ask.timeout_s * 1000)} {state}"))
        return NO
    assert answer.leader is not None
    print(json.dumps(event) if as_json else clean(text(answer.leader, "name")), flush=True)
    return if_still_good(answer, OK)


COMMANDS: list[click.Command] = [watch, wait]
