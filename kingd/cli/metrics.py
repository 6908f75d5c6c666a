"""metrics: what kingd says of itself, for Prometheus. prometheus_client is imported when it is used."""

import contextlib
import os
import sys
import tempfile
import time
from pathlib import Path

import click

from kingd.cli.ask import Ask, duration
from kingd.cli.exits import OK, UNKNOWN, attempt, say


@click.command()
@click.option(
    "--textfile",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="PATH",
    help="Into this file instead, at one stroke: for node_exporter, which reads PATH if it ends in .prom.",
)
@click.option(
    "--valid",
    "valid_s",
    default="90s",
    show_default=True,
    callback=duration,
    metavar="T",
    help="With --textfile: how long it may be believed. Write it anew before that.",
)
@click.pass_obj
def metrics(ask: Ask, textfile: Path | None, valid_s: float) -> int:
    """What kingd says of itself, in the text format of Prometheus.

    If kingd does not answer, that is told (kingd_up 0), and the exit code is 3 or 4 as for the other verbs. A file outlives who
    has written it: kingd_textfile_valid_until_timestamp_seconds says until when it is true.
    """
    from kingd.web.exposition import exposition, look

    def verb() -> int:
        seen = look(ask.path, timeout_s=ask.timeout_s)
        found = exposition(seen, valid_until_s=None if textfile is None else time.time() + valid_s)
        if textfile is None:
            sys.stdout.buffer.write(found)
        else:
            _replace(textfile, found)
        if seen.why_not is not None:
            raise seen.why_not
        return OK

    return attempt(verb, otherwise=UNKNOWN)


def _replace(path: Path, content: bytes) -> None:
    """Who reads it finds the former one or this one, whole."""
    if path.suffix != ".prom":
        say(f"{path} does not end in .prom: node_exporter will not read it")
    handle, name = tempfile.mkstemp(dir=path.absolute().parent, prefix=f".{path.name}.")
    try:
        with open(handle, "wb") as file:  # noqa: PTH123 - a descriptor
            file.write(content)
            file.flush()
            os.fchmod(handle, 0o644)
            os.fsync(handle)
        Path(name).replace(path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            Path(name).unlink()
        raise


COMMANDS: list[click.Command] = [metrics]
