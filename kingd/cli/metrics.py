"""metrics: what kingd says of itself, for Prometheus. prometheus_client is imported when it is used."""

import contextlib
import json
import math
import os
import sys
import tempfile
import time
from pathlib import Path

import click

from kingd.cli.ask import Ask, duration
from kingd.cli.exits import OK, UNKNOWN, attempt, say
from kingd.control.client import Line


def _path(_ctx: click.Context, _param: click.Parameter, value: str | None) -> Path | None:
    if value == "":
        raise click.BadParameter("it is empty, and is to name a file")
    return None if value is None else Path(value)


@click.command()
@click.option(
    "--textfile",
    type=click.Path(dir_okay=False, readable=False),
    callback=_path,
    metavar="PATH",
    help="Into this file instead, at one stroke: for node_exporter, which reads PATH if it ends in .prom. A device or a pipe "
    "is written to.",
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
@click.option("--json", "as_json", is_flag=True, help="One JSON object: each name with its kind, help and samples.")
@click.pass_obj
def metrics(ask: Ask, textfile: Path | None, valid_s: float, as_json: bool) -> int:
    """What kingd says of itself, in the text format of Prometheus.

    If kingd does not answer, that is told (kingd_up 0), and the exit code is 3 or 4 as for the other verbs. A file outlives who
    has written it: kingd_textfile_valid_until_timestamp_seconds says until when it is true.
    """
    from kingd.web.exposition import exposition, look

    if as_json and textfile is not None:
        raise click.UsageError("--json goes to stdout: not with --textfile, which node_exporter reads")

    def verb() -> int:
        with contextlib.closing(Line(ask.path)) as line:
            seen = look(line, timeout_s=ask.timeout_s)
        found = exposition(seen, valid_until_s=None if textfile is None else time.time() + valid_s)
        if as_json:
            print(json.dumps({"version": 1, "metrics": _families(found)}))
        elif textfile is None:
            sys.stdout.buffer.write(found)
        else:
            _write(textfile, found)
        if seen.why_not is not None:
            raise seen.why_not
        return OK

    return attempt(verb, otherwise=UNKNOWN)


def _families(exposed: bytes) -> list[dict[str, object]]:
    from prometheus_client.parser import text_string_to_metric_families

    return [
        {
            "name": family.name,
            "kind": family.type,
            "help": family.documentation,
            "samples": [{"name": s.name, "labels": s.labels, "value": _number(s.value)} for s in family.samples],
        }
        for family in text_string_to_metric_families(exposed.decode())
    ]


def _number(value: float) -> float | None:
    """JSON has no infinity."""
    return value if math.isfinite(value) else None


def _write(path: Path, content: bytes) -> None:
    """OSError, with the name that was given: it was not written."""
    try:
        if path.exists() and not path.is_file():
            _write_to(path, content)
        else:
            _replace(_followed(path), content)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from None


def _write_to(path: Path, content: bytes) -> None:
    """A device, or a pipe that somebody reads (ENXIO: nobody does). Never replaced: who has it open would not see that."""
    handle = os.open(path, os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    with open(handle, "wb") as file:  # noqa: PTH123 - a descriptor
        os.set_blocking(handle, True)
        file.write(content)
        file.flush()


def _followed(path: Path) -> Path:
    """What a link points at; one that is neither ours nor root's may be there to have root write elsewhere, and is replaced."""
    is_trusted = path.is_symlink() and path.lstat().st_uid in (0, os.geteuid())
    return path.resolve() if is_trusted else path


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
